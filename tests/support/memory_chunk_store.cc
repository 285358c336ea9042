#include "tests/support/memory_chunk_store.h"

#include <cstring>
#include <utility>

namespace dfs::testing {
namespace {

class Reader final : public chunk::ChunkReader {
 public:
  Reader(chunk::ChunkInfo info, std::vector<std::uint32_t> table,
         std::shared_ptr<const std::string> bytes, std::shared_ptr<Event> held)
      : info_(info), table_(std::move(table)), bytes_(std::move(bytes)), held_(std::move(held)) {}
  const chunk::ChunkInfo& info() const override { return info_; }
  const std::vector<std::uint32_t>& table() const override { return table_; }
  absl::Status Read(std::uint64_t offset, std::span<char> out) const override {
    if (held_ != nullptr) held_->Wait();
    BlockChecksums sums;
    sums.Update(bytes_->data(), bytes_->size());
    if (sums.Table() != table_) return absl::DataLossError("damaged block");
    std::memcpy(out.data(), bytes_->data() + offset, out.size());
    return absl::OkStatus();
  }

 private:
  const chunk::ChunkInfo info_;
  const std::vector<std::uint32_t> table_;
  const std::shared_ptr<const std::string> bytes_;
  const std::shared_ptr<Event> held_;
};

class Writer final : public chunk::ChunkWriter {
 public:
  Writer(MemoryChunkStore* store, const ChunkId& id) : store_(store), id_(id) {}
  absl::Status Append(std::span<const std::string_view> pieces) override {
    for (const auto piece : pieces) bytes_.append(piece);
    return absl::OkStatus();
  }
  absl::StatusOr<chunk::ChunkInfo> Commit(
      const std::optional<chunk::ChunkInfo>& expected) override {
    return store_->Put(id_, std::move(bytes_), expected);
  }

 private:
  MemoryChunkStore* const store_;
  const ChunkId id_;
  std::string bytes_;
};

}  // namespace

void MemoryChunkStore::FailWrites(absl::Status status) {
  MutexLock lock(&mutex_);
  write_fault_ = std::move(status);
}

void MemoryChunkStore::Damage(const ChunkId& id) {
  MutexLock lock(&mutex_);
  Stored& stored = chunks_.at(id);
  std::string bytes = *stored.bytes;
  bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 1);
  stored.bytes = std::make_shared<const std::string>(std::move(bytes));
}

void MemoryChunkStore::Drop(const ChunkId& id) {
  MutexLock lock(&mutex_);
  chunks_.erase(id);
}

void MemoryChunkStore::HoldReads() {
  MutexLock lock(&mutex_);
  held_reads_ = std::make_shared<Event>();
}

void MemoryChunkStore::ReleaseReads() {
  MutexLock lock(&mutex_);
  if (held_reads_ != nullptr) held_reads_->Set();
  held_reads_ = nullptr;
}

std::size_t MemoryChunkStore::count() const {
  MutexLock lock(&mutex_);
  return chunks_.size();
}

absl::StatusOr<chunk::ChunkInfo> MemoryChunkStore::Put(
    const ChunkId& id, std::string bytes, const std::optional<chunk::ChunkInfo>& expected) {
  BlockChecksums sums;
  sums.Update(bytes.data(), bytes.size());
  chunk::ChunkInfo info{id, bytes.size(), BlockChecksums::HashOf(bytes.size(), sums.Table())};
  if (expected && (expected->size != info.size || expected->hash != info.hash)) {
    return absl::DataLossError("not what was announced");
  }
  MutexLock lock(&mutex_);
  if (!write_fault_.ok()) return write_fault_;
  chunks_[id] = {info, std::make_shared<const std::string>(std::move(bytes)), sums.Table(),
                 std::nullopt, false};
  return info;
}

absl::StatusOr<std::unique_ptr<chunk::ChunkWriter>> MemoryChunkStore::Create(
    const ChunkId& id, std::uint64_t /*size_hint*/) {
  MutexLock lock(&mutex_);
  if (!write_fault_.ok()) return write_fault_;
  return std::make_unique<Writer>(this, id);
}

