// One client operation across replicas. Any node coordinates any request.
#ifndef DFS_SERVER_COORDINATOR_COORDINATOR_H_
#define DFS_SERVER_COORDINATOR_COORDINATOR_H_

#include <atomic>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/executor.h"
#include "common/ids.h"
#include "common/wire_ids.h"
#include "dfs/v1/files.pb.h"
#include "server/chunk/chunk_peers.h"
#include "server/chunk/chunk_store.h"
#include "server/leader/leader_client.h"
#include "server/metadata/metadata_machine.h"

namespace dfs::coordinator {

// No operation that finds no quorum takes longer than this to say so.
inline constexpr absl::Duration kQuorumTimeout = absl::Milliseconds(4'500);
// A transfer without any progress for this long has failed.
inline constexpr absl::Duration kProgressTimeout = absl::Seconds(10);

class SmallWriteBatcher;

// What every operation uses. All pointers outlive the operations; everything is thread-safe.
struct Parts {
  NodeId self;
  chunk::ChunkStore* store = nullptr;
  chunk::ChunkPeers* peers = nullptr;
  leader::LeaderClient* leader = nullptr;
  const metadata::MetadataMachine* machine = nullptr;
  const Clock* clock = nullptr;
  ThreadPool* pool = nullptr;              // for writers of large chunks, which block
  SmallWriteBatcher* small_writes = nullptr;
  // A replica that takes nothing of a large chunk for so long has failed it.
  absl::Duration progress_timeout = kProgressTimeout;
  // Where a file is cut. The same on all nodes; other than the default in tests only.
  std::uint64_t chunk_bytes = chunk::kChunkBytesMax;
  // Bytes that wait for replicas, of all puts together. Copies of these parts share the count.
  std::shared_ptr<std::atomic<std::size_t>> queued_bytes =
      std::make_shared<std::atomic<std::size_t>>(0);
  std::function<rpc::Ack()> own_ack;       // this node's identity
  // Blocks until the node's state is applied up to the index, kDeadlineExceeded after the timeout.
  std::function<absl::Status(LogIndex, absl::Duration)> wait_applied;
  std::function<bool(NodeId)> is_usable;   // the ring does not say DEAD
  std::function<bool(NodeId)> is_slow;     // its disk hangs, as far as is known: asked last; may be null
  std::function<NodeId()> leader_id;       // none if not known
  // Of a node without metadata of files (MetadataMachine::has_files), else null: who has it, best first; and what brings its nodes and
  // buckets up to now, with the errors of a strong ReadView.
  std::function<std::vector<NodeId>()> file_holders;
  std::function<absl::Status(absl::Duration timeout)> refresh_directory;
};

// A node that is further behind a read index lets the leader answer instead of waiting (rule R10).
inline constexpr absl::Duration kLagMax = absl::Milliseconds(50);

// The state as of a read index (strong, leader) or as this node has it (eventual); rule R10.
// kUnavailable NO_QUORUM: no leader within kQuorumTimeout. kUnavailable that IsLagging: this node's state did not
// reach the index within `lag_max`, it has applied nothing at all (it has just joined; eventual reads, too), or it keeps no
// metadata of files.
absl::StatusOr<std::unique_ptr<metadata::MetadataView>> ReadView(
    const Parts& parts, api::Consistency consistency, absl::Duration lag_max = kQuorumTimeout);
bool IsLagging(const absl::Status& status);
// The same for who asks of nodes and buckets only: a node without metadata of files has these.
absl::StatusOr<std::unique_ptr<metadata::MetadataView>> ReadDirectoryView(const Parts& parts, api::Consistency consistency);

// The bucket of a request; an empty name is "default". Of one that wants a copy on all members, `replicas` is how many
// these are now. kNotFound.
absl::StatusOr<rpc::BucketRow> FindBucket(const metadata::MetadataView& view, const std::string& name);
// The bucket of a change. A bucket that this node's state does not know is looked for once more as of a read index: it may
// have been made just now. (One that it knows and that was removed just now is refused by the entry.) kNotFound, and
// errors of ReadDirectoryView.
absl::StatusOr<rpc::BucketRow> FindBucketOfChange(const Parts& parts, const std::string& name);

// The current version of the name, or the one of this number, current or kept. kNotFound.
absl::StatusOr<rpc::VersionRow> FindVersionOf(const metadata::MetadataView& view,
                                              const rpc::BucketRow& bucket, const std::string& name,
                                              std::optional<std::uint64_t> number);

// Rule R16 of a file of 0 bytes, whose row names the set chosen at the put: members that have gone since leave it, and
// those with the lowest ids take part until it names min(replicas, members). There is nothing to copy, and each
// member's own state can confirm, so no entry is needed. Other files stay as they are.
void CompleteEmptySet(const metadata::MetadataView& view, const rpc::BucketRow& bucket,
                      rpc::VersionRow* version);
// The same of many versions of one view, whose members are read once.
void CompleteEmptySet(const std::set<std::uint32_t>& members, const rpc::BucketRow& bucket,
                      rpc::VersionRow* version);
// The members that hold replicas now.
std::set<std::uint32_t> ReplicaHolders(const metadata::MetadataView& view);

// Names of nodes, for messages: "n2 (127.0.0.1:7720)".
std::vector<std::string> NamesOf(const metadata::MetadataView& view, const std::vector<NodeId>& nodes);

// kUnavailable, reason NO_QUORUM, nothing changed, naming the nodes.
absl::Status NoQuorum(const metadata::MetadataView& view, std::string_view what,
                      const std::vector<NodeId>& missing);

// What clients are told of a version.
api::FileInfo InfoOf(const rpc::VersionRow& version, const rpc::BucketRow& bucket);
// Ok copies of the chunk that has fewest (a file of 0 bytes: the size of its set).
std::uint32_t ReplicasOk(const rpc::VersionRow& version);

// kUnavailable, nothing changed: asked again, the coordinator knows whether there is such a bucket.
absl::Status BucketIsGone();

// OK for DONE, else the error that clients see, with what is known of the outcome.
absl::Status StatusOf(const rpc::CommandResult& result);

// kInvalidArgument BAD_NAME unless it is a name that files may have.
absl::Status CheckFileName(const std::string& name);
// kInvalidArgument unless the id is well formed.
absl::Status CheckRequestId(const api::RequestId& id);

// Stores small chunks in this node's own store, many per sync.
class SmallWriteBatcher {
 public:
  SmallWriteBatcher(chunk::ChunkStore* store, std::function<rpc::Ack()> own_ack);
  ~SmallWriteBatcher();
  // Never blocks. The callback runs on the batcher's thread. kResourceExhausted: more than kWaitingMax wait.
  void Write(const chunk::ChunkInfo& info, Slices data, chunk::ChunkPeers::AckCallback done)
      ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct Waiting {
    chunk::ChunkInfo info;
    Slices data;
    chunk::ChunkPeers::AckCallback done;
  };
  static constexpr std::size_t kWaitingMax = 4'096;
  static constexpr std::size_t kBatchMax = 128;
  void Drain() ABSL_LOCKS_EXCLUDED(mutex_);

  chunk::ChunkStore* const store_;
  const std::function<rpc::Ack()> own_ack_;
  Mutex mutex_;
  std::vector<Waiting> waiting_ ABSL_GUARDED_BY(mutex_);
  ThreadExecutor executor_;
};

}  // namespace dfs::coordinator

#endif  // DFS_SERVER_COORDINATOR_COORDINATOR_H_
