// Nodes that are slow, paused and badly connected, but alive: nobody calls them dead.
#include <cstdlib>
#include <string>
#include <vector>

#include "client/file_client.h"
#include "common/clock.h"
#include "tests/integration/network_fixture.h"
#include "tests/support/cpu_thief.h"
#include "tests/support/ring_views.h"

namespace dfs::testing {
namespace {

using membership::LivenessState;
using ::testing::IsEmpty;

class FalseAlarm : public NetworkedNodes {};

std::string PercentOf(absl::Duration part, absl::Duration whole) {
  return std::to_string(static_cast<int>(100 * absl::FDivDuration(part, whole) + 0.5)) + " %";
}

// Defect "false failure detection".
TEST_F(FalseAlarm, NobodyIsCalledDeadWhoIsSlowPausedAndLosesPackets) {
  // NOLINTNEXTLINE(concurrency-mt-unsafe): nothing here sets variables
  const absl::Duration length = std::getenv("DFS_TEST_NIGHTLY") != nullptr ? absl::Minutes(30) : absl::Seconds(20);
  client::FileClient client(cluster().Endpoints());
  ASSERT_OK(Put(client, "0", "content"));
  ASSERT_OK(WaitForViews(cluster(), AllNodes(), {}, absl::Seconds(10)));
  const auto before = cluster().Status(1);
  ASSERT_OK(before.status());
  const LoggedChanges changes(cluster());

  network().SetLossPerMille(10);
  std::vector<pid_t> processes;
  for (const int n : AllNodes()) processes.push_back(cluster().PidOf(n));
  CpuThief thief(processes, {});
  const MonotonicTime start = SystemClock().Now();
  int calls = 0;
  int failed = 0;
  Event never;
  while (SystemClock().Now() - start < length) {
    // Nodes that have something to do, but not much: this is about who is late.
    const std::string name = std::to_string(calls % 100);
    failed += Put(client, name, MakeBytes(static_cast<std::uint64_t>(calls), 20'000)).ok() ? 0 : 1;
    failed += Get(client, name).ok() ? 0 : 1;
    calls += 2;
    never.WaitFor(absl::Milliseconds(100));
  }
  const absl::Duration lasted = SystemClock().Now() - start;
  thief.Stop();
  network().SetLossPerMille(0);

  EXPECT_THAT(changes.LinesOf(LivenessState::kDead), IsEmpty());
  EXPECT_EQ(failed, 0) << "of " << calls;
  ASSERT_OK(cluster().WaitReady(AllNodes()));
  const auto after = cluster().Status(1);
  ASSERT_OK(after.status());
  for (const auto& node : after->nodes()) EXPECT_FALSE(node.is_out()) << node.name();
  const CpuThief::Totals totals = thief.totals();
  // That the nodes were disturbed at all.
  EXPECT_GT(totals.stolen / kNodes, 0.2 * lasted);
  EXPECT_GT(totals.pauses, kNodes);
  Proved("no false DEAD among 5 nodes in " + absl::FormatDuration(absl::Trunc(lasted, absl::Seconds(1))) + " with " +
         PercentOf(totals.stolen / kNodes, lasted) + " of the time stolen in " + std::to_string(totals.slices) +
         " slices, 200 ms pauses of each node every 10 s (" + std::to_string(totals.pauses) +
         ", longest " + absl::FormatDuration(absl::Trunc(totals.longest, absl::Milliseconds(1))) +
         ") and 1 % of all packets lost; " + std::to_string(changes.CountOf(LivenessState::kSuspect)) +
         " suspicions refuted, " + std::to_string(after->term() - before->term()) + " terms, " +
         std::to_string(calls) + " puts and gets, none failed");
}

// What the test above looks at does change when somebody is dead.
TEST_F(FalseAlarm, WhoIsDeadIsCalledDeadAlsoThen) {
  const LoggedChanges changes(cluster());
  network().SetLossPerMille(10);
  const auto follower = cluster().Follower();
  ASSERT_OK(follower.status());
  cluster().Kill(*follower);
  std::vector<int> others;
  for (const int n : AllNodes()) {
    if (n != *follower) others.push_back(n);
  }
  EXPECT_OK(WaitForViews(cluster(), others, {*follower}, absl::Seconds(10)));
  EXPECT_EQ(changes.CountOf(LivenessState::kDead), kNodes - 1);
  network().SetLossPerMille(0);
  cluster().Start(*follower);
  ASSERT_OK(cluster().WaitReady(AllNodes()));
}

}  // namespace
}  // namespace dfs::testing
