#include <utility>

#include <glog/logging.h>

#include "common/status_macros.h"
#include "server/chunk/rocksdb_chunk_index.h"

namespace dfs::chunk {

absl::StatusOr<std::optional<ChunkRecord>> IndexChange::FindChunk(const ChunkId& id) {
  if (const auto known = chunks_.find(id); known != chunks_.end()) return known->second.record;
  auto record = index_->FindChunk(id);
  if (absl::IsDataLoss(record.status())) {
    // A record that cannot be read says nothing: it may be written anew. What it named is left behind.
    LOG(ERROR) << record.status();
    record = std::optional<ChunkRecord>();
  }
  DFS_RETURN_IF_ERROR(record.status());
  chunks_[id].record = *record;
  return *record;
}

absl::StatusOr<std::optional<ObjectRecord>> IndexChange::FindObject(ObjectId id) {
  if (const auto known = objects_.find(id); known != objects_.end()) return known->second.record;
  DFS_ASSIGN_OR_RETURN(auto record, index_->FindObject(id));
  objects_[id].record = record;
  return record;
}

absl::Status IndexChange::AddReference(ObjectId id) {
  DFS_ASSIGN_OR_RETURN(const auto record, FindObject(id));
  if (!record) return absl::DataLossError("the index names an object that it does not hold");
  auto& entry = objects_[id];
  entry.is_changed = true;
  ++entry.record->references;
  return absl::OkStatus();
}

absl::Status IndexChange::DropReference(ObjectId id) {
  const auto record = FindObject(id);
  if (!record.ok() && !absl::IsDataLoss(record.status())) return record.status();
  if (!record.ok() || !*record) {
    // Lost already: the chunk must be replaceable and removable all the same.
    LOG(WARNING) << "object " << id << " is named, but lost or damaged: " << record.status();
    return absl::OkStatus();
  }
  auto& entry = objects_[id];
  entry.is_changed = true;
  if (entry.record->references > 1) {
    --entry.record->references;
    return absl::OkStatus();
  }
  dropped_[id] = entry.record->kind;
  bytes_added_ -= static_cast<std::int64_t>(entry.record->size);
  bytes_.erase(id);
  entry.record.reset();
  return absl::OkStatus();
}

absl::Status IndexChange::PutChunk(const ChunkId& id, const ChunkRecord& record) {
  DFS_ASSIGN_OR_RETURN(const auto before, FindChunk(id));
  if (!before || before->object != record.object) {
    DFS_RETURN_IF_ERROR(AddReference(record.object));
    if (before) DFS_RETURN_IF_ERROR(DropReference(before->object));
  }
  chunks_[id] = {record, true};
  return absl::OkStatus();
}

absl::Status IndexChange::DropChunk(const ChunkId& id) {
  DFS_ASSIGN_OR_RETURN(const auto before, FindChunk(id));
  if (!before) return absl::OkStatus();
  DFS_RETURN_IF_ERROR(DropReference(before->object));
  chunks_[id] = {std::nullopt, true};
  return absl::OkStatus();
}

void IndexChange::PutObject(ObjectId id, ObjectRecord record, std::string_view bytes) {
  record.references = 0;
  bytes_added_ += static_cast<std::int64_t>(record.size);
  if (record.kind == ObjectKind::kSmall) bytes_[id] = bytes;
  objects_[id] = {std::move(record), true};
}

absl::Status IndexChange::MarkDamaged(ObjectId id) {
  DFS_ASSIGN_OR_RETURN(const auto record, FindObject(id));
  if (!record || record->is_damaged) return absl::OkStatus();
  auto& entry = objects_[id];
  entry.record->is_damaged = true;
  entry.is_changed = true;
  return absl::OkStatus();
}

std::vector<ObjectId> IndexChange::FilesDropped() const {
  std::vector<ObjectId> out;
  for (const auto& [id, kind] : dropped_) {
    if (kind == ObjectKind::kFile) out.push_back(id);
  }
  return out;
}

}  // namespace dfs::chunk
