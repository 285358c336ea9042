#include "client/cli/members_watch.h"

#include <gtest/gtest.h>

namespace dfs::client::cli {
namespace {

v1::NodeStatus Node(std::uint32_t id, const std::string& state, std::uint64_t age_ms = 0) {
  v1::NodeStatus node;
  node.set_node_id(id);
  node.set_name("n" + std::to_string(id));
  node.set_state(state);
  node.set_state_age_ms(age_ms);
  return node;
}

v1::MembersResponse Members(const std::vector<v1::NodeStatus>& nodes) {
  v1::MembersResponse members;
  for (const auto& node : nodes) *members.add_nodes() = node;
  return members;
}

TEST(MembersWatch, FirstAnswerIsNoEventAndNoChangeIsNone) {
  MembersWatch watch;
  EXPECT_TRUE(watch.Compare(Members({Node(1, "alive")})).empty());
  EXPECT_TRUE(watch.Compare(Members({Node(1, "alive", 70)})).empty());
}

// Feature 29.
TEST(MembersWatch, TellsWhatChangedAndHowLongItTookToSee) {
  MembersWatch watch;
  (void)watch.Compare(Members({Node(1, "alive"), Node(2, "alive")}));
  const auto events = watch.Compare(Members({Node(1, "alive"), Node(2, "dead", 640), Node(3, "alive")}));
  ASSERT_EQ(events.size(), 2u);
  EXPECT_EQ(events[0].node.name(), "n2");
  EXPECT_EQ(events[0].from, "alive");
  EXPECT_EQ(events[0].to, "dead");
  EXPECT_EQ(events[0].last_heard_ms, 640u);
  EXPECT_EQ(events[1].to, "joined");
  const auto gone = watch.Compare(Members({Node(1, "alive"), Node(3, "alive")}));
  ASSERT_EQ(gone.size(), 1u);
  EXPECT_EQ(gone[0].to, "a member no longer");
}

}  // namespace
}  // namespace dfs::client::cli
