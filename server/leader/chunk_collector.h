// The node's side of garbage collection (rules R17 to R20): finds chunks that no version names here, asks the leader, and
// deletes on its verdict only.
#ifndef DFS_SERVER_LEADER_CHUNK_COLLECTOR_H_
#define DFS_SERVER_LEADER_CHUNK_COLLECTOR_H_

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
#include "server/chunk/chunk_store.h"
#include "server/leader/leader_client.h"
#include "server/metadata/metadata_machine.h"

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
};

// The chunk's way out:
//   held -> (question: DEAD or EXCESS) -> the node's trash -> trash_time -> (second question: DEAD or EXCESS) -> unlinked.
// A purged chunk, or a purge row for a chunk that is not here at all, is then reported as unlinked. A question is voided
// by anything that makes the chunk count again here (ChunkStore::OpenQuestion), so a late verdict does nothing.
class ChunkCollector {
 public:
  // All outlive the collector.
  struct Parts {
    NodeId self;
    const Clock* clock = nullptr;
    chunk::ChunkStore* store = nullptr;
    metadata::MetadataMachine* machine = nullptr;
    LeaderClient* leader = nullptr;
    std::function<rpc::Ack()> own_ack;
    CollectorOptions options;
  };
  struct PassCounts {
    std::size_t looked_at = 0;
    std::size_t asked = 0;
    std::size_t trashed = 0;
    std::size_t removed = 0;
    std::size_t reported = 0;  // purge rows
  };

  explicit ChunkCollector(Parts parts) : parts_(std::move(parts)) {}
  ~ChunkCollector();  // Stop()

  void Start();
  // Blocks until a pass under way has ended. Idempotent.
  void Stop();

  // One pass, on the caller's thread; for tests and for Start's timer. Blocks on the disk and on the leader.
  PassCounts RunOnce();

 private:
  struct Suspect {
    ChunkId chunk;
    bool is_trashed = false;
  };

  [[nodiscard]] std::vector<Suspect> FindSuspects(PassCounts& counts);
  [[nodiscard]] bool IsNamedHere(const metadata::MetadataView& view, const ChunkId& chunk) const;
  // Asks about `suspects` and acts on the verdicts. False: no leader answered.
  bool Ask(const std::vector<Suspect>& suspects, PassCounts& counts);
  void Act(const Suspect& suspect, const rpc::VerdictAnswer& answer, PassCounts& counts);
  void ReportPurged(PassCounts& counts);
  void Loop();

  const Parts parts_;
  std::optional<ChunkId> cursor_;  // where the next pass goes on; pass only
  std::unique_ptr<ThreadExecutor> executor_;
};

}  // namespace dfs::leader

#endif  // DFS_SERVER_LEADER_CHUNK_COLLECTOR_H_
