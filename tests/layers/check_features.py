#!/usr/bin/env python3
"""Checks the two tables of tests/README.md: each feature and each defect names tests, these exist, and each says in its comment what it
shows ("feature 13", 'defect "whole file in memory"'). A test that says so and is not in the table is named, and is no mistake.

    check_features.py ROOT         prints each thing that is wrong, exits 1 if there is one
    check_features.py --self-test  breaks a made-up tree in every way: each must be found

A row's last cell: names as ctest knows them, each with its cases in backquotes or, where all of a program or script shows it,
without; parted by "; ".
"""
import os
import re
import sys
import tempfile

FEATURES = 51
FEATURE_ROW = re.compile(r"^\| (\d+) \|.*\| ([^|]+) \|$")
DEFECT_ROW = re.compile(r"^\| \"([^\"|]+)\" \| ([^|]+) \|$")
REFERENCE = re.compile(r"^(\w+)((?: `[\w.]+`,?)*)$")
NAMED = re.compile(r"[Ff]eatures? (\d+(?:(?:, | and )\d+)*)|[Dd]efects? (\"[^\"]+\"(?:(?:, | and )\"[^\"]+\")*)")
CASE = {
    ".cc": re.compile(r"^TEST(?:_F|_P)?\((\w+),\s*(\w+)\)", re.M),
    ".py": re.compile(r"^(?:class (\w+)|    def (test\w*)|def (\w+))", re.M),
}
# A line of a comment that goes on from the one before.
FOLD = re.compile(r"\n\s*(?://+|#+)\s*")


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def marks(text):
    """The features (numbers) and defects (names) that a text says it shows."""
    found = set()
    for numbers, names in NAMED.findall(FOLD.sub(" ", text)):
        found.update(int(number) for number in re.findall(r"\d+", numbers))
        found.update(re.findall(r"\"([^\"]+)\"", names))
    return found


def cases_of(path):
    """{case or "" for what stands outside of all: its text}. A case begins with the comment above it."""
    text = read(path)
    begins = []
    suite = ""
    for match in CASE[os.path.splitext(path)[1]].finditer(text):
        if path.endswith(".cc"):
            name = ".".join(match.groups())
        elif match.group(2):
            name = suite + "." + match.group(2)
        else:
            suite = match.group(1) or ""
            name = ""
        at = match.start()
        while name:
            before = text.rfind("\n", 0, at - 1) + 1
            if at == 0 or not re.match(r"\s*(//|#|@)", text[before:at]):
                break
            at = before
        begins.append((at, name))
    cases = {"": text[: begins[0][0] if begins else len(text)]}
    for (at, name), (end, _) in zip(begins, begins[1:] + [(len(text), "")]):
        # What follows the closing brace belongs to nobody in particular.
        close = text.find("\n}\n", at, end) if path.endswith(".cc") else -1
        close = end if close < 0 else close
        cases[name] = cases.get(name, "") + text[at:close]
        cases[""] += text[close:end]
    return cases


def tests_of(root):
    """{name in ctest: its sources}, by reading the CMakeLists.txt below tests/."""
    tests = {}
    for folder, _, files in os.walk(os.path.join(root, "tests")):
        if "CMakeLists.txt" not in files:
            continue
        text = re.sub(r"#.*", "", read(os.path.join(folder, "CMakeLists.txt")))
        text = re.sub(r"foreach\((\w+) ([^)$]+)\)(.*?)endforeach\(\)",
                      lambda m: "".join(m.group(3).replace("${%s}" % m.group(1), value) for value in m.group(2).split()),
                      text, flags=re.S)
        text = text.replace("${CMAKE_CURRENT_SOURCE_DIR}", folder).replace("${PROJECT_SOURCE_DIR}", root)
        sets = dict(reversed(re.findall(r"set\((\w+)\s+([^)]*)\)", text)))  # the first one counts
        text = re.sub(r"\$\{(\w+)\}", lambda m: sets.get(m.group(1), ""), text)
        for name, words in re.findall(r"(?:dfs_(?:\w*_)?test|dfs_binary|add_executable)\(\s*(\w+)\s([^)]*)\)", text):
            tests.setdefault(name, set()).update(
                os.path.normpath(os.path.join(folder, word)) for word in words.split() if word.endswith(".cc"))
        for name, words in re.findall(r"(?:add_test\(NAME|dfs_background_test\() ?(\S+)\s[^)]*?COMMAND ([^)]*)\)", text):
            scripts = {os.path.normpath(os.path.join(folder, os.path.basename(word))) for word in words.split() if word.endswith(".py")}
            program = re.sub(r"\$<TARGET_FILE:(\w+)>", r"\1", words.split()[0])
            tests.setdefault(name, set()).update(scripts or tests.get(program, set()))
    return {name: {path for path in sources if os.path.exists(path)} for name, sources in tests.items()}


def rows_of(text):
    rows = {}
    for line in text.splitlines():
        feature, defect = FEATURE_ROW.match(line), DEFECT_ROW.match(line)
        if feature:
            rows[int(feature.group(1))] = feature.group(2)
        elif defect:
            rows[defect.group(1)] = defect.group(2)
    return rows


def label(row):
    return "feature %d" % row if isinstance(row, int) else 'defect "%s"' % row


