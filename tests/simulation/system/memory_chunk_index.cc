// The chunk index over a SimDisk, under the name of the real one: linked in its place.
#include <glog/logging.h>
#include <rocksdb/db.h>
#include <rocksdb/wal_filter.h>

#include <map>
#include <utility>
#include <vector>

#include "server/chunk/rocksdb_chunk_index.h"
#include "tests/simulation/system/sim_disk.h"

namespace dfs::chunk {
namespace {

using simulation::SimDisk;
using simulation::SimRows;

constexpr char kChunk = 'c';
constexpr char kObject = 'o';
constexpr char kBytesOf = 'b';
constexpr char kTouch = 't';
constexpr char kNote = 'n';

std::string KeyOf(char family, const std::string& key) { return family + key; }

// An index holds nothing itself: its rows are found by its address.
std::map<const ChunkIndex*, SimDisk*>& Opened() {
  static auto* const opened = new std::map<const ChunkIndex*, SimDisk*>;
  return *opened;
}

const std::string* Find(const ChunkIndex* index, const std::string& key) {
  const auto& rows = Opened().at(index)->index.rows();
  const auto found = rows.find(key);
  return found == rows.end() ? nullptr : &found->second;
}

class CopiedBytes final : public PinnedBytes {
 public:
  explicit CopiedBytes(std::string value) : value_(std::move(value)) {}
  [[nodiscard]] std::string_view bytes() const override { return value_; }

 private:
  const std::string value_;
};

absl::Status WriteSynced(SimDisk* disk, const SimRows::Batch& batch) {
  // In the log at once, readable and durable only after the sync: as RocksDB, which inserts into its memory table last.
  if (auto status = disk->SpendSync(); !status.ok()) return status;
  disk->index.Write(batch);
  disk->index.Sync();
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<ChunkIndex>> ChunkIndex::Open(const std::string& folder,
                                                             rocksdb::Env* /*env*/) {
  SimDisk* const disk = SimDisk::Find(folder.substr(0, folder.find('/', 1)));
  CHECK(disk != nullptr) << folder;
  std::unique_ptr<ChunkIndex> index(new ChunkIndex);
  Opened()[index.get()] = disk;
  return index;
}

ChunkIndex::~ChunkIndex() { Opened().erase(this); }

absl::StatusOr<std::optional<ChunkRecord>> ChunkIndex::FindChunk(const ChunkId& id) {
  const std::string* const value = Find(this, KeyOf(kChunk, EncodeKey(id)));
  if (value == nullptr) return std::optional<ChunkRecord>();
  return DecodeChunkRecord(*value);
}

absl::StatusOr<std::optional<ObjectRecord>> ChunkIndex::FindObject(ObjectId id) {
  const std::string* const value = Find(this, KeyOf(kObject, EncodeKey(id)));
  if (value == nullptr) return std::optional<ObjectRecord>();
  return DecodeObjectRecord(*value);
}

absl::StatusOr<std::unique_ptr<PinnedBytes>> ChunkIndex::FindBytes(ObjectId id) {
  const std::string* const value = Find(this, KeyOf(kBytesOf, EncodeKey(id)));
  if (value == nullptr) return absl::NotFoundError("no such object");
  return std::make_unique<CopiedBytes>(*value);
}

absl::StatusOr<bool> ChunkIndex::HoldsOtherOf(const TxnId& txn, const ChunkId& besides) {
  const std::string prefix = KeyOf(kChunk, EncodeKey(txn));
  const auto& rows = Opened().at(this)->index.rows();
  for (auto at = rows.lower_bound(prefix); at != rows.end() && at->first.starts_with(prefix);
       ++at) {
    if (at->first != KeyOf(kChunk, EncodeKey(besides))) return true;
  }
  return false;
}

absl::Status ChunkIndex::ForEachObject(
    const std::function<bool(ObjectId, const std::optional<ObjectRecord>&)>& visit) {
  // What is visited may change meanwhile.
  std::vector<std::pair<ObjectId, std::optional<ObjectRecord>>> objects;
  const SimRows::Rows& rows = Opened().at(this)->index.rows();
  for (auto at = rows.lower_bound(std::string(1, kObject));
       at != rows.end() && at->first[0] == kObject; ++at) {
    const auto id = DecodeObjectKey(at->first.substr(1));
    CHECK(id.has_value());
    objects.emplace_back(*id, DecodeObjectRecord(at->second));
  }
  for (const auto& [id, record] : objects) {
    if (!visit(id, record)) break;
  }
  return absl::OkStatus();
}

absl::Status ChunkIndex::ForEachChunk(
    const std::optional<ChunkId>& after,
    const std::function<bool(const ChunkId&, const ChunkRecord&, std::int64_t)>& visit) {
  struct Held {
    ChunkId id;
    ChunkRecord record;
    std::int64_t touched_us;
  };
  std::vector<Held> held;
  const SimRows::Rows& rows = Opened().at(this)->index.rows();
  auto at = after ? rows.upper_bound(KeyOf(kChunk, EncodeKey(*after)))
                  : rows.lower_bound(std::string(1, kChunk));
  for (; at != rows.end() && at->first[0] == kChunk; ++at) {
    const auto id = DecodeChunkKey(at->first.substr(1));
    const auto record = DecodeChunkRecord(at->second);
    CHECK(id && record);
    const auto touched = rows.find(KeyOf(kTouch, EncodeKey(id->txn)));
    const std::int64_t touched_us =
        touched == rows.end() ? 0 : DecodeTime(touched->second).value_or(0);
    held.push_back({*id, *record, touched_us});
  }
  for (const Held& chunk : held) {
    if (!visit(chunk.id, chunk.record, chunk.touched_us)) break;
  }
  return absl::OkStatus();
}

absl::Status ChunkIndex::Apply(const IndexChange& change) {
  SimRows::Batch batch;
  const auto put = [&batch](char family, const std::string& key,
                            std::optional<std::string> value) {
    batch.emplace_back(KeyOf(family, key), std::move(value));
  };
  for (const auto& [id, entry] : change.chunks_) {
    if (!entry.is_changed) continue;
    put(kChunk, EncodeKey(id),
        entry.record ? std::optional(Encode(*entry.record)) : std::nullopt);
  }
  for (const auto& [id, entry] : change.objects_) {
    if (!entry.is_changed) continue;
    put(kObject, EncodeKey(id),
        entry.record ? std::optional(Encode(*entry.record)) : std::nullopt);
  }
  for (const auto& [id, value] : change.bytes_) put(kBytesOf, EncodeKey(id), std::string(value));
  for (const auto& [id, kind] : change.dropped_) {
    if (kind == ObjectKind::kSmall) put(kBytesOf, EncodeKey(id), std::nullopt);
  }
  for (const auto& [txn, time_us] : change.touched_) {
    put(kTouch, EncodeKey(txn), time_us ? std::optional(EncodeTime(*time_us)) : std::nullopt);
  }
  return WriteSynced(Opened().at(this), batch);
}

std::string ChunkIndex::FindNote(const std::string& name) {
  const std::string* const value = Find(this, KeyOf(kNote, name));
  return value == nullptr ? std::string() : *value;
}

absl::Status ChunkIndex::PutNote(const std::string& name, std::string_view value) {
  return WriteSynced(Opened().at(this), {{KeyOf(kNote, name), std::string(value)}});
}

}  // namespace dfs::chunk
