// raft_simulation --seeds=A-B [--seconds=S] [--trace]
//
// Feature 30; defect "split brain, votes counted wrongly, minority writes".
//
// Runs one simulation for each seed and says what it proved. Ends with 1 at the first seed that
// breaks something, after printing seed, step, the last events and the command that repeats it.
#include <glog/logging.h>

#include <cstdlib>
#include <cstring>
#include <iostream>
#include <string>

#include "tests/simulation/consensus/raft_simulation.h"

namespace dfs::consensus {
namespace {

struct Flags {
  std::uint64_t first = 1;
  std::uint64_t last = 1;
  double seconds = 20;
  bool keeps_trace = false;
};

bool Parse(int argc, char** argv, Flags* flags) {
  for (int i = 1; i < argc; ++i) {
    const std::string flag = argv[i];
    if (flag.starts_with("--seeds=")) {
      const std::string range = flag.substr(8);
      const auto dash = range.find('-');
      flags->first = std::strtoull(range.c_str(), nullptr, 10);
      flags->last = dash == std::string::npos
                        ? flags->first
                        : std::strtoull(range.c_str() + dash + 1, nullptr, 10);
    } else if (flag.starts_with("--seconds=")) {
      flags->seconds = std::strtod(flag.c_str() + 10, nullptr);
    } else if (flag == "--trace") {
      flags->keeps_trace = true;
    } else {
      std::cerr << "usage: raft_simulation [--seeds=A-B] [--seconds=S] [--trace]\n";
      return false;
    }
  }
  return flags->first <= flags->last && flags->first > 0;
}

void PrintFailure(const Flags& flags, SimulationOptions options) {
  options.keeps_trace = true;  // once more, with the story
  const SimulationResult result = RunSimulation(options);
  for (const std::string& line : result.trace) std::cout << "  " << line << "\n";
  std::cout << "FAILED seed " << options.seed << " at step " << result.failed_at_step << ": "
            << result.failure << "\nrepeat: raft_simulation --seeds=" << options.seed
            << " --seconds=" << flags.seconds << " --trace\n";
}

int Main(int argc, char** argv) {
  Flags flags;
  if (!Parse(argc, argv, &flags)) return 2;
  SimulationResult total;
  absl::Duration slowest_heal = absl::ZeroDuration();
  for (std::uint64_t seed = flags.first; seed <= flags.last; ++seed) {
    SimulationOptions options;
    options.seed = seed;
    options.faults_for = absl::Seconds(flags.seconds);
    options.keeps_trace = false;
    const SimulationResult result = RunSimulation(options);
    if (!result.failure.empty()) {
      PrintFailure(flags, options);
      return 1;
    }
    total.simulated += result.simulated;
    total.steps += result.steps;
    total.operations_checked += result.operations_checked;
    total.hash = total.hash * 31 + result.hash;
    slowest_heal = std::max(slowest_heal, result.healed_after);
    for (const auto& [name, count] : result.counts) total.counts[name] += count;
  }
  std::cout << "seeds " << flags.first << " to " << flags.last << ": no violation; "
            << absl::ToDoubleHours(total.simulated) << " simulated hours, " << total.steps
            << " events, " << total.operations_checked << " operations checked, slowest recovery "
            << absl::FormatDuration(slowest_heal) << "\n";
  for (const auto& [name, count] : total.counts) std::cout << "  " << name << ": " << count << "\n";
  std::cout << "  trace hash: " << total.hash << "\n";
  return 0;
}

}  // namespace
}  // namespace dfs::consensus

int main(int argc, char** argv) {
  google::InitGoogleLogging(argv[0]);
  FLAGS_logtostderr = true;
  return dfs::consensus::Main(argc, argv);
}
