#include "server/chunk/local_chunk_writer.h"

#include <array>
#include <utility>

#include "common/status_macros.h"

namespace dfs::chunk {

absl::Status LocalChunkWriter::Append(std::span<const std::string_view> pieces) {
  return Take(pieces, std::nullopt);
}

absl::Status LocalChunkWriter::AppendChecked(std::span<const std::string_view> pieces,
                                             std::uint32_t crc) {
  return Take(pieces, crc);
}

absl::Status LocalChunkWriter::Take(std::span<const std::string_view> pieces,
                                    const std::optional<std::uint32_t>& crc) {
  if (is_over_) return absl::FailedPreconditionError("the writer has ended");
  is_over_ = true;  // unless all goes well
  std::uint64_t bytes = 0;
  for (const auto piece : pieces) bytes += piece.size();
  if (bytes > kChunkBytesMax - sums_.length()) {
    return absl::ResourceExhaustedError("a chunk is at most 64 MiB");
  }
  const std::uint32_t crc_before = sums_.Crc();
  for (const auto piece : pieces) sums_.Update(piece.data(), piece.size());
  if (crc && CombineCrc32c(crc_before, *crc, bytes) != sums_.Crc()) {
    return absl::DataLossError("the bytes do not match their checksum");
  }
  const absl::Status stored = Store(pieces, bytes);
  // Also a folder's sync may have failed: nothing on this disk is to be trusted from here on.
  if (absl::IsDataLoss(stored)) return store_->Poison(stored);
  is_over_ = !stored.ok();
  return stored;
}

absl::Status LocalChunkWriter::Store(std::span<const std::string_view> pieces,
                                     std::uint64_t bytes) {
  if (file_ == nullptr && small_.size() + bytes <= kSmallBytesMax) {
    for (const auto piece : pieces) small_.append(piece);
    return absl::OkStatus();
  }
  DFS_RETURN_IF_ERROR(store_->Health());
  DFS_RETURN_IF_ERROR(store_->CheckSpace(bytes));
  if (file_ == nullptr) {
    DFS_ASSIGN_OR_RETURN(file_, ChunkFile::Create(&store_->files_, store_->NewObjectId(), id_));
    DFS_RETURN_IF_ERROR(file_->Append(std::array<std::string_view, 1>{small_}));
    small_ = std::string();
  }
  return file_->Append(pieces);
}

absl::StatusOr<ChunkInfo> LocalChunkWriter::Commit(const std::optional<ChunkInfo>& expected) {
  if (is_over_) return absl::FailedPreconditionError("the writer has ended");
  is_over_ = true;
  auto result = Finish(expected);
  file_.reset();  // unlinks it unless the index names it
  return result;
}

absl::StatusOr<ChunkInfo> LocalChunkWriter::Finish(const std::optional<ChunkInfo>& expected) {
  LocalChunkStore::Verified object{.info = {.id = id_, .size = sums_.length()},
                                   .table = sums_.Table(),
                                   .bytes = small_};
  object.info.hash = BlockChecksums::HashOf(sums_.length(), object.table);
  if (expected && (expected->size != object.info.size || expected->hash != object.info.hash)) {
    return absl::DataLossError("the bytes of chunk " + ToString(id_) +
                               " do not match their size or hash");
  }
  if (file_ != nullptr) {
    object.kind = ObjectKind::kFile;
    object.object = file_->object();
    DFS_RETURN_IF_ERROR(store_->CommitFile(object, file_.get()));
  } else {
    DFS_RETURN_IF_ERROR(store_->CheckSpace(small_.size()));
    object.object = store_->NewObjectId();
    DFS_RETURN_IF_ERROR(store_->CommitSmall(std::span(&object, 1)).front());
  }
  return object.info;
}

}  // namespace dfs::chunk