std::vector<absl::Status> MemoryChunkStore::PutSmall(std::span<const chunk::SmallWrite> writes) {
  std::vector<absl::Status> results;
  for (const auto& write : writes) {
    results.push_back(Put(write.info.id, std::string(write.bytes), write.info).status());
  }
  return results;
}

absl::Status MemoryChunkStore::RelinkAll(std::span<const chunk::Relink> items) {
  MutexLock lock(&mutex_);
  for (const auto& item : items) {
    const auto found = chunks_.find(item.from);
    if (found == chunks_.end()) return absl::NotFoundError("no such chunk");
    if (found->second.info.hash != item.hash) return absl::FailedPreconditionError("other bytes");
  }
  for (const auto& item : items) {
    Stored copy = chunks_[item.from];
    copy.info.id = item.to;
    copy.question.reset();
    copy.is_trashed = false;
    chunks_[item.to] = std::move(copy);
  }
  return absl::OkStatus();
}

std::size_t MemoryChunkStore::opened() const {
  MutexLock lock(&mutex_);
  return opened_;
}

absl::StatusOr<std::unique_ptr<chunk::ChunkReader>> MemoryChunkStore::Open(const ChunkId& id) {
  MutexLock lock(&mutex_);
  ++opened_;
  const auto found = chunks_.find(id);
  if (found == chunks_.end()) return absl::NotFoundError("no such chunk");
  return std::make_unique<Reader>(found->second.info, found->second.table, found->second.bytes,
                                  held_reads_);
}

std::optional<chunk::ChunkInfo> MemoryChunkStore::Find(const ChunkId& id) {
  MutexLock lock(&mutex_);
  const auto found = chunks_.find(id);
  if (found == chunks_.end()) return std::nullopt;
  return found->second.info;
}

void MemoryChunkStore::ForEach(const std::optional<ChunkId>& after,
                               const std::function<bool(const chunk::HeldChunk&)>& visit) {
  std::vector<chunk::HeldChunk> held;
  {
    MutexLock lock(&mutex_);
    for (const auto& [id, stored] : chunks_) {
      if (after && id <= *after) continue;
      chunk::HeldChunk& row = held.emplace_back();
      row.info = stored.info;
      row.is_trashed = stored.is_trashed;
    }
  }
  for (const auto& row : held) {
    if (!visit(row)) return;
  }
}

std::optional<std::uint64_t> MemoryChunkStore::OpenQuestion(const ChunkId& id) {
  MutexLock lock(&mutex_);
  const auto found = chunks_.find(id);
  if (found == chunks_.end()) return std::nullopt;
  found->second.question = next_nonce_++;
  return found->second.question;
}

absl::Status MemoryChunkStore::Trash(const ChunkId& id, std::uint64_t nonce) {
  MutexLock lock(&mutex_);
  const auto found = chunks_.find(id);
  if (found == chunks_.end() || found->second.question != nonce) return absl::AbortedError("voided");
  found->second.is_trashed = true;
  return absl::OkStatus();
}

absl::Status MemoryChunkStore::Remove(const ChunkId& id, std::uint64_t nonce) {
  MutexLock lock(&mutex_);
  const auto found = chunks_.find(id);
  if (found == chunks_.end() || found->second.question != nonce) return absl::AbortedError("voided");
  if (!found->second.is_trashed) return absl::FailedPreconditionError("not in the trash");
  chunks_.erase(found);
  return absl::OkStatus();
}

absl::StatusOr<chunk::ChunkInfo> MemoryChunkStore::Vouch(const ChunkId& id) {
  MutexLock lock(&mutex_);
  const auto found = chunks_.find(id);
  if (found == chunks_.end()) return absl::NotFoundError("no such chunk");
  found->second.question.reset();
  found->second.is_trashed = false;
  return found->second.info;
}

chunk::Space MemoryChunkStore::GetSpace() {
  std::uint64_t stored = 0;
  MutexLock lock(&mutex_);
  for (const auto& [id, chunk] : chunks_) stored += chunk.info.size;
  return {std::uint64_t{1} << 40, std::uint64_t{1} << 39, stored};
}

}  // namespace dfs::testing
