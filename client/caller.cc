#include "client/caller.h"

#include <chrono>

#include "absl/strings/cord.h"
#include "common/status_macros.h"
#include "proto/wire_status.h"

namespace dfs::client {
namespace {

constexpr char kFinalUrl[] = "dfs.client.final";
constexpr char kUnreachableUrl[] = "dfs.client.unreachable";

}  // namespace

absl::Status Unreachable(const std::string& address) {
  absl::Status out = ErrorWithReason(absl::StatusCode::kUnavailable, "cannot connect to " + address,
                                     v1::ErrorDetail::REASON_UNSPECIFIED);
  out.SetPayload(kUnreachableUrl, absl::Cord("1"));
  return out;
}

bool IsUnreachable(const absl::Status& status) {
  return status.GetPayload(kUnreachableUrl).has_value();
}

absl::Status Final(absl::Status status) {
  status.SetPayload(kFinalUrl, absl::Cord("1"));
  return status;
}

bool IsFinal(const absl::Status& status) { return status.GetPayload(kFinalUrl).has_value(); }

Caller::Caller(std::vector<std::string> endpoints, const CallerOptions& options, const Clock& clock)
    : options_(options),
      clock_(clock),
      watch_(options.watch, clock),
      random_(SystemRandom64()),
      endpoints_(std::move(endpoints)),
      cluster_id_(options.cluster_id) {}

absl::Status Caller::Run(RetryPolicy& retry, Attempt attempt) {
  for (;;) {
    const MonotonicTime now = clock_.Now();
    retry.RecordAttempt(now);
    const auto [index, connection] = Choose();
    Reach reach = Reach::kNotSent;
    absl::Status status =
        Prepare(*connection, retry.WaitBeforeSending(now, options_.connect_timeout), &reach);
    if (status.ok()) {
      reach = Reach::kSent;
      status = attempt(connection, &reach);
    }
    if (status.ok()) {
      MutexLock lock(&mutex_);
      endpoints_.RecordAlive(index);
      return status;
    }
    RecordFailure(index, status, reach);
    RetryPolicy::Decision decision;
    {
      MutexLock lock(&mutex_);
      decision = retry.HandleFailure(clock_.Now(), status, reach, endpoints_.size(), random_);
    }
    if (IsFinal(status)) return status;
    if (decision.is_over) return Explained(retry.last_error());
    if (decision.wait > absl::ZeroDuration()) Pause(decision.wait);
  }
}

absl::StatusOr<v1::HelloResponse> Caller::Hello() {
  v1::HelloResponse out;
  RetryPolicy retry = NewPolicy(/*is_change=*/false);
  DFS_RETURN_IF_ERROR(Run(retry, [&](const std::shared_ptr<Connection>& connection, Reach* reach) {
    auto hello = HelloOnce(*connection, options_.connect_timeout, reach);
    if (!hello.ok()) return hello.status();
    out = *std::move(hello);
    return absl::OkStatus();
  }));
  return out;
}

bool Caller::PauseAfter(RetryPolicy& retry, const absl::Status& failure) {
  RetryPolicy::Decision decision;
  {
    MutexLock lock(&mutex_);
    decision = retry.HandleFailure(clock_.Now(), failure, Reach::kSent, /*endpoints=*/1, random_);
  }
  if (decision.is_over) return false;
  Pause(decision.wait);
  return true;
}

std::vector<std::string> Caller::Addresses() const {
  MutexLock lock(&mutex_);
  std::vector<std::string> out;
  for (std::size_t i = 0; i < endpoints_.size(); ++i) out.push_back(endpoints_.address(i));
  return out;
}

std::pair<std::size_t, std::shared_ptr<Connection>> Caller::Choose() {
  MutexLock lock(&mutex_);
  const std::size_t index = endpoints_.Choose(clock_.Now());
  return {index, ConnectionLocked(endpoints_.address(index))};
}

std::shared_ptr<Connection> Caller::ConnectionLocked(const std::string& address) {
  auto& connection = connections_[address];
  if (connection == nullptr) connection = std::make_shared<Connection>(address, options_.dialer);
  return connection;
}

absl::StatusOr<std::shared_ptr<Connection>> Caller::ConnectTo(const std::string& address) {
  std::shared_ptr<Connection> connection;
  {
    MutexLock lock(&mutex_);
    connection = ConnectionLocked(address);
  }
  Reach reach = Reach::kNotSent;
  DFS_RETURN_IF_ERROR(Prepare(*connection, options_.connect_timeout, &reach));
  return connection;
}

absl::Status Caller::Prepare(Connection& connection, absl::Duration wait, Reach* reach) {
  if (!connection.WaitForControl(wait)) {
    return Unreachable(connection.address());
  }
  if (connection.is_verified()) return absl::OkStatus();
  DFS_RETURN_IF_ERROR(HelloOnce(connection, wait, reach).status());
  connection.set_verified();
  return absl::OkStatus();
}

absl::StatusOr<v1::HelloResponse> Caller::HelloOnce(Connection& connection, absl::Duration wait,
                                                    Reach* reach) {
  v1::HelloRequest request;
  {
    MutexLock lock(&mutex_);
    request.set_cluster_id(cluster_id_);
  }
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() +
                       absl::ToChronoMicroseconds(wait));
  v1::HelloResponse hello;
  const grpc::Status status = connection.cluster().Hello(&context, request, &hello);
  if (status.error_code() == grpc::StatusCode::DEADLINE_EXCEEDED ||
      status.error_code() == grpc::StatusCode::UNAVAILABLE) {
    *reach = Reach::kNotSent;  // the change itself was not sent, and nobody is there
    return Unreachable(connection.address());
  }
  *reach = Reach::kSent;
  if (!status.ok()) return FromGrpc(status);
  DFS_RETURN_IF_ERROR(TakeHello(hello, connection));
  return hello;
}

