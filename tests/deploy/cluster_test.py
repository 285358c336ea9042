"""The user data and the unit that deploy/aws renders start a real cluster of three, in network namespaces.

    cluster_test.py FOLDER_OF_BINARIES

The user data come from `dfs-aws create` against the stand-in of AWS; each "instance" is a namespace with files of its own and the address
that the user data name (instance/). There `dfs-node` does what it does on EC2: blkid and mkfs.ext4 on a (file of a) volume, the artefact
fetched and checked, keys, unit. In place of real ones: the mount, systemctl, and the two calls to AWS.
"""

import contextlib
import ctypes
import gzip
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

import aws_stand_in

try:
    import yaml
except ImportError:
    sys.path.append("/usr/lib/python3/dist-packages")
    import yaml

FOLDER = pathlib.Path(__file__).resolve().parent
SOURCE = FOLDER.parent.parent
WAIT_SECONDS = 90
binaries = pathlib.Path()


def die_with_parent():
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


def sha256_of(path):
    return subprocess.run(["sha256sum", str(path)], check=True, capture_output=True, text=True).stdout.split()[0]


def why_not():
    for tool in ("ip", "mkfs.ext4", "blkid", "patchelf", "unshare", "nsenter"):
        if shutil.which(tool, path=PATH) is None:
            return tool + " is not installed"
    tried = subprocess.run(["unshare", "-r", "--net", "--mount", "sh", "-c", "ip link add lan type bridge && mount -t tmpfs tmpfs /run"],
                           capture_output=True, text=True, check=False, env={"PATH": PATH})
    return "" if tried.returncode == 0 else "no namespaces: " + tried.stderr.strip()


PATH = os.environ["PATH"] + ":/usr/sbin:/sbin"


