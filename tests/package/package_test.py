#!/usr/bin/env python3
"""The package that `cmake --install` makes, as its users meet it: installed below a temporary folder, with programs built from what
is there alone (one by CMake, the others by pkg-config), against three of the installed servers (feature 15).

    package_test.py BUILD COMPILER
"""
import filecmp
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

SOURCE = os.path.realpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
DEADLINE_S = 60
INSTALLED = [
    "bin/dfs-server", "bin/dfs-cli", "include/dfs/client.h", "include/dfs/status.h", "include/dfs/stream.h",
    "lib/libdfs_client.so", "lib/cmake/dfs/dfs-config.cmake", "lib/cmake/dfs/dfs-config-version.cmake",
    "lib/cmake/dfs/dfs-targets.cmake", "lib/pkgconfig/dfs-client.pc", "share/doc/dfs/LICENSE", "share/doc/dfs/README.md",
    "share/doc/dfs/examples/config/server.env", "share/doc/dfs/examples/tail/tail.cc", "share/doc/dfs/examples/put_get.py",
    "share/dfs/proto/dfs/v1/files.proto", "lib/systemd/system/dfs-server.service", "lib/sysusers.d/dfs.conf",
]


def run(*command, **options):
    """Its standard output; exits if it fails."""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=300, check=False, **options)
    if done.returncode != 0:
        sys.exit("%s\nended with %d\n%s%s" % (" ".join(command), done.returncode, done.stdout.decode(), done.stderr.decode()))
    return done.stdout.decode()


def wait_for(what, condition):
    end = time.monotonic() + DEADLINE_S
    while not condition():
        if time.monotonic() > end:
            sys.exit("not within %d s: %s" % (DEADLINE_S, what))
        time.sleep(0.05)


def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


class Cluster:
    """Three installed servers."""

    def __init__(self, prefix, folder):
        self.prefix = prefix
        self.processes = []
        ports = free_ports(6)
        self.endpoints = ["127.0.0.1:%d" % port for port in ports[:3]]
        for n in range(3):
            join = ["--bootstrap"] if n == 0 else ["--join=127.0.0.1:%d" % ports[3]]
            with open(os.path.join(folder, "log%d" % n), "wb") as log:
                # pylint: disable=consider-using-with
                self.processes.append(subprocess.Popen(
                    [prefix + "/bin/dfs-server", "--data-dir=%s/data%d" % (folder, n), "--listen=" + self.endpoints[n],
                     "--peer-listen=127.0.0.1:%d" % ports[3 + n], "--name=n%d" % (n + 1)] + join,
                    stdout=log, stderr=log))
        wait_for("three live members", self.is_ready)

    def is_ready(self):
        done = subprocess.run(
            [self.prefix + "/bin/dfs-cli", "--endpoints=" + ",".join(self.endpoints), "--json", "status"],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False)
        try:
            status = json.loads(done.stdout)
        except ValueError:
            return False
        alive = [node for node in status.get("nodes", []) if node["state"] == "alive"]
        return bool(status.get("leader")) and len(alive) == 3

    def cli(self, *words, **options):
        return run(self.prefix + "/bin/dfs-cli", "--endpoints=" + ",".join(self.endpoints), *words, **options)

    def stop(self):
        for process in self.processes:
            process.send_signal(signal.SIGTERM)
        for process in self.processes:
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()


def install(build, folder):
    """The prefix: not where it was installed to, but where it was moved to afterwards."""
    first = os.path.join(folder, "first")
    run("cmake", "--install", build, "--prefix", first)
    with open(first + "/lib/systemd/system/dfs-server.service", encoding="utf-8") as unit:
        if "ExecStart=%s/bin/dfs-server" % first not in unit.read():
            sys.exit("the unit does not start the installed server")
    prefix = os.path.join(folder, "prefix")
    os.rename(first, prefix)
    missing = [path for path in INSTALLED if not os.path.exists(os.path.join(prefix, path))]
    if missing:
        sys.exit("not installed: " + ", ".join(missing))
    for header in ["client.h", "status.h", "stream.h"]:
        with open(os.path.join(prefix, "include/dfs", header), encoding="utf-8") as file:
            for line in file:
                if line.startswith("#include") and not line.startswith(('#include <', '#include "dfs/st')):
                    sys.exit("%s exposes %s" % (header, line))
    configs = prefix + "/share/doc/dfs/examples/config"
    run(prefix + "/bin/dfs-cli", "--config=" + configs + "/cli.conf", "config", "show")
    refused = subprocess.run([prefix + "/bin/dfs-server", "--config=" + configs + "/server.conf", "--http-listen=x"],
                             stderr=subprocess.PIPE, check=False).stderr
    if b"--http-listen=x is not host:port" not in refused:
        sys.exit("server.conf is not taken: " + refused.decode())
    return prefix


