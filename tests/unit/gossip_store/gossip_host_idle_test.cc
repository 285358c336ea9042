// A node without gossip buckets has nothing to do for them.
#include <gtest/gtest.h>

#include <atomic>
#include <memory>

#include "common/sync.h"
#include "server/gossip_store/gossip_host.h"
#include "tests/unit/gossip_store/gossip_fakes.h"

namespace dfs::gossip_store {
namespace {

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

TEST(GossipHostIdle, LooksAroundFourTimesASecondAndNotMore) {
  FrozenClock clock;
  MemoryGossipTable table;
  StoredGossip nothing;
  nothing.state.has_begun_anew = true;  // no look at the chunks
  table.Set(std::move(nothing));
  KeptMessages transport;
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
    return passed->WaitFor(kLong);
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
