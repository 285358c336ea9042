// Hosts on real threads over a transport in memory.
#include "membership/membership_host.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "common/sync.h"

namespace dfs::membership {
namespace {

constexpr absl::Duration kPatience = absl::Seconds(30);

class MemoryTransport;

// Hands messages to their receivers on the sender's thread.
class Network {
 public:
  void Attach(NodeId node, MembershipTransport::Receiver receiver) {
    MutexLock lock(&mutex_);
    receivers_[node] = std::move(receiver);
  }
  void Detach(NodeId node) {
    MutexLock lock(&mutex_);
    receivers_.erase(node);
  }
  // Returns whether somebody is there.
  bool Carry(Message message) {
    MembershipTransport::Receiver receiver;
    {
      MutexLock lock(&mutex_);
      const auto found = receivers_.find(message.to);
      if (found == receivers_.end()) return false;
      receiver = found->second;
    }
    receiver(std::move(message));
    return true;
  }

 private:
  Mutex mutex_;
  std::map<NodeId, MembershipTransport::Receiver> receivers_ ABSL_GUARDED_BY(mutex_);
};

class MemoryTransport final : public MembershipTransport {
 public:
  MemoryTransport(NodeId self, Network* network) : self_(self), network_(network) {}
  void SetReceiver(Receiver receiver, Refused refused) override {
    refused_ = std::move(refused);
    network_->Attach(self_, std::move(receiver));
  }
  void SetMembers(const std::vector<MemberAddress>&) override {}
  void Send(Message message, bool) override {
    const NodeId to = message.to;
    if (!network_->Carry(std::move(message))) refused_(to);
  }

 private:
  const NodeId self_;
  Network* const network_;
  Refused refused_;
};

struct Peer {
  std::unique_ptr<MemoryTransport> transport;
  std::unique_ptr<MembershipHost> host;
};

bool Await(const std::function<bool()>& condition) {
  Event never;
  const MonotonicTime end = SystemClock().Now() + kPatience;
  while (!condition()) {
    if (SystemClock().Now() > end) return false;
    never.WaitFor(absl::Milliseconds(1));
  }
  return true;
}

TEST(MembershipHost, SeesMembersComeAndGo) {
  Network network;
  std::vector<MemberAddress> members;
  for (std::uint32_t id = 1; id <= 3; ++id) members.push_back({NodeId(id), {1, id}, ""});
  Mutex mutex;
  std::vector<std::pair<NodeId, LivenessState>> changes;  // as node 1 reports them
  std::map<NodeId, Peer> peers;
  for (std::uint32_t id = 1; id <= 3; ++id) {
    Peer& peer = peers[NodeId(id)];
    peer.transport = std::make_unique<MemoryTransport>(NodeId(id), &network);
    MembershipHost::Parts parts;
    parts.options.self = NodeId(id);
    parts.options.boot_epoch = BootEpoch(1);
    parts.transport = peer.transport.get();
    parts.clock = &SystemClock();
    parts.own_health = [id] { return NodeHealth{.applied_index = id}; };
    if (id == 1) {
      parts.on_change = [&](NodeId node, LivenessState, LivenessState to, std::uint64_t) {
        MutexLock lock(&mutex);
        changes.emplace_back(node, to);
      };
    }
    peer.host = std::make_unique<MembershipHost>(std::move(parts));
    EXPECT_TRUE(peer.host->IsUsable(NodeId(id))) << "self, before all else";
    peer.host->Start();
  }
  for (auto& [id, peer] : peers) peer.host->SetMembers(members);
  MembershipHost& first = *peers[NodeId(1)].host;
  ASSERT_TRUE(Await([&] {
    const auto views = first.Members();
    return views.size() == 3 && std::all_of(views.begin(), views.end(), [](const MemberView& view) {
             return view.state == LivenessState::kAlive &&
                    view.health.applied_index == view.node.value();
           });
  }));

  network.Detach(NodeId(3));
  peers[NodeId(3)].host->Stop();
  ASSERT_TRUE(Await([&] { return first.StateOf(NodeId(3)) == LivenessState::kDead; }));
  EXPECT_FALSE(first.IsUsable(NodeId(3)));
  EXPECT_TRUE(first.IsUsable(NodeId(2)));
  EXPECT_FALSE(first.IsUsable(NodeId(9)));
  for (const MemberView& view : first.Members()) {
    if (view.node == NodeId(2)) {
      EXPECT_EQ(view.successors, std::vector<NodeId>{NodeId(1)});
    }
  }
  ASSERT_TRUE(Await([&] {
    MutexLock lock(&mutex);
    return std::find(changes.begin(), changes.end(),
                     std::pair{NodeId(3), LivenessState::kDead}) != changes.end();
  }));

  members.pop_back();
  first.SetMembers(members);
  ASSERT_TRUE(Await([&] { return first.Members().size() == 2; }));
  EXPECT_EQ(first.StateOf(NodeId(3)), LivenessState::kUnknown);
  for (auto& [id, peer] : peers) {
    network.Detach(id);
    peer.host->Stop();
  }
}

TEST(MembershipHost, ARefusedConnectionElsewhereIsEvidence) {
  Network network;
  MemoryTransport transport(NodeId(1), &network);
  network.Attach(NodeId(2), [](const Message&) {});  // takes everything, says nothing
  MembershipHost::Parts parts;
  parts.options.self = NodeId(1);
  parts.options.boot_epoch = BootEpoch(1);
  parts.options.suspect_after_min = absl::Hours(1);
  parts.transport = &transport;
  parts.clock = &SystemClock();
  MembershipHost host(std::move(parts));
  host.Start();
  host.SetMembers({{NodeId(1), {1, 1}, ""}, {NodeId(2), {1, 2}, ""}});
  host.ReportRefused(NodeId(2));
  EXPECT_TRUE(Await([&] { return host.StateOf(NodeId(2)) == LivenessState::kDead; }));
  host.Stop();
  host.Stop();
}

}  // namespace
}  // namespace dfs::membership
