// What one term of leadership knows and holds in common: made when this node begins to lead, ended when it
// stops. The parts of the leader (command_admission, replica_changes, repair_loop, …) each keep a
// reference to it, so that a late callback of an ended term finds its own term's state and nothing newer.
#ifndef DFS_SERVER_LEADER_TERM_STATE_H_
#define DFS_SERVER_LEADER_TERM_STATE_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/clock.h"
#include "common/executor.h"
#include "common/ids.h"
#include "common/sync.h"
#include "common/wire_ids.h"
#include "dfs/internal/v1/replica.pb.h"
#include "server/leader/consensus_port.h"
#include "server/leader/copy_orders.h"
#include "server/leader/pin_table.h"
#include "server/leader/repair_plan.h"
#include "server/leader/request_ledger.h"
#include "server/leader/transaction_table.h"
#include "server/metadata/metadata_machine.h"

namespace dfs::leader {

// How a member is, as this node sees it.
struct NodeLiveness {
  NodeId node;
  bool is_usable = false;        // alive or suspect, not dead
  std::uint64_t free_bytes = 0;  // for new chunks
  std::uint64_t total_bytes = 0;  // 0: nothing heard of its disk yet
  bool is_slow = false;           // its disk hangs
  // Since when the ring has held it for dead; InfiniteFuture: it is not dead, or nothing was ever heard of it.
  MonotonicTime dead_since = absl::InfiniteFuture();
  bool has_handed_gossip_over = false;  // as membership::NodeHealth
  std::uint64_t gossip_alone = 0;       // as membership::NodeHealth
};

struct LeaderOptions {
  absl::Duration trash_time = absl::Hours(24);
  // The same while a member that is there is nearly full; the shorter of the two counts.
  absl::Duration trash_time_min = absl::Minutes(10);
  // A new leader purges nothing for so long: gets begun under the one before may still read.
  absl::Duration purge_quiet = absl::Minutes(10);
  absl::Duration session_unused = absl::Hours(24);
  absl::Duration session_sample_every = absl::Hours(1);
  absl::Duration upkeep_every = absl::Seconds(1);          // purge, clear, sessions, expiry of transactions
  absl::Duration members_every = absl::Milliseconds(100);  // activation, voters
  absl::Duration repair_every = absl::Seconds(1);
  absl::Duration report_every = absl::Milliseconds(100);  // of copies that came late
  // How long repair leaves a copy that a put left out to the put's own late acknowledgement.
  absl::Duration late_copy_wait = absl::Seconds(2);
  absl::Duration copy_progress = absl::Seconds(10);
  // A copy that failed is tried again after 1 s, then twice as long each time up to this.
  absl::Duration copy_backoff_max = absl::Seconds(60);
  // A node that is dead for so long becomes OUT: its copies are made anew elsewhere.
  absl::Duration out_after = absl::Seconds(120);
  RepairLimits repair;
  // No copies are moved to make members equally full while none lacks more than this.
  std::uint64_t rebalance_slack_bytes = std::uint64_t{16} << 20;
  // Whether it is time to move some is looked at so often, and when members come or go.
  absl::Duration rebalance_every = absl::Minutes(10);
};

using ViewSource = std::function<std::unique_ptr<metadata::MetadataView>()>;
using LivenessSource = std::function<std::vector<NodeLiveness>()>;
// Asks the node to make its copy; blocks until it is durable there (chunk_peers.h, ChunkPeers::Copy).
using CopyCall = std::function<absl::StatusOr<rpc::ChunkAck>(
    NodeId node, const rpc::CopyChunkRequest& request, absl::Duration progress_timeout)>;

// All chunks that the node holds undamaged, in order of ChunkId. Blocks.
using InventoryCall = std::function<absl::StatusOr<std::vector<ChunkId>>(NodeId node)>;

// The world of the leader. All outlive it. Thread-safe.
struct LeaderWorld {
  NodeId self;
  const Clock* clock = nullptr;
  ConsensusPort* consensus = nullptr;
  ViewSource view;
  LivenessSource liveness;
  CopyCall copy;
  InventoryCall inventory;
  Executor* executor = nullptr;
  std::function<void(Task)> run_blocking;  // on a pool, for calls that wait
};

struct TermState {
  TermState(LeaderWorld the_world, const LeaderOptions& the_options, Term the_term)
      : world(std::move(the_world)),
        options(the_options),
        term(the_term),
        began(world.clock->Now()),
        transactions(the_term) {}

  const LeaderWorld world;
  const LeaderOptions options;
  const Term term;
  const MonotonicTime began;

  Mutex mutex;
  bool is_ended ABSL_GUARDED_BY(mutex) = false;
  TransactionTable transactions ABSL_GUARDED_BY(mutex);
  RequestLedger requests ABSL_GUARDED_BY(mutex);
  CopyOrders orders ABSL_GUARDED_BY(mutex);
  PinTable pins ABSL_GUARDED_BY(mutex);

  // When a client was last at work here. Repair yields to clients.
  std::atomic<std::int64_t> last_client_ns{0};  // since the Unix epoch; 0: never

  [[nodiscard]] MonotonicTime Now() const { return world.clock->Now(); }
  // Whether the member is there, as this node sees it now.
  [[nodiscard]] bool IsUsable(NodeId node) const;
  void RecordClient() {
    last_client_ns.store(absl::ToUnixNanos(Now()), std::memory_order_relaxed);
  }
  [[nodiscard]] MonotonicTime LastClient() const {
    const std::int64_t ns = last_client_ns.load(std::memory_order_relaxed);
    return ns == 0 ? absl::InfinitePast() : absl::FromUnixNanos(ns);
  }
  [[nodiscard]] bool HasEnded() ABSL_LOCKS_EXCLUDED(mutex) {
    MutexLock lock(&mutex);
    return is_ended;
  }
};

// Proposes in this term and waits for the outcome: on the pool only. kDeadlineExceeded: unknown, there is no quorum.
[[nodiscard]] absl::StatusOr<rpc::CommandResult> ProposeAndWait(TermState& state,
                                                                rpc::Command command);

// Calls back on the executor once this node's state has all that was answered before the call. A leader that was replaced
// unnoticed, and so cannot know, gets kUnavailable: NOT_LEADER, or its state machine lags.
void WhenCurrent(const std::shared_ptr<TermState>& state,
                 absl::AnyInvocable<void(absl::Status)> done);

// kUnavailable, NOT_LEADER, NOTHING_CHANGED.
[[nodiscard]] absl::Status NotLeaderError();
// Whether the call certainly had no effect and never will.
[[nodiscard]] bool IsNothingChanged(const absl::Status& status);
// What an error says of a node: its name, or "node 3".
[[nodiscard]] std::string NameOf(const rpc::NodeRow& row);

}  // namespace dfs::leader

#endif  // DFS_SERVER_LEADER_TERM_STATE_H_
