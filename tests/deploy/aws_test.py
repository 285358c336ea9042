"""deploy/aws against a stand-in of the AWS command line (aws_stand_in.py): a cluster's whole life.

    aws_test.py [--rewrite] [unittest's arguments]

The calls that change something are compared with golden/*.txt; --rewrite makes these anew: then review the difference.
DFS_TEST_NIGHTLY=1: every single call fails once before and once after its effect, instead of the first of each kind in one of the two ways.
"""

import json
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import unittest

import aws_stand_in

try:
    import yaml
except ImportError:
    sys.path.append("/usr/lib/python3/dist-packages")
    import yaml

FOLDER = pathlib.Path(__file__).resolve().parent
SOURCE = FOLDER.parent.parent
AWS_SCRIPTS = SOURCE / "deploy" / "aws"
GOLDEN = FOLDER / "golden"
IS_NIGHTLY = os.environ.get("DFS_TEST_NIGHTLY") == "1"
does_rewrite = False

OLD, NEW = "a" * 64, "b" * 64
ARTIFACT = ["--artifact=s3://releases/dfs-1.tar.gz", "--sha256=" + OLD]
NEXT_ARTIFACT = ["--artifact=s3://releases/dfs-2.tar.gz", "--sha256=" + NEW]
RUN_LIMIT_SECONDS = 120
RUNS_MAX = 400  # of one command that is interrupted again and again

server = aws_stand_in.Server()
AWS_FUNCTION = (FOLDER / "stand_in" / "aws").read_text().replace("exec 3<>", "local status text; exec 3<>").replace("exit ", "return ")


def proved(text):
    print("PROVED: " + text, flush=True)


def without_scratch(text):
    return re.sub(r"/tmp/[^/ ]*tmp\.[A-Za-z0-9]+", "SCRATCH", text)


