// A node without gossip buckets has nothing to do for them.
#include <gtest/gtest.h>

#include <atomic>
#include <memory>

#include "common/sync.h"
#include "server/gossip_store/gossip_host.h"

namespace dfs::gossip_store {
namespace {

constexpr absl::Duration kDeadline = absl::Seconds(60);

// Goes on only when told.
class FrozenClock final : public Clock {
 public:
  [[nodiscard]] MonotonicTime Now() const override {
    return absl::UnixEpoch() + absl::Milliseconds(ms_.load());
  }
  [[nodiscard]] absl::Time WallNow() const override { return Now(); }
  void Advance(absl::Duration by) { ms_ += absl::ToInt64Milliseconds(by); }

 private:
  std::atomic<std::int64_t> ms_{1'000'000};
};

class EmptyTable final : public GossipTable {
 public:
  absl::StatusOr<StoredGossip> Load() override {
    StoredGossip out;
    out.state.has_begun_anew = true;  // no look at the chunks
    return out;
  }
  absl::Status Write(const std::vector<Change>&, const std::optional<GossipState>&) override {
    return absl::OkStatus();
  }
  absl::Status BeginAnew(const BegunAnew&) override { return absl::OkStatus(); }
};

class NoTransport final : public GossipTransport {
 public:
  void Send(Message) override {}
  void Ask(NodeId, const Key&, absl::Duration, HeldCallback done) override {
    done(absl::UnavailableError("nobody"));
  }
};

TEST(GossipHostIdle, LooksAroundFourTimesASecondAndNotMore) {
  FrozenClock clock;
  EmptyTable table;
  NoTransport transport;
  std::atomic<int> looks{0};
  GossipHost::Parts parts;
  parts.options.self = NodeId(1);
  parts.clock = &clock;
  parts.table = &table;
  parts.transport = &transport;
  parts.look = [&looks] {
    ++looks;
    Surroundings out;
    out.peers.members = out.peers.reachable = {NodeId(1), NodeId(2), NodeId(3)};
    return out;
  };
  parts.on_fatal = [](const absl::Status& status) { ADD_FAILURE() << status; };
  GossipHost host(std::move(parts));
  ASSERT_TRUE(host.Start().ok());

  // Through the executor's queue: what is due goes first.
  const auto pass = [&host] {
    auto passed = std::make_shared<Event>();
    host.Find({BucketId(1), "a"}, [passed](const absl::StatusOr<HeldThere>&) { passed->Set(); });
    return passed->WaitFor(kDeadline);
  };
  ASSERT_TRUE(pass());
  for (int i = 1; i <= 100; ++i) {
    clock.Advance(GossipHost::kLookEvery);
    ASSERT_TRUE(pass()) << "the host is busy with itself after " << i << " looks";
    ASSERT_TRUE(pass());
    EXPECT_EQ(looks, 1 + i);
  }
}

}  // namespace
}  // namespace dfs::gossip_store
