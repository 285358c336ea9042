#!/usr/bin/env python3
"""Checks the shape of the source tree by reading it: who may include whom, which file may use which
library, and what must not be called where (defect "fixed sleeps as synchronisation": calls that sleep, nowhere; in tests,
waits of a fixed time for an event that nobody sets, unless they are the pause of a loop or in a table here).

    check_layers.py ROOT         the tree below ROOT; prints each violation, exits 1 if there is one
    check_layers.py --self-test  plants violations in a made-up tree: each must be found

A file's rights follow from its folder and its name (tests/README.md). An exception stands in a table
here, with its reason.
"""
import os
import re
import sys
import tempfile

# Folder -> folders that it may include (and itself). No circles, no jumps upwards.
BELOW_HOSTS = ["proto", "common"]
LOWER = ["membership", "server/consensus", "server/chunk", "server/placement"]
ALLOWED = {
    "proto": [],
    "common": ["proto"],
    "membership": BELOW_HOSTS,
    "server/consensus": BELOW_HOSTS,
    "server/chunk": BELOW_HOSTS,
    "server/placement": BELOW_HOSTS,
    "server/metadata": BELOW_HOSTS + LOWER,
    # The log applies to the state machine and ships its snapshots: never the other way.
    "server/replicated_log": BELOW_HOSTS + LOWER + ["server/metadata"],
    "client": BELOW_HOSTS,
}
MIDDLE = BELOW_HOSTS + LOWER + ["server/metadata", "server/replicated_log"]
ALLOWED["server/leader"] = MIDDLE
ALLOWED["server/coordinator"] = MIDDLE + ["server/leader"]
ALLOWED["server/gossip_store"] = MIDDLE + ["server/leader"]
ALLOWED["server/gateway"] = MIDDLE + ["server/leader", "server/coordinator", "server/gossip_store"]
ALLOWED["server/http"] = ALLOWED["server/gateway"] + ["server/gateway"]
ALLOWED["server/node"] = ALLOWED["server/http"] + ["server/http"]

# Folders all of whose files are deterministic: no lock, thread, clock or I/O.
PURE_FOLDERS = ["server/consensus", "server/placement"]
# Every folder with a protocol explains itself.
README_FOLDERS = sorted(set(ALLOWED) - {"common", "server/node"})

LINES_MAX = 600  # of the product; tests are transcripts and may be longer
TEST_LINES_MAX = 750
BAD_NAMES = re.compile(r"(^|_)(util|utils|helper|helpers|misc|manager|processor|impl)(_|\.)")

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')

# What a pure file may not include or call.
PURE_INCLUDES = re.compile(
    r"^(mutex|shared_mutex|thread|condition_variable|future|atomic|chrono|ctime|fstream|iostream|cstdio"
    r"|filesystem|random|unistd\.h|fcntl\.h|sys/.*|grpc.*|rocksdb/.*|.*\.grpc\.pb\.h"
    r"|common/(sync|executor|disk|posix_disk|peer_.*)\.h)$")
PURE_CALLS = re.compile(
    r"\b(SystemClock|SystemRandom64|WallNow|GetCurrentTimeNanos|MutexLock|CondVar|fopen|getenv)\b"
    r"|\babsl::Now\s*\(|(\.|->)Now\s*\(\s*\)|\bstd::(mutex|atomic|thread|jthread|cout|cerr)\b")

# Nobody, except the files named with it.
FORBIDDEN_CALLS = [
    ("a thread outside common/executor and server/node/main",
     re.compile(r"\bstd::j?thread\b|\bpthread_create\b|\bstd::async\b"),
     ["tests/simulation/system/wrapped_threads.cc", "common/executor.h", "common/executor.cc", "server/node/main.cc"]),
    ("a detached thread", re.compile(r"(\.|->)detach\s*\(\s*\)"), []),
    # If it owns, as shared_ptr does, it is gone before the first round: give it a name.
    ("a loop over a part of what a temporary points to",
     re.compile(r"\bfor\s*\([^;]*[^:]:[^:][^;]*\)->\w+\s*\)\s*(\{|$)"), []),
    ("sleeping", re.compile(
        r"\bsleep_(for|until)\b|\babsl::SleepFor\b|\b(u|nano)sleep\s*\(|(?<![\w.>])sleep\s*\("), []),
    ("std::random_device outside common/random",
     re.compile(r"\bstd::random_device\b"), ["common/random.cc"]),
    ("the machine's clock outside common/clock",
     re.compile(r"\babsl::Now\s*\(|\b(system|steady|high_resolution)_clock::now\b"
                r"|\bclock_gettime\s*\(|\bgettimeofday\s*\(|\btime\s*\(\s*(nullptr|NULL|0)\s*\)"),
     ["common/clock.cc",
      "common/sync.h",  # waits of the standard library end at a point of its own clock
      ]),
]
# gRPC's deadlines are points on the system clock; files that may include gRPC may read it for them.
CLOCK_RULE = "the machine's clock outside common/clock"

