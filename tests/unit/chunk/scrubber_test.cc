// The scrubber over a real store: what is bad is found, reported until healed, set aside, never the last copy.
#include "server/chunk/scrubber.h"

#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/clock.h"
#include "server/chunk/quarantine.h"
#include "tests/unit/chunk/store_fixture.h"

namespace dfs::chunk {
namespace {

class Wanted final : public WantedChunks {
 public:
  bool IsWanted(const ChunkId& chunk) override {
    MutexLock lock(&mutex_);
    return chunks_.contains(chunk);
  }
  void ForEach(const std::function<bool(const ChunkInfo&)>& visit) override {
    std::map<ChunkId, ChunkInfo> chunks;
    {
      MutexLock lock(&mutex_);
      chunks = chunks_;
    }
    for (const auto& [id, info] : chunks) {
      if (!visit(info)) return;
    }
  }
  void Add(const ChunkInfo& info) {
    MutexLock lock(&mutex_);
    chunks_[info.id] = info;
  }

 private:
  Mutex mutex_;
  std::map<ChunkId, ChunkInfo> chunks_ ABSL_GUARDED_BY(mutex_);
};

class ScrubberTest : public StoreFixture {
 protected:
  void StartScrubber() {
    Scrubber::Parts parts;
    parts.store = store.get();
    parts.clock = &SystemClock();
    parts.wanted = &wanted;
    parts.report = [this](const BadChunk& bad) {
      MutexLock lock(&mutex);
      reported[bad.info.id] = bad.is_missing;
      changed.SignalAll();
    };
    parts.options.remind_first = absl::Milliseconds(1);
    parts.options.bytes_per_second_max = std::uint64_t{1} << 40;
    scrubber = std::make_unique<Scrubber>(std::move(parts));
    scrubber->Start();
  }
  void StopScrubber() { scrubber.reset(); }
  ~ScrubberTest() override { StopScrubber(); }

  void Write(const ChunkId& id, const std::string& bytes) {
    ASSERT_TRUE(Put(store.get(), id, bytes).ok());
    wanted.Add(InfoOf(id, bytes));
  }
  [[nodiscard]] bool AwaitReported(const std::set<ChunkId>& ids) {
    MutexLock lock(&mutex);
    const auto holds = [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex) {
      return std::all_of(ids.begin(), ids.end(), [&](const ChunkId& id)
                             ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex) { return reported.contains(id); });
    };
    while (!holds()) {
      if (!changed.WaitFor(&mutex, absl::Seconds(10))) return false;
    }
    return true;
  }
  [[nodiscard]] bool Await(const std::function<bool(const ScrubStatus&)>& is_met) {
    const auto end = SystemClock().Now() + absl::Seconds(10);
    while (SystemClock().Now() < end) {
      if (is_met(scrubber->GetStatus())) return true;
      Event never;
      never.WaitFor(absl::Milliseconds(2));
    }
    return false;
  }
  [[nodiscard]] std::vector<std::string> Quarantined() const {
    return system.Files(std::string(kFolder) + "/quarantine");
  }

