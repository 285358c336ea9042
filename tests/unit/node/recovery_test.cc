#include "server/node/recovery.h"

#include <gtest/gtest.h>

#include <memory>
#include <set>
#include <string>
#include <vector>

#include "common/wire_ids.h"
#include "dfs/internal/v1/metadata.pb.h"
#include "tests/support/memory_log_store.h"

namespace dfs::node {
namespace {

using consensus::Configuration;

constexpr auto kRefused = absl::StatusCode::kFailedPrecondition;
const NodeId kVoter(1);
const NodeId kSelf(2);

Configuration Members(const std::set<std::uint32_t>& nodes, const std::set<std::uint32_t>& voters) {
  Configuration configuration;
  for (const auto node : nodes) {
    configuration.members[NodeId(node)] = {StorageUuid{1, node}, "h" + std::to_string(node) + ":1",
                                           true};
  }
  for (const auto voter : voters) configuration.voters.insert(NodeId(voter));
  return configuration;
}

consensus::Entry EntryAt(std::uint64_t index, std::uint64_t term,
                         std::shared_ptr<const Configuration> configuration = nullptr) {
  consensus::Entry entry;
  entry.index = LogIndex(index);
  entry.term = Term(term);
  entry.configuration = std::move(configuration);
  return entry;
}

// Node 2 of {1, 2}, where 1 votes, with a log of 7 entries in term 3.
class RecoverAsVoterTest : public ::testing::Test {
 protected:
  void Write(const Configuration& configuration) {
    ASSERT_TRUE(store_.SetMembership(ClusterId{4, 2}, kSelf, false).ok());
    std::vector<consensus::Entry> entries;
    for (std::uint64_t i = 1; i <= 7; ++i) {
      entries.push_back(
          EntryAt(i, 3, i == 4 ? std::make_shared<const Configuration>(configuration) : nullptr));
    }
    ASSERT_TRUE(store_.Append(consensus::HardState{Term(5), NodeId()}, entries).ok());
  }
  absl::Status Recover() {
    return RecoverAsVoter(store_, {"j:1"}, [this](const std::string& address) {
      dialled_.insert(address);
      return answering_.contains(address);
    });
  }
  void ExpectRefused() {
    const auto before = store_.entries().size();
    EXPECT_EQ(Recover().code(), kRefused);
    EXPECT_EQ(store_.entries().size(), before);
  }

  testing::MemoryLogStore store_{StorageUuid{1, 2}};
  std::set<std::string> answering_;
  std::set<std::string> dialled_;
};

TEST_F(RecoverAsVoterTest, MakesTheLearnerTheOnlyMemberInANewTerm) {
  Write(Members({1, 2}, {1}));
  ASSERT_TRUE(Recover().ok());
  const auto stored = store_.Load();
  ASSERT_TRUE(stored.ok());
  ASSERT_EQ(stored->entries.size(), 8U);
  const auto& last = stored->entries.back();
  EXPECT_EQ(last.index, LogIndex(8));
  EXPECT_GT(last.term, Term(5)) << "above every term that this node has heard of";
  EXPECT_EQ(stored->hard_state.term, last.term);
  ASSERT_NE(last.configuration, nullptr);
  EXPECT_EQ(*last.configuration, Members({2}, {2}));
  rpc::Command command;
  ASSERT_TRUE(command.ParseFromString(*last.command));
  EXPECT_EQ(command.retire_node().node_id(), kVoter.value());
  EXPECT_EQ(dialled_, (std::set<std::string>{"h1:1", "j:1"}));
}

TEST_F(RecoverAsVoterTest, SecondTimeChangesNothing) {
  Write(Members({1, 2}, {1}));
  ASSERT_TRUE(Recover().ok());
  EXPECT_TRUE(Recover().ok());
  EXPECT_EQ(store_.entries().size(), 8U);
}

TEST_F(RecoverAsVoterTest, LivingVoterRefusesIt) {
  Write(Members({1, 2}, {1}));
  answering_ = {"h1:1"};
  ExpectRefused();
}

// It may have moved: then it is one of the addresses that the tools give.
TEST_F(RecoverAsVoterTest, LivingMemberAtAJoinAddressRefusesIt) {
  Write(Members({1, 2}, {1}));
  answering_ = {"j:1"};
  ExpectRefused();
}

TEST_F(RecoverAsVoterTest, ThreeMembersRefuseIt) {
  Write(Members({1, 2, 3}, {1}));
  ExpectRefused();
}

TEST_F(RecoverAsVoterTest, VoterRefusesIt) {
  Write(Members({1, 2}, {2}));
  ExpectRefused();
}

TEST_F(RecoverAsVoterTest, ChangeOfVotersRefusesIt) {
  Configuration joint = Members({1, 2}, {1});
  joint.old_voters = {NodeId(1)};
  Write(joint);
  ExpectRefused();
}

// Before it is active, changes are answered without it (rule R7).
TEST_F(RecoverAsVoterTest, JoinerRefusesIt) {
  Configuration joining = Members({1, 2}, {1});
  joining.members[kSelf].is_active = false;
  Write(joining);
  ExpectRefused();
}

TEST_F(RecoverAsVoterTest, DirectoryWithoutTheLogRefusesIt) {
  ASSERT_TRUE(store_.SetMembership(ClusterId{4, 2}, kSelf, false).ok());
  ExpectRefused();
}

TEST_F(RecoverAsVoterTest, DirectoryWithoutAClusterIsAMistake) {
  EXPECT_EQ(Recover().code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace dfs::node
