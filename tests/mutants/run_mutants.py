#!/usr/bin/env python3
"""Puts mistakes of real systems back, one at a time, and demands that the tests notice (feature 49).

  run_mutants.py --build=DIR            all of mutants.txt
  run_mutants.py --build=DIR --share=N  about one in N, another part each day
  run_mutants.py --list                 number, place and name of each mistake in the sources
  run_mutants.py --check [--build=DIR]  every mistake in the sources is listed, and no other; and DIR compiles it

  --seed=TEXT   instead of today's date, for --share (a commit, say); printed, so that a run can be repeated
  --only=N,N    these numbers
  --jobs=N      so many at a time (default: one a processor)

Ends with 0 if every run ended as it must: noticed with a mistake, silent without (number 0).
DFS_TEST_NIGHTLY=1 makes --share run all. Each binary takes --mutant=N and says so by its exit status.
"""

import argparse
import concurrent.futures
import datetime
import hashlib
import os
import pathlib
import re
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
TIMEOUT_S = 1200
SOURCES = ("common", "membership", "server", "client", "proto")
MUTANT = re.compile(r'DFS_MUTANT\(\s*(\d+),\s*((?:"[^"]*"\s*)+)\)')


def sources():
    for folder in SOURCES:
        for path in sorted((ROOT / folder).rglob("*")):
            if path.suffix in (".cc", ".h") and path.name != "mutant.h":
                yield path


def mutants_in_sources():
    """number -> (name, file). The same number twice is one mistake in two places: its name agrees."""
    found = {}
    for path in sources():
        for number, text in MUTANT.findall(path.read_text()):
            name = "".join(re.findall(r'"([^"]*)"', text))
            where = str(path.relative_to(ROOT))
            before = found.setdefault(int(number), (name, where))
            if before[0] != name:
                sys.exit(f"mutant {number} has two names: {before} and {(name, where)}")
    return found


def listed_runs():
    """[(number, binary, arguments)]"""
    runs = []
    for line in (HERE / "mutants.txt").read_text().splitlines():
        words = line.split("#")[0].split()
        if words:
            runs.append((int(words[0]), words[1], words[2:]))
    return runs


def not_compiled(build):
    """Files with mistakes that the build does not compile with them: headers, or new since it was configured."""
    compiled = {pathlib.Path(line).resolve() for line in (build / "mistaken_sources.txt").read_text().splitlines()}
    return [str(path.relative_to(ROOT)) for path in sources()
            if MUTANT.search(path.read_text()) and path.resolve() not in compiled]


def check(build):
    missing = not_compiled(build) if build else []
    for where in missing:
        print(f"{where}: its mistakes are compiled nowhere; if it is a header, move them to a source, else give its library"
              " dfs_mutants() and configure again")
    in_sources = set(mutants_in_sources())
    listed = {number for number, _, _ in listed_runs()} - {0}
    for number in sorted(in_sources - listed):
        print(f"mutant {number} ({mutants_in_sources()[number][1]}): nobody runs it; add it to mutants.txt")
    for number in sorted(listed - in_sources):
        print(f"mutant {number} is listed and in no source")
    return in_sources == listed and not missing


def share_of(runs, share, seed):
    """About one in `share`, chosen by the seed, and the control of each kind of run among them."""
    def rank(run):
        return hashlib.sha256(f"{seed} {run}".encode()).digest()
    mistakes = sorted((run for run in runs if run[0] != 0), key=rank)
    chosen = mistakes[:max(1, len(mistakes) // share)]
    kinds = {(binary, by_of(arguments)) for _, binary, arguments in chosen}
    return [run for run in runs if run in chosen or (run[0] == 0 and (run[1], by_of(run[2])) in kinds)]


def by_of(arguments):
    return next((a[5:] for a in arguments if a.startswith("--by=")), "tests")


def run_one(build, run):
    number, binary, arguments = run
    started = time.monotonic()
    command = [str(build / binary), f"--mutant={number}", *arguments]
    try:
        done = subprocess.run(command, capture_output=True, timeout=TIMEOUT_S, check=False)
        is_right = done.returncode == 0
        text = done.stdout.decode(errors="replace")
    except subprocess.TimeoutExpired:
        is_right, text = False, "mutant: took too long"
    said = [line for line in text.splitlines() if line.startswith("mutant")]
    return run, is_right, said[-1] if said else "", time.monotonic() - started, command


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", type=pathlib.Path)
    parser.add_argument("--share", type=int, default=1)
    parser.add_argument("--seed", default=datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d"))
    parser.add_argument("--only", default="")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    names = mutants_in_sources()
    if options.list:
        for number, (name, where) in sorted(names.items()):
            print(f"{number:4} {where}: {name}")
        return 0
    if options.check:
        is_right = check(options.build)
        if is_right:
            print(f"PROVED: each of the {len(names)} mistakes in the sources is listed with who must notice it")
        return 0 if is_right else 1
    if options.build is None:
        parser.error("--build is needed")

    runs = listed_runs()
    everything = len({number for number, _, _ in runs} - {0})
    if options.only:
        wanted = {int(number) for number in options.only.split(",")}
        runs = [run for run in runs if run[0] in wanted]
    elif options.share > 1 and not os.environ.get("DFS_TEST_NIGHTLY"):
        runs = share_of(runs, options.share, options.seed)
        print(f"about one in {options.share}, chosen by --seed={options.seed}")
    wrong = []
    with concurrent.futures.ThreadPoolExecutor(max(1, options.jobs)) as pool:
        for run, is_right, said, seconds, command in pool.map(lambda r: run_one(options.build, r), runs):
            name = names.get(run[0], ("control", ""))[0]
            print(f"{'ok   ' if is_right else 'WRONG'} {run[0]:4} {by_of(run[2]):10} {seconds:6.1f} s  {name}: {said}",
                  flush=True)
            if not is_right:
                wrong.append(" ".join(command))
    for command in wrong:
        print(f"not as it must be: {command}")
    caught = {number for number, _, _ in runs} - {0}
    if wrong or not caught:
        return 1
    print(f"PROVED: {len(caught)} of {everything} mistakes on purpose were put back and noticed, in "
          f"{len(runs)} runs: {', '.join(map(str, sorted(caught)))}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
