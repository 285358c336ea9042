#include "server/leader/transaction_pool.h"

#include <glog/logging.h>

#include <algorithm>

#include "proto/error_detail.h"

namespace dfs::leader {
namespace {

// How many are kept in advance: what a tenth of a second needs, within bounds.
constexpr std::size_t kReadyMin = 2;
constexpr std::size_t kReadyMax = kTransactionsPerRequestMax;
// After one that was too short although there are more nodes: each put asks for itself meanwhile.
constexpr absl::Duration kFillPause = absl::Seconds(1);
constexpr absl::Duration kFillTimeout = absl::Seconds(2);
constexpr absl::Duration kRenewTimeout = absl::Seconds(2);

}  // namespace

rpc::OpenTransactionsRequest TransactionPool::RequestFor(BucketId bucket, std::size_t count) const {
  rpc::OpenTransactionsRequest request;
  request.set_coordinator(route_->self().value());
  request.set_run_id(run_.value());
  request.set_bucket_id(bucket.value());
  request.set_count(static_cast<std::uint32_t>(count));
  return request;
}

absl::StatusOr<rpc::OpenTransaction> TransactionPool::Begin(BucketId bucket,
                                                            const std::vector<NodeId>& avoid,
                                                            const std::vector<NodeId>& holders,
                                                            absl::Duration timeout) {
  {
    MutexLock lock(&mutex_);
    if (held_.size() >= kHeldMax) {
      return ErrorWithReason(absl::StatusCode::kResourceExhausted,
                             "too many puts are under way on this node",
                             api::ErrorDetail::OVERLOADED);
    }
  }
  if (avoid.empty() && holders.empty()) {
    auto ready = TakeReady(bucket);
    MaybeFill(bucket);
    if (ready) return *std::move(ready);
  }
  rpc::OpenTransactionsRequest request = RequestFor(bucket, 1);
  for (const NodeId node : avoid) request.add_avoid(node.value());
  for (const NodeId node : holders) request.add_holders(node.value());
  auto response = route_->Ask<rpc::OpenTransactionsResponse>(
      timeout, [&request](LeaderOperations& leader, absl::Duration left,
                          Answer<rpc::OpenTransactionsResponse> done) {
        leader.OpenTransactions(request, left, std::move(done));
      });
  // A transaction that was opened and whose answer was lost dies unrenewed: nothing has happened.
  if (response.status().code() == absl::StatusCode::kDeadlineExceeded) return route_->NoQuorum();
  if (!response.ok()) return response.status();
  if (response->transactions_size() != 1) {
    return absl::InternalError("asked for one transaction, got another number");
  }
  MutexLock lock(&mutex_);
  held_.insert(FromWire(response->transactions(0).txn()));
  return response->transactions(0);
}

std::optional<rpc::OpenTransaction> TransactionPool::TakeReady(BucketId bucket) {
  const auto target = route_->Find();
  std::vector<Advance> bad;
  while (true) {
    std::optional<Advance> found;
    {
      MutexLock lock(&mutex_);
      Bucket& state = buckets_[bucket];
      for (const auto& advance : bad) CancelLocked(FromWire(advance.transaction.txn()));
      bad.clear();
      if (state.ready.empty() || !target) {
        ++state.begun;
        return std::nullopt;
      }
      Advance advance = std::move(state.ready.front());
      state.ready.pop_front();
      if (Term(advance.transaction.txn().term()) != target->term) {
        held_.erase(FromWire(advance.transaction.txn()));
        continue;
      }
      if (route_->Now() - advance.opened >= kAdvanceMax) {
        CancelLocked(FromWire(advance.transaction.txn()));
        continue;
      }
      found = std::move(advance);
    }
    if (IsOutdated(*found)) {
      bad.push_back(*std::move(found));
      continue;
    }
    MutexLock lock(&mutex_);
    ++buckets_[bucket].begun;
    return std::move(found->transaction);
  }
}

bool TransactionPool::IsOutdated(const Advance& advance) const {
  if (!route_->IsUsable(advance.transaction)) return true;
  return advance.is_short && route_->IsUsableBeside(advance.transaction);
}

void TransactionPool::MaybeFill(BucketId bucket) {
  std::size_t count = 0;
  {
    MutexLock lock(&mutex_);
    Bucket& state = buckets_[bucket];
    const std::size_t wanted =
        std::clamp(std::max(state.begun, state.rate) / 10, kReadyMin, kReadyMax);
    if (state.is_filling || route_->Now() < state.fill_from || state.ready.size() * 2 > wanted) return;
    count = wanted - state.ready.size();
    if (held_.size() + count > kHeldMax) return;
    state.is_filling = true;
  }
  const auto target = route_->Find();
  if (!target) {
    MutexLock lock(&mutex_);
    buckets_[bucket].is_filling = false;
    return;
  }
  target->operations->OpenTransactions(
      RequestFor(bucket, count), kFillTimeout,
      [self = shared_from_this(), bucket, asked = route_->Now()](
          const absl::StatusOr<rpc::OpenTransactionsResponse>& response) {
        self->Fill(bucket, asked, response);
      });
}

void TransactionPool::Fill(BucketId bucket, MonotonicTime asked,
                           const absl::StatusOr<rpc::OpenTransactionsResponse>& response) {
  std::vector<Advance> opened;
  bool is_outdated = false;
  if (response.ok()) {  // else puts ask for themselves
    for (const auto& transaction : response->transactions()) {
      const auto replicas = static_cast<std::uint32_t>(transaction.replicas_size());
      opened.push_back({transaction, asked, replicas < response->replicas_wanted()});
      is_outdated = is_outdated || IsOutdated(opened.back());
    }
  }
  MutexLock lock(&mutex_);
  Bucket& state = buckets_[bucket];
  state.is_filling = false;
  if (is_outdated) state.fill_from = route_->Now() + kFillPause;
  for (Advance& advance : opened) {
    held_.insert(FromWire(advance.transaction.txn()));
    state.ready.push_back(std::move(advance));
  }
}

void TransactionPool::CancelLocked(const TxnId& txn) {
  if (held_.erase(txn) == 0) return;
  cancelled_.push_back(txn);
  // What is not cancelled expires.
  if (cancelled_.size() > kCancelledMax) cancelled_.pop_front();
}

void TransactionPool::Done(const TxnId& txn, bool is_committed) {
  MutexLock lock(&mutex_);
  if (is_committed) {
    held_.erase(txn);
  } else {
    CancelLocked(txn);
  }
}

void TransactionPool::Pin(const TxnId& txn) {
  MutexLock lock(&mutex_);
  ++pins_[txn];
}

void TransactionPool::Unpin(const TxnId& txn) {
  MutexLock lock(&mutex_);
  const auto found = pins_.find(txn);
  if (found != pins_.end() && --found->second == 0) pins_.erase(found);
}

void TransactionPool::Tick() {
  const auto target = route_->Find();
  rpc::RenewTransactionsRequest request;
  request.set_coordinator(route_->self().value());
  request.set_run_id(run_.value());
  {
    MutexLock lock(&mutex_);
    for (auto& [id, state] : buckets_) {
      state.rate = std::exchange(state.begun, 0);
      while (!state.ready.empty() && route_->Now() - state.ready.front().opened >= kAdvanceMax) {
        CancelLocked(FromWire(state.ready.front().transaction.txn()));
        state.ready.pop_front();
      }
    }
    // Buckets come and go.
    std::erase_if(buckets_, [&](const auto& entry) {
      const Bucket& state = entry.second;
      return state.ready.empty() && !state.is_filling && state.rate == 0 &&
             route_->Now() >= state.fill_from;
    });
    if (!target) return;
    for (const TxnId& txn : held_) {
      if (txn.term == target->term) *request.add_held() = ToWire(txn);
    }
    for (const TxnId& txn : cancelled_) {
      if (txn.term == target->term) *request.add_cancelled() = ToWire(txn);
    }
    cancelled_.clear();
    for (const auto& [txn, gets] : pins_) {
      if (request.pinned_size() == kHeldPerRenewalMax) break;
      *request.add_pinned() = ToWire(txn);
    }
    std::size_t in_advance = 0;
    for (const auto& [id, state] : buckets_) in_advance += state.ready.size();
    request.set_is_serving(!pins_.empty() || held_.size() > in_advance);
    // Once more when there are none left: the leader lets go of what it was told before.
    const bool had_pins = std::exchange(has_told_pins_, !pins_.empty());
    if (request.held_size() == 0 && request.cancelled_size() == 0 && pins_.empty() && !had_pins) {
      return;
    }
  }
  target->operations->RenewTransactions(
      request, kRenewTimeout,
      [self = shared_from_this()](const absl::StatusOr<rpc::RenewTransactionsResponse>& response) {
        if (!response.ok()) return;  // the next one comes in a second; ten may be lost
        MutexLock lock(&self->mutex_);
        for (const auto& txn : response->unknown()) {
          const TxnId gone = FromWire(txn);
          self->held_.erase(gone);
          for (auto& [id, state] : self->buckets_) {
            std::erase_if(state.ready, [&](const Advance& advance) {
              return FromWire(advance.transaction.txn()) == gone;
            });
          }
        }
      });
}

}  // namespace dfs::leader
