// Stops a chunk store at every file operation of a workload, loses what was not synced, opens it again: what was
// acknowledged is there and verifies, nothing else is half visible.
#include <cstdlib>
#include <map>
#include <optional>
#include <set>
#include <string>

#include "absl/strings/str_cat.h"
#include "common/executor.h"
#include "tests/unit/chunk/store_fixture.h"

namespace dfs::chunk {
namespace {

using Loss = testing::FaultFileSystem::Loss;

// What may be found of one chunk.
struct Expected {
  std::string bytes;
  bool may_be_absent = false;
  bool may_be_present = true;
  std::optional<bool> is_trashed = false;  // nullopt: either
};

// Runs until the disk stops, and keeps account of what must be found afterwards.
class Workload {
 public:
  Workload(testing::FaultFileSystem* system, testing::FaultDisk* disk, Clock* clock)
      : system_(system), disk_(disk), clock_(clock) {}

  absl::Status Open() {
    store_.reset();
    auto opened = LocalChunkStore::Open(
        {.data_dir = "/data", .disk = disk_, .env = system_->env(), .clock = clock_});
    if (!opened.ok()) return opened.status();
    store_ = *std::move(opened);
    return absl::OkStatus();
  }
  void Close() { store_.reset(); }

  // False once the disk has stopped.
  bool Run() {
    const std::string large = BytesOfLength(kLarge, 1);
    const std::string larger = BytesOfLength(3 * kLarge, 2);
    return Open().ok() && PutBatch({Id(1, 0), Id(1, 1), Id(2, 0)}) && PutOne(Id(3), large) &&
           PutOne(Id(4), "through a writer") &&
           RelinkBoth(Id(1, 0), Id(10, 0), Id(3), Id(10, 1)) &&  //
           TrashOne(Id(1, 1)) && RemoveOne(Id(1, 1)) && TrashOne(Id(3)) && RemoveOne(Id(3)) &&
           Abandon(larger) && TrashOne(Id(10, 1)) && PutOne(Id(5), larger) &&
           RemoveOne(Id(10, 1)) && TrashOne(Id(4)) && VouchOne(Id(4)) && Open().ok() &&
           PutBatch({Id(6, 0), Id(6, 1)}) && PutOne(Id(7), BytesOfLength(kLarge, 3)) &&
           TrashOne(Id(5)) && RemoveOne(Id(5)) && PutOne(Id(8), BytesOfLength(kLarge, 4));
  }

  void Check() {
    std::set<ChunkId> held;
    std::set<Hash128> files;
    store_->ForEach(std::nullopt, [&](const HeldChunk& chunk) {
      const ChunkId& id = chunk.info.id;
      held.insert(id);
      if (chunk.info.size > kSmallBytesMax) files.insert(chunk.info.hash);
      EXPECT_FALSE(chunk.is_damaged) << id;
      EXPECT_NE(chunk.touched, absl::UnixEpoch()) << id;
      const auto expected = expected_.find(id);
      EXPECT_TRUE(expected != expected_.end()) << id << " was never written";
      if (expected == expected_.end()) return true;
      EXPECT_TRUE(expected->second.may_be_present) << id;
      if (expected->second.is_trashed) {
        EXPECT_EQ(chunk.is_trashed, *expected->second.is_trashed) << id;
      }
      return true;
    });
    for (const auto& [id, expected] : expected_) {
      if (held.contains(id)) {
        EXPECT_TRUE(Holds(store_.get(), id, expected.bytes));
      } else {
        EXPECT_TRUE(expected.may_be_absent) << id << " was acknowledged";
      }
    }
    for (const auto& [one, other] : together_) {
      EXPECT_EQ(held.contains(one), held.contains(other)) << one << " without " << other;
    }
    EXPECT_EQ(system_->Files("/data/chunks/objects").size(), files.size())
        << "one file for each large content, no orphans";
  }

  // What was found is what must be found from here on.
  void Settle() {
    for (auto at = expected_.begin(); at != expected_.end();) {
      const auto held = Held(store_.get(), at->first);
      if (held) {
        at->second.is_trashed = held->is_trashed;
        at->second.may_be_absent = false;
        ++at;
      } else {
        at = expected_.erase(at);
      }
    }
    together_.clear();
  }

