// Stops the table of gossip buckets at its file operations, loses what was not synced, opens it again and looks.
#include <gtest/gtest.h>

#include <cstdint>
#include <iostream>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/gossip_txn.h"
#include "common/random.h"
#include "server/gossip_store/gossip_message_codec.h"
#include "server/gossip_store/rocksdb_gossip_table.h"
#include "tests/support/fault_file_system.h"

namespace dfs::gossip_store {
namespace {

using testing::FaultFileSystem;
using Loss = FaultFileSystem::Loss;

constexpr Loss kLosses[] = {Loss::kDrop, Loss::kTear, Loss::kZero, Loss::kNone};
constexpr NodeId kSelf(1);
constexpr NodeId kOther(2);  // a member that says nothing: no tombstone may go
const BucketId kBucket(3);
const char kFolder[] = "/gossip";

struct Content {
  GossipState state;
  std::map<Key, HeldRecord> rows;
};

bool IsEqual(const Content& a, const StoredGossip& b) {
  if (!(a.state == b.state) || a.rows.size() != b.records.size()) return false;
  for (const HeldRecord& held : b.records) {
    const auto found = a.rows.find(held.record.key);
    if (found == a.rows.end()) return false;
    if (found->second.record != held.record || found->second.applied != held.applied) return false;
  }
  return true;
}

std::string Describe(const Content& content) {
  std::string out = absl::StrCat("bound ", content.state.clock_bound.value());
  for (const auto& [key, held] : content.rows) {
    absl::StrAppend(&out, "; ", key.name, held.record.is_tombstone ? " removed " : " ",
                    held.record.stamp.time.value());
  }
  return out;
}

// What the host does, in one thread: a step, its changes made durable, its answer. One node, whose clock on the wall shows
// an earlier time after each start.
class GossipLife {
 public:
  GossipLife(FaultFileSystem* disk, std::uint64_t seed, std::size_t batch)
      : disk_(disk), random_(seed), batch_(batch) {}

  // False if the disk stopped meanwhile. Any other error is a failure of the test.
  bool Open() {
    auto opened = RocksdbGossipTable::Open(kFolder, disk_->env());
    if (!opened.ok()) {
      EXPECT_TRUE(disk_->is_stopped()) << "an honest crash made the table refuse: " << opened.status();
      return false;
    }
    table_ = *std::move(opened);
    auto stored = table_->Load();
    if (!stored.ok()) {
      EXPECT_TRUE(disk_->is_stopped()) << stored.status();
      table_.reset();
      return false;
    }
    found_ = *stored;
    wall_ = wall_ - absl::Hours(1);
    MakeCore(found_);
    return true;
  }
  void Close() {
    core_.reset();
    table_.reset();
  }
  void Run(int steps) {
    for (int i = 0; i < steps && !disk_->is_stopped() && !::testing::Test::HasFailure(); ++i) Act();
  }
  // After a crash: what was acknowledged is there, and the step under way as a whole or not at all.
  void Check() {
    const bool is_before = IsEqual(durable_, found_);
    EXPECT_TRUE(is_before || (under_way_ && IsEqual(*under_way_, found_)))
        << "durable: " << Describe(durable_) << "\nunder way: "
        << (under_way_ ? Describe(*under_way_) : "nothing") << "\nfound: " << found_.records.size()
        << " records, bound " << found_.state.clock_bound.value()
        << (found_.state.has_begun_anew ? ", begun anew" : "");
    if (!is_before && under_way_) durable_ = *under_way_;
    under_way_.reset();
  }

