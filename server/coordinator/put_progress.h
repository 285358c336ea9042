// What the replicas have answered to one put.
#ifndef DFS_SERVER_COORDINATOR_PUT_PROGRESS_H_
#define DFS_SERVER_COORDINATOR_PUT_PROGRESS_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/ids.h"
#include "common/sync.h"
#include "common/wire_ids.h"
#include "dfs/internal/v1/metadata.pb.h"
#include "server/chunk/chunk_store.h"
#include "server/coordinator/quorum_tally.h"
#include "server/leader/leader_client.h"

namespace dfs::coordinator {

// The chunks of one put, who was asked to store them, who did and for which transaction. Answers may come after the
// operation has ended: copies that CommitPut did not name are then reported to the leader one by one.
//
// Thread-safe. Only AwaitChange blocks; the leader's client is called without a lock held.
class PutProgress {
 public:
  using Relinks = std::map<NodeId, std::vector<chunk::Relink>>;

  // The client outlives this.
  explicit PutProgress(leader::LeaderClient* leader) : leader_(leader) {}

  // Moves with whatever happens here. To wait: take the count, look, and if what is there is not enough, await
  // a change of that count.
  [[nodiscard]] std::uint64_t changes() const ABSL_LOCKS_EXCLUDED(mutex_);
  void Notify() ABSL_LOCKS_EXCLUDED(mutex_);
  // Blocks until changes() is not `seen`, `timeout` at most.
  void AwaitChange(std::uint64_t seen, absl::Duration timeout) const ABSL_LOCKS_EXCLUDED(mutex_);

  // ---- Writing. An index is below chunk_count(). ----

  // The transaction that the bytes are written for. Once, before the first chunk.
  void WriteUnder(const TxnId& txn) ABSL_LOCKS_EXCLUDED(mutex_);
  // Returns the new chunk's index. It needs `quorum` copies.
  std::uint32_t AddChunk(std::size_t quorum, const std::vector<NodeId>& asked)
      ABSL_LOCKS_EXCLUDED(mutex_);
  void AddSpare(std::uint32_t index, NodeId node) ABSL_LOCKS_EXCLUDED(mutex_);
  // All bytes of the chunk have been seen.
  void Describe(std::uint32_t index, std::uint64_t size, Hash128 hash) ABSL_LOCKS_EXCLUDED(mutex_);
  void RecordAnswer(std::uint32_t index, NodeId node, const absl::StatusOr<rpc::Ack>& answer)
      ABSL_LOCKS_EXCLUDED(mutex_);
  [[nodiscard]] std::uint32_t chunk_count() const ABSL_LOCKS_EXCLUDED(mutex_);
  [[nodiscard]] QuorumTally TallyOf(std::uint32_t index) const ABSL_LOCKS_EXCLUDED(mutex_);
  // As Describe told it, with the id that it was written under.
  [[nodiscard]] chunk::ChunkInfo InfoOf(std::uint32_t index) const ABSL_LOCKS_EXCLUDED(mutex_);
  // Those who are why the chunk has no quorum: they refused, or if too few did, they did not answer.
  [[nodiscard]] std::vector<NodeId> MissingOf(std::uint32_t index) const
      ABSL_LOCKS_EXCLUDED(mutex_);
  // Whether one of them refused the chunk for want of space.
  [[nodiscard]] bool LacksSpace(std::uint32_t index) const ABSL_LOCKS_EXCLUDED(mutex_);
  // Whether every node that was asked for any chunk has answered.
  [[nodiscard]] bool is_complete() const ABSL_LOCKS_EXCLUDED(mutex_);

  // ---- Beginning again (rule R14) ----

  // Nodes with a copy of any chunk, for any transaction.
  [[nodiscard]] std::set<NodeId> Holders() const ABSL_LOCKS_EXCLUDED(mutex_);
  // From here on relinks to `fresh` count; answers about older ones are ignored.
  void BeginRelinks(const TxnId& fresh) ABSL_LOCKS_EXCLUDED(mutex_);
  // What is to be asked now so that every copy counts for the transaction begun last: each copy once. The caller
  // owes a RecordRelinked for each node.
  [[nodiscard]] Relinks TakeRelinks() ABSL_LOCKS_EXCLUDED(mutex_);
  void RecordRelinked(NodeId node, const TxnId& fresh, const std::vector<chunk::Relink>& items,
                      const absl::StatusOr<rpc::Ack>& answer) ABSL_LOCKS_EXCLUDED(mutex_);
  struct RelinkState {
    bool is_enough = false;    // each chunk has `quorum` copies that count
    bool is_hopeless = false;  // one has not, and nothing is under way that could change it
    std::size_t open = 0;      // nodes that have not answered
    std::set<NodeId> failed;
  };
  [[nodiscard]] RelinkState StateOfRelinks(std::size_t quorum) const ABSL_LOCKS_EXCLUDED(mutex_);

  // ---- Committing ----

  // Describes the chunks with the copies that count for the command's transaction. The set of each names
  // those, then who was asked, then `set` (rule R16).
  void AddChunksTo(const std::vector<NodeId>& set, rpc::CommitPut* put) const
      ABSL_LOCKS_EXCLUDED(mutex_);
  // The put is stored; CommitPut counted `replicas` copies of each chunk. Copies beyond are reported, now and when
  // they come.
  void Commit(const TxnId& txn, std::uint32_t replicas) ABSL_LOCKS_EXCLUDED(mutex_);
  [[nodiscard]] bool is_committed() const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct Copy {
    rpc::Ack ack;
    TxnId under;  // the transaction that it counts for at its node
  };
  struct Chunk {
    QuorumTally tally;
    std::uint64_t size = 0;
    Hash128 hash;
    std::map<NodeId, Copy> copies;
    std::vector<NodeId> asked;
    bool lacks_space = false;  // a node refused it because its disk is full

    [[nodiscard]] std::size_t CopiesUnder(const TxnId& txn) const;
  };

  void NotifyLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // A copy that counts for the transaction that the put was committed with.
  [[nodiscard]] rpc::ReplicaChange LateCopyLocked(std::uint32_t index, const rpc::Ack& ack) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  leader::LeaderClient* const leader_;

  mutable Mutex mutex_;
  mutable CondVar changed_;
  std::uint64_t changes_ ABSL_GUARDED_BY(mutex_) = 0;
  std::vector<Chunk> chunks_ ABSL_GUARDED_BY(mutex_);
  TxnId written_under_ ABSL_GUARDED_BY(mutex_);
  TxnId committed_under_ ABSL_GUARDED_BY(mutex_);  // none until it is
  // Of the transaction begun last: which (node, chunk) were asked to relink, how many nodes have not answered, which
  // refused.
  TxnId relinked_to_ ABSL_GUARDED_BY(mutex_);
  std::set<std::pair<NodeId, std::uint32_t>> relinks_asked_ ABSL_GUARDED_BY(mutex_);
  std::size_t relinks_open_ ABSL_GUARDED_BY(mutex_) = 0;
  std::set<NodeId> relinks_failed_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace dfs::coordinator

#endif  // DFS_SERVER_COORDINATOR_PUT_PROGRESS_H_