  Wanted wanted;
  Mutex mutex;
  CondVar changed;
  std::map<ChunkId, bool> reported ABSL_GUARDED_BY(mutex);
  std::unique_ptr<Scrubber> scrubber;
};

TEST_F(ScrubberTest, FindsAFlippedByteKeepsTheFileUntilItIsHealedAndThenSetsItAside) {
  const std::string bytes = BytesOfLength(3 * kLarge);
  Write(Id(1), bytes);
  Write(Id(2), BytesOfLength(2 * kLarge, 2));
  const auto whole = ObjectFiles();
  Flip(whole[0], 70'000);
  const std::string damaged = *system.Read(whole[0]);
  StartScrubber();
  scrubber->StartPass();
  EXPECT_TRUE(AwaitReported({Id(1)}));
  EXPECT_TRUE(Await([](const ScrubStatus& status) { return !status.progress.is_running; }));
  EXPECT_EQ(scrubber->GetStatus().progress.bad, 1u);
  EXPECT_EQ(scrubber->GetStatus().progress.chunks, 1u);
  EXPECT_EQ(scrubber->GetStatus().bad_chunks, 1u);
  EXPECT_EQ(*system.Read(whole[0]), damaged) << "it may be the last copy";
  EXPECT_TRUE(absl::IsNotFound(Get(store.get(), Id(1)).status())) << "never served";
  ASSERT_TRUE(Put(store.get(), Id(1), bytes).ok());
  EXPECT_TRUE(Await([](const ScrubStatus& status) { return status.bad_chunks == 0; }));
  ASSERT_EQ(Quarantined().size(), 1u);
  EXPECT_EQ(*system.Read(Quarantined()[0]), damaged);
  EXPECT_EQ(scrubber->GetStatus().quarantined_objects, 1u);
  EXPECT_TRUE(Holds(store.get(), Id(1), bytes));
  MutexLock lock(&mutex);
  EXPECT_EQ(reported, (std::map<ChunkId, bool>{{Id(1), false}}));
}

TEST_F(ScrubberTest, AReadByAnybodyIsReportedToo) {
  Write(Id(1), BytesOfLength(2 * kLarge));
  StartScrubber();
  EXPECT_TRUE(Await([](const ScrubStatus& status) { return status.progress.chunks == 1; }));
  Flip(ObjectFiles()[0], -1);
  EXPECT_TRUE(absl::IsDataLoss(Get(store.get(), Id(1)).status()));
  EXPECT_TRUE(AwaitReported({Id(1)}));
}

TEST_F(ScrubberTest, FilesAndChunksThatAreGoneAreReportedAtTheStart) {
  Write(Id(1), BytesOfLength(2 * kLarge));
  Write(Id(2), "small");
  wanted.Add(InfoOf(Id(3), "never was here"));
  store.reset();
  ASSERT_TRUE(disk.Unlink(ObjectFiles()[0]).ok());
  Reopen();
  StartScrubber();
  EXPECT_TRUE(AwaitReported({Id(1), Id(3)}));
  MutexLock lock(&mutex);
  EXPECT_EQ(reported, (std::map<ChunkId, bool>{{Id(1), false}, {Id(3), true}}));
}

TEST_F(ScrubberTest, WhatNobodyWantsIsNotReportedForEver) {
  ASSERT_TRUE(Put(store.get(), Id(1), BytesOfLength(2 * kLarge)).ok());
  Flip(ObjectFiles()[0], -1);
  StartScrubber();
  EXPECT_TRUE(AwaitReported({Id(1)}));
  EXPECT_TRUE(Await([](const ScrubStatus& status) { return status.bad_chunks == 0; }));
}

TEST_F(ScrubberTest, APassThatIsAskedForBeginsAtTheBeginning) {
  for (std::uint64_t i = 1; i <= 5; ++i) Write(Id(i), BytesOfLength(2 * kLarge, i));
  StartScrubber();
  scrubber->StartPass();  // at the full budget
  EXPECT_TRUE(Await([](const ScrubStatus& status) {
    return !status.progress.is_running && status.progress.chunks == 5;
  }));
  const absl::Time first = scrubber->GetStatus().progress.finished;
  scrubber->StartPass();
  EXPECT_TRUE(scrubber->GetStatus().progress.is_running || scrubber->GetStatus().progress.finished > first);
  EXPECT_TRUE(Await([&](const ScrubStatus& status) {
    return !status.progress.is_running && status.progress.finished > first;
  }));
  EXPECT_EQ(scrubber->GetStatus().progress.chunks, 5u);
}

TEST_F(ScrubberTest, ARestartDoesNotBeginAnew) {
  for (std::uint64_t i = 1; i <= 5; ++i) Write(Id(i), BytesOfLength(2 * kLarge, i));
  StartScrubber();
  scrubber->StartPass();  // at the full budget
  EXPECT_TRUE(Await([](const ScrubStatus& status) {
    return !status.progress.is_running && status.progress.chunks == 5;
  }));
  const auto before = scrubber->GetStatus().progress;
  StopScrubber();
  Crash();
  StartScrubber();
  EXPECT_TRUE(Await([](const ScrubStatus& status) { return status.stored_bytes > 0; }));
  EXPECT_FALSE(scrubber->GetStatus().progress.is_running);
  EXPECT_EQ(scrubber->GetStatus().progress.chunks, before.chunks);
}

TEST_F(ScrubberTest, TheQuarantineIsBounded) {
  constexpr std::uint64_t kMany = Quarantine::kObjectsMax + 4;
  for (std::uint64_t i = 1; i <= kMany; ++i) {
    const std::string bytes = BytesOfLength(kLarge, i);
    ASSERT_TRUE(Put(store.get(), Id(i), bytes).ok());
    Flip(ObjectFiles().back(), -1);
    EXPECT_FALSE(Get(store.get(), Id(i)).ok());
    ASSERT_TRUE(Put(store.get(), Id(i), bytes).ok());
    EXPECT_TRUE(Holds(store.get(), Id(i), bytes));
  }
  EXPECT_EQ(Quarantined().size(), Quarantine::kObjectsMax);
  EXPECT_EQ(store->GetDamage().quarantined_objects, Quarantine::kObjectsMax);
  Reopen();
  EXPECT_EQ(store->GetDamage().quarantined_objects, Quarantine::kObjectsMax);
  EXPECT_EQ(store->GetDamage().damaged_objects, 0u);
}

// ---- rotten tables of the index ----

TEST_F(ScrubberTest, ARottenTableHidesNothingElseAndItsChunksCanBeWrittenAnew) {
  constexpr std::uint64_t kChunks = 1'500;
  for (std::uint64_t i = 1; i <= kChunks; ++i) Write(Id(i), absl::StrCat("bytes of ", i));
  Reopen();  // into tables
  store.reset();
  int flipped = 0;
  for (const auto& path : system.Files(std::string(kFolder) + "/index")) {
    // The large one that ends with a key of a chunk is that of the chunks.
    if (!path.ends_with(".sst")) continue;
    const std::string bytes = *system.Read(path);
    if (bytes.find(EncodeKey(Id(kChunks))) == std::string::npos || bytes.size() < 60'000) continue;
    Flip(path, static_cast<std::ptrdiff_t>(bytes.size() / 2));
    ++flipped;
  }
  ASSERT_EQ(flipped, 1);
  Reopen();
  std::set<ChunkId> seen;
  store->ForEach(std::nullopt, [&](const HeldChunk& held) {
    seen.insert(held.info.id);
    return true;
  });
  EXPECT_LT(seen.size(), kChunks) << "nothing is damaged";
  EXPECT_GT(seen.size(), kChunks * 3 / 4) << "more than one block is passed over";
  EXPECT_TRUE(seen.contains(Id(1)));
  EXPECT_TRUE(seen.contains(Id(kChunks)));
  StartScrubber();
  std::set<ChunkId> lost;
  for (std::uint64_t i = 1; i <= kChunks; ++i) {
    if (!Get(store.get(), Id(i)).ok()) lost.insert(Id(i));
  }
  EXPECT_FALSE(lost.empty());
  EXPECT_TRUE(AwaitReported(lost)) << "compared with what the log wants";
  for (const ChunkId& id : lost) {
    EXPECT_FALSE(Get(store.get(), id).ok());
    const auto put = Put(store.get(), id, absl::StrCat("bytes of ", id.txn.sequence));
    ASSERT_TRUE(put.ok()) << put;
  }
  for (std::uint64_t i = 1; i <= kChunks; ++i) {
    EXPECT_TRUE(Holds(store.get(), Id(i), absl::StrCat("bytes of ", i)));
  }
  EXPECT_TRUE(Await([](const ScrubStatus& status) { return status.bad_chunks == 0; }));
}

}  // namespace
}  // namespace dfs::chunk
