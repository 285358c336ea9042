#include "server/leader/routed_leader_client.h"

#include <algorithm>
#include <utility>

namespace dfs::leader {
namespace {

constexpr absl::Duration kRenewEvery = absl::Seconds(1);
constexpr absl::Duration kReportEvery = absl::Milliseconds(100);
constexpr absl::Duration kReportTimeout = absl::Seconds(2);

}  // namespace

// Thread-safe.
class RoutedLeaderClient::Reports : public std::enable_shared_from_this<Reports> {
 public:
  Reports(std::shared_ptr<LeaderRoute> route, Executor* executor)
      : route_(std::move(route)), executor_(executor) {}

  void Add(rpc::ReplicaChange change) ABSL_LOCKS_EXCLUDED(mutex_) {
    bool arms = false;
    bool is_full = false;
    {
      MutexLock lock(&mutex_);
      if (queue_.size() >= kReportsMax) queue_.pop_front();
      queue_.push_back(std::move(change));
      is_full = queue_.size() == static_cast<std::size_t>(kChangesPerReportMax);
      arms = !std::exchange(is_armed_, true);
    }
    if (arms) Arm();
    if (is_full) executor_->Post([self = shared_from_this()] { self->Send(); });
  }

 private:
  void Arm() {
    executor_->PostAt(route_->Now() + kReportEvery, [self = shared_from_this()] {
      self->Send();
      bool again = false;
      {
        MutexLock lock(&self->mutex_);
        again = !self->queue_.empty();
        self->is_armed_ = again;
      }
      if (again) self->Arm();
    });
  }

  void Send() ABSL_LOCKS_EXCLUDED(mutex_) {
    const auto target = route_->Find();
    if (!target) return;
    rpc::ReportReplicasRequest request;
    {
      MutexLock lock(&mutex_);
      while (!queue_.empty() && request.changes_size() < kChangesPerReportMax) {
        *request.add_changes() = std::move(queue_.front());
        queue_.pop_front();
      }
    }
    if (request.changes_size() == 0) return;
    target->operations->ReportReplicas(
        request, kReportTimeout,
        [self = shared_from_this(),
         request](const absl::StatusOr<rpc::ReportReplicasResponse>& response) {
          if (response.ok() || !IsNothingChanged(response.status())) return;
          if (!LeaderRoute::IsWorthRetrying(response.status())) return;
          for (const auto& change : request.changes()) self->Add(change);
        });
  }

  const std::shared_ptr<LeaderRoute> route_;
  Executor* const executor_;
  Mutex mutex_;
  std::deque<rpc::ReplicaChange> queue_ ABSL_GUARDED_BY(mutex_);
  bool is_armed_ ABSL_GUARDED_BY(mutex_) = false;
};

RoutedLeaderClient::RoutedLeaderClient(LeaderRoute::Parts parts, RunId run, Executor* executor)
    : route_(std::make_shared<LeaderRoute>(std::move(parts))),
      executor_(executor),
      reads_(std::make_shared<ReadIndexRounds>(route_)),
      submits_(std::make_shared<SubmitBatches>(route_, run)),
      transactions_(std::make_shared<TransactionPool>(route_, run)),
      reports_(std::make_shared<Reports>(route_, executor)) {}

RoutedLeaderClient::~RoutedLeaderClient() { Stop(); }

void RoutedLeaderClient::Start() {
  Repeat(kRenewEvery, [transactions = transactions_] { transactions->Tick(); });
}

void RoutedLeaderClient::Stop() { route_->Stop(); }

void RoutedLeaderClient::Repeat(absl::Duration interval, std::function<void()> tick) {
  executor_->PostAt(route_->Now() + interval, [this, interval, tick = std::move(tick)] {
    if (route_->is_stopping()) return;
    tick();
    Repeat(interval, tick);
  });
}

absl::StatusOr<LogIndex> RoutedLeaderClient::ReadIndex(absl::Duration timeout) {
  return reads_->Ask(timeout);
}

absl::StatusOr<rpc::CommandResult> RoutedLeaderClient::Submit(rpc::Command command,
                                                              absl::Duration timeout) {
  return submits_->Submit(command, timeout);
}

absl::StatusOr<rpc::OpenTransaction> RoutedLeaderClient::Begin(BucketId bucket,
                                                               const std::vector<NodeId>& avoid,
                                                               const std::vector<NodeId>& holders,
                                                               absl::Duration timeout) {
  return transactions_->Begin(bucket, avoid, holders, timeout);
}

void RoutedLeaderClient::Done(const TxnId& txn, bool is_committed) {
  transactions_->Done(txn, is_committed);
}

void RoutedLeaderClient::Pin(const TxnId& txn) { transactions_->Pin(txn); }
void RoutedLeaderClient::Unpin(const TxnId& txn) { transactions_->Unpin(txn); }

void RoutedLeaderClient::ReportReplica(rpc::ReplicaChange change) {
  reports_->Add(std::move(change));
}

absl::StatusOr<std::vector<rpc::VerdictAnswer>> RoutedLeaderClient::AskVerdicts(
    const rpc::VerdictsRequest& request, absl::Duration timeout) {
  auto response = route_->Ask<rpc::VerdictsResponse>(
      timeout, [&request](LeaderOperations& leader, absl::Duration left,
                          Answer<rpc::VerdictsResponse> done) {
        leader.Verdicts(request, left, std::move(done));
      });
  if (!response.ok()) return response.status();
  return std::vector<rpc::VerdictAnswer>(response->answers().begin(), response->answers().end());
}

absl::Status RoutedLeaderClient::ReportUnlinked(const rpc::ReportUnlinkedRequest& request,
                                                absl::Duration timeout) {
  return route_
      ->Ask<rpc::ReportUnlinkedResponse>(
          timeout, [&request](LeaderOperations& leader, absl::Duration left,
                              Answer<rpc::ReportUnlinkedResponse> done) {
            leader.ReportUnlinked(request, left, std::move(done));
          })
      .status();
}

absl::Status RoutedLeaderClient::Register(const rpc::NodeStarted& node, absl::Duration timeout) {
  rpc::RegisterRequest request;
  *request.mutable_node() = node;
  return route_
      ->Ask<rpc::RegisterResponse>(timeout,
                                   [&request](LeaderOperations& leader, absl::Duration left,
                                              Answer<rpc::RegisterResponse> done) {
                                     leader.Register(request, left, std::move(done));
                                   })
      .status();
}

absl::StatusOr<rpc::JoinResponse> RoutedLeaderClient::Join(const rpc::JoinRequest& request,
                                                           absl::Duration timeout) {
  return route_->Ask<rpc::JoinResponse>(
      timeout, [&request](LeaderOperations& leader, absl::Duration left,
                          Answer<rpc::JoinResponse> done) {
        leader.Join(request, left, std::move(done));
      });
}

absl::StatusOr<rpc::ManageResponse> RoutedLeaderClient::Manage(const rpc::ManageRequest& request,
                                                               absl::Duration timeout) {
  return route_->Ask<rpc::ManageResponse>(
      timeout, [&request](LeaderOperations& leader, absl::Duration left,
                          Answer<rpc::ManageResponse> done) {
        leader.Manage(request, left, std::move(done));
      });
}

}  // namespace dfs::leader
