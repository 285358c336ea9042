// Sends one chunk to one replica without holding up the others.
#ifndef DFS_SERVER_COORDINATOR_REPLICA_WRITER_H_
#define DFS_SERVER_COORDINATOR_REPLICA_WRITER_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <utility>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/executor.h"
#include "common/ids.h"
#include "common/sync.h"
#include "common/wire_ids.h"
#include "proto/data_message.h"
#include "server/chunk/chunk_peers.h"
#include "server/chunk/chunk_store.h"

namespace dfs::coordinator {

// Where the bytes go. Write and Finish from one thread at a time; Cancel from any. Both block.
class ReplicaSink {
 public:
  virtual ~ReplicaSink() = default;
  virtual absl::Status Write(const Slices& data, std::uint32_t crc) = 0;
  // Returns once the chunk is durable there.
  virtual absl::StatusOr<rpc::Ack> Finish(std::uint64_t size, Hash128 hash) = 0;
  virtual void Cancel() = 0;
};

// This node's own store / another node's. What they use outlives them.
std::unique_ptr<ReplicaSink> MakeLocalSink(chunk::ChunkStore* store, const ChunkId& chunk,
                                           std::function<rpc::Ack()> own_ack);
std::unique_ptr<ReplicaSink> MakeRemoteSink(chunk::ChunkPeers* peers, NodeId node,
                                            const ChunkId& chunk, absl::Duration progress_timeout);

// Bytes in the queues of all writers of this node. Replicas of a put share the bytes, so memory is less.
using QueuedBytes = std::shared_ptr<std::atomic<std::size_t>>;

// A queue in front of a sink, emptied on a thread pool. The length of the queue is bounded by the put
// operation, which watches backlog_bytes() (rule R12).
//
// Thread-safe. `done` is called exactly once, with the ack or why there is none; `progressed` after each
// piece. Both run on the pool, without a lock held.
class ReplicaWriter : public std::enable_shared_from_this<ReplicaWriter> {
 public:
  using Done = absl::AnyInvocable<void(absl::StatusOr<rpc::Ack>)>;

  ReplicaWriter(std::unique_ptr<ReplicaSink> sink, ThreadPool* pool, QueuedBytes queued,
                std::function<void()> progressed, Done done);
  ~ReplicaWriter();

  // Never block.
  void Enqueue(Slices data, std::uint32_t crc) ABSL_LOCKS_EXCLUDED(mutex_);
  void Seal(std::uint64_t size, Hash128 hash) ABSL_LOCKS_EXCLUDED(mutex_);
  void Cancel() ABSL_LOCKS_EXCLUDED(mutex_);
  // Bytes enqueued and not yet taken by the sink. 0 once done.
  [[nodiscard]] std::size_t backlog_bytes() const { return backlog_bytes_.load(); }
  // Whether `done` was or is about to be called.
  [[nodiscard]] bool is_done() const ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(&mutex_);
    return is_done_;
  }

 private:
  struct Piece {
    Slices data;
    std::uint32_t crc = 0;
  };
  void StartLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Pump() ABSL_LOCKS_EXCLUDED(mutex_);
  void Subtract(std::size_t bytes);
  void End(absl::StatusOr<rpc::Ack> result) ABSL_LOCKS_EXCLUDED(mutex_);

  const std::unique_ptr<ReplicaSink> sink_;
  ThreadPool* const pool_;
  const QueuedBytes queued_;
  const std::function<void()> progressed_;
  std::atomic<std::size_t> backlog_bytes_{0};

  mutable Mutex mutex_;
  Done done_ ABSL_GUARDED_BY(mutex_);  // empty once called
  std::deque<Piece> queue_ ABSL_GUARDED_BY(mutex_);
  std::optional<std::pair<std::uint64_t, Hash128>> seal_ ABSL_GUARDED_BY(mutex_);
  bool is_running_ ABSL_GUARDED_BY(mutex_) = false;
  bool is_cancelled_ ABSL_GUARDED_BY(mutex_) = false;
  bool is_done_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace dfs::coordinator

#endif  // DFS_SERVER_COORDINATOR_REPLICA_WRITER_H_
