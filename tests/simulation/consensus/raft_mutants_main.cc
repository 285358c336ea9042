// raft_mutants --mutant=N --seeds=A-B [--seconds=S]
//
// Switches one mistake on (common/mutant.h) and runs simulations until one of them notices. Ends with
// 0 if the mistake was noticed, with 1 if all seeds passed. `--mutant=0` is the control: there it ends with
// 0 if all seeds passed.
#include <glog/logging.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <string>

#include "common/mutant.h"
#include "tests/simulation/consensus/raft_simulation.h"

namespace dfs::consensus {
namespace {

int g_mutant = 0;
std::uint64_t g_seed = 0;

// A CHECK of ours that fails has noticed the mistake too.
void CheckFailed() __attribute__((noreturn));
void CheckFailed() {
  std::cout << "mutant " << g_mutant << " noticed at seed " << g_seed << ": by a CHECK"
            << std::endl;
  _exit(g_mutant == 0 ? 1 : 0);
}

std::string ValueOf(int argc, char** argv, const std::string& name, const std::string& fallback) {
  for (int i = 1; i < argc; ++i) {
    const std::string flag = argv[i];
    if (flag.rfind("--" + name + "=", 0) == 0) return flag.substr(name.size() + 3);
  }
  return fallback;
}

int Main(int argc, char** argv) {
  g_mutant = std::atoi(ValueOf(argc, argv, "mutant", "0").c_str());
  const std::string seeds = ValueOf(argc, argv, "seeds", "1-100");
  const std::uint64_t first = std::strtoull(seeds.c_str(), nullptr, 10);
  const std::uint64_t last = std::strtoull(seeds.c_str() + seeds.find('-') + 1, nullptr, 10);
  SetActiveMutant(g_mutant);
  google::InstallFailureFunction(&CheckFailed);
  for (g_seed = first; g_seed <= last; ++g_seed) {
    SimulationOptions options;
    options.seed = g_seed;
    options.faults_for =
        absl::Seconds(std::strtod(ValueOf(argc, argv, "seconds", "20").c_str(), nullptr));
    const SimulationResult result = RunSimulation(options);
    if (result.failure.empty()) continue;
    std::cout << "mutant " << g_mutant << " noticed at seed " << g_seed << " (the "
              << g_seed - first + 1 << ". tried): " << result.failure << "\n";
    return g_mutant == 0 ? 1 : 0;
  }
  std::cout << "mutant " << g_mutant << ": nothing noticed in seeds " << seeds << "\n";
  return g_mutant == 0 ? 0 : 1;
}

}  // namespace
}  // namespace dfs::consensus

int main(int argc, char** argv) {
  google::InitGoogleLogging(argv[0]);
  FLAGS_logtostderr = true;
  FLAGS_minloglevel = 3;
  return dfs::consensus::Main(argc, argv);
}