absl::Status Caller::TakeHello(const v1::HelloResponse& hello, const Connection& connection) {
  MutexLock lock(&mutex_);
  if (cluster_id_.empty()) cluster_id_ = hello.cluster_id();
  if (hello.cluster_id() != cluster_id_) {
    return ErrorWithReason(absl::StatusCode::kFailedPrecondition,
                           connection.address() + " belongs to cluster " + hello.cluster_id() +
                               ", not to " + cluster_id_,
                           v1::ErrorDetail::WRONG_CLUSTER);
  }
  for (const auto& endpoint : hello.endpoints()) endpoints_.Learn(endpoint.address());
  return absl::OkStatus();
}

void Caller::RecordFailure(std::size_t index, const absl::Status& status, Reach reach) {
  const bool is_dead =
      reach == Reach::kNotSent || (status.code() == absl::StatusCode::kUnavailable &&
                                   ReasonOf(status) == v1::ErrorDetail::REASON_UNSPECIFIED &&
                                   OutcomeOf(status) == v1::ErrorDetail::UNKNOWN);
  // Of gossip buckets: one node's own trouble.
  const auto reason = ReasonOf(status);
  const bool may_another = reason == v1::ErrorDetail::CLOCK_OFF || reason == v1::ErrorDetail::NO_SPACE;
  MutexLock lock(&mutex_);
  if (is_dead) {
    endpoints_.RecordDead(index, clock_.Now());
  } else if (may_another || status.code() == absl::StatusCode::kUnavailable ||
             status.code() == absl::StatusCode::kDataLoss ||
             status.code() == absl::StatusCode::kDeadlineExceeded) {
    endpoints_.RecordUnable(index);
  }
}

absl::Status Caller::Explained(const absl::Status& error) const {
  if (!IsUnreachable(error)) return error;
  return ExplainUnreachable(Addresses(), options_.dialer, options_.tls_words, error);
}

void Caller::Pause(absl::Duration wait) {
  Event never;
  never.WaitFor(wait);
}

}  // namespace dfs::client