 private:
  void MakeCore(const StoredGossip& stored) {
    GossipOptions options;
    options.self = kSelf;
    core_ = std::make_unique<GossipCore>(options, stored.state, stored.records);
    Take(SetBuckets{{kBucket}});
    SetPeers peers;
    peers.members = {kSelf, kOther};
    peers.index = LogIndex(1);
    Take(peers);
  }
  void Act() {
    const std::uint64_t kind = random_.Below(20);
    now_ += absl::Milliseconds(random_.Below(4'000));
    wall_ += absl::Milliseconds(random_.Below(4'000));
    if (kind == 0) return BeginAnew();
    if (kind < 3) return Take(Tick{});
    std::vector<Input> writes;
    for (std::size_t i = 0; i < batch_; ++i) writes.emplace_back(Write{1, AnyRecord(kind < 9)});
    TakeAll(std::move(writes));
  }
  Record AnyRecord(bool is_tombstone) {
    Record record;
    record.key = {kBucket, absl::StrCat("name ", random_.Below(6 * batch_ + 6))};
    record.is_tombstone = is_tombstone;
    if (is_tombstone) return record;
    // Long rows where there are many.
    record.chunks.resize(batch_ > 1 ? kChunksMax : 1 + random_.Below(3), Hash128{random_.Next(), 7});
    record.size = record.chunks.size() * kChunkBytes;
    record.txn = GossipTxn(kSelf, BootEpoch(1), ++sequence_);
    return record;
  }
  void Take(Input input) {
    std::vector<Input> inputs;
    inputs.push_back(std::move(input));
    TakeAll(std::move(inputs));
  }
  // As the host: all of them share a write.
  void TakeAll(std::vector<Input> inputs) {
    Content next = durable_;
    std::vector<Change> changes;
    std::optional<GossipState> state;
    HybridTime newest = newest_;
    for (Input& input : inputs) TakeOne(std::move(input), &newest, &next, &changes, &state);
    if (changes.empty() && !state) return;
    // Told to somebody from now on: nobody may give it again.
    if (End(std::move(next), table_->Write(changes, state))) newest_ = newest;
  }
  void TakeOne(Input input, HybridTime* newest, Content* next, std::vector<Change>* changes,
               std::optional<GossipState>* state) {
    const Output output = core_->Step(now_, wall_, std::move(input));
    for (const WriteResult& result : output.results) {
      ASSERT_TRUE(result.stamp.ok()) << result.stamp.status();
      EXPECT_GT(result.stamp->time, *newest) << "a time was given twice";
      *newest = result.stamp->time;
    }
    for (const Change& change : output.changes) {
      EXPECT_TRUE(change.held) << "a record goes that member 2 may not know";
      next->rows.erase(change.key);
      if (change.held) next->rows.emplace(change.key, *change.held);
      changes->push_back(change);
    }
    if (output.state) *state = next->state = *output.state;
  }
  void BeginAnew() {
    const BegunAnew anew = core_->BeginAnew();
    Content next{anew.state, {}};
    for (const HeldRecord& held : anew.kept) next.rows.emplace(held.record.key, held);
    if (!End(std::move(next), table_->BeginAnew(anew))) return;
    MakeCore({anew.state, anew.kept});
  }
  bool End(Content next, const absl::Status& status) {
    if (status.ok()) {
      durable_ = std::move(next);
      return true;
    }
    EXPECT_TRUE(disk_->is_stopped()) << status;
    under_way_ = std::move(next);
    return false;
  }

  FaultFileSystem* const disk_;
  Random random_;
  const std::size_t batch_;  // writes that share a sync
  std::uint64_t sequence_ = 0;
  std::unique_ptr<RocksdbGossipTable> table_;
  std::unique_ptr<GossipCore> core_;
  MonotonicTime now_ = absl::FromUnixSeconds(1'000'000);
  absl::Time wall_ = absl::FromUnixSeconds(2'000'000'000);
  HybridTime newest_;
  Content durable_;
  std::optional<Content> under_way_;
  StoredGossip found_;
};

struct Plan {
  std::uint64_t seed = 0;
  std::size_t batch = 0;
  int steps = 0;
  std::uint64_t stop_at = 0;      // this operation fails, and all after it
  Loss loss = Loss::kDrop;
  std::uint64_t second_stop = 0;  // so many operations after the first crash; 0: none
};

// True if the workload was through before the stop.
bool RunPlan(const Plan& plan) {
  SCOPED_TRACE(absl::StrCat("seed ", plan.seed, ", batches of ", plan.batch, ", stop at ", plan.stop_at,
                            ", loss ", static_cast<int>(plan.loss), ", second stop ", plan.second_stop));
  FaultFileSystem disk;
  GossipLife life(&disk, plan.seed, plan.batch);
  disk.StopAt(plan.stop_at);
  bool is_open = life.Open();
  for (int start = 0; start < 2 && is_open; ++start) {
    life.Run(plan.steps);
    life.Close();
    if (start == 0) is_open = !disk.is_stopped() && life.Open();
  }
  life.Close();
  const bool is_through = !disk.is_stopped();
  disk.Crash(plan.loss, plan.seed * 1'000'003 + plan.stop_at);
  if (plan.second_stop != 0) {
    disk.StopAt(disk.operations() + plan.second_stop);
    if (life.Open()) life.Close();
    disk.Crash(plan.loss, plan.seed * 1'000'033 + plan.stop_at);
  }
  for (int start = 0; start < 2; ++start) {
    EXPECT_TRUE(life.Open());
    if (::testing::Test::HasFailure()) return true;
    life.Check();
    life.Run(plan.steps);
    life.Close();
  }
  return is_through || ::testing::Test::HasFailure();
}

// `stride` operations lie between two stops.
void StopEverywhere(std::uint64_t seed, std::size_t batch, int steps, std::uint64_t stride) {
  int plans = 0;
  for (std::uint64_t at = 0;; ++at) {
    const std::uint64_t stop = 1 + seed % stride + at * stride;
    ++plans;
    if (RunPlan({seed, batch, steps, stop, kLosses[(at + seed) % 4], at % 3 == 0 ? 1 + at % 41 : 0})) break;
  }
  if (::testing::Test::HasFailure()) return;
  std::cout << "PROVED: gossip buckets: " << plans << " crashes at file operations with unsynced bytes dropped, torn or zeroed: "
            << "every acknowledged put and removal is there, and no time is given twice" << std::endl;
}

class GossipTableCrash : public ::testing::TestWithParam<std::uint64_t> {};

TEST_P(GossipTableCrash, WhatWasAcknowledgedIsThereAndNoTimeComesTwice) {
  StopEverywhere(GetParam(), 1, 20, 5);
}

INSTANTIATE_TEST_SUITE_P(Seeds, GossipTableCrash, ::testing::Range<std::uint64_t>(1, 3));

// Long rows: the write-ahead log is switched and tables are written meanwhile.
TEST(GossipTableCrashWithFlushes, WhatWasAcknowledgedIsThere) { StopEverywhere(5, 100, 14, 43); }

}  // namespace
}  // namespace dfs::gossip_store
