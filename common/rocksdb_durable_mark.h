// The durable-through mark: a small file beside the database that says how far its synced content reached, so
// that a start notices when synced data is gone (rule R22).
//
// Two slots, written in turn, each with its own checksum: a torn write costs one slot at most. The
// mark is written after the sync that it describes, in the background: it may lag, never lead.
#ifndef DFS_COMMON_ROCKSDB_DURABLE_MARK_H_
#define DFS_COMMON_ROCKSDB_DURABLE_MARK_H_

#include <array>
#include <cstdint>
#include <memory>
#include <string>

#include <rocksdb/env.h>
#include <rocksdb/file_system.h>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/executor.h"
#include "common/sync.h"

namespace dfs {

// A position in three numbers; what they mean is up to the database. All zero: nothing was durable yet.
using DurableWords = std::array<std::uint64_t, 3>;

// Thread-safe.
class RocksdbDurableMark {
 public:
  // Reads the file, or makes an empty one.
  static absl::StatusOr<std::unique_ptr<RocksdbDurableMark>> Open(rocksdb::Env* env,
                                                                  std::string path,
                                                                  std::string thread_name);
  ~RocksdbDurableMark();  // writes what is noted

  // What the file said when it was opened; all zero if nothing.
  [[nodiscard]] const DurableWords& found() const { return found_; }

  // `position` is durable now. Written soon.
  void Note(const DurableWords& position) ABSL_LOCKS_EXCLUDED(mutex_);
  // As Note, unless as much or more (in lexicographic order) is noted already: for positions that never fall and are
  // reported by several threads at once.
  void Raise(const DurableWords& position) ABSL_LOCKS_EXCLUDED(mutex_);
  // The log is about to end before the mark lawfully (a snapshot takes the place of a longer log of an earlier
  // term). Durable on return. Blocks on disk.
  [[nodiscard]] absl::Status Lower(const DurableWords& position)
      ABSL_LOCKS_EXCLUDED(file_mutex_, mutex_);

 private:
  RocksdbDurableMark(rocksdb::Env* env, std::string path, std::string thread_name);
  absl::Status ReadFile();
  absl::Status WriteFileLocked(const DurableWords& position)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(file_mutex_);
  void NoteLocked(const DurableWords& position) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void WriteNoted() ABSL_LOCKS_EXCLUDED(file_mutex_, mutex_);

  rocksdb::Env* const env_;
  const std::string path_;
  DurableWords found_{};
  Mutex file_mutex_;  // before mutex_
  std::unique_ptr<rocksdb::FSRandomRWFile> file_ ABSL_GUARDED_BY(file_mutex_);
  std::uint64_t sequence_ ABSL_GUARDED_BY(file_mutex_) = 0;
  Mutex mutex_;
  DurableWords noted_ ABSL_GUARDED_BY(mutex_){};
  bool is_scheduled_ ABSL_GUARDED_BY(mutex_) = false;
  bool has_failed_ ABSL_GUARDED_BY(mutex_) = false;
  ThreadExecutor executor_;  // last: its task uses the others
};

}  // namespace dfs

#endif  // DFS_COMMON_ROCKSDB_DURABLE_MARK_H_
