#include "client/retry_policy.h"

#include <algorithm>

#include "proto/wire_status.h"

namespace dfs::client {
namespace {

using v1::ErrorDetail;

enum class Kind {
  kFinal,    // the same again would be answered the same
  kShort,    // nothing happened, and it soon may work: repeat within the definite window
  kLong,     // overloaded, or a change of unknown end: repeat until the timeout
  kDamaged,  // bytes were damaged on their way
};

Kind KindOf(const absl::Status& status, bool is_change) {
  const auto reason = ReasonOf(status);
  const auto detail = DetailOf(status);
  const bool is_of_one_node = detail && detail->consistency() == v1::EVENTUAL;  // a gossip bucket: another takes it
  if (is_of_one_node && (reason == ErrorDetail::CLOCK_OFF || reason == ErrorDetail::NO_SPACE)) return Kind::kShort;
  switch (status.code()) {
    case absl::StatusCode::kUnavailable:
      if (reason == ErrorDetail::NO_QUORUM) return Kind::kShort;
      return OutcomeOf(status) == ErrorDetail::UNKNOWN && is_change ? Kind::kLong : Kind::kShort;
    case absl::StatusCode::kResourceExhausted:
      return reason == ErrorDetail::NO_SPACE || reason == ErrorDetail::OVER_QUOTA ? Kind::kFinal
                                                                                  : Kind::kLong;
    case absl::StatusCode::kDeadlineExceeded:
    case absl::StatusCode::kCancelled:
    case absl::StatusCode::kUnknown:
    case absl::StatusCode::kInternal:
      return is_change ? Kind::kLong : Kind::kShort;
    case absl::StatusCode::kDataLoss:
      return Kind::kDamaged;
    case absl::StatusCode::kAborted:
      // A read met a change and may look again; a change lost its race for good.
      return is_change ? Kind::kFinal : Kind::kShort;
    default:
      return Kind::kFinal;
  }
}

}  // namespace

absl::Status WithOutcome(const absl::Status& status, v1::ErrorDetail::Outcome outcome) {
  absl::Status out = status;
  v1::ErrorDetail detail = DetailOf(status).value_or(v1::ErrorDetail());
  if (detail.outcome() == outcome) return out;
  detail.set_outcome(outcome);
  const absl::Status with_detail =
      ErrorWithDetail(status.code(), std::string(status.message()), detail);
  with_detail.ForEachPayload(
      [&](auto url, const absl::Cord& payload) { out.SetPayload(url, payload); });
  return out;
}

v1::ErrorDetail::Reason ReasonOf(const absl::Status& status) {
  const auto detail = DetailOf(status);
  return detail ? detail->reason() : ErrorDetail::REASON_UNSPECIFIED;
}

RetryPolicy::RetryPolicy(const RetryLimits& limits, bool is_change, MonotonicTime now)
    : limits_(limits), is_change_(is_change), attempt_began_(now), moved_(now) {}

void RetryPolicy::RecordAttempt(MonotonicTime now) {
  attempt_began_ = now;
  moved_ = now;
  ++attempts_;
  ++attempts_in_round_;
}

RetryPolicy::Decision RetryPolicy::HandleFailure(MonotonicTime now, const absl::Status& status,
                                                 Reach reach, std::size_t endpoints,
                                                 Random& random) {
  if (reach == Reach::kSent) {
    last_answer_ = status;
    if (is_change_ && OutcomeOf(status) == ErrorDetail::UNKNOWN) has_unknown_attempt_ = true;
  } else {
    last_unreachable_ = status;
  }
  if (IsOver(now, status, reach)) return {.is_over = true, .wait = absl::ZeroDuration()};
  if (attempts_in_round_ < endpoints) return {.is_over = false, .wait = absl::ZeroDuration()};
  attempts_in_round_ = 0;
  return {.is_over = false, .wait = NextBackoff(status, random)};
}

bool RetryPolicy::IsOver(MonotonicTime now, const absl::Status& status, Reach reach) {
  if (attempts_ >= limits_.attempts_max) return true;
  // An attempt that moved bytes for long is no part of a row of quick failures.
  const bool was_long = moved_ - attempt_began_ > limits_.definite_window;
  const bool is_first = was_long || failing_since_ == absl::InfiniteFuture();
  // The wait of the first one counts: it has been felt.
  if (is_first) failing_since_ = moved_;
  // The next attempt will probably wait as long for its answer as this one did.
  const absl::Duration elapsed = (now - failing_since_) + (is_first ? absl::ZeroDuration() : now - moved_);
  if (elapsed >= limits_.timeout) return true;
  if (reach == Reach::kNotSent) {
    const bool was_answered = !last_answer_.ok();
    return elapsed >= (was_answered ? limits_.definite_window : limits_.unreachable_window);
  }
  const bool is_short = KindOf(status, is_change_) == Kind::kShort;
  row_ends_ = is_short ? failing_since_ + limits_.definite_window : absl::InfiniteFuture();
  switch (KindOf(status, is_change_)) {
    case Kind::kFinal:
      return true;
    case Kind::kDamaged:
      return ++damaged_attempts_ >= limits_.damaged_attempts_max;
    case Kind::kShort:
      return elapsed >= limits_.definite_window;
    case Kind::kLong:
      return false;
  }
  return true;
}

absl::Duration RetryPolicy::WaitBeforeSending(MonotonicTime now, absl::Duration usual) const {
  constexpr absl::Duration kLeast = absl::Milliseconds(100);  // an endpoint that is there answers within it
  return std::min(usual, std::max(kLeast, row_ends_ - now));
}

absl::Duration RetryPolicy::NextBackoff(const absl::Status& status, Random& random) {
  absl::Duration wait = limits_.backoff_first * (std::int64_t{1} << std::min(backoffs_, 20));
  ++backoffs_;
  wait = std::min(wait, limits_.backoff_max);
  // Half of it is left to chance, lest those that failed together come back together.
  const std::int64_t half = std::max<std::int64_t>(absl::ToInt64Microseconds(wait) / 2, 1);
  wait = absl::Microseconds(half + random.Between(0, half));
  if (const auto detail = DetailOf(status); detail) {
    const absl::Duration advised = absl::Milliseconds(detail->retry_after_ms());
    wait = std::max(wait, std::min(advised, limits_.backoff_max));
  }
  return wait;
}

const absl::Status& RetryPolicy::last_error() const {
  return last_answer_.ok() ? last_unreachable_ : last_answer_;
}

}  // namespace dfs::client
