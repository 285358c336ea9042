#include "client/upload.h"

#include <utility>

#include "client/caller.h"
#include "common/checksum.h"
#include "common/status_macros.h"

namespace dfs::client {
namespace {

std::uint32_t Crc32cOf(const Slices& bytes) {
  std::uint32_t crc = 0;
  for (const auto& piece : bytes.pieces()) crc = ExtendCrc32c(crc, piece.begin(), piece.size());
  return crc;
}

// Turns a source into messages.
class Pieces {
 public:
  Pieces(const v1::PutHeader& header, const UploadStart& start, ByteSource& source)
      : header_(header), source_(source), sent_(start.offset), crc_(start.crc32c) {
    const auto size = source.size();
    if (size.has_value()) header_.set_size(*size);
  }

  // The next message. is_last() tells whether it carries `finish`.
  absl::StatusOr<RawPutRequest> Next() {
    RawPutRequest request;
    if (is_first_) *request.message.mutable_header() = header_;
    is_first_ = false;
    DFS_ASSIGN_OR_RETURN(request.data, source_.Read(kPieceBytes));
    const std::size_t bytes = request.data.size();
    const std::uint32_t crc = Crc32cOf(request.data);
    request.message.set_offset(sent_);
    request.message.set_crc32c(crc);
    crc_ = CombineCrc32c(crc_, crc, bytes);
    sent_ += bytes;
    is_last_ = bytes < kPieceBytes || (header_.has_size() && sent_ == header_.size());
    if (is_last_) {
      request.message.mutable_finish()->set_size(sent_);
      request.message.mutable_finish()->set_crc32c(crc_);
    }
    return request;
  }
  [[nodiscard]] bool is_last() const { return is_last_; }
  [[nodiscard]] std::uint64_t sent() const { return sent_; }
  [[nodiscard]] UploadStart end() const { return {sent_, crc_}; }

 private:
  v1::PutHeader header_;
  ByteSource& source_;
  std::uint64_t sent_;
  std::uint32_t crc_;
  bool is_first_ = true;
  bool is_last_ = false;
};

// The source has failed: nobody will go on with this put.
void Abandon(const v1::PutHeader& header, WatchedCall& call, grpc::ClientWriter<RawPutRequest>& writer) {
  RawPutRequest last;
  last.message.set_abandon(true);
  const bool is_told =
      header.has_resume_token() && writer.Write(last, grpc::WriteOptions().set_last_message());
  if (!is_told) call.context()->TryCancel();
  writer.Finish();
}

}  // namespace

absl::Status UploadOnce(Connection& connection, absl::Duration connect_timeout,
                        CallWatch::Guard& guard, const v1::PutHeader& header, const UploadStart& start,
                        ByteSource& source, BytesMoved moved, Upload* upload) {
  Pieces pieces(header, start, source);
  DFS_ASSIGN_OR_RETURN(RawPutRequest request, pieces.Next());
  const bool is_small = pieces.is_last() && pieces.sent() <= kOneMessageBytes;
  if (!is_small && !connection.WaitForBulk(connect_timeout)) {
    return Unreachable(connection.address());
  }
  WatchedCall& call = guard.call();
  guard.RecordProgress();
  const auto& put = (is_small ? connection.small_data() : connection.bulk_data()).put;
  auto writer = put.Start(call.context(), &upload->response);
  bool is_open = true;
  for (;;) {
    if (pieces.is_last()) {
      upload->was_finish_sent = true;
      // One write for the message and the end of the stream.
      is_open = writer->Write(request, grpc::WriteOptions().set_last_message());
      break;
    }
    is_open = writer->Write(request);
    if (!is_open) break;
    guard.RecordProgress();
    upload->bytes = pieces.sent();
    if (header.has_resume_token()) upload->kept.push_back(pieces.end());
    moved(pieces.sent());
    auto next = pieces.Next();
    if (!next.ok()) {
      Abandon(header, call, *writer);
      return next.status();
    }
    guard.RecordProgress();  // a slow source is not a slow server
    request = *std::move(next);
  }
  request.data.Clear();
  const grpc::Status status = writer->Finish();
  if (!status.ok()) return call.Explain(status);
  upload->bytes = pieces.sent();
  moved(pieces.sent());
  return absl::OkStatus();
}

}  // namespace dfs::client
