// Copies that moves and repair leave behind: each node deletes its own by itself, however many they
// are, and the fuse (rule R20) stays what it is for all others. The leader, its state machine and
// the nodes' collectors in one thread.
#include <algorithm>
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "server/leader/chunk_collector.h"
#include "tests/support/memory_chunk_store.h"
#include "tests/unit/leader/direct_leader_client.h"
#include "tests/unit/leader/leader_host_fixture.h"

namespace dfs::leader {
namespace {

constexpr std::uint32_t kNodes = 4;

class ReleasedCopies : public LeaderHostTest {
 protected:
  void LeadWith(std::uint32_t members) {
    world_.consensus.AddMembers(members);
    LeaderOptions options;
    options.rebalance_slack_bytes = 0;
    options.trash_time = options.purge_quiet = absl::ZeroDuration();
    LeaderWorld world = world_.Make();
    world.copy = [this, copy = world.copy](NodeId node, const rpc::CopyChunkRequest& request,
                                           absl::Duration timeout) {
      auto ack = copy(node, request, timeout);
      if (ack.ok()) Store(node.value(), FromWire(request.chunk()));
      return ack;
    };
    host_ = std::make_unique<LeaderHost>(std::move(world), options);
    host_->OnLeading(Term(5));
    world_.executor.RunDue();
    client_ = std::make_unique<DirectLeaderClient>(host_.get(), &world_.executor, nullptr);
    for (std::uint32_t n = 1; n <= kNodes; ++n) {
      ChunkCollector::Parts parts;
      parts.self = NodeId(n);
      parts.clock = &world_.clock;
      parts.store = &stores_[n];
      parts.catalog = &catalog_;
      parts.leader = client_.get();
      parts.own_ack = [n] { return AckOf(n); };
      parts.options.question_age = parts.options.trash_time = absl::ZeroDuration();
      parts.options.fuse_bytes_min = 0;  // a twentieth of what is stored
      collectors_[n] = std::make_unique<ChunkCollector>(std::move(parts));
    }
  }
  void Store(std::uint32_t node, const ChunkId& chunk) {
    ASSERT_TRUE(stores_[node].Put(chunk, std::string(100, 'x'), std::nullopt).ok());
    world_.held[NodeId(node)].insert(chunk);
  }
  // Three copies each on nodes 1 to 3.
  void PutFiles(int count) {
    for (int i = 0; i < count; ++i) {
      const auto sequence = static_cast<std::uint64_t>(chunks_.size() + 1);
      const rpc::TxnId txn = OpenOne();
      EXPECT_EQ(CodeOf(Submit(PutCommand(sequence, txn, {1, 2, 3}, {1, 2, 3},
                                         "f" + std::to_string(sequence)))),
                rpc::CommandResult::DONE);
      chunks_.push_back({FromWire(txn), 0});
      for (const std::uint32_t node : {1u, 2u, 3u}) Store(node, chunks_.back());
    }
  }
  // So many passes of every node; what they did in all.
  ChunkCollector::PassCounts Collect(int passes) {
    ChunkCollector::PassCounts sum;
    for (int pass = 0; pass < passes; ++pass) {
      for (std::uint32_t n = 1; n <= kNodes; ++n) {
        const auto counts = collectors_[n]->RunOnce();
        sum.removed += counts.removed;
        sum.reported += counts.reported;
        sum.withheld += counts.withheld;
      }
    }
    return sum;
  }
  [[nodiscard]] std::size_t RowCount() {
    std::size_t count = 0;
    for (std::uint32_t n = 1; n <= kNodes; ++n) {
      world_.consensus.machine().View()->ListReleased(NodeId(n), [&](const ChunkId&) {
        ++count;
        return true;
      });
    }
    return count;
  }
  // Every node holds what the log says, and nothing else.
  void ExpectEveryCopyInItsPlace() {
    for (const ChunkId& chunk : chunks_) {
      const auto states = StatesOf(chunk.txn);
      EXPECT_EQ(states.size(), 3u);
      for (std::uint32_t n = 1; n <= kNodes; ++n) {
        EXPECT_EQ(stores_[n].Find(chunk).has_value(), states.contains(n))
            << chunk << " on node " << n;
      }
    }
  }

