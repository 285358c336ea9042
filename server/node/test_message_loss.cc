#include "server/node/test_message_loss.h"

#include <glog/logging.h>

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"

namespace dfs::node {

class TestMessageLoss::LossyRing final : public membership::MembershipTransport {
 public:
  LossyRing(TestMessageLoss* loss, membership::MembershipTransport* ring) : loss_(loss), ring_(ring) {}
  void SetReceiver(Receiver receiver, Refused refused) override {
    ring_->SetReceiver(std::move(receiver), std::move(refused));
  }
  void SetMembers(const std::vector<membership::MemberAddress>& members) override {
    ring_->SetMembers(members);
  }
  void Send(membership::Message message, bool is_fresh) override {
    if (!loss_->IsLost()) ring_->Send(std::move(message), is_fresh);
  }

 private:
  TestMessageLoss* const loss_;
  membership::MembershipTransport* const ring_;
};

class TestMessageLoss::LossyRaft final : public replicated_log::RaftTransport {
 public:
  LossyRaft(TestMessageLoss* loss, replicated_log::RaftTransport* raft) : loss_(loss), raft_(raft) {}
  void SetReceiver(Receiver receiver, Refused refused) override {
    raft_->SetReceiver(std::move(receiver), std::move(refused));
  }
  void SetMembers(const consensus::Configuration& configuration) override {
    raft_->SetMembers(configuration);
  }
  void Send(std::vector<consensus::Message> messages) override {
    std::erase_if(messages, [this](const auto&) { return loss_->IsLost(); });
    if (!messages.empty()) raft_->Send(std::move(messages));
  }
  void SetCheckpoint(const metadata::StateHash& checkpoint) override { raft_->SetCheckpoint(checkpoint); }
  void SetCheckpointReceiver(CheckpointReceiver receiver) override {
    raft_->SetCheckpointReceiver(std::move(receiver));
  }
  void SetRestartedReceiver(Restarted receiver) override {
    raft_->SetRestartedReceiver(std::move(receiver));
  }
  void SetSnapshotReceiver(std::shared_ptr<replicated_log::SnapshotReceiver> receiver) override {
    raft_->SetSnapshotReceiver(std::move(receiver));
  }
  void SendSnapshot(NodeId to, replicated_log::OutgoingSnapshot snapshot,
                    replicated_log::SnapshotReceiver::Done done) override {
    raft_->SendSnapshot(to, std::move(snapshot), std::move(done));
  }

 private:
  TestMessageLoss* const loss_;
  replicated_log::RaftTransport* const raft_;
};

class TestMessageLoss::LossyGossip final : public gossip_store::GossipTransport {
 public:
  LossyGossip(TestMessageLoss* loss, gossip_store::GossipTransport* gossip)
      : loss_(loss), gossip_(gossip) {}
  void Send(gossip_store::Message message) override {
    if (!loss_->IsLost()) gossip_->Send(std::move(message));
  }
  // A call, with an answer that somebody waits for: TCP's to repeat.
  void Ask(NodeId peer, const gossip_store::Key& key, absl::Duration timeout,
           gossip_store::HeldCallback done) override {
    gossip_->Ask(peer, key, timeout, std::move(done));
  }

 private:
  TestMessageLoss* const loss_;
  gossip_store::GossipTransport* const gossip_;
};

TestMessageLoss::TestMessageLoss(std::uint32_t percent, std::uint64_t seed)
    : percent_(percent), random_(seed) {
  LOG_IF(WARNING, percent > 0) << "TEST: this node " << Describe() << " on purpose, seed " << seed;
}

TestMessageLoss::~TestMessageLoss() = default;

membership::MembershipTransport* TestMessageLoss::Through(membership::MembershipTransport* ring) {
  if (percent_ == 0) return ring;
  ring_ = std::make_unique<LossyRing>(this, ring);
  return ring_.get();
}

replicated_log::RaftTransport* TestMessageLoss::Through(replicated_log::RaftTransport* raft) {
  if (percent_ == 0) return raft;
  raft_ = std::make_unique<LossyRaft>(this, raft);
  return raft_.get();
}

gossip_store::GossipTransport* TestMessageLoss::Through(gossip_store::GossipTransport* gossip) {
  if (percent_ == 0) return gossip;
  gossip_ = std::make_unique<LossyGossip>(this, gossip);
  return gossip_.get();
}

std::string TestMessageLoss::Describe() const {
  if (percent_ == 0) return "";
  return absl::StrCat("loses ", percent_, " % of its messages to other nodes (", lost_.load(), " so far)");
}

bool TestMessageLoss::IsLost() {
  {
    MutexLock lock(&mutex_);
    if (!random_.OneIn(percent_, 100)) return false;
  }
  ++lost_;
  return true;
}

}  // namespace dfs::node
