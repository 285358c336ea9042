#include "client/download.h"

#include <algorithm>
#include <utility>

#include "client/handed_copy.h"
#include "common/checksum.h"
#include "common/status_macros.h"
#include "proto/wire_status.h"

namespace dfs::client {
namespace {

std::uint32_t Crc32cOf(const Slices& bytes) {
  std::uint32_t crc = 0;
  for (const auto& piece : bytes.pieces()) crc = ExtendCrc32c(crc, piece.begin(), piece.size());
  return crc;
}

absl::Status Damaged(const std::string& text) {
  return ErrorWithReason(absl::StatusCode::kDataLoss, text, v1::ErrorDetail::BAD_CHECKSUM);
}

}  // namespace

absl::Status Download::Attempt(const DataMethods& methods, CallWatch::Guard& guard, bool takes_files,
                               BytesReceived moved) {
  WatchedCall& call = guard.call();
  guard.RecordProgress();
  handover_ = Handover::kNone;
  v1::GetRequest request = NextRequest();
  request.set_takes_files(takes_files);
  auto reader = methods.get.Start(call.context(), request);
  v1::HandedChunks handed;
  RawGetResponse response;
  bool is_first = true;
  while (reader->Read(&response)) {
    guard.RecordProgress();
    absl::Status status = absl::OkStatus();
    if (is_first) status = Begin(response.message.info());
    is_first = false;
    if (takes_files && response.message.has_handed()) handed.Swap(response.message.mutable_handed());
    if (status.ok()) status = TakeMessage(response);
    if (!status.ok()) {
      call.context()->TryCancel();
      reader->Finish();
      return status;
    }
    moved(received_, expected_);
    guard.RecordProgress();  // a slow sink is not a slow server
  }
  DFS_RETURN_IF_ERROR(call.Explain(reader->Finish()));
  if (handed.chunks().empty()) return CheckEnd();
  DFS_RETURN_IF_ERROR(TakeHanded(handed, guard, moved));
  return has_all() ? CheckEnd() : absl::OkStatus();
}

absl::Status Download::TakeHanded(const v1::HandedChunks& handed, CallWatch::Guard& guard,
                                  BytesReceived moved) {
  handover_ = Handover::kRefused;
  DFS_ASSIGN_OR_RETURN(const HandedFiles files, HandedFiles::TakeOver(handed));
  DFS_ASSIGN_OR_RETURN(const auto copy, HandedCopy::Begin(room_, files, handed, wanted_.offset() + received_,
                                                          wanted_.offset() + expected_));
  while (true) {
    const auto piece = copy->Next();
    if (absl::IsDataLoss(piece.status())) handover_ = Handover::kDamaged;
    if (!piece.ok()) return piece.status();
    if (piece->data.empty()) break;
    const absl::Status taken = Deliver(piece->data, piece->crc);
    // Of the sink: nothing that another attempt would mend.
    if (!taken.ok()) handover_ = Handover::kCopied;
    DFS_RETURN_IF_ERROR(taken);
    bytes_handed_over_ += piece->data.size();
    moved(received_, expected_);
    guard.RecordProgress();
  }
  handover_ = Handover::kCopied;
  return absl::OkStatus();
}

v1::GetRequest Download::NextRequest() const {
  v1::GetRequest out = wanted_;
  if (!file_.has_value()) return out;
  out.set_version(file_->version());
  out.set_offset(wanted_.offset() + received_);
  out.set_length(expected_ - received_);
  return out;
}

absl::Status Download::Begin(const v1::FileInfo& file) {
  if (file_.has_value()) {
    if (file.version() == file_->version() && file.size() == file_->size()) {
      return absl::OkStatus();
    }
    return ErrorWithReason(absl::StatusCode::kInternal, "the server answered with another version",
                           v1::ErrorDetail::REASON_UNSPECIFIED);
  }
  if (wanted_.offset() > file.size()) {
    return ErrorWithReason(absl::StatusCode::kOutOfRange, "the range begins after the file's end",
                           v1::ErrorDetail::REASON_UNSPECIFIED);
  }
  file_ = file;
  expected_ = file.size() - wanted_.offset();
  if (wanted_.has_length()) expected_ = std::min(expected_, wanted_.length());
  return sink_.Begin(file);
}

absl::Status Download::TakeMessage(const RawGetResponse& response) {
  const Slices& bytes = response.data;
  if (bytes.empty()) return absl::OkStatus();
  const std::uint32_t crc = Crc32cOf(bytes);
  if (crc != response.message.crc32c()) {
    return Damaged("received bytes that do not match their checksum");
  }
  if (response.message.offset() != wanted_.offset() + received_ ||
      bytes.size() > expected_ - received_) {
    return Damaged("received bytes of another place of the file");
  }
  return Deliver(bytes, crc);
}

absl::Status Download::Deliver(const Slices& bytes, std::uint32_t crc) {
  DFS_RETURN_IF_ERROR(sink_.Write(bytes));
  crc_ = CombineCrc32c(crc_, crc, bytes.size());
  received_ += bytes.size();
  return absl::OkStatus();
}

absl::Status Download::CheckEnd() const {
  if (!file_.has_value() || received_ < expected_) {
    return ErrorWithReason(absl::StatusCode::kInternal, "the server ended early",
                           v1::ErrorDetail::REASON_UNSPECIFIED);
  }
  if (IsWhole() && crc_ != file_->crc32c()) {
    return Damaged("the file does not match its checksum");
  }
  return absl::OkStatus();
}

bool Download::Restart() {
  if (received_ > 0 && !sink_.Rewind()) return false;
  file_.reset();
  expected_ = 0;
  received_ = 0;
  crc_ = 0;
  return true;
}

}  // namespace dfs::client
