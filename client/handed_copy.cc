#include "client/handed_copy.h"

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "common/checksum.h"
#include "common/status_macros.h"
#include "proto/wire_status.h"

namespace dfs::client {
namespace {

absl::Status Damaged(const std::string& text) {
  return ErrorWithReason(absl::StatusCode::kDataLoss, text, v1::ErrorDetail::BAD_CHECKSUM);
}

}  // namespace

absl::StatusOr<std::unique_ptr<HandedCopy>> HandedCopy::Begin(const HandedFiles& files, const v1::HandedChunks& handed,
                                                              std::uint64_t begin, std::uint64_t end) {
  std::unique_ptr<HandedCopy> out(new HandedCopy(files, handed));
  std::uint64_t at = begin;
  for (int i = 0; i < handed.chunks_size() && at < end; ++i) {
    const v1::HandedChunk& chunk = handed.chunks(i);
    const bool fits = chunk.file_offset() <= at && at - chunk.file_offset() < chunk.size() &&
                      BlockChecksums::BlockCount(chunk.size()) == static_cast<std::size_t>(chunk.table_size());
    if (!fits) return Damaged("was handed chunks of another place of the file");
    const std::uint64_t last = std::min(end - chunk.file_offset(), chunk.size());
    for (std::uint64_t from = at - chunk.file_offset(); from < last;) {
      Cut cut;
      cut.chunk = static_cast<std::size_t>(i);
      cut.block = from / BlockChecksums::kBlockBytes * BlockChecksums::kBlockBytes;
      cut.bytes = static_cast<std::size_t>(std::min(kPieceBytes, chunk.size() - cut.block));
      cut.skip = static_cast<std::size_t>(from - cut.block);
      cut.take = static_cast<std::size_t>(std::min<std::uint64_t>(cut.bytes - cut.skip, last - from));
      from += cut.take;
      out->cuts_.push_back(cut);
    }
    at = chunk.file_offset() + last;
  }
  if (out->cuts_.size() >= kPiecesForThread) {
    out->thread_.emplace("handed-copy");
    out->StartAhead(1);
  }
  return out;
}

// On the thread: the odd ones. It has one at a time, so nobody waits for more than that.
void HandedCopy::StartAhead(std::size_t index) {
  if (index >= cuts_.size()) return;
  ahead_ = std::make_shared<Ahead>();
  thread_->Post([this, index, ahead = ahead_] {
    ahead->piece = Copy(cuts_[index]);
    ahead->done.Set();
  });
}

absl::StatusOr<HandedCopy::Piece> HandedCopy::Next() {
  if (at_ == cuts_.size()) return Piece();
  const std::size_t index = at_++;
  if (!thread_ || index % 2 == 0) return Copy(cuts_[index]);
  const std::shared_ptr<Ahead> ahead = std::move(ahead_);
  ahead->done.Wait();
  StartAhead(index + 2);
  return std::move(ahead->piece);
}

absl::StatusOr<HandedCopy::Piece> HandedCopy::Copy(const Cut& cut) const {
  const v1::HandedChunk& chunk = handed_.chunks(static_cast<int>(cut.chunk));
  auto* const buffer = static_cast<char*>(std::malloc(cut.bytes));
  if (buffer == nullptr) return absl::UnavailableError("out of memory");
  Piece piece;
  piece.data.Append(grpc::Slice(buffer, cut.bytes, [](void* memory) { std::free(memory); }, buffer));
  DFS_RETURN_IF_ERROR(files_.Read(cut.chunk, chunk.data_offset() + cut.block, buffer, cut.bytes));
  piece.crc = Crc32c(buffer, cut.bytes);
  const std::uint32_t expected = BlockChecksums::CrcOf(
      {chunk.table().data(), static_cast<std::size_t>(chunk.table_size())}, cut.block, cut.bytes);
  if (piece.crc != expected) return Damaged("a file that was handed over is damaged");
  if (cut.take < cut.bytes) {
    // Whole blocks have sums, parts of them have none.
    piece.crc = Crc32c(buffer + cut.skip, cut.take);
    piece.data = piece.data.Range(cut.skip, cut.take);
  }
  return piece;
}

}  // namespace dfs::client
