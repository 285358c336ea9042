// raft_scenario_test [--rewrite] (tests/scenarios/README.md)
#include <gtest/gtest.h>

#include <string_view>

#include "tests/scenarios/consensus/raft_scenarios.h"

int main(int argc, char** argv) {
  ::testing::InitGoogleTest(&argc, argv);
  for (int i = 1; i < argc; ++i) {
    if (std::string_view(argv[i]) == "--rewrite") dfs::consensus::g_rewrites_transcripts = true;
  }
  return RUN_ALL_TESTS();
}
