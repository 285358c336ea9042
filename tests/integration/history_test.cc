// Twenty clients share fifty files of five real processes that are killed and paused; every answer goes into a history,
// and some order of all operations must explain it.
//
//   history_integration_test [--operations=N]    until so many operations have been recorded
//
// Without it the runs take a time that suits tests/run; DFS_TEST_NIGHTLY=1 asks for 100,000 operations.
#include <string>
#include <string_view>
#include <vector>

#include "common/clock.h"
#include "common/random.h"
#include "tests/integration/history_fixture.h"

namespace dfs::testing {
namespace {

constexpr int kNodes = 5;
const std::vector<int> kAllNodes = {1, 2, 3, 4, 5};
constexpr absl::Duration kBetweenKills = absl::Seconds(3);
// Every client gets through within this time, however busy the machine; else the cluster stands still.
constexpr absl::Duration kProgressTimeout = absl::Seconds(30);
constexpr std::uint64_t kNightlyOperations = 100'000;

std::uint64_t operations_wanted = 0;

// How long a run goes on: until so many operations, or, if that is 0, so much time.
struct Length {
  std::uint64_t operations = 0;
  absl::Duration time;
};

class Histories : public HistoryFixture {
 protected:
  void SetUp() override { ASSERT_OK(cluster_.Up(kNodes)); }

  [[nodiscard]] static Length LengthOf(absl::Duration time) {
    return {operations_wanted, kIsSlow ? time / 2 : time};
  }
  [[nodiscard]] bool IsOver(const Length& length) const {
    return length.operations != 0 ? history_->counts().operations >= length.operations
                                  : SystemClock().Now() - began_ >= length.time;
  }
  // The machine's time, not a wait for something: the load goes on meanwhile.
  void LetRun(absl::Duration time) { never_.WaitFor(time); }

 private:
  const MonotonicTime began_ = SystemClock().Now();
  Event never_;
};

// Defect "stale read after acknowledgement".
TEST_F(Histories, AreLinearizableWhileTheLeaderIsKilledEveryThreeSeconds) {
  const Length length = LengthOf(absl::Seconds(24));
  int kills = 0;
  HistoryLoad load(history_, cluster_, {.seed = 21});
  while (!IsOver(length)) {
    ASSERT_OK(load.AwaitOperations(50, kProgressTimeout));
    LetRun(kBetweenKills);
    const auto leader = cluster_.Leader();
    ASSERT_OK(leader.status());
    cluster_.Kill(*leader);
    ++kills;
    ASSERT_OK(load.AwaitOperations(50, kProgressTimeout));
    cluster_.Start(*leader);
  }
  Judge(load, kAllNodes);
  Proved("5 processes, 20 clients, 50 files, kill -9 of the leader every 3 s (" + std::to_string(kills) +
         " times): " + Evidence());
}

// A leader that wakes up and does not know yet that it was replaced must not answer from what it has.
TEST_F(Histories, AreLinearizableWhileNodesArePausedForSeconds) {
  const Length length = LengthOf(absl::Seconds(14));
  Random random(22);
  int pauses = 0;
  int pauses_of_leader = 0;
  HistoryLoad load(history_, cluster_, {.seed = 22});
  while (!IsOver(length) || pauses_of_leader == 0) {
    ASSERT_OK(load.AwaitOperations(50, kProgressTimeout));
    const auto leader = cluster_.Leader();
    ASSERT_OK(leader.status());
    // The leader in two of three rounds, and another one beside it or not: three of five are always there.
    std::vector<int> paused;
    if (!random.OneIn(1, 3)) paused.push_back(*leader);
    const int other = 1 + static_cast<int>(random.Below(kNodes));
    if (other != *leader && (paused.empty() || random.OneIn(1, 3))) paused.push_back(other);
    for (const int n : paused) cluster_.Pause(n);
    pauses += static_cast<int>(paused.size());
    pauses_of_leader += !paused.empty() && paused.front() == *leader ? 1 : 0;
    const std::int64_t longest_ms = length.operations != 0 ? 10'000 : 4'000;
    LetRun(absl::Milliseconds(random.Between(1'000, longest_ms)));
    for (const int n : paused) cluster_.Resume(n);
  }
  Judge(load, kAllNodes);
  Proved("5 processes, 20 clients, 50 files, SIGSTOP of " + std::to_string(pauses) + " nodes (" +
         std::to_string(pauses_of_leader) + " times the leader) for 1 s and more: " + Evidence());
}

}  // namespace
}  // namespace dfs::testing

int main(int argc, char** argv) {
  ::testing::InitGoogleTest(&argc, argv);
  if (dfs::testing::IsNightly()) dfs::testing::operations_wanted = dfs::testing::kNightlyOperations;
  constexpr std::string_view kFlag = "--operations=";
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    if (argument.starts_with(kFlag)) {
      dfs::testing::operations_wanted = std::stoull(std::string(argument.substr(kFlag.size())));
    }
  }
  return RUN_ALL_TESTS();
}