# A wait for an event that nobody sets is a sleep by another name. In a test it may stand in a loop, as the pause between two
# looks at what is waited for; elsewhere only here, with the reason.
FIXED_WAITS = {
    "tests/bench/node_faults.cc": "measures the processor's time within it",
    "tests/integration/files_test.cc": "measures the processor's time within it",
    "tests/integration/history_test.cc": "how long a load runs, which goes on meanwhile",
    "tests/simulation/system/fiber_scheduler_test.cc": "simulated time, which passes at once",
    "tests/unit/chunk/replica_test.cc": "some pings, which end nothing",
    "tests/unit/replicated_log/raft_host_test.cc": "nothing is to happen within it",
}
EVENT = re.compile(r"\bEvent (\w+);")
LOOP = re.compile(r"\b(while|for)\s*\(")

GRPC_INCLUDE = re.compile(r"^(grpc|grpcpp)/|\.grpc\.pb\.h$")
GRPC_FOLDERS = ["proto", "client", "server/gateway", "server/node"]
GRPC_FILES = re.compile(r"(^|/)(grpc_\w+|\w+_service|peer_channels)\.(h|cc)$")
# Each costs seconds wherever it is included.
BEAST_FILES = re.compile(r"^server/http/beast_\w+\.cc$")
ROCKSDB_FILES = re.compile(r"(^|/)rocksdb_\w+\.(h|cc)$")


def strip(text):
    """Source without comments and string contents, lines kept (include lines untouched)."""
    def blank(match):
        found = match.group(0)
        if found.startswith("/"):
            return re.sub(r"[^\n]", " ", found)
        if found.startswith("R\""):
            return '""' + "\n" * found.count("\n")
        return found[0] + found[0]
    pattern = re.compile(
        r'//[^\n]*|/\*.*?\*/|R"(?P<d>[^(\s]*)\(.*?\)(?P=d)"|"(?:\\.|[^"\\\n])*"|(?<![0-9a-zA-Z])\'(?:\\.|[^\'\\\n])+\'',
        re.S)
    lines = text.split("\n")
    kept = {i: line for i, line in enumerate(lines) if INCLUDE.match(line)}
    out = pattern.sub(blank, "\n".join("" if i in kept else line for i, line in enumerate(lines)))
    return out.split("\n"), kept


def folder_of(path):
    for folder in sorted(ALLOWED, key=len, reverse=True):
        if path.startswith(folder + "/"):
            return folder
    return None


def is_pure(path):
    return folder_of(path) in PURE_FOLDERS or re.search(r"_core\.(h|cc)$", path) is not None


def is_in_loop(code, number):
    """Whether the line, the statement that it ends or the block around it begins with a loop's head."""
    depth = 0
    for line in reversed(code[:number + 1]):
        if depth == 0 and LOOP.search(line):
            return True
        depth += line.count("}") - line.count("{")
        if depth < 0:  # the head of the block around it, which may have several lines
            depth = 0
            if re.match(r"^\S", line) or "[" in line:
                return False
    return False


def fixed_waits(code):
    """Numbers of lines that wait, in no loop, for an event of this file that nobody sets or hands on."""
    text = "\n".join(code)
    for name in set(EVENT.findall(text)):
        if re.search(r"\b%s(\.|->)Set\(|(&|\breturn )%s\b" % (name, name), text):
            continue
        for number, line in enumerate(code):
            if re.search(r"\b%s\.WaitFor\(" % name, line) and not is_in_loop(code, number):
                yield number