class Cluster(unittest.TestCase):
    def setUp(self):
        reason = why_not()
        if reason:
            print("\nSKIPPED: a cluster from the user data of deploy/aws: " + reason)
            self.skipTest(reason)
        self.stack = contextlib.ExitStack()
        self.addCleanup(self.stack.close)
        self.folder = pathlib.Path(self.stack.enter_context(tempfile.TemporaryDirectory(prefix="dfs-deploy-")))
        self.tree = self.folder / "tree"
        subprocess.run([str(SOURCE / "deploy/aws/make-artifact"), "--folder=" + str(self.tree)], check=True,
                       env={"PATH": PATH, "DFS_BIN_DIR": str(binaries)})
        self.old = self.pack("1")
        self.server = aws_stand_in.Server()
        self.dfs_aws("create", "test", "--artifact=" + self.old[0], "--sha256=" + self.old[1], "--yes")
        self.instances = {t["tags"]["dfs:node"]: t for t in self.server.cloud.of("instance")}

    # ---- what AWS would hold ----

    def pack(self, name, left_out=()):
        """A release under the name that its URL has: (URL, checksum). Not compressed: that would be most of the time."""
        (self.tree / "NAME").write_text(name)
        path = self.folder / ("dfs-%s.tar.gz" % name)
        with subprocess.Popen(["tar", "-C", str(self.tree), *("--exclude=" + word for word in left_out), "-c", "."], stdout=subprocess.PIPE) as tar:
            with gzip.open(path, "wb", compresslevel=0) as out:
                shutil.copyfileobj(tar.stdout, out, 1 << 20)
        self.assertEqual(tar.returncode, 0)
        return "s3://releases/" + path.name, sha256_of(path)

    def dfs_aws(self, *arguments):
        environment = {"PATH": "%s:%s" % (FOLDER / "stand_in", PATH), "AWS_STAND_IN_PORT": str(self.server.port), "AWS_REGION": "eu-central-1",
                       "DFS_AWS_POLL_SECONDS": "0", "DFS_BIN_DIR": str(binaries)}
        result = subprocess.run([str(SOURCE / "deploy/aws/dfs-aws"), *arguments], env=environment, capture_output=True, text=True, timeout=120,
                                check=False)
        self.assertEqual(result.returncode, 0, result.stderr)

    def hand_out_parameters(self):
        for instance in self.instances.values():
            own = self.folder / instance["address"] / "parameters"
            own.mkdir(parents=True, exist_ok=True)
            for name, (_, value) in self.server.cloud.parameters.items():
                (own / name.replace("/", "_")).write_text(value)

    # ---- instances ----

    def boot_all(self):
        self.hand_out_parameters()
        addresses = [instance["address"] for instance in self.instances.values()]
        environment = {"PATH": "%s:%s" % (FOLDER / "instance/bin", PATH), "DFS_NODE_POLL_SECONDS": "0.1"}
        lan = subprocess.Popen(["unshare", "-r", "--net", "--mount", "--propagation", "private", str(FOLDER / "instance/lan"), str(self.folder), *addresses],
                               env=environment, preexec_fn=die_with_parent)
        self.stack.callback(lan.wait)
        self.stack.callback(lan.kill)
        for address in addresses:
            self.await_true("instance " + address, (self.folder / address / "pid").exists)

    def await_true(self, what, predicate):
        end = time.monotonic() + WAIT_SECONDS
        while not predicate():
            self.assertLess(time.monotonic(), end, "waited in vain: %s; logs: %s" % (what, self.logs()))
            time.sleep(0.05)

    def on(self, node, *command, status=0, **options):
        pid = (self.folder / self.instances[node]["address"] / "pid").read_text()
        environment = {"PATH": "%s:%s" % (FOLDER / "instance/bin", PATH), "DFS_NODE_POLL_SECONDS": "0.1"}
        result = subprocess.run(["nsenter", "--target", pid, "--user", "--net", "--mount", "--preserve-credentials", *command], env=environment,
                                capture_output=True, timeout=240, check=False, **options)
        if status is not None:
            self.assertEqual(result.returncode, status, (node, command, result.stderr.decode(), self.logs()))
        return result

    def logs(self):
        return "\n".join("%s: %s" % (log, log.read_text()[-2000:]) for log in sorted(self.folder.glob("*/*.log")))

    def node(self, node, *arguments, **options):
        return self.on(node, "/usr/local/sbin/dfs-node", *arguments, **options)

    def first_start(self, node):
        """What cloud-init does with the user data."""
        data = yaml.safe_load(self.instances[node]["user_data"])
        for file in data["write_files"]:
            content = file["content"]
            self.on(node, "sh", "-c", 'mkdir -p "$(dirname "$1")" && cat >"$1" && chmod "$2" "$1"', "sh", file["path"], file["permissions"],
                    input=content.encode())
        device = "/dev/disk/by-id/nvme-Amazon_Elastic_Block_Store_" + re.search(r"VOLUME=(\S+)", self.instances[node]["user_data"]).group(1).replace("-", "", 1)
        self.on(node, "truncate", "--size=64M", device)
        for command in data["runcmd"]:
            self.on(node, *command)
        return device

    def service(self, node):
        return json.loads(self.on(node, "systemctl", "show", "dfs-server.service").stdout)

    # ---- the test ----

    def test_three_nodes_store_and_return_files(self):
        self.boot_all()
        device = [self.first_start(node) for node in ("n1", "n2", "n3")][0]
        for node in ("n1", "n2", "n3"):
            self.await_true(node + " is ready", lambda node=node: "READY=1" in self.service(node)["notices"] if self.service(node)["pid"] else False)
        self.node("n1", "wait", str(WAIT_SECONDS), "n1", "n2", "n3")
        self.assertEqual(self.on("n1", "blkid", "-p", "-o", "value", "-s", "LABEL", device).stdout, b"dfs-data\n")

        content = os.urandom(3_000_000)
        self.node("n1", "cli", "put", "-", "folder/file", input=content)
        self.assertEqual(self.node("n3", "cli", "get", "folder/file", "-").stdout, content)
        self.assert_keys_are_the_servers_only()

        # The release before comes back if the next one does not start; one that does takes its place.
        broken = self.pack("2", left_out=["./lib/*"])
        self.node("n2", "upgrade", *broken, status=1)
        self.node("n1", "wait", str(WAIT_SECONDS), "n1", "n2", "n3")
        good = self.pack("3")
        other = self.node("n2", "upgrade", good[0], self.old[1][::-1], status=1)
        self.assertIn(b"has not the checksum", other.stderr)
        self.node("n2", "upgrade", *good)
        self.assertEqual(self.on("n2", "readlink", "/opt/dfs/current").stdout.decode().strip(), "releases/" + good[1])
        self.node("n1", "wait", str(WAIT_SECONDS), "n1", "n2", "n3")
        self.assertEqual(self.node("n2", "cli", "get", "folder/file", "-").stdout, content)

        # New keys for one node; a client with a certificate of its own, one without.
        before = self.on("n2", "cat", "/etc/dfs/tls/node.key").stdout
        self.dfs_aws("renew", "test", "--yes")
        self.hand_out_parameters()
        self.node("n2", "renew")
        self.assertNotEqual(self.on("n2", "cat", "/etc/dfs/tls/node.key").stdout, before)
        self.node("n1", "wait", str(WAIT_SECONDS), "n1", "n2", "n3")
        self.assert_clients_need_a_certificate(content)

        # Stopped as systemd stops it, it says so; started again by what a reboot does, it is the same node on the same data.
        self.on("n2", "systemctl", "stop", "dfs-server.service")
        self.assertIn("STOPPING=1", self.service("n2")["notices"])
        self.node("n2", "setup")
        self.node("n2", "wait", str(WAIT_SECONDS), "n1", "n2", "n3")
        ids = re.findall(rb"(?m)^(n\d) alive \S+ (\d+)$", self.node("n1", "observe").stdout)
        self.assertEqual(sorted(name for name, _ in ids), [b"n1", b"n2", b"n3"])
        self.assertEqual(sorted(int(i) for _, i in ids), [1, 2, 3])
        self.assert_a_volume_in_use_is_never_formatted()
        print("PROVED: feature 50: rendered user data and unit start a cluster of three with TLS, which stores and returns files, is upgraded, goes back from a "
              "release that does not start, and keeps its data over a restart")

    def assert_clients_need_a_certificate(self, content):
        self.dfs_aws("client", "test", "alice", "--dir=%s/alice" % self.folder)
        get = [str(binaries / "dfs-cli"), "--endpoints=10.73.1.12:7710", "--timeout=10s", "get", "folder/file", "-"]
        files = ["DFS_TLS_%s=%s/alice/%s" % (name, self.folder, file)
                 for name, file in (("CERT", "alice.crt"), ("KEY", "alice.key"), ("CA", "ca.crt"))]
        self.assertEqual(self.on("n1", "env", *files, *get).stdout, content)
        self.assertNotEqual(self.on("n1", *get, status=None).returncode, 0)

    def assert_keys_are_the_servers_only(self):
        for name, mode in (("node.key", "640"), ("node.crt", "644"), ("ca.crt", "644")):
            self.assertEqual(self.on("n1", "stat", "-c", "%a", "/etc/dfs/tls/" + name).stdout.decode().strip(), mode)
        self.assertIn(b"PRIVATE KEY", self.on("n1", "cat", "/etc/dfs/tls/node.key").stdout)
        self.assertEqual(self.on("n1", "cat", "/etc/dfs/tls/node.crt", "/etc/dfs/tls/ca.crt").stdout.count(b"PRIVATE"), 0)

    def assert_a_volume_in_use_is_never_formatted(self):
        """Its file system cannot be recognised any more: setup says so and leaves it alone."""
        self.on("n3", "systemctl", "stop", "dfs-server.service")
        self.on("n3", "/usr/bin/umount", "/var/lib/dfs")
        device = self.on("n3", "sh", "-c", "echo /dev/disk/by-id/*").stdout.decode().strip()
        self.on("n3", "dd", "if=/dev/zero", "of=" + device, "bs=1M", "count=1", "conv=notrunc", "status=none")
        before = self.on("n3", "sha256sum", device).stdout
        refused = self.node("n3", "setup", status=1)
        self.assertIn(b"not touched", refused.stderr)
        self.assertEqual(self.on("n3", "sha256sum", device).stdout, before)
        # Nor does the server begin an empty node below the mount point.
        self.on("n3", "systemctl", "restart", "dfs-server.service", status=1)


if __name__ == "__main__":
    binaries = pathlib.Path(sys.argv.pop(1)).resolve()
    unittest.main(verbosity=1)
