// Makes calls to a cluster through whichever of its nodes answers.
#ifndef DFS_CLIENT_CALLER_H_
#define DFS_CLIENT_CALLER_H_

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/call_watch.h"
#include "client/connection.h"
#include "client/endpoint_list.h"
#include "client/retry_policy.h"
#include "common/clock.h"
#include "common/grpc_credentials.h"
#include "common/random.h"
#include "common/sync.h"
#include "common/tls_identity.h"

namespace dfs::client {

// `status`, marked so that Caller::Run does not try again.
absl::Status Final(absl::Status status);
[[nodiscard]] bool IsFinal(const absl::Status& status);

// Whether `status` says that no endpoint could be reached at all.
[[nodiscard]] bool IsUnreachable(const absl::Status& status);
// The error for an endpoint that cannot be reached: nothing happened.
absl::Status Unreachable(const std::string& address);
// `error`, an Unreachable; or kUnauthenticated, with what to do, if one of the addresses is there and it is about TLS: one
// side speaks it and the other does not, or one wants none of the other's certificate. Blocks, 1.5 s at most.
absl::Status ExplainUnreachable(const std::vector<std::string>& addresses, const Dialer& dialer,
                                const TlsWords& words, absl::Status error);

struct CallerOptions {
  std::string cluster_id;  // 32 hexadecimal digits; empty: that of the endpoint that answers first
  // An endpoint that has not accepted a connection by then is left for the next.
  absl::Duration connect_timeout = absl::Seconds(1);
  RetryLimits retry;
  WatchLimits watch;
  // In plaintext, unless it is Dialer(identity, TlsDoor::kServer) of an identity that LoadTlsIdentity read.
  Dialer dialer;
  TlsWords tls_words;  // for what errors say
};

// Thread-safe.
class Caller {
 public:
  Caller(std::vector<std::string> endpoints, const CallerOptions& options,
         const Clock& clock = SystemClock());

  // Makes one call at `connection`. Sets `*reach` to kNotSent if nothing of it left this machine.
  using Attempt =
      absl::FunctionRef<absl::Status(const std::shared_ptr<Connection>& connection, Reach* reach)>;
  // Repeats `attempt`, at one endpoint after another, until it succeeds or `retry` says that it is
  // over. Blocks. The error is the one to report; retry.has_unknown_attempt() tells whether a
  // change must be settled first.
  absl::Status Run(RetryPolicy& retry, Attempt attempt);

  // A connection to just this address, whether or not it is among the endpoints. kUnavailable: it cannot be reached within
  // the connect timeout; kFailedPrecondition: another cluster.
  absl::StatusOr<std::shared_ptr<Connection>> ConnectTo(const std::string& address);

  // After a failed attempt of the row of `retry` that Run did not make: waits as it says. False: the row is over. Blocks.
  [[nodiscard]] bool PauseAfter(RetryPolicy& retry, const absl::Status& failure) ABSL_LOCKS_EXCLUDED(mutex_);

  // Cluster.Hello of an endpoint that answers now.
  absl::StatusOr<v1::HelloResponse> Hello();

  [[nodiscard]] RetryPolicy NewPolicy(bool is_change) const {
    return RetryPolicy(options_.retry, is_change, clock_.Now());
  }
  [[nodiscard]] const CallerOptions& options() const { return options_; }
  [[nodiscard]] CallWatch& watch() { return watch_; }
  [[nodiscard]] MonotonicTime Now() const { return clock_.Now(); }
  [[nodiscard]] std::vector<std::string> Addresses() const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  std::shared_ptr<Connection> ConnectionLocked(const std::string& address) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  std::pair<std::size_t, std::shared_ptr<Connection>> Choose() ABSL_LOCKS_EXCLUDED(mutex_);
  // Connected, and a member of our cluster; each waits for `wait` at most. `*reach` as for Attempt.
  absl::Status Prepare(Connection& connection, absl::Duration wait, Reach* reach);
  absl::StatusOr<v1::HelloResponse> HelloOnce(Connection& connection, absl::Duration wait, Reach* reach);
  absl::Status TakeHello(const v1::HelloResponse& hello, const Connection& connection)
      ABSL_LOCKS_EXCLUDED(mutex_);
  void RecordFailure(std::size_t index, const absl::Status& status, Reach reach)
      ABSL_LOCKS_EXCLUDED(mutex_);
  [[nodiscard]] absl::Status Explained(const absl::Status& error) const ABSL_LOCKS_EXCLUDED(mutex_);
  void Pause(absl::Duration wait) ABSL_LOCKS_EXCLUDED(mutex_);

  const CallerOptions options_;
  const Clock& clock_;
  CallWatch watch_;

  mutable Mutex mutex_;
  Random random_ ABSL_GUARDED_BY(mutex_);
  EndpointList endpoints_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, std::shared_ptr<Connection>> connections_ ABSL_GUARDED_BY(mutex_);
  std::string cluster_id_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace dfs::client

#endif  // DFS_CLIENT_CALLER_H_
