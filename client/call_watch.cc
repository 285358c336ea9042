#include "client/call_watch.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "proto/wire_status.h"

namespace dfs::client {

// A running Cluster.Hello to one endpoint. At most one for each.
struct CallWatch::Probe {
  std::shared_ptr<Connection> connection;
  MonotonicTime began;
  grpc::ClientContext context;
  v1::HelloRequest request;
  v1::HelloResponse response;
};

absl::Status WatchedCall::Explain(const grpc::Status& status) const {
  absl::Status from_wire = FromGrpc(status);
  if (status.error_code() != grpc::StatusCode::CANCELLED) return from_wire;
  switch (end()) {
    case End::kEndpointDead:
      return ErrorWithReason(absl::StatusCode::kUnavailable,
                             connection_->address() + " stopped answering",
                             v1::ErrorDetail::REASON_UNSPECIFIED, v1::ErrorDetail::UNKNOWN);
    case End::kStalled:
      return ErrorWithReason(
          absl::StatusCode::kDeadlineExceeded,
          connection_->address() + " made no progress for " + absl::FormatDuration(timeout_),
          v1::ErrorDetail::REASON_UNSPECIFIED, v1::ErrorDetail::UNKNOWN);
    case End::kNone:
      break;
  }
  return from_wire;
}

CallWatch::Guard::Guard(CallWatch& watch, std::shared_ptr<Connection> connection,
                        absl::Duration timeout, int lives)
    : watch_(watch), call_(std::make_shared<WatchedCall>()) {
  call_->connection_ = std::move(connection);
  call_->timeout_ = timeout;
  call_->lives_ = lives;
  RecordProgress();
  bool must_arm = false;
  {
    MutexLock lock(&watch_.mutex_);
    at_ = watch_.calls_.insert(watch_.calls_.end(), call_);
    must_arm = !std::exchange(watch_.is_armed_, true);
  }
  if (must_arm) {
    watch_.executor_.PostAt(watch_.clock_.Now() + watch_.limits_.period,
                            [w = &watch_] { w->Look(); });
  }
}

CallWatch::Guard::~Guard() {
  MutexLock lock(&watch_.mutex_);
  watch_.calls_.erase(at_);
}

CallWatch::CallWatch(const WatchLimits& limits, const Clock& clock)
    : limits_(limits), clock_(clock), executor_("call-watch", clock) {}

CallWatch::~CallWatch() {
  executor_.Stop();
  for (const auto& probe : probes_) probe->context.TryCancel();
  // The answers of cancelled probes still come, on threads of gRPC's.
  MutexLock lock(&mutex_);
  while (answers_outstanding_ > 0) answered_.Wait(&mutex_);
}

void CallWatch::Look() {
  const MonotonicTime now = clock_.Now();
  std::vector<std::shared_ptr<WatchedCall>> calls;
  {
    MutexLock lock(&mutex_);
    calls.assign(calls_.begin(), calls_.end());
    is_armed_ = !calls.empty();
  }
  if (calls.empty()) return;
  for (const auto& call : calls) LookAt(*call, now);
  executor_.PostAt(now + limits_.period, [this] { Look(); });
}

void CallWatch::LookAt(WatchedCall& call, MonotonicTime now) {
  const absl::Duration silent =
      now - absl::FromUnixNanos(call.progressed_ns_.load(std::memory_order_relaxed));
  if (silent >= call.timeout_) {
    Cancel(call, WatchedCall::End::kStalled);
  } else if (silent >= limits_.silence) {
    StartProbe(call.connection_, now);
  }
}

void CallWatch::StartProbe(const std::shared_ptr<Connection>& connection, MonotonicTime now) {
  const bool is_running = std::any_of(
      probes_.begin(), probes_.end(),
      [&](const std::shared_ptr<Probe>& probe) { return probe->connection == connection; });
  if (is_running) return;
  auto probe = std::make_shared<Probe>();
  probe->connection = connection;
  probe->began = now;
  probe->context.set_deadline(std::chrono::system_clock::now() +
                              absl::ToChronoMicroseconds(limits_.sign_of_life));
  probes_.push_back(probe);
  {
    MutexLock lock(&mutex_);
    ++answers_outstanding_;
  }
  // The call owns nothing: its thread must not destroy a channel (client/README.md).
  connection->cluster().async()->Hello(
      &probe->context, &probe->request, &probe->response,
      [this, asked = probe.get()](const grpc::Status& status) {
        // Any word of the server's is a sign of life.
        const bool is_alive = status.error_code() != grpc::StatusCode::DEADLINE_EXCEEDED &&
                              status.error_code() != grpc::StatusCode::UNAVAILABLE;
        executor_.Post([this, asked, is_alive] { HandleProbe(asked, is_alive); });
        // After this the watch may be gone.
        MutexLock lock(&mutex_);
        --answers_outstanding_;
        answered_.SignalAll();
      });
}

void CallWatch::HandleProbe(const Probe* asked, bool is_alive) {
  // It stays in the list until this, or the end of the watch.
  const auto at = std::find_if(probes_.begin(), probes_.end(),
                               [&](const auto& probe) { return probe.get() == asked; });
  const std::shared_ptr<Probe> probe = *at;
  if (is_alive) {
    // The next one is due after another silence, which keeping this entry for so long makes sure.
    executor_.PostAt(probe->began + limits_.silence, [this, probe] { std::erase(probes_, probe); });
  } else {
    std::erase(probes_, probe);
  }
  std::vector<std::shared_ptr<WatchedCall>> calls;
  {
    MutexLock lock(&mutex_);
    calls.assign(calls_.begin(), calls_.end());
  }
  for (const auto& call : calls) {
    const MonotonicTime progressed =
        absl::FromUnixNanos(call->progressed_ns_.load(std::memory_order_relaxed));
    // A call that moved, or began, after the question was asked is no concern of the answer.
    if (call->connection_ != probe->connection || progressed > probe->began) continue;
    if (!is_alive && --call->lives_ <= 0) Cancel(*call, WatchedCall::End::kEndpointDead);
  }
}

void CallWatch::Cancel(WatchedCall& call, WatchedCall::End end) {
  auto none = WatchedCall::End::kNone;
  if (!call.end_.compare_exchange_strong(none, end)) return;
  call.context_.TryCancel();
}

}  // namespace dfs::client
