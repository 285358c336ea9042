// Drives the core of gossip buckets: persist, send, fetch, answer.
#ifndef DFS_SERVER_GOSSIP_STORE_GOSSIP_HOST_H_
#define DFS_SERVER_GOSSIP_STORE_GOSSIP_HOST_H_

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/clock.h"
#include "common/executor.h"
#include "common/sync.h"
#include "server/chunk/chunk_peers.h"
#include "server/chunk/chunk_store.h"
#include "server/gossip_store/gossip_core.h"
#include "server/gossip_store/gossip_table.h"
#include "server/gossip_store/gossip_transport.h"

namespace dfs::gossip_store {

// What the replicated log and the ring say, as this node knows it.
struct Surroundings {
  SetPeers peers;
  std::set<BucketId> buckets;  // of mode gossip, not removed
  BucketId next_bucket;        // every bucket below it that is not among `buckets` is none, or was removed
};

// Of the files of a bucket that this node knows.
struct GossipTotals {
  std::uint64_t files = 0;
  std::uint64_t bytes = 0;
};

struct GossipHealth {
  GossipCounts counts;
  std::uint64_t names = 0;
  std::uint64_t tombstones = 0;
  std::uint64_t fetches = 0;
  std::uint64_t fetches_failed = 0;
  bool is_complete = false;             // as GossipCore::IsComplete
  bool is_handed_over = false;          // as GossipCore::IsHandedOver
  std::uint64_t alone = 0;              // as GossipCore::CountAlone
  absl::Duration clock_off;             // as GossipCore::ClockOff
  absl::Duration oldest_tombstone_age;  // 0: there is none
};

// All state lives on one executor. What the core has decided is durable before anyone hears of it: messages, answers and
// what others read here wait for one synced write, which all inputs share that have come meanwhile.
//
// Calls are thread-safe. Those that return something wait for the executor, which waits for the disk.
class GossipHost final : public GossipInbound {
 public:
  static constexpr std::size_t kInboxMax = 2'048;   // inputs that wait: messages beyond are dropped, writes refused
  static constexpr std::size_t kStepsMax = 256;     // inputs that share a sync
  static constexpr std::size_t kListMax = 1'000;    // records of one List
  static constexpr std::size_t kFetchThreads = 4;
  static constexpr std::size_t kSweptMax = 1'000;   // chunks without a record that go in one sweep
  static constexpr std::size_t kDropsAtOnce = 64;   // files whose chunks go before fetches have their turn
  static constexpr std::size_t kHealsMax = 64;      // chunks being made anew; the scrubber reports others again
  static constexpr std::size_t kFindsMax = 1'024;   // questions of peers that wait
  static constexpr absl::Duration kLookEvery = absl::Milliseconds(250);
  static constexpr absl::Duration kFetchFailuresLoggedEvery = absl::Seconds(10);
  static constexpr absl::Duration kMissTimeout = absl::Seconds(1);

  // All outlive the host.
  struct Parts {
    GossipOptions options;
    BootEpoch boot_epoch;
    const Clock* clock = nullptr;
    GossipTable* table = nullptr;
    GossipTransport* transport = nullptr;
    chunk::ChunkStore* store = nullptr;
    chunk::ChunkPeers* peers = nullptr;
    // So often chunks that no record names go, if nothing of their file was written for `swept_after`.
    absl::Duration sweep_every = absl::Minutes(10);
    absl::Duration swept_after = absl::Minutes(10);
    std::function<Surroundings()> look;              // on the host's executor, every kLookEvery
    std::function<void(const absl::Status&)> on_fatal;  // once: the disk failed; the host takes nothing any more
  };
  explicit GossipHost(Parts parts);
  ~GossipHost() override;  // Stop()

  // Loads what is durable, sweeps chunks that no record names, begins. Blocks on disk. kDataLoss: the table is damaged.
  [[nodiscard]] absl::Status Start();
  // Ends what is under way. Calls answer kUnavailable from then on. Idempotent.
  void Stop();

  // GossipInbound.
  void Receive(Message message) override ABSL_LOCKS_EXCLUDED(mutex_);
  void Find(Key key, HeldCallback done) override;

  // For chunks of a put at this node. Never the same twice. They are not swept until WriteAll or Drop ends the put.
  [[nodiscard]] TxnId NewTxn() ABSL_LOCKS_EXCLUDED(txns_mutex_);
  // Deletes chunks that no record names: of a put that failed. Never blocks.
  void Drop(const TxnId& txn, std::size_t count) ABSL_LOCKS_EXCLUDED(txns_mutex_);