def check_file(path, text):
    folder = folder_of(path)
    is_test = path.startswith("tests/")
    code, includes = strip(text)
    may_use_grpc = is_test or folder in GRPC_FOLDERS or GRPC_FILES.search(path)
    for number, line in sorted(includes.items()):
        target = INCLUDE.match(line).group(2)
        where = "%s:%d" % (path, number + 1)
        target_folder = folder_of(target)
        if target.startswith("dfs/"):
            target_folder = "proto"  # generated
        if folder and target_folder and target_folder not in ALLOWED[folder] + [folder]:
            yield "%s: %s may not include %s" % (where, folder, target)
        if folder and target.startswith("tests/"):
            yield "%s: includes a test's header, %s" % (where, target)
        if folder == "client" and target.startswith("dfs/internal/"):
            yield "%s: a client uses the public messages only, not %s" % (where, target)
        if is_pure(path) and PURE_INCLUDES.match(target):
            yield "%s: a pure file may not include %s" % (where, target)
        if GRPC_INCLUDE.search(target) and not may_use_grpc:
            yield "%s: gRPC belongs into grpc_* and *_service files: %s" % (where, target)
        if target.startswith("rocksdb/") and not (is_test or ROCKSDB_FILES.search(path)):
            yield "%s: RocksDB belongs into rocksdb_* files: %s" % (where, target)
        if target.startswith("prometheus/") and path != "server/http/metrics_page.cc":
            yield "%s: Prometheus' library belongs into server/http/metrics_page.cc: %s" % (where, target)
        if target.startswith("boost/") and not BEAST_FILES.search(path):
            yield "%s: Boost belongs into server/http/beast_*.cc: %s" % (where, target)
    for number, line in enumerate(code):
        where = "%s:%d" % (path, number + 1)
        for what, pattern, exceptions in FORBIDDEN_CALLS:
            if path in exceptions or not pattern.search(line):
                continue
            if what == CLOCK_RULE and may_use_grpc:
                continue
            yield "%s: %s: %s" % (where, what, line.strip())
        if is_pure(path) and PURE_CALLS.search(line):
            yield "%s: a pure file may not do this: %s" % (where, line.strip())
    if is_test and path not in FIXED_WAITS:
        for number in fixed_waits(code):
            yield "%s:%d: a wait for an event that nobody sets: %s" % (path, number + 1, code[number].strip())
    lines_max = TEST_LINES_MAX if path.startswith("tests/") else LINES_MAX
    if len(code) > lines_max:
        yield "%s: %d lines, more than %d: cut it by responsibility" % (path, len(code), lines_max)
    if BAD_NAMES.search(os.path.basename(path)):
        yield "%s: a name that says nothing" % path


def sources(root):
    for top in ["proto", "common", "membership", "server", "client", "tests"]:
        for directory, folders, files in os.walk(os.path.join(root, top)):
            folders.sort()
            for name in sorted(files):
                if name.endswith((".h", ".cc")):
                    yield os.path.relpath(os.path.join(directory, name), root).replace(os.sep, "/")


def check(root):
    found = []
    count = 0
    with_code = set()
    for path in sources(root):
        count += 1
        folder = folder_of(path)
        if folder is None and not path.startswith("tests/"):
            found.append("%s: this folder is not in the table of check_layers.py" % path)
        if path.endswith(".cc"):
            with_code.add(folder)
        with open(os.path.join(root, path), encoding="utf-8") as file:
            found.extend(check_file(path, file.read()))
    for folder in README_FOLDERS:
        if folder in with_code and not os.path.exists(os.path.join(root, folder, "README.md")):
            found.append("%s: has no README.md" % folder)
    return found, count


