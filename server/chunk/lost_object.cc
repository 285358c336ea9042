#include "server/chunk/lost_object.h"

#include <glog/logging.h>

#include <array>
#include <memory>
#include <string>

#include "common/checksum.h"
#include "common/disk.h"
#include "common/status_macros.h"
#include "server/chunk/chunk_store.h"

namespace dfs::chunk {
namespace {

constexpr std::size_t kPieceBytes = std::size_t{1} << 20;

// How many of the next `out` bytes the file has, read into it.
absl::StatusOr<std::size_t> ReadUpTo(const DiskFile& file, std::uint64_t at, std::span<char> out) {
  // A read that ends behind the file's end gives nothing: the greatest length that gives something.
  std::size_t low = 0;
  std::size_t high = out.size();
  absl::Status status = file.Read(at, out);
  if (status.ok()) return out.size();
  while (absl::IsOutOfRange(status) || status.ok()) {
    if (high - low <= 1) break;
    const std::size_t middle = low + (high - low) / 2;
    status = file.Read(at, out.first(middle));
    (status.ok() ? low : high) = middle;
  }
  if (!status.ok() && !absl::IsOutOfRange(status)) return status;
  if (low > 0) DFS_RETURN_IF_ERROR(file.Read(at, out.first(low)));
  return low;
}

}  // namespace

absl::StatusOr<LostObject> ReadLostObject(ObjectFolder& folder, ObjectId id) {
  DFS_ASSIGN_OR_RETURN(const auto file, folder.Open(id));
  std::array<char, kHeaderBytes> bytes;
  const absl::Status status = file->Read(0, bytes);
  if (!status.ok() && !absl::IsOutOfRange(status)) return status;
  const auto header = DecodeFileHeader({bytes.data(), bytes.size()});
  if (!status.ok() || !header || header->object != id) {
    return absl::DataLossError("its header is damaged");
  }
  BlockChecksums sums;
  std::string piece(kPieceBytes, '\0');
  while (true) {
    DFS_ASSIGN_OR_RETURN(const std::size_t got,
                         ReadUpTo(*file, kHeaderBytes + sums.length(), piece));
    sums.Update(piece.data(), got);
    if (sums.length() > kChunkBytesMax) return absl::DataLossError("it is longer than a chunk");
    if (got < piece.size()) break;
  }
  LostObject out{.birth = header->birth, .record = {}};
  out.record.kind = ObjectKind::kFile;
  out.record.size = sums.length();
  out.record.table = sums.Table();
  out.record.hash = BlockChecksums::HashOf(out.record.size, out.record.table);
  return out;
}

absl::StatusOr<std::int64_t> AdoptLostObjects(ObjectFolder& folder, Quarantine& quarantine,
                                              ChunkIndex& index,
                                              const std::vector<ObjectId>& files,
                                              std::int64_t now_us) {
  std::int64_t bytes = 0;
  std::size_t adopted = 0;
  for (const ObjectId id : files) {
    const auto found = ReadLostObject(folder, id);
    if (absl::IsDataLoss(found.status())) {
      LOG(ERROR) << "chunk store: the unnamed file of object " << id << " is set aside: "
                 << found.status();
      DFS_RETURN_IF_ERROR(quarantine.TakeFile(id, folder.PathOf(id)));
      continue;
    }
    DFS_RETURN_IF_ERROR(found.status());
    IndexChange change(&index);
    DFS_ASSIGN_OR_RETURN(const auto held, change.FindChunk(found->birth));
    if (held || found->record.size <= kSmallBytesMax) {
      // Another object took its place, or it was never finished: what is whole and so small is no file.
      DFS_RETURN_IF_ERROR(folder.Unlink(id));
      continue;
    }
    change.PutObject(id, found->record, {});
    DFS_RETURN_IF_ERROR(change.PutChunk(
        found->birth, {.object = id, .size = found->record.size, .hash = found->record.hash}));
    change.Touch(found->birth.txn, now_us);
    DFS_RETURN_IF_ERROR(index.Apply(change));
    bytes += change.BytesAdded();
    ++adopted;
  }
  LOG_IF(WARNING, !files.empty()) << "chunk store: of " << files.size()
                                  << " files that the new index does not name, " << adopted
                                  << " count again as the chunks that they were";
  return bytes;
}

}  // namespace dfs::chunk
