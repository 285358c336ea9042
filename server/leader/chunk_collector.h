// The node's side of garbage collection (rules R17 to R20): finds chunks that no version names here, asks the leader, and
// deletes on its verdict only.
#ifndef DFS_SERVER_LEADER_CHUNK_COLLECTOR_H_
#define DFS_SERVER_LEADER_CHUNK_COLLECTOR_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "absl/time/time.h"
#include "common/clock.h"
#include "common/executor.h"
#include "common/ids.h"
#include "common/sync.h"
#include "common/wire_ids.h"
#include "dfs/internal/v1/replica.pb.h"
#include "dfs/v1/cluster.pb.h"
#include "server/chunk/chunk_store.h"
#include "server/leader/collection_fuse.h"
#include "server/leader/leader_client.h"
#include "server/leader/replica_catalog.h"

namespace dfs::leader {

struct CollectorOptions {
  // A chunk is asked about only when nothing of its transaction was written here for so long (rule R18).
  absl::Duration question_age = absl::Minutes(10);
  // How long a chunk lies in the node's own trash before the second question and the unlink.
  absl::Duration trash_time = absl::Minutes(10);
  absl::Duration interval = absl::Seconds(30);
  absl::Duration ask_timeout = absl::Seconds(10);
  // Bound one pass: chunks looked at, and questions asked. The next pass goes on behind them.
  std::size_t looked_at_max = 50'000;
  std::size_t questions_max = 10'000;
  // A fuse that blows at less would be a nuisance on small nodes (rule R20).
  std::uint64_t fuse_bytes_min = std::uint64_t{1} << 30;
};

// The chunk's way out:
//   held -> (question: DEAD or EXCESS) -> the node's trash -> trash_time -> (second question: DEAD
//   or EXCESS) -> unlinked.
// A chunk for which the log has a row (purged, or released by a move) and that is not here, no more
// or never, is reported as unlinked. A question is voided by anything that makes the chunk count
// again here (ChunkStore::OpenQuestion), so a late verdict does nothing. Verdicts of the doubtful
// kinds (collection_fuse.h) are gathered first; if they are not too many the chunks are asked about
// again, and only then go: no verdict is used later than it takes to answer one request.
class ChunkCollector {
 public:
  // All outlive the collector.
  struct Parts {
    NodeId self;
    const Clock* clock = nullptr;
    chunk::ChunkStore* store = nullptr;
    ReplicaCatalog* catalog = nullptr;
    LeaderClient* leader = nullptr;
    std::function<rpc::Ack()> own_ack;
    CollectorOptions options;
  };
  struct PassCounts {
    std::size_t looked_at = 0;
    std::size_t asked = 0;
    std::size_t trashed = 0;
    std::size_t removed = 0;
    std::size_t reported = 0;  // chunks of the log's rows that are gone
    std::size_t withheld = 0;  // by the fuse
  };

  explicit ChunkCollector(Parts parts)
      : parts_(std::move(parts)), fuse_(parts_.options.fuse_bytes_min) {}
  ~ChunkCollector();  // Stop()

  void Start();
  // Blocks until a pass under way has ended. Idempotent.
  void Stop();

  // A pass as soon as the one under way has ended. Thread-safe, never blocks. Nothing before Start.
  void CollectSoon();
  // What is withheld may go (`dfs-cli gc --confirm`). Thread-safe.
  void Confirm() ABSL_LOCKS_EXCLUDED(mutex_);
  // Without the node. Thread-safe.
  [[nodiscard]] api::CollectStatus GetStatus() const ABSL_LOCKS_EXCLUDED(mutex_);

  // What other nodes and operators ask: does what the request says, and tells.
  api::CollectStatus Answer(const rpc::CollectNodeRequest& request) {
    if (request.confirm()) Confirm();
    if (request.start() || request.confirm()) CollectSoon();
    return GetStatus();
  }

  // One pass, on the caller's thread; for tests and for Start's timer. Blocks on the disk and on the leader.
  PassCounts RunOnce();

 private:
  struct Suspect {
    ChunkId chunk;
    std::uint64_t bytes = 0;
    bool is_trashed = false;
  };
  // Of one walk through all chunks, which takes one pass or several.
  struct Walk {
    std::uint64_t trash_chunks = 0;
    std::uint64_t trash_bytes = 0;
    bool is_whole = true;  // every question so far was answered
  };
  struct Look {
    std::size_t looked_at = 0;
    std::vector<Suspect> due;  // old enough to be asked about
    std::uint64_t trash_chunks = 0;
    std::uint64_t trash_bytes = 0;
    std::optional<ChunkId> last;
    bool is_end = true;
  };

  [[nodiscard]] std::vector<Suspect> FindSuspects(PassCounts& counts);
  [[nodiscard]] Look LookOn(std::size_t chunks_max, std::size_t due_max) const;
  // Asks about `suspects`, in requests of bounded size, and acts on the verdicts; those of doubtful kinds go to `doubtful` instead,
  // unless that is null. False: no leader answered.
  bool AskAll(const std::vector<Suspect>& suspects, std::vector<Suspect>* doubtful,
              PassCounts& counts);
  bool Ask(const std::vector<Suspect>& suspects, std::vector<Suspect>* doubtful, PassCounts& counts);
  void BeginWalk();
  void EndWalk();
  [[nodiscard]] bool FuseAllows(const std::vector<Suspect>& doubtful);
  void Act(const Suspect& suspect, const rpc::VerdictAnswer& answer, PassCounts& counts);
  void ReportGone(PassCounts& counts);
  void Loop();

  const Parts parts_;
  std::atomic<bool> is_asked_{false};  // CollectSoon
  // Of the thread that makes passes.
  std::optional<ChunkId> cursor_;  // where the next pass goes on; none: a new walk begins
  Walk walk_;
  mutable Mutex mutex_;
  CollectionFuse fuse_ ABSL_GUARDED_BY(mutex_);
  api::CollectStatus status_ ABSL_GUARDED_BY(mutex_);  // but for what the fuse tells
  std::unique_ptr<ThreadExecutor> executor_;
};

}  // namespace dfs::leader

#endif  // DFS_SERVER_LEADER_CHUNK_COLLECTOR_H_
