#!/usr/bin/env python3
"""One "instance": private folders where a fresh machine has its own, and what systemd does for the units of dfs.

    machine.py FOLDER      in a mount and a network namespace of its own

Commands of bin/systemctl come as JSON lists through /run/machine.sock: daemon-reload, enable, restart, stop, show. A unit of Type=notify
is started with the environment that it names and is ready when it has said so. When this process dies, so do its services.
"""

import ctypes
import json
import os
import pathlib
import re
import selectors
import shlex
import signal
import socket
import subprocess
import sys

READY_LIMIT_SECONDS = 120
STOP_LIMIT_SECONDS = 60
UNITS = pathlib.Path("/etc/systemd/system")


def die_with_parent():
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


def mount(*arguments):
    # Not the stand-in that the instance finds in its PATH.
    subprocess.run(["/usr/bin/mount", *map(str, arguments)], check=True)


def make_folders_private(folder):
    mount("-t", "tmpfs", "tmpfs", "/run")
    for path in ("/opt", "/usr/local/bin", "/usr/local/sbin", "/var/lib", "/etc", "/dev"):
        old = pathlib.Path("/run/old" + path)
        old.mkdir(parents=True)
        mount("--rbind", path, old)
        mount("-t", "tmpfs", "tmpfs", path)
        if path not in ("/etc", "/var/lib"):
            for entry in old.iterdir():
                pathlib.Path(path, entry.name).symlink_to(entry)
    for name in ("passwd", "group", "hosts", "nsswitch.conf", "ld.so.cache", "ld.so.conf", "alternatives", "mke2fs.conf"):
        subprocess.run(["cp", "-dR", "--preserve=mode", "/run/old/etc/" + name, "/etc/"], check=False)
    UNITS.mkdir(parents=True)
    pathlib.Path("/etc/fstab").touch()
    pathlib.Path("/dev/disk").unlink(missing_ok=True)
    pathlib.Path("/dev/disk/by-id").mkdir(parents=True)
    (folder / "volume").mkdir(exist_ok=True)
    pathlib.Path("/run/folder").symlink_to(folder)


class Unit:
    """The settings of a unit file and its drop-ins; the last word counts, but for lists."""

    def __init__(self, name):
        self.name = name
        self.settings = {}
        for path in [UNITS / name, *sorted((UNITS / (name + ".d")).glob("*.conf"))]:
            for line in path.read_text().splitlines():
                match = re.match(r"([A-Za-z]+)=(.*)$", line)
                if match:
                    self.settings.setdefault(match.group(1), []).append(match.group(2).strip())

    def last(self, key, default=""):
        return self.settings.get(key, [default])[-1]

    def environment(self):
        # Nothing of this process's: as systemd does.
        result = {"PATH": os.environ["PATH"]}
        for line in self.settings.get("Environment", []):
            key, value = line.split("=", 1)
            result[key] = value
        for path in self.settings.get("EnvironmentFile", []):
            for line in pathlib.Path(path).read_text().splitlines():
                if "=" in line and not line.startswith("#"):
                    key, value = line.split("=", 1)
                    result[key] = value
        return result

    def command(self, environment):
        words = []
        for word in shlex.split(self.last("ExecStart")):
            words += environment.get(word[1:], "").split() if word.startswith("$") else [word]
        return words


class Machine:
    """Starts, watches and stops services."""

    def __init__(self, folder):
        self.folder = folder
        self.running = {}   # name -> Popen
        self.notices = {}   # name -> what it said to its manager, in order
        self.sockets = {}

    def start(self, name, waits):
        if name in self.running and self.running[name].poll() is None:
            return 0
        unit = Unit(name)
        for path in unit.settings.get("AssertPathIsMountPoint", []):
            if not os.path.ismount(path):
                print("%s: %s is no mount point" % (name, path), file=sys.stderr)
                return 1
        environment = unit.environment()
        for folder in unit.settings.get("StateDirectory", []):
            pathlib.Path("/var/lib", folder).mkdir(exist_ok=True)
        is_notifying = unit.last("Type") == "notify"
        if is_notifying:
            path = "/run/notify-" + name
            pathlib.Path(path).unlink(missing_ok=True)
            self.sockets[name] = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            self.sockets[name].bind(path)
            self.notices[name] = []
            environment["NOTIFY_SOCKET"] = path
        with open(self.folder / (name + ".log"), "ab") as log:
            try:
                process = subprocess.Popen(unit.command(environment), env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                           preexec_fn=die_with_parent, cwd="/")
            except OSError as error:
                log.write(("cannot be executed: %s\n" % error).encode())
                return 1
        self.running[name] = process
        if not waits:
            return 0
        return self.await_ready(name) if is_notifying else process.wait(READY_LIMIT_SECONDS)

    def take_notices(self, name, timeout):
        self.sockets[name].settimeout(timeout)
        try:
            self.notices[name] += self.sockets[name].recv(4096).decode().splitlines()
        except (TimeoutError, BlockingIOError):
            return

    def await_ready(self, name):
        for _ in range(READY_LIMIT_SECONDS * 10):
            self.take_notices(name, 0.1)
            if "READY=1" in self.notices[name]:
                return 0
            if self.running[name].poll() is not None:
                return 1
        return 1

    def stop(self, name):
        process = self.running.pop(name, None)
        if process is not None and process.poll() is None:
            process.terminate()
            process.wait(STOP_LIMIT_SECONDS)

    def obey(self, words):
        """(exit status, output)."""
        verb, flags, names = words[0], [w for w in words[1:] if w.startswith("-")], [w for w in words[1:] if not w.startswith("-")]
        status = 0
        if verb == "restart":
            self.stop(names[0])
            status = self.start(names[0], True)
        elif verb == "enable":
            status = self.start(names[0], "--no-block" not in flags) if "--now" in flags else 0
        elif verb == "stop":
            self.stop(names[0])
        elif verb == "show":
            while name_has_more(self.sockets.get(names[0])):
                self.take_notices(names[0], 0)
            process = self.running.get(names[0])
            return 0, json.dumps({"notices": self.notices.get(names[0], []), "status": process and process.poll(), "pid": process and process.pid})
        elif verb != "daemon-reload":
            status = 64
        return status, ""

    def serve(self):
        door = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        door.bind("/run/machine.sock")
        door.listen()
        while True:
            connection, _ = door.accept()
            with connection:
                words = json.loads(connection.makefile().readline())
                status, text = self.obey(words)
                connection.sendall(("%d\n%s" % (status, text)).encode())


def name_has_more(notices):
    if notices is None:
        return False
    with selectors.DefaultSelector() as selector:
        selector.register(notices, selectors.EVENT_READ)
        return bool(selector.select(0))


def main():
    die_with_parent()
    folder = pathlib.Path(sys.argv[1])
    make_folders_private(folder)
    machine = Machine(folder)
    (folder / "pid.new").write_text(str(os.getpid()))
    (folder / "pid.new").rename(folder / "pid")
    machine.serve()


if __name__ == "__main__":
    main()