  // Files whose chunks are durable in this node's store, or tombstones; their stamps, in order. Blocks until all are durable.
  // kFailedPrecondition, kResourceExhausted: the core refuses (GossipCore::CheckWrite), or the inbox is full: nothing happened.
  // kUnavailable: the host has stopped, or its node is to leave; kDataLoss: the disk failed; outcome unknown. The chunks of a refused file are gone.
  [[nodiscard]] std::vector<absl::StatusOr<Stamp>> WriteAll(std::vector<Record> records)
      ABSL_LOCKS_EXCLUDED(mutex_);
  // What is held of the name here, a tombstone too. kUnavailable: the host has stopped.
  [[nodiscard]] absl::StatusOr<std::optional<Record>> Held(const Key& key);
  // What reachable peers hold of the name, within kMissTimeout, those that answered and hold something. Blocks. What is
  // news here is taken over in the background.
  [[nodiscard]] std::vector<std::pair<NodeId, Record>> AskPeers(const Key& key);
  // Files (no tombstones) by name, at most kListMax.
  [[nodiscard]] absl::StatusOr<std::vector<Record>> List(BucketId bucket, std::string_view prefix,
                                                         std::string_view after);
  // Walks through all names of the bucket.
  [[nodiscard]] GossipTotals Totals(BucketId bucket);
  // Whose chunks these are.
  [[nodiscard]] std::optional<Record> FindByTxn(const TxnId& txn);
  // Makes a damaged or missing chunk anew from a peer, if a record names it: as the record has it. Never blocks. One that is
  // under way already, and what exceeds kHealsMax, is left to the next report.
  void Heal(const ChunkId& bad) ABSL_LOCKS_EXCLUDED(mutex_);
  // As of the last look.
  [[nodiscard]] GossipHealth GetHealth() const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct Waiting {
    Input input;
    absl::AnyInvocable<void(absl::StatusOr<Stamp>)> done;  // of a Write; else null
  };
  using Done = absl::AnyInvocable<void(absl::StatusOr<Stamp>)>;

  [[nodiscard]] bool IsStopped() const ABSL_LOCKS_EXCLUDED(mutex_);
  [[nodiscard]] bool Enqueue(Waiting waiting) ABSL_LOCKS_EXCLUDED(mutex_);
  // Runs it on the executor and waits; false: it was not run, the host has stopped.
  bool RunThere(absl::AnyInvocable<void()> task);
  // On the executor.
  void Drain() ABSL_LOCKS_EXCLUDED(mutex_);
  void Loop();
  void Look();
  void Process(std::vector<Waiting> batch);
  [[nodiscard]] bool Persist(const std::vector<Output>& outputs);
  void Obey(Output output);
  void BeginAnew();
  void MakeCore(const GossipState& state, std::vector<HeldRecord> records);
  void Note(const Change& change);
  [[nodiscard]] std::optional<Record> RecordOf(const TxnId& txn) const;
  void Refuse(Waiting waiting, const absl::Status& why);
  void DropSome() ABSL_LOCKS_EXCLUDED(txns_mutex_);
  void EndHeal(const ChunkId& chunk) ABSL_LOCKS_EXCLUDED(mutex_);
  void MaybeSweep();
  void StartFetch(const Fetch& fetch);
  void NoteFailedFetch(const Record& record, const absl::Status& why);
  void PublishHealth() ABSL_LOCKS_EXCLUDED(mutex_);
  [[nodiscard]] std::vector<NodeId> Reachable() const;
  // From any thread.
  [[nodiscard]] bool IsNeeded(const TxnId& txn) const ABSL_LOCKS_EXCLUDED(txns_mutex_);
  void BeginUse(const TxnId& txn) ABSL_LOCKS_EXCLUDED(txns_mutex_);
  void EndUse(const TxnId& txn) ABSL_LOCKS_EXCLUDED(txns_mutex_);

  const Parts parts_;
  std::atomic<std::uint64_t> next_txn_{1};
  std::atomic<std::uint64_t> fetches_{0};
  std::atomic<std::uint64_t> fetches_failed_{0};
  std::atomic<std::int64_t> fetch_failure_logged_s_{std::numeric_limits<std::int32_t>::min()};
  // Of the executor.
  std::unique_ptr<GossipCore> core_;
  Surroundings around_;
  bool has_looked_ = false;
  std::set<BucketId> held_buckets_;           // that may have records here
  std::map<std::uint64_t, Done> open_writes_;
  std::uint64_t next_write_ = 1;
  MonotonicTime next_deadline_;
  MonotonicTime next_sweep_;
  bool is_sweeping_ = false;
  absl::Status failure_;

  // Which chunks are needed. Leaf: nothing is called with it held.
  mutable Mutex txns_mutex_;
  std::map<TxnId, Key> by_txn_ ABSL_GUARDED_BY(txns_mutex_);      // of the records; written on the executor
  std::multiset<TxnId> in_use_ ABSL_GUARDED_BY(txns_mutex_);      // of puts and fetches that have not ended
  std::deque<std::pair<TxnId, std::size_t>> drops_ ABSL_GUARDED_BY(txns_mutex_);  // that wait, at most as many as there were records
  bool is_dropping_ ABSL_GUARDED_BY(txns_mutex_) = false;

  mutable Mutex mutex_;
  std::vector<Waiting> inbox_ ABSL_GUARDED_BY(mutex_);
  GossipHealth health_ ABSL_GUARDED_BY(mutex_);
  std::set<ChunkId> healing_ ABSL_GUARDED_BY(mutex_);
  std::size_t finds_ ABSL_GUARDED_BY(mutex_) = 0;
  bool is_stopped_ ABSL_GUARDED_BY(mutex_) = false;

  // Last: their tasks use the others.
  std::unique_ptr<ThreadPool> pool_;
  std::unique_ptr<ThreadExecutor> executor_;
};

}  // namespace dfs::gossip_store

#endif  // DFS_SERVER_GOSSIP_STORE_GOSSIP_HOST_H_
