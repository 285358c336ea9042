// Where the log, the hard state and the state machine of this node are kept.
#ifndef DFS_SERVER_REPLICATED_LOG_LOG_STORE_H_
#define DFS_SERVER_REPLICATED_LOG_LOG_STORE_H_

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

namespace dfs::replicated_log {

// Who this data directory is; made and synced when it is first used.
struct Identity {
  StorageUuid storage_uuid;
  BootEpoch boot_epoch;                 // of this start: already raised by one and synced
  std::optional<ClusterId> cluster_id;  // unset until formed or joined
  NodeId node_id;                       // none until formed or joined
};

// Calls come from one thread, except where said. Every call blocks on disk.
class LogStore {
 public:
  virtual ~LogStore() = default;

  [[nodiscard]] virtual const Identity& identity() const = 0;
  // Sets cluster and node id, synced. CHECKs that they were unset or equal.
  [[nodiscard]] virtual absl::Status SetMembership(ClusterId cluster, NodeId node) = 0;

  // What the core starts from. Base is the last cut; `applied_index` comes from the state machine's rows.
  [[nodiscard]] virtual absl::StatusOr<consensus::InitialState> Load() = 0;

  // One synced batch: hard state if given; entries replace everything from the first one's index on.
  // kDataLoss: the sync failed; the store refuses all further writes, outcome unknown.
  [[nodiscard]] virtual absl::Status Append(const std::optional<consensus::HardState>& hard_state,
                                            const std::vector<consensus::Entry>& entries) = 0;

  // Drops entries up to `index`, which the synced state machine covers, and records base (index, term,
  // configuration in force there). The caller makes sure that the state applied up to `index` is durable: SyncState.
  [[nodiscard]] virtual absl::Status Cut(LogIndex index, Term term,
                                         const consensus::Configuration& configuration) = 0;
  // Makes everything that the state machine has written so far durable.
  [[nodiscard]] virtual absl::Status SyncState() = 0;

  // The rows of the state machine: the current generation. Lives as long as the store.
  [[nodiscard]] virtual metadata::KeyValueStore* state() = 0;
};

}  // namespace dfs::replicated_log

#endif  // DFS_SERVER_REPLICATED_LOG_LOG_STORE_H_
