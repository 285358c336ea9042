// When to try again, where, and when to stop. Pure: time and chance come in with each call.
#ifndef DFS_CLIENT_RETRY_POLICY_H_
#define DFS_CLIENT_RETRY_POLICY_H_

#include <cstddef>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "common/clock.h"
#include "common/random.h"
#include "dfs/v1/types.pb.h"

namespace dfs::client {

// Limits of one operation. README.md, "Retries", has the reasons.
struct RetryLimits {
  // Time without progress after which an operation is given up.
  absl::Duration timeout = absl::Seconds(30);
  // Failures that certainly changed nothing (no quorum, no leader) are repeated this long: longer
  // than an election takes, and short enough that "no quorum" is reported within 5 s.
  absl::Duration definite_window = absl::Milliseconds(4'500);
  // The same while no endpoint accepts a connection.
  absl::Duration unreachable_window = absl::Seconds(2);
  absl::Duration backoff_first = absl::Milliseconds(15);
  absl::Duration backoff_max = absl::Milliseconds(500);
  int attempts_max = 64;
  // Attempts that moved bytes and were answered that these were damaged.
  int damaged_attempts_max = 3;
};

// What an attempt came to.
enum class Reach {
  kNotSent,  // no connection: nothing left this machine
  kSent,     // the request may have reached a server
};

// Follows the attempts of one operation. Not thread-safe.
class RetryPolicy {
 public:
  struct Decision {
    bool is_over = false;  // report last_error()
    absl::Duration wait;   // before the next attempt, at the next endpoint
  };

  RetryPolicy(const RetryLimits& limits, bool is_change, MonotonicTime now);

  void RecordAttempt(MonotonicTime now);
  // The current attempt lives: bytes moved.
  void RecordMotion(MonotonicTime now) { moved_ = now; }
  // The operation came nearer to its end, for good: what failed before counts no more.
  void RecordProgress(MonotonicTime now) {
    moved_ = now;
    failing_since_ = absl::InfiniteFuture();
    row_ends_ = absl::InfiniteFuture();
  }
  // `endpoints`: how many there are to go through before waiting makes sense.
  [[nodiscard]] Decision HandleFailure(MonotonicTime now, const absl::Status& status, Reach reach,
                                       std::size_t endpoints, Random& random);

  // How long the next attempt may wait before it has sent anything, lest "no quorum" come too late.
  [[nodiscard]] absl::Duration WaitBeforeSending(MonotonicTime now, absl::Duration usual) const;

  // Whether an attempt ended so that it may have changed something, or still may (rule R15).
  [[nodiscard]] bool has_unknown_attempt() const { return has_unknown_attempt_; }
  // What to report: the last answer of a server, or else why none was reached.
  [[nodiscard]] const absl::Status& last_error() const;

 private:
  [[nodiscard]] bool IsOver(MonotonicTime now, const absl::Status& status, Reach reach);
  [[nodiscard]] absl::Duration NextBackoff(const absl::Status& status, Random& random);

  const RetryLimits limits_;
  const bool is_change_;
  MonotonicTime attempt_began_;
  MonotonicTime moved_;  // last sign of life of the current attempt, at least its begin
  MonotonicTime failing_since_ = absl::InfiniteFuture();  // begin of the present row of failures
  MonotonicTime row_ends_ = absl::InfiniteFuture();  // when the present row is too long, if it is one of short kind
  int attempts_ = 0;
  int damaged_attempts_ = 0;
  std::size_t attempts_in_round_ = 0;
  int backoffs_ = 0;
  bool has_unknown_attempt_ = false;
  absl::Status last_answer_;
  absl::Status last_unreachable_;
};

// The same error, known to have had this outcome.
absl::Status WithOutcome(const absl::Status& status, v1::ErrorDetail::Outcome outcome);
// ErrorDetail's reason; unspecified if there is no detail.
v1::ErrorDetail::Reason ReasonOf(const absl::Status& status);

}  // namespace dfs::client

#endif  // DFS_CLIENT_RETRY_POLICY_H_
