// Feature 48: what --test-drop-percent loses, and what it leaves alone.
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "server/node/test_message_loss.h"

namespace dfs::node {
namespace {

constexpr int kSent = 10'000;

class CountingRing final : public membership::MembershipTransport {
 public:
  void SetReceiver(Receiver /*receiver*/, Refused /*refused*/) override { ++settings_; }
  void SetMembers(const std::vector<membership::MemberAddress>& /*members*/) override { ++settings_; }
  void Send(membership::Message /*message*/, bool /*is_fresh*/) override { ++arrived_; }
  int settings_ = 0;
  int arrived_ = 0;
};

class CountingRaft final : public replicated_log::RaftTransport {
 public:
  void SetReceiver(Receiver /*receiver*/, Refused /*refused*/) override { ++settings_; }
  void SetMembers(const consensus::Configuration& /*configuration*/) override { ++settings_; }
  void Send(std::vector<consensus::Message> messages) override {
    EXPECT_FALSE(messages.empty());
    for (const auto& message : messages) indexes_.push_back(message.to.value());
  }
  void SetCheckpoint(const metadata::StateHash& /*checkpoint*/) override { ++settings_; }
  void SetCheckpointReceiver(CheckpointReceiver /*receiver*/) override { ++settings_; }
  void SetRestartedReceiver(Restarted /*receiver*/) override { ++settings_; }
  void SetSnapshotReceiver(std::shared_ptr<replicated_log::SnapshotReceiver> /*receiver*/) override { ++settings_; }
  void SendSnapshot(NodeId /*to*/, replicated_log::OutgoingSnapshot /*snapshot*/,
                    replicated_log::SnapshotReceiver::Done /*done*/) override {
    ++settings_;
  }
  int settings_ = 0;
  std::vector<std::uint32_t> indexes_;
};

class CountingGossip final : public gossip_store::GossipTransport {
 public:
  void Send(gossip_store::Message /*message*/) override { ++arrived_; }
  void Ask(NodeId /*peer*/, const gossip_store::Key& /*key*/, absl::Duration /*timeout*/,
           gossip_store::HeldCallback /*done*/) override {
    ++asked_;
  }
  int arrived_ = 0;
  int asked_ = 0;
};

// Feature 48.
TEST(TestMessageLoss, LosesItsShareOfEachKindAndNothingElse) {
  CountingRing ring;
  CountingRaft raft;
  CountingGossip gossip;
  TestMessageLoss loss(30, 1);
  auto* lossy_ring = loss.Through(&ring);
  auto* lossy_raft = loss.Through(&raft);
  auto* lossy_gossip = loss.Through(&gossip);
  for (int i = 0; i < kSent; ++i) {
    lossy_ring->Send({}, i % 2 == 0);
    lossy_gossip->Send({});
    lossy_gossip->Ask({}, {}, {}, {});
  }
  for (std::uint32_t i = 0; i < kSent; i += 4) {
    std::vector<consensus::Message> batch(4);
    for (std::uint32_t j = 0; j < 4; ++j) batch[j].to = NodeId(i + j + 1);
    lossy_raft->Send(std::move(batch));
  }
  EXPECT_NEAR(ring.arrived_, 0.7 * kSent, 0.02 * kSent);
  EXPECT_NEAR(gossip.arrived_, 0.7 * kSent, 0.02 * kSent);
  EXPECT_NEAR(static_cast<double>(raft.indexes_.size()), 0.7 * kSent, 0.02 * kSent);
  EXPECT_TRUE(std::is_sorted(raft.indexes_.begin(), raft.indexes_.end())) << "what arrives is in order";
  EXPECT_EQ(gossip.asked_, kSent);

  lossy_ring->SetReceiver(nullptr, nullptr);
  lossy_ring->SetMembers({});
  EXPECT_EQ(ring.settings_, 2);
  lossy_raft->SetReceiver(nullptr, nullptr);
  lossy_raft->SetMembers({});
  lossy_raft->SetCheckpoint({});
  lossy_raft->SetCheckpointReceiver(nullptr);
  lossy_raft->SetRestartedReceiver(nullptr);
  lossy_raft->SetSnapshotReceiver(nullptr);
  lossy_raft->SendSnapshot({}, {}, {});
  EXPECT_EQ(raft.settings_, 7);

  const int lost = 3 * kSent - ring.arrived_ - gossip.arrived_ - static_cast<int>(raft.indexes_.size());
  EXPECT_EQ(loss.Describe(), "loses 30 % of its messages to other nodes (" + std::to_string(lost) + " so far)");
}

TEST(TestMessageLoss, OfZeroStandsInNobodysWay) {
  CountingRing ring;
  CountingRaft raft;
  CountingGossip gossip;
  TestMessageLoss loss(0);
  EXPECT_EQ(loss.Through(&ring), &ring);
  EXPECT_EQ(loss.Through(&raft), &raft);
  EXPECT_EQ(loss.Through(&gossip), &gossip);
  EXPECT_EQ(loss.Describe(), "");
}

}  // namespace
}  // namespace dfs::node
