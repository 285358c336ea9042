#include "client/put_attempts.h"

#include <algorithm>
#include <cerrno>
#include <utility>
#include <vector>

#include "client/posix_byte_stream.h"
#include "common/checksum.h"
#include "common/random.h"
#include "common/status_macros.h"
#include "common/sync.h"
#include "proto/wire_status.h"

namespace dfs::client {
namespace {

using v1::ErrorDetail;

// A put from a source that cannot be repeated is lost with its node: be slower to believe that.
constexpr int kLivesOfUnrepeatable = 4;
// Breaks of one put that are gone on from.
constexpr int kBreaksMax = 64;
// A node keeps no less (PutHeader.resume_token).
constexpr std::uint64_t kKeptBytesMin = std::uint64_t{1} << 20;
// For the answer to PutProgress; for asking all nodes once; for the node that has it to be reached again.
constexpr absl::Duration kAskTimeout = absl::Seconds(2);
constexpr absl::Duration kFindTimeout = absl::Seconds(5);
constexpr absl::Duration kReachTimeout = absl::Seconds(2);
// A node notices within this that the stream before has broken: 30 s of silence, and a commit may follow them.
constexpr absl::Duration kNoticeTimeout = absl::Seconds(40);
constexpr absl::Duration kAskPause = absl::Milliseconds(50);

std::string NewToken() {
  std::string token;
  for (const std::uint64_t half : {SystemRandom64(), SystemRandom64()}) {
    for (int shift = 56; shift >= 0; shift -= 8) token.push_back(static_cast<char>(half >> shift));
  }
  return token;
}

// Whether the put came to its end, with this error: to send it again would lead there again.
bool IsDecided(const absl::Status& status) {
  switch (ReasonOf(status)) {
    case ErrorDetail::CONFLICT:
    case ErrorDetail::PRECONDITION:
    case ErrorDetail::OVER_QUOTA:
    case ErrorDetail::NO_SPACE:
    case ErrorDetail::BAD_NAME:
      return true;
    default:
      return absl::IsPermissionDenied(status) || absl::IsUnauthenticated(status);
  }
}

}  // namespace

PutAttempts::PutAttempts(Caller& caller, v1::PutHeader header, ByteSource& source, const PutOptions& options)
    : caller_(caller),
      header_(std::move(header)),
      source_(source),
      options_(options),
      resumable_(source.size().has_value() ? options.resumable : nullptr),
      trace_(resumable_ == nullptr ? std::nullopt : resumable_->left),
      must_settle_(trace_.has_value()) {}

absl::Status PutAttempts::Send(const std::shared_ptr<Connection>& connection, const UploadStart& start,
                               RetryPolicy* retry, Upload* upload) {
  const auto size = source_.size();
  CallWatch::Guard guard(caller_.watch(), connection, caller_.options().retry.timeout,
                         size.has_value() ? 1 : kLivesOfUnrepeatable);
  const absl::Status status = UploadOnce(
      *connection, caller_.options().connect_timeout, guard, header_, start, source_,
      [&](std::uint64_t bytes) {
        if (retry != nullptr) retry->RecordMotion(caller_.Now());
        if (options_.on_progress) options_.on_progress(bytes, size.value_or(0));
      },
      upload);
  if (status.ok()) response_ = std::move(upload->response);
  return status;
}

absl::Status PutAttempts::Anew(const std::shared_ptr<Connection>& connection, const v1::RequestId& id,
                               RetryPolicy& retry) {
  has_broken_ = false;
  *header_.mutable_request_id() = id;
  header_.clear_resume_offset();
  if (resumable_ != nullptr) {
    trace_ = PutTrace{NewToken(), id, connection->address()};
    header_.set_resume_token(trace_->token);
    if (resumable_->on_begin) resumable_->on_begin(*trace_);
  }
  Upload upload;
  absl::Status status = Send(connection, {}, &retry, &upload);
  if (status.ok()) return status;
  const bool is_break = OutcomeOf(status) == ErrorDetail::UNKNOWN && upload.bytes >= kKeptBytesMin;
  // Without its last message a put is never committed.
  if (!upload.was_finish_sent) status = WithOutcome(status, ErrorDetail::NOTHING_CHANGED);
  if (IsLocalError(status) || !source_.Rewind()) return Final(status);
  has_broken_ = trace_.has_value() && is_break && !upload.was_finish_sent;
  return has_broken_ ? Final(status) : status;
}

void PutAttempts::ForgetTrace() {
  trace_.reset();
  must_settle_ = false;
}

absl::StatusOr<PutAttempts::Parked> PutAttempts::Ask(const std::string& address) {
  DFS_ASSIGN_OR_RETURN(const std::shared_ptr<Connection> connection, caller_.ConnectTo(address));
  v1::PutProgressRequest request;
  request.set_bucket(header_.bucket());
  request.set_name(header_.name());
  request.set_resume_token(trace_->token);
  Parked parked{connection, {}};
  CallWatch::Guard guard(caller_.watch(), connection, kAskTimeout);
  const auto status = connection->files().PutProgress(guard.call().context(), request, &parked.progress);
  if (!status.ok()) return guard.call().Explain(status);
  return parked;
}

// At the node that was sent to, or, if it has another name here, at whichever has it.
std::optional<PutAttempts::Parked> PutAttempts::Find() {
  const MonotonicTime start = caller_.Now();
  if (!caller_.Hello().ok()) return std::nullopt;  // and who else there is
  std::vector<std::string> addresses = caller_.Addresses();
  const auto known = std::find(addresses.begin(), addresses.end(), trace_->address);
  if (known != addresses.end()) addresses.erase(known);
  addresses.insert(addresses.begin(), trace_->address);
  absl::Duration patience = kReachTimeout;
  while (true) {
    bool may_be_there = false;
    for (const std::string& address : addresses) {
      auto parked = Ask(address);
      if (parked.ok() && !parked->progress.is_open()) return *std::move(parked);
      if (parked.ok()) patience = kNoticeTimeout;
      // One that does not answer now may do so in a moment; one that does not know the call has nothing.
      const bool is_silent = !absl::IsNotFound(parked.status()) && !absl::IsUnimplemented(parked.status());
      may_be_there = may_be_there || parked.ok() || (is_silent && address == trace_->address);
      if (parked.ok() || caller_.Now() - start > kFindTimeout) break;
    }
    if (!may_be_there || caller_.Now() - start > patience) return std::nullopt;
    Event never;
    never.WaitFor(kAskPause);
  }
}

// Reads the source from its beginning to where the node stopped. False: it is not what the node has.
absl::StatusOr<bool> PutAttempts::TakeBeginning(const v1::PutProgressResponse& progress) {
  if (!source_.Rewind()) return false;
  std::uint32_t crc = 0;
  for (std::uint64_t left = progress.size(); left > 0;) {
    DFS_ASSIGN_OR_RETURN(const Slices bytes,
                         source_.Read(static_cast<std::size_t>(std::min<std::uint64_t>(left, kPieceBytes))));
    if (bytes.empty()) return false;
    for (const auto& piece : bytes.pieces()) crc = ExtendCrc32c(crc, piece.begin(), piece.size());
    left -= bytes.size();
  }
  return crc == progress.crc32c();
}

absl::StatusOr<bool> PutAttempts::GoOn() {
  *header_.mutable_request_id() = trace_->request_id;
  header_.set_resume_token(trace_->token);
  for (int i = 0; i < kBreaksMax; ++i) {
    const std::optional<Parked> parked = Find();
    if (!parked) break;
    DFS_ASSIGN_OR_RETURN(const bool is_beginning, TakeBeginning(parked->progress));
    if (!is_beginning) break;
    trace_->address = parked->connection->address();
    header_.set_resume_offset(parked->progress.size());
    Upload upload;
    const absl::Status status =
        Send(parked->connection, {parked->progress.size(), parked->progress.crc32c()}, nullptr, &upload);
    if (status.ok()) {
      resumable_->resumed_at = parked->progress.size();
      return true;
    }
    must_settle_ = must_settle_ || upload.was_finish_sent;
    if (IsLocalError(status) || IsDecided(status)) return status;
  }
  if (!source_.Rewind()) return LocalError("read again", header_.name(), EIO);
  return false;
}

}  // namespace dfs::client