  // Works on, after all that happened.
  void Continue(std::uint64_t sequence) {
    EXPECT_TRUE(PutOne(Id(sequence), BytesOfLength(kLarge, sequence)));
    EXPECT_TRUE(PutBatch({Id(sequence, 1), Id(sequence, 2)}));
    EXPECT_TRUE(TrashOne(Id(sequence, 1)));
    EXPECT_TRUE(RemoveOne(Id(sequence, 1)));
  }

 private:
  // Counts a step as done or, if it failed, as undecided.
  bool Done(const absl::Status& status) {
    EXPECT_TRUE(status.ok() || system_->is_stopped()) << status;
    return status.ok();
  }

  bool PutOne(const ChunkId& id, const std::string& bytes) {
    expected_[id] = {.bytes = bytes, .may_be_absent = true};
    if (!Done(Put(store_.get(), id, bytes, 100'000))) return false;
    expected_[id].may_be_absent = false;
    return true;
  }

  bool PutBatch(const std::vector<ChunkId>& ids) {
    std::vector<SmallWrite> writes;
    for (const ChunkId& id : ids) {
      const std::string bytes = BytesOfLength(3000, id.txn.sequence * 100 + id.index);
      auto& expected = expected_[id] = {.bytes = bytes, .may_be_absent = true};
      writes.push_back({InfoOf(id, expected.bytes), expected.bytes});
    }
    for (std::size_t i = 1; i < ids.size(); ++i) together_.emplace_back(ids[0], ids[i]);
    const auto results = store_->PutSmall(writes);
    for (const auto& result : results) {
      if (!Done(result)) return false;
    }
    for (const ChunkId& id : ids) expected_[id].may_be_absent = false;
    together_.clear();
    return true;
  }

  bool RelinkBoth(const ChunkId& from1, const ChunkId& to1, const ChunkId& from2,
                  const ChunkId& to2) {
    std::vector<Relink> items;
    for (const auto& [from, to] : {std::pair(from1, to1), std::pair(from2, to2)}) {
      const std::string bytes = expected_[from].bytes;
      expected_[to] = {.bytes = bytes, .may_be_absent = true};
      const ChunkInfo info = InfoOf(to, bytes);
      items.push_back({from, to, info.size, info.hash});
    }
    together_.emplace_back(to1, to2);
    if (!Done(store_->RelinkAll(items))) return false;
    expected_[to1].may_be_absent = expected_[to2].may_be_absent = false;
    together_.clear();
    return true;
  }

  bool TrashOne(const ChunkId& id) {
    expected_[id].is_trashed = std::nullopt;
    const auto nonce = store_->OpenQuestion(id);
    EXPECT_TRUE(nonce.has_value());
    if (!nonce || !Done(store_->Trash(id, *nonce))) return false;
    expected_[id].is_trashed = true;
    return true;
  }
  bool RemoveOne(const ChunkId& id) {
    expected_[id].may_be_absent = true;
    const auto nonce = store_->OpenQuestion(id);
    EXPECT_TRUE(nonce.has_value());
    if (!nonce || !Done(store_->Remove(id, *nonce))) return false;
    expected_[id].may_be_present = false;
    return true;
  }
  bool VouchOne(const ChunkId& id) {
    expected_[id].is_trashed = std::nullopt;
    if (!Done(store_->Vouch(id).status())) return false;
    expected_[id].is_trashed = false;
    return true;
  }
  // A writer that is dropped midway.
  bool Abandon(const std::string& bytes) {
    auto writer = store_->Create(Id(99), 0);
    return Done(writer.status()) &&
           Done((*writer)->Append(std::vector<std::string_view>{bytes}));
  }

  testing::FaultFileSystem* const system_;
  testing::FaultDisk* const disk_;
  Clock* const clock_;
  std::unique_ptr<LocalChunkStore> store_;
  std::map<ChunkId, Expected> expected_;
  std::vector<std::pair<ChunkId, ChunkId>> together_;  // both or none
};

class CrashAtEveryOperation : public ::testing::TestWithParam<Loss> {
 protected:
  void RunOne(std::uint64_t stop_at) {
    SCOPED_TRACE(absl::StrCat("stopped at operation ", stop_at));
    Random random(stop_at);
    testing::FaultFileSystem system;
    testing::FaultDisk disk(&system);
    FixedClock clock;
    ASSERT_TRUE(disk.MakeFolder("/data").ok());
    ASSERT_TRUE(disk.SyncFolder("/").ok());
    Workload workload(&system, &disk, &clock);
    system.StopAt(stop_at);
    const bool is_finished = workload.Run();
    EXPECT_NE(is_finished, system.is_stopped());
    if (is_finished) is_covered_ = true;
    workload.Close();
    system.Crash(GetParam(), random.Next());
    if (random.OneIn(1, 3)) {
      // Once more, while it recovers.
      system.StopAt(system.operations() + 1 + random.Below(40));
      (void)workload.Open();
      workload.Close();
      system.Crash(GetParam(), random.Next());
    }
    const absl::Status opened = workload.Open();
    ASSERT_TRUE(opened.ok()) << opened;
    ++opened_;
    workload.Check();
    workload.Settle();
    workload.Continue(1000);
    ASSERT_TRUE(workload.Open().ok());
    workload.Check();
    workload.Close();
    system.Crash(GetParam(), random.Next());
    ASSERT_TRUE(workload.Open().ok());
    workload.Check();
  }

  std::uint64_t opened_ = 0;
  bool is_covered_ = false;  // a run came to its end: there was no operation left to stop at
};

// Feature 43.
TEST_P(CrashAtEveryOperation, AcknowledgedChunksAreWholeAndNothingElseIs) {
  std::uint64_t stop_at = 1;
  for (; !is_covered_ && !HasFatalFailure() && stop_at < 10'000; ++stop_at) RunOne(stop_at);
  EXPECT_TRUE(is_covered_);
  EXPECT_GT(opened_, 100u) << "the workload must use the disk";
}

INSTANTIATE_TEST_SUITE_P(Losses, CrashAtEveryOperation,
                         ::testing::Values(Loss::kNone, Loss::kDrop, Loss::kTear, Loss::kZero),
                         [](const auto& param) {
                           switch (param.param) {
                             case Loss::kNone:
                               return "Process";
                             case Loss::kDrop:
                               return "Drop";
                             case Loss::kTear:
                               return "Tear";
                             default:
                               return "Zero";
                           }
                         });

// A damaged index is made anew; the disk stops at each operation of that, and loses what was not synced.
TEST(CrashWhileTheIndexIsMadeAnew, NothingMoreIsLostThanWasDamaged) {
  std::map<ChunkId, std::string> written;
  std::map<std::string, std::string> tree;
  {
    testing::FaultFileSystem system;
    testing::FaultDisk disk(&system);
    FixedClock clock;
    ASSERT_TRUE(disk.MakeFolder("/data").ok());
    for (int round = 0; round < 2; ++round) {
      auto store = LocalChunkStore::Open(
          {.data_dir = "/data", .disk = &disk, .env = system.env(), .clock = &clock});
      ASSERT_TRUE(store.ok());
      for (std::uint64_t i = 1; i <= 6; ++i) {
        const ChunkId id = Id(static_cast<std::uint64_t>(round) * 10 + i);
        written[id] = BytesOfLength(i == 6 ? kLarge : i * 700, id.txn.sequence);
        ASSERT_TRUE(Put(store->get(), id, written[id]).ok());
      }
    }
    for (const auto& path : system.Files("/data")) {
      if (path.find("/LO") == std::string::npos) tree[path] = *system.Read(path);
    }
  }
  // Every operation at night, every third by day.
  const std::uint64_t stride = std::getenv("DFS_TEST_NIGHTLY") != nullptr ? 1 : 3;  // NOLINT(concurrency-mt-unsafe)
  // By the files of its tables and logs in one case, by nothing but the objects' headers in the other.
  for (const bool is_gone : {false, true}) {
    std::uint64_t stops = 0;
    bool is_covered = false;
    for (std::uint64_t stop = 1; !is_covered && stop < 2'000; stop += stride) {
      SCOPED_TRACE(absl::StrCat(is_gone ? "gone" : "damaged", ", stopped at operation ", stop));
      testing::FaultFileSystem system;
      testing::FaultDisk disk(&system);
      FixedClock clock;
      for (const auto& [path, bytes] : tree) {
        const bool is_index = path.find("/index/") != std::string::npos;
        if (is_gone && is_index) continue;
        for (std::size_t at = path.find('/', 1); at != std::string::npos; at = path.find('/', at + 1)) {
          ASSERT_TRUE(disk.MakeFolder(path.substr(0, at)).ok());
          ASSERT_TRUE(disk.SyncFolder(path.substr(0, path.rfind('/', at - 1) + 1)).ok());
        }
        const bool is_current = path.ends_with("/CURRENT");
        ASSERT_TRUE(rocksdb::WriteStringToFile(system.env(), is_current ? "rot\n" : bytes, path, true).ok());
        ASSERT_TRUE(disk.SyncFolder(path.substr(0, path.rfind('/'))).ok());
      }
      system.StopAt(system.operations() + stop);
      const LocalChunkStore::Options options{
          .data_dir = "/data", .disk = &disk, .env = system.env(), .clock = &clock};
      auto store = LocalChunkStore::Open(options);
      is_covered = !system.is_stopped();
      store = absl::UnavailableError("closed");
      system.Crash(stop % 2 == 0 ? Loss::kDrop : Loss::kTear, stop);
      store = LocalChunkStore::Open(options);
      ASSERT_TRUE(store.ok()) << store.status();
      for (const auto& [id, bytes] : written) {
        if (is_gone && bytes.size() <= kSmallBytesMax) continue;
        EXPECT_TRUE(Holds(store->get(), id, bytes));
      }
      EXPECT_TRUE(Put(store->get(), Id(99), "new").ok());
      ++stops;
      if (::testing::Test::HasFailure()) return;
    }
    EXPECT_TRUE(is_covered);
    EXPECT_GT(stops, 20u);
  }
}

// Several threads write at once and share syncs; the power fails somewhere.
TEST(CrashUnderLoad, WhatWasAcknowledgedToAnyThreadIsThere) {
  constexpr std::uint64_t kRuns = 60;
  constexpr std::uint64_t kThreads = 4;
  std::uint64_t acknowledged = 0;
  for (std::uint64_t run = 1; run <= kRuns; ++run) {
    SCOPED_TRACE(absl::StrCat("run ", run));
    Random random(run);
    testing::FaultFileSystem system;
    testing::FaultDisk disk(&system);
    FixedClock clock;
    ASSERT_TRUE(disk.MakeFolder("/data").ok());
    ASSERT_TRUE(disk.SyncFolder("/").ok());
    const LocalChunkStore::Options options{
        .data_dir = "/data", .disk = &disk, .env = system.env(), .clock = &clock};
    auto store = LocalChunkStore::Open(options);
    ASSERT_TRUE(store.ok());
    system.StopAt(system.operations() + 1 + random.Below(150));
    Mutex mutex;
    CondVar changed;
    std::uint64_t ended = 0;
    std::map<ChunkId, std::string> kept;
    ThreadPool pool("writers", kThreads);
    for (std::uint64_t t = 1; t <= kThreads; ++t) {
      pool.Post([&, t] {
        for (std::uint32_t i = 0; i < 40; ++i) {
          const ChunkId id = Id(t, i);
          const std::string bytes = BytesOfLength(i % 8 == 7 ? kLarge + i : 700 + i, t);
          const bool is_ok = Put(store->get(), id, bytes).ok();
          MutexLock lock(&mutex);
          if (is_ok) kept[id] = bytes;
        }
        MutexLock lock(&mutex);
        ++ended;
        changed.Signal();
      });
    }
    {
      MutexLock lock(&mutex);
      while (ended < kThreads) changed.Wait(&mutex);
    }
    pool.Stop();
    store->reset();
    system.Crash(random.OneIn(1, 2) ? Loss::kDrop : Loss::kTear, run);
    store = LocalChunkStore::Open(options);
    ASSERT_TRUE(store.ok()) << store.status();
    acknowledged += kept.size();
    for (const auto& [id, bytes] : kept) EXPECT_TRUE(Holds(store->get(), id, bytes));
    // What was not acknowledged is whole or absent.
    (*store)->ForEach(std::nullopt, [&](const HeldChunk& held) {
      EXPECT_FALSE(held.is_damaged);
      EXPECT_TRUE(Get(store->get(), held.info.id).ok()) << held.info.id;
      return true;
    });
  }
  EXPECT_GT(acknowledged, 10 * kRuns);
}

}  // namespace
}  // namespace dfs::chunk
