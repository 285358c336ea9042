// raft_mutants --mutant=N [--by=simulation|tests|scenarios] [--seeds=A-B] [--seconds=S]
//
// Switches one mistake on (common/mutant.h) and runs simulations, the unit tests of consensus or
// its transcripts until something notices. Ends with 0 if the mistake was noticed, with 1 if all passed.
// `--mutant=0` is the control: there it ends with 0 if all passed.
#include <glog/logging.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <string>

#include "common/mutant.h"
#include "tests/simulation/consensus/raft_simulation.h"

namespace dfs::consensus {
namespace {

int g_mutant = 0;
std::string g_where;

int Noticed(const std::string& by) {
  std::cout << "mutant " << g_mutant << " noticed " << g_where << ": " << by << std::endl;
  return g_mutant == 0 ? 1 : 0;
}

// A CHECK of ours that fails has noticed the mistake too.
void CheckFailed() __attribute__((noreturn));
void CheckFailed() { _exit(Noticed("a CHECK failed")); }
void Aborted(int) { _exit(Noticed("an assertion failed")); }

int NothingNoticed(const std::string& by) {
  std::cout << "mutant " << g_mutant << ": nothing noticed by " << by << std::endl;
  return g_mutant == 0 ? 0 : 1;
}

std::string ValueOf(int argc, char** argv, const std::string& name, const std::string& fallback) {
  for (int i = 1; i < argc; ++i) {
    const std::string flag = argv[i];
    if (flag.starts_with("--" + name + "=")) return flag.substr(name.size() + 3);
  }
  return fallback;
}

int RunSeeds(const std::string& seeds, double seconds) {
  const std::uint64_t first = std::strtoull(seeds.c_str(), nullptr, 10);
  const std::uint64_t last = std::strtoull(seeds.c_str() + seeds.find('-') + 1, nullptr, 10);
  for (std::uint64_t seed = first; seed <= last; ++seed) {
    g_where = "at seed " + std::to_string(seed);
    SimulationOptions options;
    options.seed = seed;
    options.faults_for = absl::Seconds(seconds);
    const SimulationResult result = RunSimulation(options);
    if (!result.failure.empty()) return Noticed(result.failure);
  }
  return NothingNoticed("seeds " + seeds);
}

int RunTests(const std::string& kind) {
  const bool is_scenarios = kind == "scenarios";
  ::testing::GTEST_FLAG(filter) = is_scenarios ? "*RaftScenario*" : "-*RaftScenario*";
  ::testing::GTEST_FLAG(fail_fast) = g_mutant != 0;
  g_where = is_scenarios ? "by a transcript" : "by a test";
  const int failed = RUN_ALL_TESTS();
  const auto* unit = ::testing::UnitTest::GetInstance();
  if (failed != 0) return Noticed(std::to_string(unit->failed_test_count()) + " tests failed");
  return NothingNoticed(std::to_string(unit->successful_test_count()) + " tests");
}

}  // namespace
}  // namespace dfs::consensus

int main(int argc, char** argv) {
  using namespace dfs::consensus;  // NOLINT(google-build-using-namespace): main only
  ::testing::InitGoogleTest(&argc, argv);
  google::InitGoogleLogging(argv[0]);
  FLAGS_logtostderr = true;
  FLAGS_minloglevel = 3;
  g_mutant = std::atoi(ValueOf(argc, argv, "mutant", "0").c_str());
  dfs::SetActiveMutant(g_mutant);
  // A mistake may make something grow for ever; that is noticed too, by the end of the process.
  const rlimit memory{rlim_t{4} << 30, rlim_t{4} << 30};
  if (setrlimit(RLIMIT_AS, &memory) != 0) return 2;
  google::InstallFailureFunction(&CheckFailed);
  std::signal(SIGABRT, &Aborted);
  const std::string by = ValueOf(argc, argv, "by", "simulation");
  if (by != "simulation") return RunTests(by);
  return RunSeeds(ValueOf(argc, argv, "seeds", "1-100"),
                  std::strtod(ValueOf(argc, argv, "seconds", "20").c_str(), nullptr));
}
