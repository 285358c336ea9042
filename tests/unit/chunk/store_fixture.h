// A LocalChunkStore on a disk in memory, and what tests say about it.
#ifndef DFS_TESTS_UNIT_CHUNK_STORE_FIXTURE_H_
#define DFS_TESTS_UNIT_CHUNK_STORE_FIXTURE_H_

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/checksum.h"
#include "common/random.h"
#include "server/chunk/local_chunk_store.h"
#include "tests/support/fault_disk.h"
#include "tests/support/fault_file_system.h"
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace dfs::chunk {

// Time stands still unless the test moves it.
class FixedClock final : public Clock {
 public:
  [[nodiscard]] MonotonicTime Now() const override { return absl::UnixEpoch(); }
  [[nodiscard]] absl::Time WallNow() const override { return now; }
  absl::Time now = absl::FromUnixSeconds(1'700'000'000);
};

inline std::string BytesOfLength(std::size_t length, std::uint64_t seed = 1) {
  Random random(seed * 1'000'003 + length);
  std::string out(length, '\0');
  for (std::size_t i = 0; i < length; i += 8) {
    const std::uint64_t bits = random.Next();
    std::memcpy(out.data() + i, &bits, std::min<std::size_t>(8, length - i));
  }
  return out;
}

inline ChunkId Id(std::uint64_t sequence, std::uint32_t index = 0, std::uint64_t term = 1) {
  return {{Term(term), sequence}, index};
}

inline ChunkInfo InfoOf(const ChunkId& id, std::string_view bytes) {
  BlockChecksums sums;
  sums.Update(bytes.data(), bytes.size());
  return {id, bytes.size(), BlockChecksums::HashOf(sums.length(), sums.Table())};
}

// Writes in messages of `piece` bytes.
inline absl::Status Put(ChunkStore* store, const ChunkId& id, std::string_view bytes,
                        std::size_t piece = std::size_t{1} << 20) {
  auto writer = store->Create(id, 0);
  if (!writer.ok()) return writer.status();
  for (std::size_t at = 0; at < bytes.size(); at += piece) {
    const std::string_view part = bytes.substr(at, piece);
    const std::vector<std::string_view> pieces = {part.substr(0, part.size() / 3),
                                                  part.substr(part.size() / 3)};
    if (auto status = (*writer)->Append(pieces); !status.ok()) return status;
  }
  return (*writer)->Commit(InfoOf(id, bytes)).status();
}

// Everything a reader gives, or its error.
inline absl::StatusOr<std::string> Get(ChunkStore* store, const ChunkId& id) {
  auto reader = store->Open(id);
  if (!reader.ok()) return reader.status();
  std::string out((*reader)->info().size, '\0');
  if (auto status = (*reader)->Read(0, out); !status.ok()) return status;
  return out;
}

// Whether the chunk reads back as exactly these bytes.
inline ::testing::AssertionResult Holds(ChunkStore* store, const ChunkId& id,
                                        std::string_view bytes) {
  const auto read = Get(store, id);
  if (!read.ok()) return ::testing::AssertionFailure() << id << ": " << read.status();
  if (*read != bytes) return ::testing::AssertionFailure() << id << ": other bytes";
  return ::testing::AssertionSuccess();
}

inline std::optional<HeldChunk> Held(ChunkStore* store, const ChunkId& id) {
  std::optional<HeldChunk> out;
  store->ForEach(std::nullopt, [&](const HeldChunk& held) {
    if (held.info.id == id) out = held;
    return !out.has_value();
  });
  return out;
}

class StoreFixture : public ::testing::Test {
 protected:
  static constexpr char kFolder[] = "/data/chunks";

  StoreFixture() {
    EXPECT_TRUE(disk.MakeFolder("/data").ok());
    EXPECT_TRUE(disk.SyncFolder("/").ok());
    Reopen();
  }

  void Reopen() {
    store.reset();
    auto opened = LocalChunkStore::Open(
        {.data_dir = "/data", .disk = &disk, .env = system.env(), .clock = &clock});
    ASSERT_TRUE(opened.ok()) << opened.status();
    store = *std::move(opened);
  }
  // Power loss.
  void Crash(testing::FaultFileSystem::Loss loss = testing::FaultFileSystem::Loss::kDrop) {
    store.reset();
    system.Crash(loss, 1);
    Reopen();
  }
  [[nodiscard]] std::vector<std::string> ObjectFiles() const {
    return system.Files(std::string(kFolder) + "/objects");
  }
  // Changes one byte of a file, counted from the beginning (or the end if negative).
  void Flip(const std::string& path, std::ptrdiff_t at) {
    std::string bytes = system.Read(path).value();
    bytes[static_cast<std::size_t>(at < 0 ? static_cast<std::ptrdiff_t>(bytes.size()) + at : at)] ^=
        1;
    system.Replace(path, bytes);
  }
  void TrashNow(const ChunkId& id) {
    const auto nonce = store->OpenQuestion(id);
    ASSERT_TRUE(nonce.has_value());
    ASSERT_TRUE(store->Trash(id, *nonce).ok());
  }
  absl::Status RemoveNow(const ChunkId& id) {
    const auto nonce = store->OpenQuestion(id);
    if (!nonce) return absl::NotFoundError("no such chunk");
    return store->Remove(id, *nonce);
  }

  testing::FaultFileSystem system;
  testing::FaultDisk disk{&system};
  FixedClock clock;
  std::unique_ptr<LocalChunkStore> store;
};

constexpr std::size_t kLarge = kSmallBytesMax + 1;

}  // namespace dfs::chunk

#endif  // DFS_TESTS_UNIT_CHUNK_STORE_FIXTURE_H_