PLANTED = [  # path, text, part of the message that must come
    ("common/x.cc", '#include "server/chunk/chunk_store.h"\n', "may not include"),
    ("server/metadata/x.cc", '#include "server/replicated_log/log_store.h"\n', "may not include"),
    ("membership/x.cc", '#include "server/consensus/message.h"\n', "may not include"),
    ("server/coordinator/x.cc", '#include "server/gateway/admission.h"\n', "may not include"),
    ("client/x.cc", '#include "server/chunk/chunk_store.h"\n', "may not include"),
    ("client/x.cc", '#include "dfs/internal/v1/raft.pb.h"\n', "public messages"),
    ("server/node/x.cc", '#include "tests/support/sim_clock.h"\n', "test's header"),
    ("server/chunk/x.cc", "#include <rocksdb/db.h>\n", "RocksDB belongs"),
    ("server/chunk/x.cc", "#include <grpcpp/grpcpp.h>\n", "gRPC belongs"),
    ("server/http/x.cc", "#include <boost/beast/http/basic_parser.hpp>\n", "Boost belongs"),
    ("server/http/x.cc", "#include <grpcpp/server_context.h>\n", "gRPC belongs"),
    ("server/chunk/x.cc", '#include "dfs/internal/v1/replica.grpc.pb.h"\n', "gRPC belongs"),
    ("membership/ring_core.cc", "#include <mutex>\n", "pure file may not include"),
    ("server/placement/x.cc", '#include "common/sync.h"\n', "pure file may not include"),
    ("server/consensus/x.cc", "auto t = SystemClock().Now();\n", "pure file may not do"),
    ("membership/ring_core.cc", "auto t = clock_->Now();\n", "pure file may not do"),
    ("server/chunk/x.cc", "std::thread t;\n", "a thread outside"),
    ("server/chunk/x.cc", "auto f = std::async(g);\n", "a thread outside"),
    ("tests/unit/x.cc", "std::thread t;\n", "a thread outside"),
    ("server/chunk/x.cc", "t.detach();\n", "detached"),
    ("server/leader/x.cc", "for (const auto& [node, row] : directory_->Get()->rows) {\n", "a temporary points to"),
    ("tests/unit/x.cc", "absl::SleepFor(absl::Seconds(1));\n", "sleeping"),
    ("tests/unit/x.cc", "Event never;\nnever.WaitFor(absl::Seconds(1));\n", "nobody sets"),
    ("tests/unit/x.cc", "while (f()) {\n  g();\n}\nEvent nap;\nnap.WaitFor(kPause);\n", "nobody sets"),
    ("server/chunk/x.cc", "usleep(10);\n", "sleeping"),
    ("server/chunk/x.cc", "::sleep(1);\n", "sleeping"),
    ("server/chunk/x.cc", "std::random_device d;\n", "random_device"),
    ("server/chunk/x.cc", "auto t = absl::Now();\n", "machine's clock"),
    ("server/chunk/x.cc", "auto t = std::chrono::steady_clock::now();\n", "machine's clock"),
    ("server/chunk/string_util.cc", "", "a name that says nothing"),
    ("server/chunk/x.cc", "\n" * 700, "lines, more than"),
    ("server/unknown/x.cc", "", "not in the table"),
]
HARMLESS = [
    ("server/coordinator/x.cc", '#include "server/leader/leader_client.h"\n'),
    ("server/chunk/x.cc", "// std::thread, absl::Now(), sleep(1)\n/* t.detach(); */\n"),
    ("server/chunk/x.cc", 'Say("usleep(10)");\nint million = 1\'000\'000; int other = 2\'000;\n'),
    ("server/chunk/grpc_x.cc", "#include <grpcpp/grpcpp.h>\nauto t = std::chrono::system_clock::now();\n"),
    ("server/chunk/rocksdb_x.cc", "#include <rocksdb/db.h>\n"),
    ("common/executor.cc", "std::jthread t;\n"),
    ("server/chunk/x.cc", "clock_.Now();\n"),
    ("tests/unit/x.cc", "Event done;\ng([&] { done.Set(); });\ndone.WaitFor(kPatience);\n"),
    ("tests/unit/x.cc", "Event never;\nwhile (!f()) {\n  if (g()) return;\n  never.WaitFor(kLook);\n}\n"),
    ("tests/unit/x.cc", "Event never;\nwhile (!f()) never.WaitFor(kLook);\n"),
    ("server/leader/x.cc", "for (const auto& row : view()->Nodes()) Take(row.state()->x);\n"),
    ("server/leader/x.cc", "for (auto it = a.begin(); it != f()->end; ++it) {\n"),
]


def self_test():
    for path, text, message in PLANTED + [(p, t, None) for p, t in HARMLESS]:
        with tempfile.TemporaryDirectory() as root:
            os.makedirs(os.path.join(root, os.path.dirname(path)))
            with open(os.path.join(root, path), "w", encoding="utf-8") as file:
                file.write(text)
            with open(os.path.join(root, os.path.dirname(path), "README.md"), "w") as file:
                file.write("x")
            found, _ = check(root)
        if message is None and found:
            sys.exit("harmless, but reported: %s in %s: %r" % (found, path, text))
        if message is not None and not any(message in f for f in found):
            sys.exit("planted, but not found (%s): %r in %s; got %s" % (message, text, path, found))
    with tempfile.TemporaryDirectory() as root:
        os.makedirs(os.path.join(root, "server/chunk"))
        open(os.path.join(root, "server/chunk/x.cc"), "w").close()
        if not any("README" in f for f in check(root)[0]):
            sys.exit("a missing README was not found")
    print("PROVED: the checker of the layers finds each of %d planted violations" % (len(PLANTED) + 1))


def main():
    if sys.argv[1:] == ["--self-test"]:
        self_test()
        return
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    found, count = check(sys.argv[1])
    for line in found:
        print(line)
    if count < 20:
        sys.exit("only %d source files below %s: is this the checkout?" % (count, sys.argv[1]))
    if found:
        sys.exit("%d violations in %d files" % (len(found), count))
    print("PROVED: %d source files keep to the layers; no sleeping, no stray threads or clocks" % count)


if __name__ == "__main__":
    main()
