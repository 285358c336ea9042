// One byte of a small node's chunk data is wrong, or one file is gone, cut or zeroed: found or harmless, never served.
//
// Samples by default. DFS_SWEEP=all tries every byte (target byte_flip_sweep_all).
#include <cstdlib>
#include <functional>
#include <iostream>
#include <map>
#include <string>

#include "absl/strings/str_cat.h"
#include "tests/unit/chunk/store_fixture.h"

namespace dfs::chunk {
namespace {

constexpr std::size_t kCasesPerFile = 60;

using Tree = std::map<std::string, std::string>;  // path -> bytes

struct Node {
  testing::FaultFileSystem system;
  testing::FaultDisk disk{&system};
  FixedClock clock;
  std::unique_ptr<LocalChunkStore> store;

  absl::Status Open() {
    store.reset();
    auto opened = LocalChunkStore::Open(
        {.data_dir = "/data", .disk = &disk, .env = system.env(), .clock = &clock});
    if (opened.ok()) store = *std::move(opened);
    return opened.status();
  }
  void Lay(const Tree& tree) {
    for (const auto& [path, bytes] : tree) {
      for (std::size_t at = path.find('/', 1); at != std::string::npos; at = path.find('/', at + 1)) {
        ASSERT_TRUE(disk.MakeFolder(path.substr(0, at)).ok());
      }
      ASSERT_TRUE(rocksdb::WriteStringToFile(system.env(), bytes, path, true).ok());
    }
  }
};

class Sweep : public ::testing::Test {
 protected:
  Sweep() {
    for (std::uint64_t i = 1; i <= 12; ++i) chunks_[Id(i)] = BytesOfLength(400 + i * 37, i);
    chunks_[Id(20)] = BytesOfLength(kLarge, 20);
    chunks_[Id(21)] = BytesOfLength(kLarge + 70'000, 21);
    Node node;
    EXPECT_TRUE(node.disk.MakeFolder("/data").ok());
    EXPECT_TRUE(node.Open().ok());
    std::size_t written = 0;
    for (const auto& [id, bytes] : chunks_) {
      EXPECT_TRUE(Put(node.store.get(), id, bytes).ok());
      // Half of them in tables, the others in the write-ahead log.
      if (++written == chunks_.size() / 2) EXPECT_TRUE(node.Open().ok());
    }
    node.store.reset();
    for (const auto& path : node.system.Files("/data")) {
      if (path.find("/LO") == std::string::npos) tree_[path] = *node.system.Read(path);
    }
  }

  // Opens what is left and looks at everything.
  void Try(const Tree& tree, const std::string& what) {
    SCOPED_TRACE(what);
    ++cases_;
    Node node;
    node.Lay(tree);
    const absl::Status opened = node.Open();
    if (!opened.ok()) {
      EXPECT_TRUE(absl::IsDataLoss(opened)) << opened;
      ++refused_;
      return;
    }
    bool has_lost = false;
    for (const auto& [id, bytes] : chunks_) {
      const auto read = Get(node.store.get(), id);
      if (read.ok()) {
        EXPECT_TRUE(*read == bytes) << id << ": wrong bytes were served";
        continue;
      }
      EXPECT_TRUE(absl::IsDataLoss(read.status()) || absl::IsNotFound(read.status()))
          << read.status();
      has_lost = true;
      // A copy heals it, unless the store has taken itself out of service.
      if (Put(node.store.get(), id, bytes).ok()) {
        EXPECT_TRUE(Holds(node.store.get(), id, bytes));
      } else {
        EXPECT_FALSE(node.store->Health().ok()) << id;
      }
    }
    has_lost ? ++healed_ : ++harmless_;
  }
  void TryFlips(std::size_t cases_per_file) {
    Random random(1);
    for (const auto& [path, bytes] : tree_) {
      const bool is_all = bytes.size() <= cases_per_file;
      const std::size_t count = is_all ? bytes.size() : cases_per_file;
      for (std::size_t i = 0; i < count && !HasFailure(); ++i) {
        const std::size_t at = is_all ? i : random.Below(bytes.size());
        Tree tree = tree_;
        tree[path][at] = static_cast<char>(tree[path][at] ^ (1 << random.Below(8)));
        Try(tree, absl::StrCat(path, " byte ", at));
      }
    }
  }
  void Report(const std::string& name) const {
    if (HasFailure()) return;
    std::cout << "PROVED: " << name << ": " << cases_ << " damaged data directories: " << refused_
              << " refused, " << healed_ << " found and healed, " << harmless_
              << " without effect, none served wrong" << std::endl;
    EXPECT_GT(refused_ + healed_, cases_ / 20) << "the damage does not hit anything";
  }

  std::map<ChunkId, std::string> chunks_;
  Tree tree_;
  int cases_ = 0;
  int refused_ = 0;
  int healed_ = 0;
  int harmless_ = 0;
};

TEST_F(Sweep, AFlippedByteIsFoundOrHarmless) {
  const char* const mode = std::getenv("DFS_SWEEP");  // NOLINT(concurrency-mt-unsafe)
  TryFlips(mode != nullptr && std::string(mode) == "all" ? std::size_t{1} << 30 : kCasesPerFile);
  Report("one flipped byte");
}

TEST_F(Sweep, AFileThatIsGoneCutOrZeroedIsFoundOrHarmless) {
  for (const auto& [path, bytes] : tree_) {
    Tree gone = tree_;
    gone.erase(path);
    Try(gone, path + " is gone");
    Tree cut = tree_;
    cut[path].resize(bytes.size() / 2);
    Try(cut, path + " is cut");
    Tree empty = tree_;
    empty[path].clear();
    Try(empty, path + " is empty");
    Tree zeroed = tree_;
    zeroed[path].assign(bytes.size(), '\0');
    Try(zeroed, path + " is zeroed");
  }
  Report("one file gone, cut, empty or zeroed");
}

}  // namespace
}  // namespace dfs::chunk