  std::map<std::uint32_t, testing::MemoryChunkStore> stores_;
  LocalReplicaCatalog catalog_{&world_.consensus.machine()};
  std::map<std::uint32_t, std::unique_ptr<ChunkCollector>> collectors_;
  std::unique_ptr<DirectLeaderClient> client_;
  std::vector<ChunkId> chunks_;
};

TEST_F(ReleasedCopies, AQuarterOfEachNodeMovesToANewOneAndGoesByItself) {
  LeadWith(3);
  PutFiles(40);
  world_.executor.Advance(absl::Seconds(5));
  world_.consensus.AddMembers(4);
  world_.executor.Advance(absl::Minutes(11));
  ASSERT_EQ(RowCount(), 30u) << "what was moved";
  const auto counts = Collect(3);
  EXPECT_EQ(counts.withheld, 0u);
  EXPECT_EQ(counts.removed, 30u);
  EXPECT_EQ(counts.reported, 30u);
  EXPECT_EQ(RowCount(), 0u);
  ExpectEveryCopyInItsPlace();
}

TEST_F(ReleasedCopies, NodeThatWasOutDropsWhatWasMadeAnewWhileItWasAway) {
  LeadWith(4);
  PutFiles(12);
  world_.dead.insert(NodeId(3));
  world_.executor.Advance(absl::Minutes(3));
  ASSERT_EQ(RowCount(), 12u);
  world_.dead.clear();
  world_.executor.Advance(absl::Seconds(3));
  const auto counts = Collect(3);
  EXPECT_EQ(counts.withheld, 0u);
  EXPECT_EQ(counts.removed, 12u);
  // It gets its part again, at once or after a while: others let go.
  world_.executor.Advance(absl::Minutes(11));
  EXPECT_EQ(Collect(3).withheld, 0u);
  const auto held = std::count_if(chunks_.begin(), chunks_.end(), [&](const ChunkId& chunk) {
    return stores_[3].Find(chunk).has_value();
  });
  EXPECT_GT(held, 0) << "nothing came back to it";
  EXPECT_EQ(RowCount(), 0u);
  ExpectEveryCopyInItsPlace();
}

// Nobody knows why they are there.
TEST_F(ReleasedCopies, CopiesThatNoEntryPutAsideBlowTheFuseBesideThem) {
  LeadWith(3);
  PutFiles(40);
  world_.executor.Advance(absl::Seconds(5));
  world_.consensus.AddMembers(4);
  world_.executor.Advance(absl::Minutes(11));
  std::vector<ChunkId> strays;
  for (const ChunkId& chunk : chunks_) {
    if (strays.size() < 3 && !stores_[4].Find(chunk)) strays.push_back(chunk);
  }
  for (const ChunkId& stray : strays) Store(4, stray);  // 3 beside 30: more than a twentieth
  const auto counts = Collect(3);
  EXPECT_EQ(counts.withheld, 9u) << "in each of three passes";
  EXPECT_EQ(counts.removed, 30u) << "what was moved goes all the same";
  EXPECT_TRUE(collectors_[4]->GetStatus().is_stopped());
  EXPECT_FALSE(collectors_[1]->GetStatus().is_stopped());
  collectors_[4]->Confirm();
  EXPECT_EQ(Collect(2).removed, 3u);
  ExpectEveryCopyInItsPlace();
}

TEST_F(ReleasedCopies, RowsOfCopiesThatAreNotThereGo) {
  LeadWith(3);
  PutFiles(8);
  world_.executor.Advance(absl::Seconds(5));
  world_.consensus.AddMembers(4);
  world_.executor.Advance(absl::Minutes(11));
  ASSERT_EQ(RowCount(), 6u);
  for (const ChunkId& chunk : chunks_) {
    const auto states = StatesOf(chunk.txn);
    for (std::uint32_t n = 1; n <= kNodes; ++n) {
      if (!states.contains(n)) stores_[n].Drop(chunk);  // lost before it was collected
    }
  }
  EXPECT_EQ(Collect(1).reported, 6u);
  EXPECT_EQ(RowCount(), 0u);
}

}  // namespace
}  // namespace dfs::leader