class OnStandIn(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        self.cloud = server.cloud = aws_stand_in.Cloud()

    def tearDown(self):
        self.assertEqual(self.cloud.wrong, [], "calls that the real command line would refuse")

    def dfs_aws(self, *arguments, exit_status=0):
        environment = {
            "PATH": "%s:%s" % (FOLDER / "stand_in", os.environ["PATH"]), "HOME": os.environ.get("HOME", "/"),
            "DFS_BIN_DIR": str(FOLDER / "stand_in"), "AWS_STAND_IN_PORT": str(server.port), "AWS_REGION": self.cloud.region,
            "DFS_AWS_POLL_SECONDS": "0",
            # The same as stand_in/aws, without a new process for each of thousands of calls.
            "BASH_FUNC_aws%%": "() {\n" + AWS_FUNCTION + "\n}"}
        result = subprocess.run([str(AWS_SCRIPTS / "dfs-aws"), *arguments], env=environment, stdin=subprocess.DEVNULL,
                                capture_output=True, text=True, timeout=RUN_LIMIT_SECONDS, check=False)
        if exit_status is not None:
            self.assertEqual(result.returncode, exit_status, result.stderr)
        return result

    def create(self):
        return self.dfs_aws("create", "test", *ARTIFACT, "--yes")

    def transcript(self, since=0):
        """The calls from number `since` on that change something, as a reader would paste them."""
        lines = []
        for arguments, files, status in list(zip(self.cloud.calls, self.cloud.files_of, self.cloud.statuses))[since:]:
            if aws_stand_in.is_reading(arguments) or status != 0:
                continue
            words = [w for w in arguments if w not in ("--output", "text")]
            lines.append("aws " + without_scratch(shlex.join(words)))
            for path, text in files.items():
                if not path.endswith((".pem", "/user-data")):
                    lines += ["    | " + line for line in text.splitlines()]
        return "\n".join(lines) + "\n"

    def changes(self, since):
        return [c for c in self.cloud.calls[since:] if not aws_stand_in.is_reading(c)]

    def compare_with_golden(self, name, text):
        path = GOLDEN / name
        if does_rewrite:
            path.write_text(text)
        self.assertMultiLineEqual(path.read_text(), text, "golden/%s differs: review, then --rewrite" % name)

    def state(self):
        """What there is, without the numbers that depend on how often something was tried."""
        names = {i: t["tags"].get("Name", t["kind"]) for i, t in self.cloud.things.items()}
        names.update({"None": "-", None: "-"})
        things = sorted((t["kind"], names[t["id"]], t.get("zone", ""), str(t.get("state", "")), t["tags"].get("dfs:release", ""),
                         t["tags"].get("dfs:used", ""), t.get("address", ""))
                        for t in self.cloud.things.values() if t["kind"] != "rule" and t.get("state") != "terminated")
        rules = sorted((names[t["group"]], t["is_egress"], t["protocol"], t["port"], names.get(t["to"], t["to"]))
                       for t in self.cloud.of("rule"))
        attached = sorted((names[t["id"]], names[t["instance"]]) for t in self.cloud.of("volume"))
        return {"things": [" ".join(map(str, t)) for t in things], "rules": rules, "attached": attached, "roles": self.cloud.roles,
                "profiles": {n: p["role"] for n, p in self.cloud.profiles.items()}, "parameters": sorted(self.cloud.parameters),
                "settings": self.cloud.parameters.get("/dfs/test/settings"),
                "members": sorted((m["name"], m["is_alive"], m["release"]) for m in self.cloud.members)}


class Life(OnStandIn):
    def step(self, name, *arguments):
        since = len(self.cloud.calls)
        result = self.dfs_aws(name, "test", *arguments, "--yes")
        self.compare_with_golden(name + ".txt", self.transcript(since))
        return result

    def assert_nothing_more(self, *arguments):
        since = len(self.cloud.calls)
        self.dfs_aws(*arguments, "--yes")
        self.assertEqual([c for c in self.changes(since) if c[1] != "send-command"], [])

    def alive(self):
        return sorted(m["name"] for m in self.cloud.members if m["is_alive"])

    def test_from_create_to_destroy(self):
        self.step("create", *ARTIFACT)
        self.assertEqual(self.alive(), ["n1", "n2", "n3"])
        self.assertEqual(len({t["zone"] for t in self.cloud.of("instance")}), 3, "one node in each zone")
        self.assert_nothing_more("create", "test", *ARTIFACT)
        self.assert_nothing_more("create", "test")
        status = self.dfs_aws("status", "test").stdout
        for word in ("n3", "eu-central-1c", "10.73.2.13", "running", "cluster OK n1 0 0"):
            self.assertIn(word, status)

        self.step("grow", "--to=5")
        self.assertEqual(self.alive(), ["n1", "n2", "n3", "n4", "n5"])
        self.assert_nothing_more("grow", "test", "--to=5")

        self.step("shrink", "n4")
        self.assertEqual(self.alive(), ["n1", "n2", "n3", "n5"])
        self.assertNotIn("dfs-test-n4", str(self.state()), "nothing of it is left")
        self.assertLess(self.cloud.ran.index(("n1", "cli ok-to-stop n4")), self.cloud.ran.index(("n1", "let-go n4")))

        before = {m["name"]: m["id"] for m in self.cloud.members}
        volume = next(t for t in self.cloud.of("volume") if t["tags"]["dfs:node"] == "n2")
        self.step("replace", "n2")
        self.assertEqual({m["name"]: m["id"] for m in self.cloud.members}, before, "the same node as before")
        self.assertIn(volume["id"], self.cloud.things, "on its old volume")

        self.step("upgrade", *NEXT_ARTIFACT)
        self.assertEqual({m["release"] for m in self.cloud.members}, {NEW})
        self.assert_one_zone_after_another()
        self.assert_nothing_more("upgrade", "test", *NEXT_ARTIFACT)

        keys = {name: value for name, (_, value) in self.cloud.parameters.items() if name.endswith("/keys")}
        self.step("renew")
        self.assertEqual(sorted(self.cloud.renewed), ["n1", "n2", "n3", "n5"])
        for name, value in keys.items():
            self.assertNotEqual(self.cloud.parameters[name][1], value)
            self.assertEqual(self.cloud.renewed[name.split("/")[4]], self.cloud.parameters[name][1], "fetched after it was stored")

        self.cloud.files = 3
        refused = self.dfs_aws("destroy", "test", "--yes", exit_status=1)
        self.assertIn("holds files (3)", refused.stderr)
        self.assertEqual(self.alive(), ["n1", "n2", "n3", "n5"])
        self.step("destroy", "--destroy-data")
        self.assertEqual(self.cloud.living(), [], "nothing is left that costs")
        self.assertIn("nothing to do", self.dfs_aws("destroy", "test", "--yes").stderr)
        proved("feature 50: deploy/aws create, status, grow, shrink, replace, upgrade, destroy against a stand-in of the AWS command line: "
               "%d calls, all as the real one takes them; run twice is nothing more" % len(self.cloud.calls))

    def assert_one_zone_after_another(self):
        zone_of = {t["tags"]["dfs:node"]: t["zone"] for t in self.cloud.of("instance") if t["state"] == "running"}
        upgraded = [(i, node) for i, (node, line) in enumerate(self.cloud.ran) if line.startswith("upgrade ")]
        zones = [zone_of[node] for _, node in upgraded]
        self.assertEqual(zones, sorted(zones))
        self.assertEqual(sorted(node for _, node in upgraded), ["n1", "n2", "n3", "n5"])
        for at, node in upgraded:  # between two of them: all copies are there, and it is ok to stop this one
            self.assertEqual(self.cloud.ran[at - 1][1], "cli ok-to-stop " + node)
            self.assertRegex(self.cloud.ran[at - 2][1], r"^wait \d+ n1 n2 n3 n5$")
            self.assertRegex(self.cloud.ran[at + 1][1], r"^wait \d+ n1 n2 n3 n5$")

    def test_a_lost_volume_is_made_anew_when_told(self):
        self.create()
        volume = next(t for t in self.cloud.of("volume") if t["tags"]["dfs:node"] == "n3")
        instance = self.cloud.things[volume["instance"]]
        instance["state"] = "terminated"
        self.cloud.shut(instance)
        del self.cloud.things[volume["id"]]
        refused = self.dfs_aws("replace", "test", "n3", "--yes", exit_status=1)
        self.assertIn("--volume-lost", refused.stderr)
        self.dfs_aws("replace", "test", "n3", "--volume-lost", "--yes")
        self.assertEqual(self.alive(), ["n1", "n2", "n3"])
        self.assertEqual(len(self.cloud.members), 3, "the dead one was replaced by the new one of its name")
        again = [t for t in self.cloud.of("instance") if t["tags"]["dfs:node"] == "n3" and t["state"] == "running"]
        self.assertNotIn("--bootstrap", again[0]["user_data"])

    def test_no_step_that_would_cost_a_quorum(self):
        self.create()
        self.dfs_aws("grow", "test", "--to=4", "--yes")
        self.cloud.not_ok_to_stop = {"n2", "n4"}
        for command, node in (("shrink", "n4"), ("replace", "n2")):
            since = len(self.cloud.calls)
            self.dfs_aws(command, "test", node, "--yes", exit_status=1)
            self.assertEqual([c[1] for c in self.changes(since)], ["send-command"])
        self.dfs_aws("upgrade", "test", *NEXT_ARTIFACT, "--yes", exit_status=1)
        self.assertEqual([m["name"] for m in self.cloud.members if m["release"] == NEW], ["n1"], "n4, in the same zone, must stay up")
        self.dfs_aws("shrink", "test", "n3", "--yes")
        refused = self.dfs_aws("shrink", "test", "n1", "--yes", exit_status=1)
        self.assertIn("three copies need three nodes", refused.stderr)

    def test_a_release_that_does_not_start_stops_the_upgrade(self):
        self.create()
        self.cloud.broken_releases = {NEW}
        result = self.dfs_aws("upgrade", "test", *NEXT_ARTIFACT, "--yes", exit_status=1)
        self.assertIn("back to the one before", result.stderr)
        self.assertEqual([line for _, line in self.cloud.ran if line.startswith("upgrade")], ["upgrade s3://releases/dfs-2.tar.gz " + NEW])


class WhatIsCreated(OnStandIn):
    """Each promise about security by its name."""

    created = None  # once for all: these tests only look

    def setUp(self):
        super().setUp()
        if WhatIsCreated.created is None:
            self.dfs_aws("create", "test", *ARTIFACT, "--clients=192.168.7.0/24", "--yes")
            WhatIsCreated.created = self.cloud
        self.cloud = WhatIsCreated.created
        self.by_name = {t["tags"].get("Name"): t for t in self.cloud.things.values()}

    def rules(self, group):
        names = {t["id"]: n for n, t in self.by_name.items()}
        return {("out" if t["is_egress"] else "in", t["protocol"], t["port"], names.get(t["to"], t["to"])) for t in self.cloud.of("rule")
                if t["group"] == self.by_name[group]["id"]}

    def test_the_peer_port_is_open_to_members_only(self):
        self.assertEqual(self.rules("dfs-test-nodes"), {
            ("in", "tcp", 7710, "192.168.7.0/24"), ("in", "tcp", 7712, "192.168.7.0/24"), ("in", "tcp", 7711, "dfs-test-nodes"),
            ("out", "tcp", 7711, "dfs-test-nodes"), ("out", "tcp", 443, "dfs-test-endpoints"), ("out", "tcp", 443, "pl-6ea54007")})
        self.assertEqual(self.rules("dfs-test-endpoints"), {("in", "tcp", 443, "dfs-test-nodes")})

    def test_instances_have_tokens_only_and_no_public_address(self):
        for instance in self.cloud.of("instance"):
            self.assertEqual(instance["template"]["MetadataOptions"]["HttpTokens"], "required")
            self.assertEqual(instance["template"]["MetadataOptions"]["HttpPutResponseHopLimit"], 1)
            self.assertIs(instance["network"]["AssociatePublicIpAddress"], False)
        self.assertNotIn("gateway", " ".join(c[1] for c in self.cloud.calls), "there is no way to or from the Internet")

    def test_volumes_are_encrypted_and_outlive_instances(self):
        self.assertEqual(len(self.cloud.of("volume")), 3)
        for volume in self.cloud.of("volume"):
            self.assertTrue(volume["is_encrypted"])
        for instance in self.cloud.of("instance"):
            disks = instance["template"]["BlockDeviceMappings"]
            self.assertEqual([d["Ebs"]["Encrypted"] for d in disks], [True], "the system's disk, which is the instance's own")
        creations = [c for c in self.cloud.calls if c[1] == "create-volume"]
        attachments = [c for c in self.cloud.calls if c[1] == "attach-volume"]
        self.assertEqual((len(creations), len(attachments)), (3, 3), "made apart from the instance: EC2 keeps it when that goes")

    def test_a_client_gets_a_certificate_and_not_the_authority(self):
        with tempfile.TemporaryDirectory() as folder:
            since = len(self.cloud.calls)
            self.dfs_aws("client", "test", "alice", "--dir=" + folder + "/keys")
            self.assertEqual(self.changes(since), [])
            self.assertEqual(sorted(p.name for p in pathlib.Path(folder, "keys").iterdir()), ["alice.crt", "alice.key", "ca.crt"])
            self.assertEqual(pathlib.Path(folder, "keys/alice.key").stat().st_mode & 0o077, 0)
            self.assertNotIn("SECRETauthority", "".join(p.read_text() for p in pathlib.Path(folder, "keys").iterdir()))
            self.dfs_aws("client", "test", "n1", "--dir=" + folder, exit_status=64)

    def test_no_secret_in_user_data_or_on_a_command_line(self):
        secrets = [value for kind, value in self.cloud.parameters.values() if kind == "SecureString"]
        self.assertEqual(len(secrets), 4, "the authority and three nodes")
        self.assertTrue(all("SECRET" in s for s in secrets))
        for name, (kind, value) in self.cloud.parameters.items():
            self.assertEqual("SECRET" in value, kind == "SecureString", name)
        for instance in self.cloud.of("instance"):
            self.assertNotIn("SECRET", instance["user_data"])
            # The program that fetches the keys looks for the words; no block of a PEM file is there.
            self.assertNotRegex(instance["user_data"], r"-----BEGIN [A-Z ]+-----\n")
        self.assertNotIn("SECRET", str(self.cloud.calls))
        self.assertNotIn("SECRET", str([t.get("template") for t in self.cloud.things.values()]))

    def test_a_role_reads_its_own_keys_and_nothing_else(self):
        for node in ("n1", "n2", "n3"):
            role = self.cloud.roles["dfs-test-" + node]
            (policy,) = [json.loads(p) for p in role["policies"].values()]
            allowed = {(a, s["Resource"]) for s in policy["Statement"]
                       for a in ([s["Action"]] if isinstance(s["Action"], str) else s["Action"])}
            everywhere = {a for a, r in allowed if r == "*"}
            self.assertTrue(all(a.startswith(("ssmmessages:", "ssm:UpdateInstanceInformation")) for a in everywhere), everywhere)
            own = "arn:aws:ssm:eu-central-1:123456789012:parameter/dfs/test/node/%s/keys" % node
            self.assertEqual({(a, r) for a, r in allowed if r != "*"}, {
                ("ssm:GetParameter", own), ("s3:GetObject", "arn:aws:s3:::releases/dfs-1.tar.gz"),
                ("kms:Decrypt", "arn:aws:kms:eu-central-1:123456789012:key/11111111-2222-3333-4444-555555555555")})
            (decrypt,) = [s for s in policy["Statement"] if s["Action"] == "kms:Decrypt"]
            self.assertEqual(decrypt["Condition"]["StringEquals"]["kms:EncryptionContext:PARAMETER_ARN"], own)

    def test_user_data(self):
        texts = {t["tags"]["dfs:node"]: t["user_data"] for t in self.cloud.of("instance")}
        program = (AWS_SCRIPTS / "dfs-node").read_text()
        for node, text in texts.items():
            self.assertTrue(text.startswith("#cloud-config\n"))
            self.assertLessEqual(len(text.encode()), 16384)
            data = yaml.safe_load(text)
            files = {f["path"]: f["content"] for f in data["write_files"]}
            self.assertEqual(files["/usr/local/sbin/dfs-node"], program)
            self.assertEqual("--bootstrap" in files["/etc/dfs/server.env"], node == "n1")
            self.assertNotIn("--insecure", files["/etc/dfs/server.env"])
            self.assertIn("DFS_TLS_KEY=", files["/etc/dfs/server.env"])
            shown = text.replace("\n".join("      " + line if line else "" for line in program.rstrip("\n").split("\n")), "      (dfs-node)")
            self.compare_with_golden("user-data-%s.yaml" % node, shown)
        if shutil.which("cloud-init") is None:
            print("\nSKIPPED: cloud-init schema: cloud-init is not installed (on a machine that boots with systemd it would configure that)")
            return
        with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
            file.write(texts["n1"])
            file.flush()
            environment = {"PATH": "/usr/bin:/bin:/usr/sbin", "LANG": "C.UTF-8"}
            result = subprocess.run(["cloud-init", "schema", "--config-file", file.name], capture_output=True, text=True,
                                    timeout=60, check=False, env=environment)
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
        self.assertNotIn("deprecated", (result.stdout + result.stderr).lower())
        proved("user data of EC2 nodes: cloud-init takes them, no secret is in them")


class Interrupted(OnStandIn):
    """A call fails, the script stops and says so, and the next run goes on: to the same end as without failures."""

    def commands(self):
        long_ones = [("upgrade", *NEXT_ARTIFACT), ("renew",)] if IS_NIGHTLY else []
        return [("create", *ARTIFACT), ("grow", "--to=4"), ("replace", "n2"), *long_ones, ("shrink", "n1"), ("destroy", "--destroy-data")]

    def end_states(self):
        states = []
        for name, *arguments in self.commands():
            self.dfs_aws(name, "test", *arguments, "--yes")
            states.append(json.dumps(self.state(), indent=1))
        return states

    def test_each_call_fails_once(self):
        wanted = self.end_states()
        self.cloud = server.cloud = aws_stand_in.Cloud()

        def fail(arguments):
            if aws_stand_in.is_reading(arguments):
                return None, None
            what = (command, without_scratch(shlex.join(arguments)) if IS_NIGHTLY else " ".join(arguments[:2]))
            done = [when for name, when in self.cloud.injected if name == what]
            # Which of the two, where one must do: the other one for each next kind of call.
            first = ("before", "after")[len(self.cloud.injected) % 2]
            if not done:
                return first, what
            if IS_NIGHTLY and len(done) == 1:
                return ("after" if done == ["before"] else "before"), what
            return None, None

        self.cloud.fail = fail
        for (command, *arguments), end in zip(self.commands(), wanted):
            for _ in range(RUNS_MAX):
                failures = len(self.cloud.injected)
                result = self.dfs_aws(command, "test", *arguments, "--yes", exit_status=None)
                if result.returncode == 0:
                    break
                self.assertEqual((result.returncode, len(self.cloud.injected) - failures), (1, 1), result.stderr)
                self.assertIn("this call failed", result.stderr)
                self.assertIn("injected", result.stderr)
                self.assertIn("  aws " + " ".join(self.cloud.calls[-1][:2]), result.stderr)
                self.assertIn("run the same command again", result.stderr.replace("\n", " "))
            self.assertEqual(result.returncode, 0)
            self.assertMultiLineEqual(end, json.dumps(self.state(), indent=1), command)
        proved("deploy/aws: %d calls failed once each, before or after their effect: each time a message, and the next run went on "
               "to the same end" % len(self.cloud.injected))


class DryRun(OnStandIn):
    def test_every_command_prints_its_calls_and_changes_nothing(self):
        self.assert_dry("create", *ARTIFACT)
        self.create()
        self.assert_dry("grow", "--to=4")
        self.dfs_aws("grow", "test", "--to=4", "--yes")
        self.assert_dry("status")
        self.assert_dry("shrink", "n4")
        self.assert_dry("replace", "n2")
        self.assert_dry("upgrade", *NEXT_ARTIFACT)
        self.assert_dry("renew")
        self.assert_dry("destroy")
        self.assert_dry("destroy", "--destroy-data")

    def assert_dry(self, command, *arguments):
        since, before = len(self.cloud.calls), json.dumps(self.state(), sort_keys=True)
        result = self.dfs_aws(command, "test", *arguments, "--dry-run", "--yes")
        self.assertEqual(self.changes(since), [])
        self.assertEqual(json.dumps(self.state(), sort_keys=True), before)
        announced = re.findall(r"^would: aws (\S+ \S+)", result.stdout, re.MULTILINE)
        if command == "status":
            return self.assertEqual(announced, [])
        # Then for real, on a copy of the state: what was announced is what happens.
        if command == "create":
            self.assertEqual(announced, self.announced_by_golden(command))
        return self.assertGreater(len(announced) + result.stdout.count("would: on "), 0)

    def announced_by_golden(self, command):
        calls = re.findall(r"^aws (\S+ \S+)", (GOLDEN / (command + ".txt")).read_text(), re.MULTILINE)
        # Commands on nodes are announced in other words.
        return [c for c in calls if c != "ssm send-command"]


class Refused(OnStandIn):
    def assert_usage(self, *arguments):
        result = self.dfs_aws(*arguments, exit_status=64)
        self.assertEqual(self.cloud.calls, [])
        return result.stderr

    def test_what_cannot_be_meant(self):
        for arguments in ([], ["nonsense"], ["create"], ["create", "Test"], ["create", "a b"], ["create", "x;reboot"], ["grow", "test", "--to=0"],
                          ["shrink", "test"], ["shrink", "test", "../n1"], ["create", "test", "--volume-gib=12;x"],
                          ["create", "test", "--clients=everybody"], ["create", "test", "--artifact=s3://b/k$(id)", "--sha256=" + OLD],
                          ["create", "test", "--artifact=http://b/k", "--sha256=" + OLD], ["create", "test", "--sha256=abc"],
                          ["create", "test", "--destroy-data"], ["status", "test", "--frobnicate"], ["destroy", "test", "--region=x;y"]):
            self.assert_usage(*arguments)

    def test_nobody_is_asked_without_a_terminal_or_yes(self):
        result = self.dfs_aws("create", "test", *ARTIFACT, exit_status=64)
        self.assertIn("--yes", result.stderr)
        self.assertEqual(self.changes(0), [])

    def test_zones_without_such_instances(self):
        self.cloud.offering = ("eu-central-1a", "eu-central-1c", "eu-central-1d")
        result = self.dfs_aws("create", "test", *ARTIFACT, "--zones=eu-central-1a eu-central-1b", "--yes", exit_status=1)
        self.assertIn("zone eu-central-1b has no m6i.large", result.stderr)
        self.assertEqual(self.changes(0), [])
        result = self.dfs_aws("create", "test", *ARTIFACT, "--dry-run")
        self.assertIn("a subnet in each of eu-central-1a eu-central-1c eu-central-1d", result.stderr)
        self.cloud.offering = self.cloud.offering[:2]
        self.dfs_aws("create", "test", *ARTIFACT, "--yes", exit_status=1)
        self.assertEqual(self.changes(0), [])

    def test_the_internet_is_no_client(self):
        self.dfs_aws("create", "test", *ARTIFACT, "--clients=0.0.0.0/0", "--yes", exit_status=64)
        self.assertEqual(self.changes(0), [])

    def test_create_changes_nothing_of_a_cluster_that_is_there(self):
        self.create()
        since = len(self.cloud.calls)
        result = self.dfs_aws("create", "test", *ARTIFACT, "--volume-gib=300", "--yes", exit_status=1)
        self.assertIn("--volume-gib", result.stderr)
        self.assertEqual(self.changes(since), [])


class Renderer(unittest.TestCase):
    def render(self, template, *values):
        with tempfile.NamedTemporaryFile("w") as file:
            file.write(template)
            file.flush()
            script = 'set -euo pipefail; source "$1"; shift; render "$@"'
            return subprocess.run(["bash", "-c", script, "bash", str(AWS_SCRIPTS / "lib.sh"), file.name, *values],
                                  capture_output=True, text=True, timeout=60, check=False)

    def test_replaces_and_does_nothing_else(self):
        text = "a: @{A}\n  `id` $(id) ${A} \\n @{A}/@{B_2}\n  @{MORE}\n"
        result = self.render(text, "A", "x:1", "B_2", "", "MORE", "one $(id)\n\n  two @{A}")
        self.assertEqual(result.stdout, "a: x:1\n  `id` $(id) ${A} \\n x:1/\n  one $(id)\n\n    two @{A}\n")

    def test_refuses_what_is_missing_unused_or_could_break_out(self):
        for text, values in (("@{A} x\n", ()), ("x\n", ("A", "1")), ("k: @{A}\n", ("A", "1\nroot: yes")), ("k: @{A}\n", ("A", "$(id)")),
                             ("k: @{A}\n", ("A", '"')), ("k: @{A}\n", ("A", "@{A}"))):
            self.assertEqual(self.render(text, *values).returncode, 1, (text, values))


class Rights(unittest.TestCase):
    def test_the_readme_lists_every_right_that_is_used(self):
        text = (AWS_SCRIPTS / "README.md").read_text()
        used = {"%s:%s" % (name.split()[0], what["api"]) for name, what in aws_stand_in.KNOWN.items()}
        self.assertEqual(sorted(right for right in used if "`%s`" % right not in text), [])


class RealCommandLine(OnStandIn):
    def test_takes_every_call(self):
        """The real one checks its arguments, offline, before it prints a skeleton."""
        if subprocess.run(["/usr/bin/python3", "-c", "import awscli.clidriver"], capture_output=True, check=False).returncode != 0:
            print("\nSKIPPED: calls of deploy/aws checked by the real AWS command line: awscli is not installed")
            return
        for command, *arguments in Interrupted.commands(self):
            self.dfs_aws(command, "test", *arguments, "--yes")
        calls = {" ".join(c[:2]): (c, f) for c, f in zip(self.cloud.calls, self.cloud.files_of)}
        with tempfile.TemporaryDirectory() as folder:
            lines = []
            for number, (call, files) in enumerate(calls.values()):
                words = []
                for word in call:
                    if word in files:
                        path = pathlib.Path(folder) / str(number)
                        path.write_text(files[word])
                        word = "file://" + str(path)
                    words.append(word)
                lines.append(words)
            result = subprocess.run(["/usr/bin/python3", str(FOLDER / "check_calls.py")], input=json.dumps(lines), text=True,
                                    capture_output=True, timeout=300, check=False, env={"PATH": "/usr/bin:/bin", "HOME": folder})
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
        proved("deploy/aws: %d kinds of calls pass the checks of the real AWS command line" % len(lines))


if __name__ == "__main__":
    if "--rewrite" in sys.argv:
        sys.argv.remove("--rewrite")
        does_rewrite = True
    unittest.main(verbosity=1)
