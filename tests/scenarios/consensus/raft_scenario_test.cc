// Runs the transcripts of this folder (tests/scenarios/README.md).
#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "tests/scenarios/consensus/raft_scenarios.h"
#include "tests/scenarios/consensus/raft_script.h"
#include "tests/scenarios/transcript.h"

namespace dfs::consensus {

bool g_rewrites_transcripts = false;

namespace {

class RaftScenario : public ::testing::TestWithParam<std::string> {
 protected:
  static void TearDownTestSuite() {
    if (HasFailure() || g_rewrites_transcripts) return;
    PrintProved("Raft", TranscriptsIn(DFS_RAFT_SCENARIOS));
  }
};

TEST_P(RaftScenario, PrintsWhatIsExpected) {
  auto script = std::make_unique<RaftScript>();
  CheckTranscript(GetParam(), g_rewrites_transcripts, [&](const std::string& command) {
    if (command != "new-group") return script->Run(command);
    script = std::make_unique<RaftScript>();
    return std::vector<std::string>();
  });
}

INSTANTIATE_TEST_SUITE_P(Transcripts, RaftScenario,
                         ::testing::ValuesIn(TranscriptsIn(DFS_RAFT_SCENARIOS)),
                         [](const auto& test) {
                           return std::filesystem::path(test.param).stem().string();
                         });

}  // namespace
}  // namespace dfs::consensus
