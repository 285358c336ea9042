// model [--configuration=NAME] [--mutant=NAME] [--mutants] [--large] [--states-max=N] [--list]
//
// Features 20, 21; defect "a failed write damages the old version".
//
// Explores every configuration to its bound, or one of them; exit status 0 if nothing is wrong and
// nothing was left out.
// --mutants switches off one rule after the other, each in its configuration: exit status 0 if
// every one leads to a counter-example. --mutant=NAME does so for one, and prints the way there.
// --large (or DFS_TEST_NIGHTLY in the environment) takes the larger bounds. --list names
// everything; with other arguments it lists the kinds of steps taken.
#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "common/clock.h"
#include "tests/model/configurations.h"
#include "tests/model/explorer.h"
#include "tests/model/rules.h"

namespace dfs::model {
namespace {

// Of the protocol as it is; mutants add some.
constexpr std::size_t kStepKinds = 56;

struct Options {
  std::string configuration;
  std::string mutant;
  bool is_all_mutants = false;
  bool is_large = false;
  bool is_list = false;
  std::uint64_t states_max = 50'000'000;
};

std::string Verdict(const Configuration& configuration, const Exploration& found) {
  if (!found.violation.empty()) return found.violation;
  if (!found.is_complete) return "CUT OFF at the number of states";
  return configuration.depth_max == 0 ? "all visited, nothing wrong"
                                      : "all to that depth, nothing wrong";
}

Exploration Run(const Configuration& configuration, Mutant mutant, std::string_view name,
                std::uint64_t states_max) {
  const MonotonicTime start = SystemClock().Now();
  const Exploration found = Explore(Protocol(configuration, mutant), states_max);
  std::cout << name << ": " << found.states << " states, " << found.transitions
            << " transitions, depth " << found.depth << ", "
            << absl::ToDoubleSeconds(SystemClock().Now() - start)
            << " s: " << Verdict(configuration, found) << std::endl;
  return found;
}

bool CheckAll(const Options& options) {
  bool is_good = true;
  std::uint64_t states = 0;
  std::uint64_t transitions = 0;
  int count = 0;
  std::set<std::string_view> steps;
  for (const Configuration& configuration : AllConfigurations(options.is_large)) {
    if (!options.configuration.empty() && options.configuration != configuration.name) continue;
    const Exploration found =
        Run(configuration, Mutant::kNone, configuration.name, options.states_max);
    std::cout << found.transcript;
    is_good = is_good && found.is_complete;
    states += found.states;
    transitions += found.transitions;
    steps.insert(found.steps.begin(), found.steps.end());
    ++count;
  }
  if (options.is_list) {
    for (const std::string_view step : steps) std::cout << "  " << step << "\n";
  }
  // A step that is never taken proves nothing.
  if (options.configuration.empty() && steps.size() < kStepKinds) {
    std::cout << "only " << steps.size() << " kinds of steps were taken, not " << kStepKinds
              << std::endl;
    is_good = false;
  }
  if (is_good && count > 0) {
    std::cout << "PROVED: protocol model: " << count << " configurations, " << states
              << " states and " << transitions << " transitions of " << steps.size()
              << " kinds, every one visited" << std::endl;
  }
  return is_good && count > 0;
}

// Every mutant that is asked for, each in its configuration.
bool CatchMutants(const Options& options) {
  bool is_good = true;
  int caught = 0;
  for (const MutantRow& row : AllMutants()) {
    if (!options.mutant.empty() && options.mutant != row.name) continue;
    const std::string wanted =
        options.configuration.empty() ? std::string(row.configuration) : options.configuration;
    for (const Configuration& configuration : AllConfigurations(options.is_large)) {
      if (configuration.name != wanted) continue;
      const Exploration found = Run(configuration, row.mutant, row.name, options.states_max);
      if (!options.mutant.empty()) std::cout << row.what << "\n" << found.transcript;
      if (found.violation.empty()) {
        std::cout << "NOT CAUGHT: " << row.name << std::endl;
        is_good = false;
      } else {
        ++caught;
      }
    }
  }
  if (is_good && caught > 0 && options.mutant.empty()) {
    std::cout << "PROVED: protocol model: " << caught << " rules switched off one by one, "
              << "each leads to a counter-example" << std::endl;
  }
  return is_good && caught > 0;
}

int Main(const std::vector<std::string>& arguments) {
  Options options;
  options.is_large = std::getenv("DFS_TEST_NIGHTLY") != nullptr;
  for (const std::string& argument : arguments) {
    const auto value = argument.substr(argument.find('=') + 1);
    if (argument.rfind("--configuration=", 0) == 0) {
      options.configuration = value;
    } else if (argument.rfind("--mutant=", 0) == 0) {
      options.mutant = value;
    } else if (argument == "--mutants") {
      options.is_all_mutants = true;
    } else if (argument == "--large") {
      options.is_large = true;
    } else if (argument == "--list") {
      options.is_list = true;
    } else if (argument.rfind("--states-max=", 0) == 0) {
      options.states_max = std::strtoull(value.c_str(), nullptr, 10);
    } else {
      std::cerr << "model: unknown argument " << argument << std::endl;
      return 64;
    }
  }
  if (options.is_list && arguments.size() == 1) {
    for (const auto& c : AllConfigurations(options.is_large))
      std::cout << c.name << ": " << c.about << "\n";
    for (const auto& row : AllMutants()) {
      std::cout << row.name << " (in " << row.configuration << "): " << row.what << "\n";
    }
    return EXIT_SUCCESS;
  }
  const bool is_good =
      options.is_all_mutants || !options.mutant.empty() ? CatchMutants(options) : CheckAll(options);
  return is_good ? EXIT_SUCCESS : EXIT_FAILURE;
}

}  // namespace
}  // namespace dfs::model

int main(int argc, char** argv) {
  return dfs::model::Main(std::vector<std::string>(argv + 1, argv + argc));
}