class Check:
    def __init__(self, root):
        self.root = root
        self.problems = []
        self.notes = []
        self.tests = tests_of(os.path.abspath(root))
        self.cases = {}  # path -> cases
        self.listed = set()  # (row, path, case)

    def cases_in(self, path):
        if path not in self.cases:
            self.cases[path] = cases_of(path)
        return self.cases[path]

    def check_reference(self, row, text):
        match = REFERENCE.match(text)
        if match is None or match.group(1) not in self.tests:
            self.problems.append('%s: "%s" is no test' % (label(row), text))
            return
        sources = self.tests[match.group(1)]
        wanted = re.findall(r"`([\w.]+)`", match.group(2))
        if not wanted:
            where = [path for path in sources if row in marks(read(path))]
            self.listed.update((row, path, case) for path in where for case in self.cases_in(path))
            if not where:
                self.problems.append("%s: nothing in %s says so" % (label(row), match.group(1)))
        for case in wanted:
            where = [path for path in sources if case in self.cases_in(path)]
            if not where:
                self.problems.append("%s: no case %s in %s" % (label(row), case, match.group(1)))
            elif row not in marks(self.cases_in(where[0])[case]):
                self.problems.append("%s: %s does not say so" % (label(row), case))
            self.listed.update((row, path, case) for path in where)

    def run(self):
        rows = rows_of(read(os.path.join(self.root, "tests/README.md")))
        self.problems += ["%s is not in the table" % label(row) for row in range(1, FEATURES + 1) if row not in rows]
        self.problems += ["feature %d: there is none" % row for row in rows if isinstance(row, int) and not 1 <= row <= FEATURES]
        for row, cell in rows.items():
            for text in cell.split("; "):
                self.check_reference(row, text)
        for path in sorted(set().union(*self.tests.values()) - {os.path.abspath(__file__)}):
            for case, text in self.cases_in(path).items():
                for row in sorted(marks(text), key=str):
                    if (row, path, case) not in self.listed and not (case == "" and any(r == row and p == path for r, p, _ in self.listed)):
                        self.notes.append("%s: %s shows it, too, says its text" % (label(row), case or os.path.relpath(path, self.root)))
        return self.problems


def self_test():
    def problems(change=("", "", ""), with_notes=False):
        files = {
            "tests/README.md": "\n".join(["| %d | x | a_test `Suite.Case`; b_test `Script.test_it`; c_test |" % n for n in range(1, FEATURES + 1)] +
                                         ["| \"bad thing\" | a_test `Suite.Other` |", ""]),
            "tests/CMakeLists.txt": "dfs_test(a_test SOURCES a.cc LABELS unit)\nforeach(name b)\n"
                                    "add_test(NAME ${name}_test COMMAND python ${D}/${name}.py)\nendforeach()\n"
                                    "add_executable(c c.cc)\n"
                                    "dfs_background_test(c_test LABELS simulation\n  COMMAND $<TARGET_FILE:c> --seeds=1)\n",
            "tests/a.cc": "// Features ALL\nTEST(Suite, Case) {\n}\n\n// Defect \"bad\n// thing\".\nTEST_F(Suite, Other) {\n}\n",
            "tests/b.py": "class Script:\n    def test_it(self):\n        print(\"features ALL\")\n",
            "tests/c.cc": "// Features ALL\n",
        }
        every = ", ".join(str(n) for n in range(1, FEATURES + 1))
        with tempfile.TemporaryDirectory() as root:
            for name, text in files.items():
                text = text.replace("ALL", every)
                if name == change[0]:
                    assert change[1] in text, change
                    text = text.replace(change[1], change[2])
                os.makedirs(os.path.dirname(os.path.join(root, name)), exist_ok=True)
                with open(os.path.join(root, name), "w", encoding="utf-8") as file:
                    file.write(text)
            check = Check(root)
            return check.run() + (check.notes if with_notes else [])

    assert problems(with_notes=True) == [], problems(with_notes=True)
    assert problems(("tests/a.cc", "Defect", "Feature 3. Defect"), with_notes=True), "one that says more than the table"
    for change in [
            ("tests/README.md", "| 7 | x |", "| 7 |"),              # a row that is gone
            ("tests/README.md", "| 7 | x |", "| 52 | x |"),         # one too many
            ("tests/README.md", "| 7 | x | a_test `Suite.Case`;", "| 7 | x | a_test `Suite.None`;"),
            ("tests/README.md", "| 7 | x | a_test `Suite.Case`;", "| 7 | x | none_test `Suite.Case`;"),
            ("tests/README.md", "| 7 | x | a_test `Suite.Case`;", "| 7 | x | a_test `Suite.Other`;"),
            ("tests/README.md", "| 7 | x | a_test `Suite.Case`;", "| 7 | x | some words;"),
            ("tests/README.md", "\"bad thing\"", "\"bad thong\""),
            ("tests/a.cc", "TEST(Suite, Case)", "TEST(Suite, Renamed)"),
            ("tests/a.cc", " 6, 7, 8", " 6, 8"),                    # a test that does not say so any more
            ("tests/b.py", " 6, 7, 8", " 6, 8"),
            ("tests/c.cc", " 6, 7, 8", " 6, 8"),
            ("tests/CMakeLists.txt", "a.cc", "none.cc"),
    ]:
        assert problems(change), "not noticed: %s" % (change,)
    print("check_features.py: all of it is noticed")


def main():
    if sys.argv[1:] == ["--self-test"]:
        return self_test()
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    check = Check(sys.argv[1])
    problems = check.run()
    for line in problems + ["note: " + note for note in check.notes]:
        print(line)
    if problems:
        sys.exit(1)
    print("PROVED: each of the %d features, and each class of defects, names tests that exist and say that they show it" % FEATURES)
    return None


if __name__ == "__main__":
    main()
