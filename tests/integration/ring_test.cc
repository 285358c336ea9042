// Nine nodes, of which several that stand beside each other on the ring die or hang at once, and one that comes and goes.
#include <algorithm>
#include <cstdlib>
#include <functional>
#include <set>
#include <string>
#include <vector>

#include "client/file_client.h"
#include "common/clock.h"
#include "tests/integration/cluster_fixture.h"
#include "tests/support/ring_views.h"

namespace dfs::testing {
namespace {

using membership::LivenessState;

constexpr int kNodes = 9;
// Until all live nodes have the same view. Simulated it is below 1.5 s for silent nodes (membership/README.md); nine processes
// on a busy machine need longer.
constexpr absl::Duration kViewTimeout = absl::Seconds(10);
// The same after a return, with the start of processes, and their wait for members that are not there yet (rule R3).
constexpr absl::Duration kReturnTimeout = absl::Seconds(20);

bool IsNightly() {
  return std::getenv("DFS_TEST_NIGHTLY") != nullptr;  // NOLINT(concurrency-mt-unsafe): nothing here sets variables
}

class Ring : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    cluster_ = std::make_unique<ProcessCluster>();
    ASSERT_OK(cluster_->Up(1));
    for (int n = 2; n <= kNodes; ++n) cluster_->Start(n);
    ASSERT_OK(cluster_->WaitReady(All()));
  }
  static void TearDownTestSuite() { cluster_.reset(); }

  static std::vector<int> All() {
    std::vector<int> all;
    for (int n = 1; n <= kNodes; ++n) all.push_back(n);
    return all;
  }
  static std::vector<int> AllBut(const std::set<int>& nodes) {
    std::vector<int> others;
    for (const int n : All()) {
      if (!nodes.contains(n)) others.push_back(n);
    }
    return others;
  }
  // The nodes at these places of the ring, counted from `first`.
  static std::set<int> At(int first, const std::vector<int>& places) {
    const auto order = RingOrder(cluster());
    EXPECT_OK(order.status());
    std::set<int> nodes;
    if (!order.ok()) return nodes;
    for (const int place : places) nodes.insert((*order)[static_cast<std::size_t>((first + place) % kNodes)]);
    return nodes;
  }

  enum class How { kKill, kPause };
  // All of these nodes go at once and come back: the others agree on who is dead, and that nobody else is, and in the end all
  // agree that all are alive.
  void LoseAndRegain(const std::set<int>& nodes, How how) {
    std::string text;
    for (const int n : nodes) text += " n" + std::to_string(n);
    SCOPED_TRACE((how == How::kKill ? "killed:" : "paused:") + text);
    const LoggedChanges changes(cluster());
    const MonotonicTime start = SystemClock().Now();
    for (const int n : nodes) how == How::kKill ? cluster().Kill(n) : cluster().Pause(n);
    ASSERT_OK(WaitForViews(cluster(), AllBut(nodes), nodes, kViewTimeout));
    absl::Duration& longest = how == How::kKill ? to_killed_ : to_paused_;
    longest = std::max(longest, SystemClock().Now() - start);
    // Nobody else was called dead on the way.
    for (const std::string& line : changes.LinesOf(LivenessState::kDead)) ExpectIsAbout(nodes, line);
    const MonotonicTime back = SystemClock().Now();
    for (const int n : nodes) how == How::kKill ? cluster().Start(n) : cluster().Resume(n);
    ASSERT_OK(WaitForViews(cluster(), All(), {}, kReturnTimeout));
    to_alive_ = std::max(to_alive_, SystemClock().Now() - back);
    ASSERT_OK(cluster().WaitReady(All()));
    ++rounds_;
  }
  // Nodes joined in the order of their starts, so names need not tell ids: the table does.
  void ExpectIsAbout(const std::set<int>& nodes, const std::string& line) {
    const auto status = cluster().Status(AllBut(nodes).front());
    ASSERT_OK(status.status());
    bool is_about_one = false;
    for (const auto& row : status->nodes()) {
      if (line.find(" node " + std::to_string(row.node_id()) + " went ") == std::string::npos) continue;
      is_about_one = nodes.contains(std::stoi(row.name().substr(1)));
    }
    EXPECT_TRUE(is_about_one) << line;
  }
  [[nodiscard]] std::string Text() const {
    const auto ms = [](absl::Duration time) { return std::to_string(absl::ToInt64Milliseconds(time)) + " ms"; };
    return std::to_string(rounds_) + " times; all live nodes agree after " + ms(to_killed_) + " (killed), " +
           ms(to_paused_) + " (hung), and that all live " + ms(to_alive_) + " after their return, at most";
  }

  static ProcessCluster& cluster() { return *cluster_; }

  int rounds_ = 0;
  absl::Duration to_killed_;
  absl::Duration to_paused_;
  absl::Duration to_alive_;

 private:
  static inline std::unique_ptr<ProcessCluster> cluster_;
};

std::vector<int> Firsts() {
  return IsNightly() ? std::vector<int>{0, 1, 2, 3, 4, 5, 6, 7, 8} : std::vector<int>{2};
}

// A node has four watchers: each of these has one left, at most.
// Feature 29.
TEST_F(Ring, FourAdjacentNodesAreSeenToGoAndToReturn) {
  for (const int first : Firsts()) {
    for (const How how : {How::kPause, How::kKill}) {
      LoseAndRegain(At(first, {0, 1, 2, 3}), how);
      if (HasFailure()) return;
    }
  }
  Proved("4 adjacent of 9 nodes lost: " + Text());
}

// The middle one has no watcher left.
TEST_F(Ring, FiveAdjacentNodesAreSeenToGoAndToReturn) {
  for (const int first : Firsts()) {
    for (const How how : {How::kPause, How::kKill}) {
      LoseAndRegain(At(first, {0, 1, 2, 3, 4}), how);
      if (HasFailure()) return;
    }
  }
  Proved("5 adjacent of 9 nodes lost: " + Text());
}

// The rest falls into two arcs, of two and three nodes, whose members are nobody's neighbours in the other.
TEST_F(Ring, TwoPairsThatCutTheRingInTwoAreSeenByAll) {
  for (const int first : Firsts()) {
    for (const How how : {How::kPause, How::kKill}) {
      LoseAndRegain(At(first, {0, 1, 4, 5}), how);
      if (HasFailure()) return;
    }
  }
  Proved("2 + 2 of 9 nodes lost: " + Text());
}

TEST_F(Ring, FlappingNodeIsSeenEachTimeAndDisturbsNobodyElse) {
  const auto leader = cluster().Leader();
  ASSERT_OK(leader.status());
  const auto before = cluster().Status(*leader);
  ASSERT_OK(before.status());
  const int flapping = *leader % kNodes + 1;
  for (int round = 0; round < (IsNightly() ? 20 : 4); ++round) {
    LoseAndRegain({flapping}, round % 2 == 0 ? How::kKill : How::kPause);
    if (HasFailure()) return;
  }
  const auto after = cluster().Status(*leader);
  ASSERT_OK(after.status());
  EXPECT_EQ(after->term(), before->term()) << "the leader was changed";
  Proved("a node that flaps: " + Text());
}

}  // namespace
}  // namespace dfs::testing
