// Who the processes at the other ends are: one place for rules R1 and R2.
//
// R1 A Hello carries cluster, node id, storage uuid, boot epoch and run id. Equal epoch and run id is a
// reconnect; a lower epoch, or the same epoch under another run id, is refused; so is a known node
// id with another storage uuid. Refusing never retires an id.
// R2 A vote or an append acknowledgement counts only from a process whose run id is also the one that answered
// when this node dialled the member's own address (a clone that dials in neither votes nor leads).
//
// Thread-safe; does no I/O.
#ifndef DFS_COMMON_PEER_REGISTRY_H_
#define DFS_COMMON_PEER_REGISTRY_H_

#include <cstdint>
#include <map>
#include <utility>

#include "absl/status/status.h"
#include "common/ids.h"
#include "common/sync.h"
#include "common/wire_ids.h"
#include "dfs/internal/v1/raft.pb.h"

namespace dfs {

class PeerRegistry {
 public:
  // `own` is this process's Hello; cluster_id and node_id may still be unset (a joiner: SetOwn later).
  explicit PeerRegistry(rpc::PeerHello own);

  [[nodiscard]] rpc::PeerHello own() const ABSL_LOCKS_EXCLUDED(mutex_);
  void SetOwn(rpc::PeerHello own) ABSL_LOCKS_EXCLUDED(mutex_);

  // What the configuration in force says: these are the other members. From the first call on any
  // other node is refused, but for those that SetKnown has named and no configuration has held yet (a member that was
  // away may be behind those who came meanwhile). Before it, whoever comes is believed.
  void SetKnownAll(const std::map<NodeId, StorageUuid>& members) ABSL_LOCKS_EXCLUDED(mutex_);
  // What a member that knows more says of another one.
  void SetKnown(NodeId node, StorageUuid uuid, BootEpoch epoch) ABSL_LOCKS_EXCLUDED(mutex_);
  // What the node table says: raises the greatest known epoch of this data directory; makes nobody known.
  void RaiseEpoch(NodeId node, StorageUuid uuid, BootEpoch epoch) ABSL_LOCKS_EXCLUDED(mutex_);
  // Retired: refused from now on.
  void Forget(NodeId node) ABSL_LOCKS_EXCLUDED(mutex_);

  // Of a Hello that arrived on a stream that the peer opened to us.
  // kFailedPrecondition: another cluster, uuid or run (clone), an old epoch; kInvalidArgument: malformed. Nothing changes then.
  [[nodiscard]] absl::Status CheckInbound(const rpc::PeerHello& hello) ABSL_LOCKS_EXCLUDED(mutex_);
  // Of a Hello that came back from the address of `expected` that we dialled. Also remembers its run id for IsConfirmed.
  [[nodiscard]] absl::Status CheckOutbound(NodeId expected, const rpc::PeerHello& hello)
      ABSL_LOCKS_EXCLUDED(mutex_);

  // Of the Hello of a process that asks who it is taken for. Remembers nothing.
  enum class Verdict { kAccepted, kOldEpoch, kStranger, kOtherCluster };
  [[nodiscard]] std::pair<Verdict, absl::Status> Judge(const rpc::PeerHello& hello) const
      ABSL_LOCKS_EXCLUDED(mutex_);

  // Whether `run` is what answered at the node's own address, last time it was dialled.
  [[nodiscard]] bool IsConfirmed(NodeId node, RunId run) const ABSL_LOCKS_EXCLUDED(mutex_);
  [[nodiscard]] BootEpoch GreatestEpoch(NodeId node) const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct Peer {
    StorageUuid storage_uuid;
    BootEpoch epoch;      // greatest seen
    RunId run;            // that came with it; none if only the table named the epoch
    RunId confirmed_run;  // answered at its address
    bool is_only_named = false;  // by SetKnown, and no configuration has held it yet
  };
  static void RaiseEpoch(Peer& peer, BootEpoch epoch);
  [[nodiscard]] std::pair<Verdict, absl::Status> JudgeLocked(const rpc::PeerHello& hello) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status CheckLocked(const rpc::PeerHello& hello) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  mutable Mutex mutex_;
  rpc::PeerHello own_ ABSL_GUARDED_BY(mutex_);
  bool are_members_known_ ABSL_GUARDED_BY(mutex_) = false;
  std::map<NodeId, Peer> peers_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace dfs

#endif  // DFS_COMMON_PEER_REGISTRY_H_
