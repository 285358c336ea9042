// Reads and checks every chunk of this node in the background, and sees that what is bad is reported until it is
// healed. Drives ScrubCore.
#ifndef DFS_SERVER_CHUNK_SCRUBBER_H_
#define DFS_SERVER_CHUNK_SCRUBBER_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "absl/time/time.h"
#include "common/clock.h"
#include "common/executor.h"
#include "common/sync.h"
#include "server/chunk/chunk_store.h"
#include "server/chunk/scrub_core.h"

namespace dfs::chunk {

struct ScrubStatus {
  ScrubProgress progress;
  std::uint64_t rate_bytes_per_second = 0;
  std::uint64_t stored_bytes = 0;
  std::uint64_t bad_chunks = 0;          // known here and not healed yet
  std::uint64_t quarantined_objects = 0;
};

// What the log says this node holds. Thread-safe; may block on the disk.
class WantedChunks {
 public:
  virtual ~WantedChunks() = default;
  // Whether a version that exists names this node for the chunk.
  [[nodiscard]] virtual bool IsWanted(const ChunkId& chunk) = 0;
  // Those whose copy here counts as good; until visit returns false.
  virtual void ForEach(const std::function<bool(const ChunkInfo&)>& visit) = 0;
};

// Healing is the leader's: it orders a copy onto this node, which the store writes as a new object before it lets go of
// the bad one (rule R20: a last copy stays, however bad). Thread-safe; one thread of its own.
class Scrubber {
 public:
  // All outlive the scrubber.
  struct Parts {
    ChunkStore* store = nullptr;
    const Clock* clock = nullptr;
    WantedChunks* wanted = nullptr;  // null: nothing is compared
    // Tells the leader. Never blocks.
    std::function<void(const BadChunk&)> report;
    ScrubOptions options;
  };

  explicit Scrubber(Parts parts);
  ~Scrubber();  // Stop()

  // Goes on where an earlier process was. The store's damage listener is set.
  void Start();
  // Blocks until the piece under way is read. Idempotent.
  void Stop();

  // A whole pass from now, at the full budget. Never blocks.
  void StartPass() ABSL_LOCKS_EXCLUDED(mutex_);
  [[nodiscard]] ScrubStatus GetStatus() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  void Step(const scrub::Input& input);
  void Do(const scrub::FindNext& find);
  void Do(const scrub::CheckPiece& piece);
  void Do(const scrub::Report& report);
  void Do(const scrub::LookAgain& look);
  void Do(const scrub::Save& save);
  void Do(const scrub::BeginPass& begin);
  void Post(scrub::Input input);
  void Tick();
  void Arm(MonotonicTime wake);
  [[nodiscard]] scrub::Verdict Check(const scrub::CheckPiece& piece);

  const Parts parts_;
  // On the executor only.
  ScrubCore core_;
  std::unique_ptr<ChunkReader> reader_;  // of the chunk under way
  std::vector<char> buffer_;
  std::uint64_t own_calls_ = 0;
  std::uint64_t calls_seen_ = 0;
  MonotonicTime calls_counted_ = absl::InfinitePast();
  bool is_busy_ = false;
  MonotonicTime armed_ = absl::InfiniteFuture();

  std::atomic<bool> is_stopping_{false};
  Mutex mutex_;
  ScrubStatus status_ ABSL_GUARDED_BY(mutex_);
  int starts_pending_ ABSL_GUARDED_BY(mutex_) = 0;  // asked for, not begun yet
  std::unique_ptr<ThreadExecutor> executor_;
};

}  // namespace dfs::chunk

#endif  // DFS_SERVER_CHUNK_SCRUBBER_H_