def build_programs(prefix, compiler, folder):
    """Paths of backup, tail and exercise."""
    examples = prefix + "/share/doc/dfs/examples"
    cmake = os.path.join(folder, "cmake")
    run("cmake", "-S", examples + "/backup", "-B", cmake, "-DCMAKE_PREFIX_PATH=" + prefix, "-DCMAKE_CXX_COMPILER=" + compiler)
    run("cmake", "--build", cmake)
    environment = dict(os.environ, PKG_CONFIG_PATH=prefix + "/lib/pkgconfig")
    flags = run("pkg-config", "--cflags", "--libs", "dfs-client", env=environment).split()
    version = run("pkg-config", "--modversion", "dfs-client", env=environment).strip()
    if run(prefix + "/bin/dfs-server", "--version").split() != ["dfs-server", version]:
        sys.exit("pkg-config says version " + version)
    for name, source in [("tail", examples + "/tail/tail.cc"), ("exercise", SOURCE + "/tests/package/exercise.cc")]:
        run(compiler, "-std=c++20", "-Wall", "-Wextra", "-Werror", "-pedantic", source, "-o", os.path.join(folder, name), *flags)
    return [cmake + "/dfs-backup", folder + "/tail", folder + "/exercise"]


def try_backup(backup, cluster, folder):
    saved = os.path.join(folder, "saved")
    os.makedirs(saved + "/a/b")
    for name, count in [("empty", 0), ("a/small", 100), ("a/b/big file", 3_000_000)]:
        with open(os.path.join(saved, name), "wb") as file:
            file.write(os.urandom(count))
    endpoints = ",".join(cluster.endpoints)
    run(backup, endpoints, "store", saved, "saved")
    os.remove(saved + "/a/small")
    said = run(backup, endpoints, "store", saved, "saved")
    if "2 files, 3000000 bytes" not in said:
        sys.exit("backup said " + said)
    run(backup, endpoints, "restore", "saved", folder + "/restored")
    for name in ["empty", "a/b/big file"]:
        if not filecmp.cmp(os.path.join(saved, name), os.path.join(folder, "restored", name), shallow=False):
            sys.exit(name + " was restored differently")
    if os.path.exists(folder + "/restored/a/small"):
        sys.exit("a file that was removed was restored")


def try_tail(tail, cluster, folder):
    printed = os.path.join(folder, "printed")
    with open(printed, "wb") as out:
        with subprocess.Popen([tail, cluster.endpoints[1], "log.txt"], stdin=subprocess.PIPE, stdout=out) as process:
            for text in ["one\n", "one\ntwo\n", "one\ntwo\nthree\n"]:
                cluster.cli("put", "--force", "-", "log.txt", input=text.encode())

                def has_printed(text=text):
                    with open(printed, "rb") as file:
                        return file.read() == text.encode()
                wait_for("tail prints what was added", has_printed)
            process.stdin.close()
            if process.wait(DEADLINE_S) != 0:
                sys.exit("tail failed")


def try_black_hole(exercise, cluster):
    """An address that takes connections and never says a word, first in the list. Returns the time it cost."""
    with socket.socket() as hole:
        hole.bind(("127.0.0.1", 0))
        hole.listen(16)
        address = "127.0.0.1:%d" % hole.getsockname()[1]
        usual = float(run(exercise, cluster.endpoints[0], "first"))
        # Of several runs the quickest: a busy machine makes each of them slower, never quicker.
        taken = min(float(run(exercise, address + "," + cluster.endpoints[0], "first")) for _ in range(3))
    if taken - usual > 2:
        sys.exit("a Store and a Get took %.2f s with a black hole first, %.2f s without" % (taken, usual))
    return taken


def main():
    build, compiler = sys.argv[1:]
    folder = tempfile.mkdtemp(prefix="dfs-package-")
    try:
        prefix = install(build, folder)
        backup, tail, exercise = build_programs(prefix, compiler, folder)
        os.environ["LD_LIBRARY_PATH"] = prefix + "/lib"
        cluster = Cluster(prefix, folder)
        try:
            run(exercise, ",".join(cluster.endpoints), "all")
            try_backup(backup, cluster, folder)
            try_tail(tail, cluster, folder)
            taken = try_black_hole(exercise, cluster)
            nobody = "127.0.0.1:%d" % free_ports(1)[0]
            run(exercise, nobody, "unreachable")
        finally:
            cluster.stop()
    finally:
        shutil.rmtree(folder)
    print("PROVED: a moved `cmake --install` tree: examples built by CMake and by pkg-config store, restore and follow files; a Store and "
          "a Get behind a black-holed first endpoint took %.1f s (limit: 2 s more than without)" % taken)


if __name__ == "__main__":
    main()
