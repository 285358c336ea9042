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
// A node keeps no less (PutHeader.resume_token).
constexpr std::uint64_t kKeptBytesMin = std::uint64_t{1} << 20;
// For the answer to PutProgress; for asking all nodes once; for the node that has it to be reached again, when others answer.
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

// Whether what the node has can still be gone on with after this answer to the rest.
bool MayStillGoOn(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kDeadlineExceeded:
    case absl::StatusCode::kCancelled:
    case absl::StatusCode::kUnknown:
    case absl::StatusCode::kInternal:
    case absl::StatusCode::kResourceExhausted:
    case absl::StatusCode::kDataLoss:
      return true;
    default:
      return false;
  }
}

}  // namespace

PutAttempts::PutAttempts(Caller& caller, v1::PutHeader header, ByteSource& source, const PutOptions& options,
                         std::optional<PutTrace> left)
    : caller_(caller),
      header_(std::move(header)),
      source_(source),
      options_(options),
      resumable_(source.size().has_value() ? options.resumable : nullptr),
      trace_(resumable_ == nullptr ? std::nullopt : std::move(left)),
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
  kept_.insert(kept_.end(), upload->kept.begin(), upload->kept.end());
  if (status.ok()) response_ = std::move(upload->response);
  return status;
}

absl::Status PutAttempts::Anew(const std::shared_ptr<Connection>& connection, const v1::RequestId& id,
                               RetryPolicy& retry) {
  has_broken_ = false;
  kept_.clear();
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
  has_broken_ = trace_.has_value() && is_break && !upload.was_finish_sent && !retry.has_unknown_attempt();
  return has_broken_ ? Final(status) : status;
}

void PutAttempts::ForgetTrace() {
  trace_.reset();
  must_settle_ = false;
  has_broken_ = false;
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

// Until some node answers; then all that there are are known.
absl::Status PutAttempts::AwaitAnybody() {
  const MonotonicTime start = caller_.Now();
  for (;;) {
    const absl::Status status = caller_.Hello().status();
    const bool is_over = caller_.Now() - start >= caller_.options().retry.timeout;
    if (status.ok() || !absl::IsUnavailable(status) || is_over) return status;
    Event never;
    never.WaitFor(kAskPause);
  }
}

// At the node that was sent to, or, if it has another name here, at whichever has it. kNotFound: nobody who answers has it.
absl::StatusOr<PutAttempts::Parked> PutAttempts::Find() {
  DFS_RETURN_IF_ERROR(AwaitAnybody());
  const MonotonicTime start = caller_.Now();
  std::vector<std::string> addresses = caller_.Addresses();
  const auto known = std::find(addresses.begin(), addresses.end(), trace_->address);
  if (known != addresses.end()) addresses.erase(known);
  addresses.insert(addresses.begin(), trace_->address);
  absl::Duration patience = kReachTimeout;
  while (true) {
    bool may_be_there = false;
    for (const std::string& address : addresses) {
      auto parked = Ask(address);
      if (parked.ok() && !parked->progress.is_open()) return parked;
      if (parked.ok()) patience = kNoticeTimeout;
      // One that does not answer now may do so in a moment; one that does not know the call has nothing.
      const bool is_silent = !absl::IsNotFound(parked.status()) && !absl::IsUnimplemented(parked.status());
      may_be_there = may_be_there || parked.ok() || (is_silent && address == trace_->address);
      if (parked.ok() || caller_.Now() - start > kFindTimeout) break;
    }
    if (!may_be_there || caller_.Now() - start > patience) return absl::NotFoundError("no node has it");
    Event never;
    never.WaitFor(kAskPause);
  }
}

// Leads the source to where the node stopped; reads it up to there unless it was sent from here. False: it is not what the node
// has.
absl::StatusOr<bool> PutAttempts::TakeBeginning(const v1::PutProgressResponse& progress) {
  const auto mark = std::lower_bound(kept_.begin(), kept_.end(), progress.size(),
                                     [](const UploadStart& one, std::uint64_t size) { return one.offset < size; });
  if (mark != kept_.end() && mark->offset == progress.size()) {
    if (mark->crc32c != progress.crc32c()) return false;
    if (source_.SkipTo(progress.size())) return true;
  }
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

absl::StatusOr<bool> PutAttempts::ToBeginning(std::string why_anew) {
  resumable_->why_anew = std::move(why_anew);
  if (!source_.Rewind()) return LocalError("read again", header_.name(), EIO);
  return false;
}

// What is reported where a later run may go on: nothing is settled, for what is settled as not done can never be done.
absl::Status PutAttempts::Undecided(const absl::Status& failure) const {
  return WithOutcome(failure, must_settle_ ? ErrorDetail::UNKNOWN : ErrorDetail::NOTHING_CHANGED);
}

absl::StatusOr<bool> PutAttempts::GoOn() {
  *header_.mutable_request_id() = trace_->request_id;
  header_.set_resume_token(trace_->token);
  RetryPolicy retry = caller_.NewPolicy(/*is_change=*/true);
  std::uint64_t furthest = 0;
  for (;;) {  // RetryLimits::attempts_max and its times end it
    const auto parked = Find();
    if (absl::IsNotFound(parked.status())) return ToBeginning("no node has what was sent (any more)");
    if (!parked.ok()) return Undecided(parked.status());
    const std::uint64_t there = parked->progress.size();
    DFS_ASSIGN_OR_RETURN(const bool is_beginning, TakeBeginning(parked->progress));
    if (!is_beginning) return ToBeginning("it does not begin with what was sent");
    std::erase_if(kept_, [there](const UploadStart& one) { return one.offset > there; });  // it did not arrive
    trace_->address = parked->connection->address();
    header_.set_resume_offset(there);
    if (there > furthest) retry.RecordProgress(caller_.Now());
    furthest = std::max(furthest, there);
    retry.RecordAttempt(caller_.Now());
    Upload upload;
    const absl::Status status = Send(parked->connection, {there, parked->progress.crc32c()}, &retry, &upload);
    if (status.ok()) {
      resumable_->resumed_at = there;
      return true;
    }
    must_settle_ = must_settle_ || upload.was_finish_sent;
    if (IsLocalError(status) || IsDecided(status)) return status;
    if (!MayStillGoOn(status)) return ToBeginning(std::string(status.message()));
    if (!caller_.PauseAfter(retry, status)) return Undecided(status);
  }
}

}  // namespace dfs::client
