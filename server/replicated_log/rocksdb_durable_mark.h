// The durable-through mark: a small file beside the database that says how far its synced content reached, so
// that a start notices when synced data is gone (rule R22).
//
// Two slots, written in turn, each with its own checksum: a torn write costs one slot at most. The
// mark is written after the sync that it describes, in the background: it may lag, never lead.
#ifndef DFS_SERVER_REPLICATED_LOG_ROCKSDB_DURABLE_MARK_H_
#define DFS_SERVER_REPLICATED_LOG_ROCKSDB_DURABLE_MARK_H_

#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include <rocksdb/env.h>
#include <rocksdb/file_system.h>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/executor.h"
#include "common/ids.h"
#include "common/sync.h"

namespace dfs::replicated_log {

// How far a log reaches.
struct DurablePosition {
  Term hard_state_term;
  Term last_term;  // of the last entry
  LogIndex last_index;
  bool operator==(const DurablePosition&) const = default;
  [[nodiscard]] std::pair<Term, LogIndex> end() const { return {last_term, last_index}; }
  // Later entries of a log that is truncated and grows again are of later terms, so (term, index) of the end
  // never falls but by a snapshot.
  [[nodiscard]] bool Reaches(const DurablePosition& mark) const {
    return hard_state_term >= mark.hard_state_term && end() >= mark.end();
  }
};
std::string ToString(const DurablePosition& position);

// Thread-safe.
class RocksdbDurableMark {
 public:
  // Reads the file, or makes an empty one.
  static absl::StatusOr<std::unique_ptr<RocksdbDurableMark>> Open(rocksdb::Env* env,
                                                                  std::string path);
  ~RocksdbDurableMark();  // writes what is noted

  // What the file said when it was opened; all zero if nothing.
  [[nodiscard]] const DurablePosition& found() const { return found_; }

  // `position` is durable now. Written soon.
  void Note(const DurablePosition& position) ABSL_LOCKS_EXCLUDED(mutex_);
  // The log is about to end before the mark lawfully (a snapshot takes the place of a longer log of an earlier
  // term). Durable on return. Blocks on disk.
  [[nodiscard]] absl::Status Lower(const DurablePosition& position)
      ABSL_LOCKS_EXCLUDED(file_mutex_, mutex_);

 private:
  RocksdbDurableMark(rocksdb::Env* env, std::string path);
  absl::Status ReadFile();
  absl::Status WriteFileLocked(const DurablePosition& position)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(file_mutex_);
  void WriteNoted() ABSL_LOCKS_EXCLUDED(file_mutex_, mutex_);

  rocksdb::Env* const env_;
  const std::string path_;
  DurablePosition found_;
  Mutex file_mutex_;  // before mutex_
  std::unique_ptr<rocksdb::FSRandomRWFile> file_ ABSL_GUARDED_BY(file_mutex_);
  std::uint64_t sequence_ ABSL_GUARDED_BY(file_mutex_) = 0;
  Mutex mutex_;
  DurablePosition noted_ ABSL_GUARDED_BY(mutex_);
  bool is_scheduled_ ABSL_GUARDED_BY(mutex_) = false;
  bool has_failed_ ABSL_GUARDED_BY(mutex_) = false;
  ThreadExecutor executor_;  // last: its task uses the others
};

}  // namespace dfs::replicated_log

#endif  // DFS_SERVER_REPLICATED_LOG_ROCKSDB_DURABLE_MARK_H_
