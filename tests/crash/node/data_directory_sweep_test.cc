// The whole data directory of a small node, damaged in one place: log and metadata, chunk index, chunks, marks. What opens
// afterwards is right, or says that it is damaged; nothing is ever served wrong.
//
// A sample by default (DFS_SWEEP_SEED, DFS_SWEEP_CASES choose another). DFS_SWEEP=all flips every byte (target
// data_directory_sweep_all).
#include <algorithm>
#include <cstdlib>
#include <functional>
#include <iostream>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "common/damage.h"
#include "server/replicated_log/rocksdb_log_store.h"
#include "tests/support/rocksdb_record_ends.h"
#include "tests/unit/chunk/store_fixture.h"

namespace dfs {
namespace {

using chunk::BytesOfLength;
using chunk::Id;
using replicated_log::RocksdbLogStore;

constexpr std::uint64_t kSeed = 20'240'607;
constexpr int kCases = 300;
constexpr std::uint64_t kEntries = 24;

using Tree = std::map<std::string, std::string>;  // path -> bytes
using Rows = std::map<std::string, std::string>;

std::uint64_t NumberFrom(const char* variable, std::uint64_t otherwise) {
  const char* const text = std::getenv(variable);  // NOLINT(concurrency-mt-unsafe)
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

bool IsNightly() {
  const char* const mode = std::getenv("DFS_SWEEP");  // NOLINT(concurrency-mt-unsafe)
  return mode != nullptr && std::string(mode) == "all";
}

std::string CommandOf(std::uint64_t index) { return BytesOfLength(60, 1'000 + index); }

consensus::Entry EntryOf(std::uint64_t index) {
  consensus::Entry entry;
  entry.index = LogIndex(index);
  entry.term = Term(1 + index / 10);
  entry.command = std::make_shared<const std::string>(CommandOf(index));
  return entry;
}

struct Node {
  testing::FaultFileSystem system;
  testing::FaultDisk disk{&system};
  chunk::FixedClock clock;
  std::unique_ptr<RocksdbLogStore> log;
  std::unique_ptr<chunk::LocalChunkStore> store;
  bool has_row_failed = false;  // the process would end here

  absl::Status OpenLog() {
    log.reset();
    auto opened = RocksdbLogStore::Open(
        {"/data", system.env(), [this](const absl::Status&) { has_row_failed = true; }});
    if (opened.ok()) log = *std::move(opened);
    return opened.status();
  }
  absl::Status OpenChunks() {
    store.reset();
    auto opened = chunk::LocalChunkStore::Open(
        {.data_dir = "/data", .disk = &disk, .env = system.env(), .clock = &clock});
    if (opened.ok()) store = *std::move(opened);
    return opened.status();
  }
  Rows AllRows() {
    Rows rows;
    log->state()->Scan("", "", [&](std::string_view key, std::string_view value) {
      rows[std::string(key)] = std::string(value);
      return true;
    });
    return rows;
  }
};

class DataDirectory : public ::testing::Test {
 protected:
  DataDirectory() {
    Node node;
    EXPECT_TRUE(node.disk.MakeFolder("/data").ok());
    EXPECT_TRUE(node.OpenLog().ok());
    EXPECT_TRUE(node.log->SetMembership({7, 8}, NodeId(3), false).ok());
    EXPECT_TRUE(node.OpenChunks().ok());
    states_.insert(Rows());
    for (std::uint64_t i = 1; i <= kEntries; ++i) {
      Write(node, i);
      // Some of it in tables, some in write-ahead logs.
      if (i % 10 == 0) {
        EXPECT_TRUE(node.OpenLog().ok());
        EXPECT_TRUE(node.OpenChunks().ok());
      }
    }
    identity_ = node.log->identity();
    node.log.reset();
    node.store.reset();
    tree_ = TreeOf(node);
  }
  static Tree TreeOf(const Node& node) {
    Tree tree;
    for (const auto& path : node.system.Files("/data")) {
      if (path.find("/LO") == std::string::npos) tree[path] = *node.system.Read(path);
    }
    return tree;
  }
  static void Put(const Tree& tree, Node& node) {
    for (const auto& [path, bytes] : tree) {
      for (std::size_t at = path.find('/', 1); at != std::string::npos; at = path.find('/', at + 1)) {
        ASSERT_TRUE(node.disk.MakeFolder(path.substr(0, at)).ok());
      }
      ASSERT_TRUE(rocksdb::WriteStringToFile(node.system.env(), bytes, path, true).ok());
    }
  }
  void Write(Node& node, std::uint64_t i, std::size_t row_bytes = 50) {
    entries_ = i;
    const consensus::HardState hard_state{Term(1 + i / 10), NodeId(3)};
    EXPECT_TRUE(node.log->Append(hard_state, {EntryOf(i)}).ok());
    node.log->state()->Write({{{"applied", std::to_string(i)},
                               {absl::StrCat("row/", i % 7), BytesOfLength(row_bytes, i)}}});
    states_.insert(node.AllRows());
    const std::size_t size = i % 8 == 0 ? chunk::kLarge : i % 3 == 0 ? 1'500 : 100;
    chunks_[Id(i)] = BytesOfLength(size, i);
    EXPECT_TRUE(chunk::Put(node.store.get(), Id(i), chunks_[Id(i)]).ok());
  }

  void Try(const Tree& tree, const std::string& what) {
    SCOPED_TRACE(what);
    ++cases_;
    Node node;
    Put(tree, node);
    if (TryLog(node)) TryChunks(node);
  }
  // False: the node would set the directory aside, and join anew.
  bool TryLog(Node& node) {
    const absl::Status opened = node.OpenLog();
    const auto loaded = opened.ok() ? node.log->Load() : opened;
    if (!loaded.ok()) {
      EXPECT_TRUE(IsDamage(loaded.status())) << loaded.status() << ": nobody knows what to do";
      ++refused_;
      return false;
    }
    EXPECT_EQ(loaded->hard_state.term, Term(1 + entries_ / 10)) << "a vote is forgotten";
    EXPECT_EQ(loaded->hard_state.voted_for, NodeId(3));
    EXPECT_EQ(loaded->entries.size(), entries_) << "acknowledged entries are gone";
    for (const auto& entry : loaded->entries) {
      const auto expected = EntryOf(entry.index.value());
      EXPECT_TRUE(entry.term == expected.term && *entry.command == *expected.command) << entry.index;
    }
    const auto& identity = node.log->identity();
    EXPECT_TRUE(identity.storage_uuid == identity_.storage_uuid &&
                identity.cluster_id == identity_.cluster_id && identity.node_id == identity_.node_id);
    // An epoch of before is what the other nodes refuse (rule R1).
    EXPECT_LE(identity.boot_epoch, identity_.boot_epoch.Next());
    const Rows rows = node.AllRows();
    if (node.has_row_failed) {
      ++ended_;
      return false;
    }
    EXPECT_TRUE(states_.contains(rows)) << "the state is none that ever was";
    return true;
  }
  void TryChunks(Node& node) {
    const absl::Status opened = node.OpenChunks();
    ASSERT_TRUE(opened.ok()) << opened;
    bool has_lost = node.store->was_cut();
    for (const auto& [id, bytes] : chunks_) {
      // As the scrubber does at each start.
      node.store->CompareWith(chunk::InfoOf(id, bytes));
      const auto read = Get(node.store.get(), id);
      if (read.ok()) {
        EXPECT_TRUE(*read == bytes) << id << ": wrong bytes were served";
        continue;
      }
      EXPECT_TRUE(absl::IsDataLoss(read.status()) || absl::IsNotFound(read.status())) << read.status();
      has_lost = true;
      const absl::Status put = chunk::Put(node.store.get(), id, bytes);
      if (put.ok()) {
        EXPECT_TRUE(Holds(node.store.get(), id, bytes));
      } else {
        // Then it mends itself when it is opened next.
        EXPECT_TRUE(node.store->WantsReopening()) << put;
        ASSERT_TRUE(node.OpenChunks().ok());
        EXPECT_TRUE(chunk::Put(node.store.get(), id, bytes).ok());
      }
    }
    has_lost ? ++healed_ : ++harmless_;
  }

  static void Flip(std::string& bytes, std::size_t at, Random& random) {
    bytes[at] = static_cast<char>(bytes[at] ^ (1 << random.Below(8)));
  }
  void TryOne(Random& random) {
    auto chosen = tree_.begin();
    std::advance(chosen, static_cast<std::ptrdiff_t>(random.Below(tree_.size())));
    const std::string path = chosen->first;
    Tree tree = tree_;
    std::string& bytes = tree[path];
    const std::size_t at = bytes.empty() ? 0 : random.Below(bytes.size());
    switch (bytes.empty() ? 3 : random.Below(6)) {
      case 0:
      case 1:
        Flip(bytes, at, random);
        return Try(tree, absl::StrCat(path, ": byte ", at, " flipped"));
      case 2: {
        const std::size_t count = std::min<std::size_t>(bytes.size() - at, 1 + random.Below(4'096));
        bytes.replace(at, count, count, '\0');
        return Try(tree, absl::StrCat(path, ": ", count, " bytes at ", at, " zeroed"));
      }
      case 3:
        tree.erase(path);
        return Try(tree, path + ": gone");
      case 4:
        bytes.resize(at);
        return Try(tree, absl::StrCat(path, ": cut at ", at));
      default: {
        auto other = tree.begin();
        std::advance(other, static_cast<std::ptrdiff_t>(random.Below(tree.size())));
        std::swap(bytes, other->second);
        return Try(tree, absl::StrCat(path, " and ", other->first, " have changed places"));
      }
    }
  }
  void Report(const std::string& how) const {
    if (HasFailure()) return;
    std::cout << "PROVED: " << how << " of a whole data directory: " << cases_ << " cases, " << refused_
              << " logs refused as damaged, " << ended_ << " met by a row, " << healed_
              << " chunk stores mended and healed, " << harmless_
              << " without effect; no vote, entry or state was lost silently, no byte served wrong"
              << std::endl;
    EXPECT_GT(refused_ + ended_, 0) << "the damage does not hit anything";
    EXPECT_GT(healed_, 0) << "the damage does not hit anything";
  }

  // Every MANIFEST, cut behind each of its records, and zeroed from there.
  void TryManifests(const Tree& whole, const std::string& of) {
    for (const auto& [path, bytes] : whole) {
      if (path.find("/MANIFEST-") == std::string::npos) continue;
      std::vector<std::size_t> ends = testing::RecordEnds(bytes);
      ASSERT_FALSE(ends.empty()) << path;
      ASSERT_EQ(ends.back(), bytes.size()) << path;
      ends.pop_back();
      for (const std::size_t end : ends) {
        Tree tree = whole;
        tree[path].resize(end);
        Try(tree, absl::StrCat(of, ", ", path, ": cut at ", end, " of ", bytes.size()));
        tree[path].resize(bytes.size(), '\0');
        Try(tree, absl::StrCat(of, ", ", path, ": zeros from ", end, " of ", bytes.size()));
      }
    }
  }
  // Writes until the log of `meta` has been switched and all that it held is in tables.
  void Flush(Node& node) {
    const auto count = [&](std::string_view ending) {
      const auto files = node.system.Files("/data/meta");
      return std::count_if(files.begin(), files.end(),
                           [&](const std::string& path) { return path.ends_with(ending); });
    };
    const auto tables = count(".sst");
    for (int i = 0; i < 12; ++i) Write(node, entries_ + 1, 400'000);
    const absl::Time end = absl::Now() + absl::Seconds(60);
    while ((count(".log") > 1 || count(".sst") < tables + 3) && absl::Now() < end) {
      std::this_thread::yield();
    }
    ASSERT_EQ(count(".log"), 1) << "nothing was flushed";
  }

  Tree tree_;
  std::uint64_t entries_ = 0;  // that the log holds
  std::map<ChunkId, std::string> chunks_;
  std::set<Rows> states_;  // each that ever was
  replicated_log::Identity identity_;
  int cases_ = 0;
  int refused_ = 0;
  int ended_ = 0;
  int healed_ = 0;
  int harmless_ = 0;
};

TEST_F(DataDirectory, OneDamagedPlaceIsDetectedOrHarmless) {
  const std::uint64_t seed = NumberFrom("DFS_SWEEP_SEED", kSeed);
  const auto cases = static_cast<int>(NumberFrom("DFS_SWEEP_CASES", kCases));
  Random random(seed);
  std::cout << "seed " << seed << ", " << cases << " cases in " << tree_.size() << " files" << std::endl;
  for (int i = 0; i < cases && !HasFailure(); ++i) {
    SCOPED_TRACE(absl::StrCat("DFS_SWEEP_SEED=", seed, ", case ", i));
    TryOne(random);
  }
  Report("one damaged place");
}

// Rot that cuts between two whole records leaves no damage that a checksum would show.
TEST_F(DataDirectory, ManifestThatLostItsEndIsDetectedOrHarmless) {
  TryManifests(tree_, "ended");
  Node node;
  Put(tree_, node);
  ASSERT_TRUE(node.OpenLog().ok());
  ASSERT_TRUE(node.OpenChunks().ok());
  identity_ = node.log->identity();
  if (IsNightly()) TryManifests(TreeOf(node), "just begun");
  Flush(node);
  if (IsNightly()) TryManifests(TreeOf(node), "after a flush");
  Write(node, entries_ + 1);
  TryManifests(TreeOf(node), "written since a flush");
  if (IsNightly()) {
    Flush(node);
    Write(node, entries_ + 1);
    TryManifests(TreeOf(node), "two flushes");
  }
  Report("MANIFEST cut at each record");
}

TEST_F(DataDirectory, EveryFlippedByteIsDetectedOrHarmless) {
  if (!IsNightly()) GTEST_SKIP() << "for the night (DFS_SWEEP=all)";
  Random random(1);
  for (const auto& [path, bytes] : tree_) {
    // Blocks of large chunks are alike: their header and some of their bytes.
    const bool is_large = path.find("/objects/") != std::string::npos;
    for (std::size_t at = 0; at < bytes.size() && !HasFailure();
         at += is_large && at >= chunk::kHeaderBytes ? 4'099 : 1) {
      Tree tree = tree_;
      Flip(tree[path], at, random);
      Try(tree, absl::StrCat(path, ": byte ", at, " flipped"));
    }
  }
  Report("every flipped byte");
}

}  // namespace
}  // namespace dfs
