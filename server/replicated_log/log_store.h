// Where the log, the hard state and the state machine of this node are kept.
#ifndef DFS_SERVER_REPLICATED_LOG_LOG_STORE_H_
#define DFS_SERVER_REPLICATED_LOG_LOG_STORE_H_

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/ids.h"
#include "server/consensus/message.h"
#include "server/consensus/raft_core.h"
#include "server/metadata/key_value_store.h"
#include "server/replicated_log/snapshot.h"
#include "server/replicated_log/witness_marks.h"

namespace dfs::replicated_log {

// Who this data directory is; made and synced when it is first used.
struct Identity {
  StorageUuid storage_uuid;
  BootEpoch boot_epoch;                 // of this start: already raised by one and synced
  std::optional<ClusterId> cluster_id;  // unset until formed or joined
  NodeId node_id;                       // none until formed or joined
  bool gets_no_commands = false;        // joined as a storage-only node: for good, whatever the log says so far
};

// Calls come from one thread, except where said. Every call blocks on disk.
class LogStore {
 public:
  virtual ~LogStore() = default;

  [[nodiscard]] virtual const Identity& identity() const = 0;
  // Sets cluster, node id and whether it gets commands, synced. CHECKs that the ids were unset or equal.
  [[nodiscard]] virtual absl::Status SetMembership(ClusterId cluster, NodeId node, bool gets_no_commands) = 0;

  // What the core starts from. Base is the last cut; `applied_index` comes from the state machine's rows.
  [[nodiscard]] virtual absl::StatusOr<consensus::InitialState> Load() = 0;

  // One synced batch: hard state if given; entries replace everything from the first one's index on.
  // kDataLoss: the sync failed; the store refuses all further writes, outcome unknown.
  [[nodiscard]] virtual absl::Status Append(const std::optional<consensus::HardState>& hard_state,
                                            const std::vector<consensus::Entry>& entries) = 0;

  // Witness marks (rule R3): as found by Load; to be written, synced, with the next batch; and the same at once. A store
  // that keeps none forgets them with its process: then they are told from memory only.
  [[nodiscard]] virtual WitnessMarks LoadMarks() { return {}; }
  virtual void KeepMarks(const WitnessMarks& /*marks*/) {}
  [[nodiscard]] virtual absl::Status FlushMarks() { return absl::OkStatus(); }

  // Drops entries up to `index`, which the synced state machine covers, and records base (index, term,
  // configuration in force there). The caller makes sure that the state applied up to `index` is durable: SyncState.
  [[nodiscard]] virtual absl::Status Cut(LogIndex index, Term term,
                                         const consensus::Configuration& configuration) = 0;
  // Makes everything that the state machine has written so far durable.
  [[nodiscard]] virtual absl::Status SyncState() = 0;

  // The rows of the state machine: the current generation. Lives as long as the store.
  [[nodiscard]] virtual metadata::KeyValueStore* state() = 0;
  // Whether the rows should grow more slowly for a moment, so that entries never wait behind them (write stalls
  // are per database). Thread-safe, cheap.
  [[nodiscard]] virtual bool IsApplyAhead() { return false; }

  // ---- snapshots (rule R9) ----

  // Makes files of all rows of a view (state()->Snapshot()). Thread-safe; slow.
  [[nodiscard]] virtual absl::StatusOr<std::unique_ptr<SnapshotFiles>> WriteSnapshot(
      const metadata::RowReader& rows);
  // Thread-safe. One sink lives at a time: kResourceExhausted otherwise.
  [[nodiscard]] virtual absl::StatusOr<std::unique_ptr<SnapshotSink>> NewSnapshotSink();
  // Takes the files into a new, empty generation, reads all rows again and compares them with `content`. Nothing
  // that is in force changes. `check` looks at the new rows and may refuse them.
  // Any thread, but one call at a time and not while InstallState runs; slow.
  //   kDataLoss: the rows are not what `content` says, or the disk failed.
  using StateCheck = std::function<absl::Status(metadata::KeyValueStore& rows)>;
  [[nodiscard]] virtual absl::StatusOr<std::unique_ptr<PreparedState>> PrepareState(
      std::unique_ptr<SnapshotSink> sink, const SnapshotContent& content, const StateCheck& check);
  // One synced batch: the prepared rows become the current generation, the log begins behind `description.index`;
  // of what the log holds behind it, `keep_tail` says whether it stays. state() shows the new rows from
  // then on; readers of the old ones keep them. Nobody may write rows meanwhile. `description.index` must be behind the
  // base (CHECKed).
  [[nodiscard]] virtual absl::Status InstallState(std::unique_ptr<PreparedState> prepared,
                                                  const SnapshotDescription& description,
                                                  bool keep_tail);
};

}  // namespace dfs::replicated_log

#endif  // DFS_SERVER_REPLICATED_LOG_LOG_STORE_H_
