"""Shell scripts and systemd files of the repository, checked by the tools that know them.

A tool that is not installed is said, with SKIPPED.
"""

import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest

SOURCE = pathlib.Path(__file__).resolve().parent.parent.parent
SYSTEMD = SOURCE / "deploy" / "systemd"
EXPOSURE_MAX = 1.5
FOLDERS_LEFT_OUT = {".git", "build", ".cache", ".cluster"}


def run(*command, **options):
    return subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=120, check=False, **options)


def has(test, tool):
    if shutil.which(tool):
        return True
    print("\nSKIPPED: %s: %s is not installed" % (test.id().split(".", 1)[1], tool))
    return False


def shell_scripts():
    """Everything that begins as a shell script does."""
    for folder, folders, files in os.walk(SOURCE):
        folders[:] = [f for f in folders if f not in FOLDERS_LEFT_OUT]
        for name in files:
            path = pathlib.Path(folder) / name
            with path.open("rb") as file:
                if re.match(rb"#!.*\b(ba)?sh\b", file.read(64)):
                    yield path


class Scripts(unittest.TestCase):
    def test_shellcheck_has_nothing_to_say(self):
        if not has(self, "shellcheck"):
            return
        scripts = sorted(shell_scripts())
        names = {str(s.relative_to(SOURCE)) for s in scripts}
        self.assertLessEqual({"tests/run", "deploy/local/cluster", "deploy/local/quickstart", "deploy/local/install-dependencies",
                              "deploy/aws/dfs-aws", "deploy/aws/dfs-node"}, names)
        # -a: what dfs-aws sources is checked as a part of it.
        result = run("shellcheck", "-x", "-a", "-P", "SCRIPTDIR", *scripts, cwd=SOURCE)
        self.assertEqual(result.returncode, 0, result.stdout)
        print("PROVED: shellcheck has nothing to say about %d scripts" % len(scripts))


class PowerShell(unittest.TestCase):
    # Feature 47.
    def test_it_has_the_commands_of_the_shell_script(self):
        shell = re.search(r"(?m)^  ([a-z |]+)\) shift ;;$", (SOURCE / "deploy/local/cluster").read_text()).group(1)
        ours = re.search(r"(?m)^\$commands = (.*)$", (SOURCE / "deploy/local/cluster.ps1").read_text()).group(1)
        commands = set(re.findall(r"'([a-z]+)'", ours)) - {"help"}
        self.assertEqual(commands, set(shell.split(" | ")))


class Unit(unittest.TestCase):
    def test_it_may_do_little(self):
        if not has(self, "systemd-analyze"):
            return
        result = run("systemd-analyze", "security", "--offline=true", "--no-pager", SYSTEMD / "dfs-server.service")
        exposure = float(re.search(r"Overall exposure level for dfs-server.service: ([0-9.]+)", result.stdout).group(1))
        self.assertLessEqual(exposure, EXPOSURE_MAX, result.stdout)
        print("PROVED: systemd-analyze security: %.1f for dfs-server.service" % exposure)

    def test_systemd_takes_it(self):
        if not has(self, "systemd-analyze"):
            return
        with tempfile.TemporaryDirectory() as folder:
            unit = pathlib.Path(folder) / "dfs-server.service"
            text = (SYSTEMD / "dfs-server.service").read_text()
            self.assertIn("\nType=notify\n", text)
            # The program is not installed where this runs.
            unit.write_text(text.replace("/usr/local/bin/dfs-server", "/bin/true"))
            result = run("systemd-analyze", "verify", "--man=no", unit)
            self.assertEqual((result.returncode, result.stdout, result.stderr), (0, "", ""))
            # And it would say what it does not take.
            unit.write_text(unit.read_text() + "\n[Service]\nNoSuchSetting=1\n")
            self.assertIn("NoSuchSetting", run("systemd-analyze", "verify", "--man=no", unit).stderr)

    def test_user_and_folders(self):
        if not has(self, "systemd-sysusers") or not has(self, "systemd-tmpfiles"):
            return
        if os.geteuid() != 0:
            print("\nSKIPPED: user and folders of the unit: only root can give files away")
            return
        with tempfile.TemporaryDirectory() as root:
            for folder, name, target in (("sysusers.d", "dfs.sysusers", "dfs.conf"), ("tmpfiles.d", "dfs.tmpfiles", "dfs.conf")):
                place = pathlib.Path(root) / "usr/lib" / folder
                place.mkdir(parents=True)
                shutil.copy(SYSTEMD / name, place / target)
            (pathlib.Path(root) / "etc").mkdir()
            users = run("systemd-sysusers", "--root=" + root)
            self.assertEqual(users.returncode, 0, users.stderr)
            self.assertRegex((pathlib.Path(root) / "etc/passwd").read_text(), r"(?m)^dfs:.*:/usr/sbin/nologin$")
            made = run("systemd-tmpfiles", "--root=" + root, "--create")
            self.assertEqual(made.returncode, 0, made.stderr)
            keys = (pathlib.Path(root) / "etc/dfs/tls").stat()
            group = re.search(r"(?m)^dfs:[^:]*:(\d+):", (pathlib.Path(root) / "etc/group").read_text()).group(1)
            self.assertEqual((keys.st_mode & 0o777, keys.st_uid, keys.st_gid), (0o750, 0, int(group)))


if __name__ == "__main__":
    unittest.main(verbosity=1)
