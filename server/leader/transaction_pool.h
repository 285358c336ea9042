// The transactions that this coordinator holds: opened in advance, in use, and to be cancelled (rule R11); and the
// versions that its gets read (rule R17).
#ifndef DFS_SERVER_LEADER_TRANSACTION_POOL_H_
#define DFS_SERVER_LEADER_TRANSACTION_POOL_H_

#include <cstddef>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "server/leader/leader_route.h"

namespace dfs::leader {

// Thread-safe. Held by shared_ptr: callbacks keep it.
class TransactionPool : public std::enable_shared_from_this<TransactionPool> {
 public:
  // A transaction in advance is used within so long: its replica set is from when it was opened.
  static constexpr absl::Duration kAdvanceMax = absl::Seconds(10);
  static constexpr std::size_t kHeldMax = static_cast<std::size_t>(kHeldPerRenewalMax);
  static constexpr std::size_t kCancelledMax = static_cast<std::size_t>(kHeldPerRenewalMax);

  TransactionPool(std::shared_ptr<LeaderRoute> route, RunId run)
      : route_(std::move(route)), run_(run) {}

  // Contract as LeaderClient::Begin. kResourceExhausted: kHeldMax puts are under way here already.
  [[nodiscard]] absl::StatusOr<rpc::OpenTransaction> Begin(BucketId bucket,
                                                           const std::vector<NodeId>& avoid,
                                                           const std::vector<NodeId>& holders,
                                                           absl::Duration timeout)
      ABSL_LOCKS_EXCLUDED(mutex_);
  void Done(const TxnId& txn, bool is_committed) ABSL_LOCKS_EXCLUDED(mutex_);

  // Versions that gets of this node are reading.
  void Pin(const TxnId& txn) ABSL_LOCKS_EXCLUDED(mutex_);
  void Unpin(const TxnId& txn) ABSL_LOCKS_EXCLUDED(mutex_);

  // Once a second: renews what is held, cancels what is over, drops what has become too old.
  void Tick() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct Advance {
    rpc::OpenTransaction transaction;
    MonotonicTime opened;
    bool is_short = false;  // fewer replicas than the bucket wants: there were not more nodes
  };
  struct Bucket {
    std::deque<Advance> ready;  // oldest first
    bool is_filling = false;
    std::size_t begun = 0;      // since the last tick
    std::size_t rate = 0;       // in the second before
    MonotonicTime fill_from = absl::InfinitePast();
  };

  [[nodiscard]] std::optional<rpc::OpenTransaction> TakeReady(BucketId bucket)
      ABSL_LOCKS_EXCLUDED(mutex_);
  // Whether a put that took it now would begin worse than one that asks: a replica has died since, or it has too few
  // and there is another node by now.
  [[nodiscard]] bool IsOutdated(const Advance& advance) const;
  void MaybeFill(BucketId bucket) ABSL_LOCKS_EXCLUDED(mutex_);
  void Fill(BucketId bucket, MonotonicTime asked,
            const absl::StatusOr<rpc::OpenTransactionsResponse>& response)
      ABSL_LOCKS_EXCLUDED(mutex_);
  void CancelLocked(const TxnId& txn) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  [[nodiscard]] rpc::OpenTransactionsRequest RequestFor(BucketId bucket, std::size_t count) const;

  const std::shared_ptr<LeaderRoute> route_;
  const RunId run_;
  Mutex mutex_;
  std::map<BucketId, Bucket> buckets_ ABSL_GUARDED_BY(mutex_);
  std::set<TxnId> held_ ABSL_GUARDED_BY(mutex_);  // in advance and in use
  std::deque<TxnId> cancelled_ ABSL_GUARDED_BY(mutex_);
  std::map<TxnId, int> pins_ ABSL_GUARDED_BY(mutex_);
  bool has_told_pins_ ABSL_GUARDED_BY(mutex_) = false;  // the leader may hold some of this node
};

}  // namespace dfs::leader

#endif  // DFS_SERVER_LEADER_TRANSACTION_POOL_H_
