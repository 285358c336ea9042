// Copies a range of a file out of chunk files that were handed over.
#ifndef DFS_CLIENT_HANDED_COPY_H_
#define DFS_CLIENT_HANDED_COPY_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include <grpcpp/support/slice.h>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/posix_handover.h"
#include "common/executor.h"
#include "common/sync.h"
#include "proto/data_message.h"

namespace dfs::client {

// What gets of one client keep from one to the next, because making it takes as long as copying some megabytes: memory that is
// mapped already, and threads. Thread-safe. Outlives the copies that use it; their bytes may outlive it.
class CopyRoom {
 public:
  // More gets at a time copy with their callers' threads alone.
  static constexpr std::size_t kThreadsMax = 4;
  // Memory that is kept while nobody uses it: 2 MiB.
  static constexpr std::size_t kBuffersKept = 8;

  CopyRoom();

  [[nodiscard]] ThreadPool& threads() { return threads_; }
  // `bytes` of memory, at most HandedCopy::kPieceBytes. Empty: there is none.
  [[nodiscard]] grpc::Slice TakeMemory(std::size_t bytes);

 private:
  class Buffers;

  const std::shared_ptr<Buffers> buffers_;
  ThreadPool threads_{"handed-copy", kThreadsMax};
};

// Bytes are copied first and summed then, once, in the copy: nobody can change it afterwards. A long range is worked on by two
// threads, as two processors move more than one: its caller and one of the room. Each takes the first piece that nobody has taken
// yet, so neither waits for the other while there is one; pieces come out in order all the same.
//
// Used by one thread.
class HandedCopy {
 public:
  // At a time; whole blocks. What was copied is still in the processor's own cache when it is summed.
  static constexpr std::uint64_t kPieceBytes = std::uint64_t{256} << 10;
  // Shorter ranges are over before another thread has begun.
  static constexpr std::size_t kPiecesForThread = 8;
  // Begun or ready, and not yet asked for: what a slow caller makes us keep.
  static constexpr std::size_t kPiecesAhead = 8;

  // From `begin` to `end` of the file, or to where the chunks end, whichever comes first. All three outlive this. kDataLoss: these
  // are chunks of another place of the file.
  static absl::StatusOr<std::unique_ptr<HandedCopy>> Begin(CopyRoom& room, const HandedFiles& files,
                                                           const v1::HandedChunks& handed, std::uint64_t begin, std::uint64_t end);
  // Blocks while a piece is under way.
  ~HandedCopy();
  HandedCopy(const HandedCopy&) = delete;
  HandedCopy& operator=(const HandedCopy&) = delete;

  struct Piece {
    Slices data;  // none: that was all
    std::uint32_t crc = 0;
  };
  // The next bytes, as the chunk's table has them. Blocks on disk. kDataLoss: they are damaged. kUnavailable: they cannot be read.
  // No call after an error.
  absl::StatusOr<Piece> Next() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct Cut {
    std::size_t chunk = 0;
    std::uint64_t block = 0;  // where reading begins in the chunk
    std::size_t bytes = 0;    // to be read
    std::size_t skip = 0;     // of these, in front of what is wanted
    std::size_t take = 0;
  };
  // The copy's word to its task, which may run when the copy is gone.
  struct Errand {
    Mutex mutex;
    CondVar changed;
    bool is_wanted ABSL_GUARDED_BY(mutex) = true;
    bool is_running ABSL_GUARDED_BY(mutex) = false;
  };

  HandedCopy(CopyRoom& room, const HandedFiles& files, const v1::HandedChunks& handed)
      : room_(room), files_(files), handed_(handed) {}
  void StartTask();
  [[nodiscard]] absl::StatusOr<Piece> Copy(const Cut& cut) const;
  // The task's work.
  void CopyAhead() ABSL_LOCKS_EXCLUDED(mutex_);
  // Whether there is a piece to begin with; false while a slow caller has too many, too.
  [[nodiscard]] bool MayBeginLocked() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return begun_ < cuts_.size() && begun_ < given_ + kPiecesAhead;
  }
  // Copies the first piece that nobody has begun with; the lock is let go meanwhile.
  void CopyOneLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  CopyRoom& room_;
  const HandedFiles& files_;
  const v1::HandedChunks& handed_;
  std::vector<Cut> cuts_;  // constant after Begin
  std::shared_ptr<Errand> task_;  // null: there is none

  Mutex mutex_;
  CondVar changed_;
  std::size_t begun_ ABSL_GUARDED_BY(mutex_) = 0;  // pieces, all before among them
  std::size_t given_ ABSL_GUARDED_BY(mutex_) = 0;  // to the caller
  bool is_stopping_ ABSL_GUARDED_BY(mutex_) = false;
  // By number modulo their count; set: ready, and not given.
  std::array<std::optional<absl::StatusOr<Piece>>, kPiecesAhead> ready_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace dfs::client

#endif  // DFS_CLIENT_HANDED_COPY_H_
