// system_simulation --seeds=A-B [--seconds=120] [--nodes=N] [--jobs=2] [--no-faults] [--twice]
// system_simulation --seed=N [--trace] …   replays one; equal binary and seed give an equal run
// --mutant=N: with that mistake (common/mutant.h; system_mutants only); ends with success at the first seed that notices it
// --twice: each seed runs twice, and both runs must be equal step by step.
//
// Each seed runs in a process of its own without address randomisation: the order of a hash table may depend on
// addresses, and a failed CHECK ends one seed only.
#include <glog/logging.h>
#include <sys/personality.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <string>
#include <vector>

#include "common/mutant.h"
#include "tests/simulation/system/system_simulation.h"

namespace {

using dfs::simulation::RunOptions;
using dfs::simulation::RunReport;

struct Arguments {
  RunOptions run;
  std::uint64_t first = 0;
  std::uint64_t last = 0;
  int jobs = 2;
  bool is_twice = false;
  int mutant = 0;
};

// No memory is taken here: runs with equal seeds must find equal heaps.
bool Parse(int argc, char** argv, Arguments* out) {
  for (int i = 1; i < argc; ++i) {
    const char* const arg = argv[i];
    if (std::sscanf(arg, "--seeds=%" SCNu64 "-%" SCNu64, &out->first, &out->last) == 2) continue;
    if (std::sscanf(arg, "--seed=%" SCNu64, &out->run.seed) == 1) continue;
    if (std::sscanf(arg, "--seconds=%d", &out->run.seconds) == 1) continue;
    if (std::sscanf(arg, "--nodes=%d", &out->run.machines) == 1) continue;
    if (std::sscanf(arg, "--mutant=%d", &out->mutant) == 1) continue;
    if (std::sscanf(arg, "--jobs=%d", &out->jobs) == 1) continue;
    if (std::strcmp(arg, "--no-faults") == 0) {
      out->run.has_faults = false;
    } else if (std::strcmp(arg, "--twice") == 0) {
      out->is_twice = true;
    } else if (std::strcmp(arg, "--trace") == 0) {
      out->run.is_tracing = true;
    } else {
      return false;
    }
  }
  return true;
}

// One line that the parent adds up: "word value" pairs.
int RunOne(const RunOptions& options) {
  const RunReport report = dfs::simulation::RunSystem(options);
  std::printf("report hash %016" PRIx64 " steps %" PRIu64 " ms %" PRIu64 " operations %" PRIu64,
              report.trace_hash, report.steps,
              static_cast<std::uint64_t>(report.simulated_seconds * 1000), report.operations);
  for (const auto& [kind, count] : report.clients) {
    std::printf(" op:%s %" PRIu64, kind.c_str(), count);
  }
  std::printf(" messages %" PRIu64 " calls %" PRIu64 " lost %" PRIu64 " duplicated %" PRIu64
              " delayed %" PRIu64,
              report.wire.datagrams, report.wire.calls, report.wire.lost, report.wire.duplicated,
              report.wire.delayed);
  for (const auto& [kind, count] : report.faults) {
    std::string word = kind;
    for (char& c : word) c = c == ' ' ? '_' : c;
    std::printf(" %s %" PRIu64, word.c_str(), count);
  }
  std::printf("\n");
  if (!report.status.ok()) std::printf("VIOLATION %s\n", report.status.ToString().c_str());
  std::fflush(stdout);
  _exit(report.status.ok() ? 0 : 1);  // what was abandoned has no end
}

struct Child {
  std::uint64_t seed = 0;
  std::FILE* output = nullptr;
};

pid_t Launch(char** argv, const Arguments& arguments, std::uint64_t seed, Child* child) {
  int ends[2];
  PCHECK(pipe(ends) == 0);
  const pid_t pid = fork();
  PCHECK(pid >= 0);
  if (pid == 0) {
    dup2(ends[1], STDOUT_FILENO);
    close(ends[0]);
    close(ends[1]);
    const std::string a = "--seed=" + std::to_string(seed);
    const std::string b = "--seconds=" + std::to_string(arguments.run.seconds);
    const std::string c = "--nodes=" + std::to_string(arguments.run.machines);
    const std::string d = "--mutant=" + std::to_string(arguments.mutant);
    const char* const args[] = {argv[0], a.c_str(), b.c_str(), c.c_str(), d.c_str(),
                                arguments.run.has_faults ? nullptr : "--no-faults", nullptr};
    execv("/proc/self/exe", const_cast<char* const*>(args));
    _exit(127);
  }
  close(ends[1]);
  *child = {seed, fdopen(ends[0], "r")};
  return pid;
}

// Of all operations, those of each kind, in percent: "op:put.done" and "op:put.failed" are of kind
// "put".
std::string Shares(const std::map<std::string, std::uint64_t>& sums) {
  std::map<std::string, std::uint64_t> kinds;
  std::uint64_t all = 0;
  for (const auto& [word, sum] : sums) {
    if (word.rfind("op:", 0) != 0) continue;
    kinds[word.substr(3, word.find('.') - 3)] += sum;
    all += sum;
  }
  std::string text;
  for (const auto& [kind, count] : kinds) {
    char share[64];
    std::snprintf(share, sizeof(share), " %s %.1f%%", kind.c_str(),
                  100.0 * static_cast<double>(count) / static_cast<double>(all));
    text += share;
  }
  return text;
}

int RunMany(char** argv, const Arguments& arguments) {
  const auto began = std::chrono::steady_clock::now();
  std::map<std::string, std::uint64_t> sums;
  std::map<pid_t, Child> running;
  const std::uint64_t runs_of_seed = arguments.is_twice ? 2 : 1;
  const std::uint64_t runs = (arguments.last - arguments.first + 1) * runs_of_seed;
  std::uint64_t next = 0;
  std::uint64_t seeds = 0;
  std::map<std::uint64_t, std::string> hashes;
  std::vector<std::uint64_t> failed;
  while (next < runs || !running.empty()) {
    if (arguments.mutant != 0 && !failed.empty()) next = runs;
    if (next == runs && running.empty()) break;
    while (next < runs && running.size() < static_cast<std::size_t>(arguments.jobs)) {
      Child child;
      const pid_t pid = Launch(argv, arguments, arguments.first + next++ / runs_of_seed, &child);
      running[pid] = child;
    }
    int status = 0;
    const pid_t pid = waitpid(-1, &status, 0);
    const Child child = running.at(pid);
    running.erase(pid);
    ++seeds;
    char line[8192];
    while (std::fgets(line, sizeof(line), child.output) != nullptr) {
      char* save = nullptr;
      if (std::strncmp(line, "report ", 7) != 0) {
        std::printf("seed %" PRIu64 ": %s", child.seed, line);
        continue;
      }
      strtok_r(line, " \n", &save);
      while (const char* const word = strtok_r(nullptr, " \n", &save)) {
        const char* const value = strtok_r(nullptr, " \n", &save);
        if (value == nullptr) break;
        if (std::strcmp(word, "hash") != 0) {
          sums[word] += std::strtoull(value, nullptr, 10);
          continue;
        }
        const auto known = hashes.emplace(child.seed, value).first;
        if (known->second != value) {
          std::printf("seed %" PRIu64 ": two runs differ: %s, %s\n", child.seed,
                      known->second.c_str(), value);
          failed.push_back(child.seed);
        }
      }
    }
    std::fclose(child.output);
    if (status == 0) continue;
    failed.push_back(child.seed);
    std::printf("seed %" PRIu64 " FAILED (status %d); replay: %s --seed=%" PRIu64
                " --seconds=%d --nodes=%d%s\n",
                child.seed, status, argv[0], child.seed, arguments.run.seconds,
                arguments.run.machines, arguments.run.has_faults ? "" : " --no-faults");
    std::fflush(stdout);
  }
  const double took =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
  std::printf("%" PRIu64 " runs, %.2f simulated hours in %.0f s, %zu violations;", seeds,
              static_cast<double>(sums["ms"]) / 3.6e6, took, failed.size());
  sums.erase("ms");
  for (const auto& [word, sum] : sums) std::printf(" %s %" PRIu64, word.c_str(), sum);
  std::printf("\n");
  if (arguments.mutant == 0 && failed.empty() && seeds > 0) {
    std::printf("PROVED: %" PRIu64 " seeds from %" PRIu64
                ": no acknowledged file lost or changed, strong and leader reads "
                "and listings linearizable with moves, conditions, quotas, clears and buckets, "
                "eventual ones of states that "
                "were, no failed put visible, no removed file back, kept versions readable, equal "
                "states, all copies and no "
                "orphan at the end%s; operations:%s\n",
                arguments.last - arguments.first + 1, arguments.first,
                arguments.is_twice ? "; each run twice with the same steps" : "",
                Shares(sums).c_str());
  }
  if (seeds == 0) return 2;
  return failed.empty() == (arguments.mutant == 0) ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  Arguments arguments;
  if (!Parse(argc, argv, &arguments)) {
    std::fprintf(stderr, "see the first lines of system_simulation_main.cc\n");
    return 2;
  }
  if (arguments.first != 0) return RunMany(argv, arguments);
#ifdef DFS_MUTANTS
  dfs::SetActiveMutant(arguments.mutant);
#else
  CHECK_EQ(arguments.mutant, 0) << "this binary has no mistakes";
#endif
  const int before = personality(0xffffffff);
  if ((before & ADDR_NO_RANDOMIZE) == 0) {
    personality(static_cast<unsigned long>(before) | ADDR_NO_RANDOMIZE);
    execv("/proc/self/exe", argv);
  }
  FLAGS_logtostderr = true;
  FLAGS_minloglevel = arguments.run.is_tracing ? 0 : 3;
  return RunOne(arguments.run);
}
