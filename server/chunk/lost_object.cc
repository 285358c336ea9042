#include "server/chunk/lost_object.h"

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

}  // namespace dfs::chunk
