// That the simulation itself can be trusted: it repeats, and it makes what it says it makes.
#include "tests/simulation/consensus/raft_simulation.h"

#include <gtest/gtest.h>

namespace dfs::consensus {
namespace {

TEST(RaftSimulation, TheSameSeedTwiceIsTheSameRun) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    SimulationOptions options;
    options.seed = seed;
    options.faults_for = absl::Seconds(5);
    const SimulationResult first = RunSimulation(options);
    options.keeps_trace = true;  // looking does not change anything
    const SimulationResult second = RunSimulation(options);
    EXPECT_EQ(first.failure, "");
    EXPECT_EQ(first.hash, second.hash) << "seed " << seed;
    EXPECT_EQ(first.steps, second.steps) << "seed " << seed;
    EXPECT_EQ(first.counts, second.counts) << "seed " << seed;
  }
}

TEST(RaftSimulation, DifferentSeedsAreDifferentRuns) {
  SimulationOptions options;
  options.faults_for = absl::Seconds(2);
  const std::uint64_t first = RunSimulation(options).hash;
  options.seed = 2;
  EXPECT_NE(first, RunSimulation(options).hash);
}

TEST(RaftSimulation, EveryFaultHappensAndClientsGetAnswers) {
  std::map<std::string, std::int64_t> counts;
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    SimulationOptions options;
    options.seed = seed;
    options.faults_for = absl::Seconds(10);
    const SimulationResult result = RunSimulation(options);
    ASSERT_EQ(result.failure, "") << "seed " << seed;
    for (const auto& [name, count] : result.counts) counts[name] += count;
  }
  for (const char* name : {"crashes",
                           "crashes in a write",
                           "disk stalls",
                           "false hints",
                           "hints",
                           "isolations",
                           "leadership transfers",
                           "log cuts",
                           "members activated",
                           "members added",
                           "members removed",
                           "messages doubled",
                           "messages into a partition",
                           "messages lost",
                           "messages straggling",
                           "one-way cuts",
                           "pauses",
                           "reads done",
                           "snapshots received",
                           "splits",
                           "voter changes asked for",
                           "writes done"}) {
    EXPECT_GT(counts[name], 0) << name;
  }
}

}  // namespace
}  // namespace dfs::consensus
