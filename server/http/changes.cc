#include "server/http/changes.h"

#include <string>
#include <utility>

#include "common/checksum.h"
#include "common/status_macros.h"
#include "proto/error_detail.h"

namespace dfs::http {
namespace {

using v1::ErrorDetail;

std::uint32_t CrcOf(const Slices& bytes) {
  std::uint32_t crc = 0;
  for (const auto& piece : bytes.pieces()) crc = ExtendCrc32c(crc, piece.begin(), piece.size());
  return crc;
}

absl::Status WithOutcome(const absl::Status& status, ErrorDetail::Outcome outcome) {
  ErrorDetail detail = DetailOf(status).value_or(ErrorDetail());
  detail.set_outcome(outcome);
  return ErrorWithDetail(status.code(), std::string(status.message()), detail);
}

}  // namespace

absl::StatusOr<RequestIds::Open> Changes::NextId() {
  const coordinator::Parts& parts = files_->parts();
  MutexLock lock(&mutex_);
  const MonotonicTime now = parts.clock->Now();
  if (now - session_began_ < kSessionAgeMax) {
    if (auto id = ids_.Next()) return *std::move(id);
  }
  session_began_ = now;
  ids_.StartSession(parts.machine->applied_index().value());
  if (auto id = ids_.Next()) return *std::move(id);
  return absl::InternalError("a new session has no request ids");
}

absl::StatusOr<v1::SettleResponse> Changes::Settle(const RequestIds::Open& id,
                                                   const absl::Status& failure) {
  v1::SettleRequest request;
  *request.mutable_request_id() = id.ToWire();
  auto settled = files_->Settle(request);
  if (!settled.ok()) return WithOutcome(failure, ErrorDetail::UNKNOWN);
  if (settled->fate() == v1::SettleResponse::HAPPENED) return settled;
  if (settled->error_code() != 0) {
    return ErrorWithReason(static_cast<absl::StatusCode>(settled->error_code()),
                           settled->error_message(), ErrorDetail::REASON_UNSPECIFIED);
  }
  return ErrorWithReason(absl::StatusCode::kUnavailable, std::string(failure.message()),
                         ErrorDetail::NO_QUORUM);
}

absl::StatusOr<v1::PutResponse> Changes::Put(v1::PutHeader header, const NextPiece& next, PhaseTimer* phases) {
  const InPhase phase(phases, Phase::kTransfer);
  DFS_ASSIGN_OR_RETURN(const RequestIds::Open id, NextId());
  *header.mutable_request_id() = id.ToWire();
  gateway::FilePut put = files_->NewPut(phases);
  DFS_RETURN_IF_ERROR(put.Begin(header));
  v1::PutFinish finish;
  while (true) {
    DFS_ASSIGN_OR_RETURN(const Slices piece, next());
    if (piece.empty()) break;
    const std::uint32_t crc = CrcOf(piece);
    finish.set_size(finish.size() + piece.size());
    finish.set_crc32c(CombineCrc32c(finish.crc32c(), crc, piece.size()));
    DFS_RETURN_IF_ERROR(put.Append(piece, crc));
  }
  auto stored = put.Finish(finish);
  if (stored.ok() || OutcomeOf(stored.status()) != ErrorDetail::UNKNOWN) return stored;
  DFS_ASSIGN_OR_RETURN(v1::SettleResponse settled, Settle(id, stored.status()));
  return std::move(*settled.mutable_put());
}

absl::StatusOr<v1::RemoveResponse> Changes::Remove(v1::RemoveRequest request) {
  DFS_ASSIGN_OR_RETURN(const RequestIds::Open id, NextId());
  *request.mutable_request_id() = id.ToWire();
  auto removed = files_->Remove(request);
  if (removed.ok() || OutcomeOf(removed.status()) != ErrorDetail::UNKNOWN) return removed;
  DFS_ASSIGN_OR_RETURN(v1::SettleResponse settled, Settle(id, removed.status()));
  return std::move(*settled.mutable_remove());
}

}  // namespace dfs::http
