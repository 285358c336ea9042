// The durable-through mark: a small file beside the database that says how far its synced content reached, so
// that a start notices when synced data is gone (rule R22). And how far its MANIFEST did: one that lost whole records at its
// end opens without a complaint, and without tables whose log is gone.
//
// Two slots for each, written in turn, each with its own checksum: a torn write costs one slot at most. The
// mark is written after the sync that it describes, in the background: it may lag, never lead.
#ifndef DFS_COMMON_ROCKSDB_DURABLE_MARK_H_
#define DFS_COMMON_ROCKSDB_DURABLE_MARK_H_

#include <array>
#include <compare>
#include <cstddef>
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

// MANIFEST-<number>, durable up to `bytes`. All zero: nothing is known. Grows for as long as it is one database.
struct ManifestPosition {
  std::uint64_t number = 0;
  std::uint64_t bytes = 0;
  friend auto operator<=>(const ManifestPosition&, const ManifestPosition&) = default;
};

// Thread-safe.
class RocksdbDurableMark {
 public:
  // Reads the file, or makes an empty one.
  static absl::StatusOr<std::unique_ptr<RocksdbDurableMark>> Open(rocksdb::Env* env,
                                                                  std::string path,
                                                                  std::string thread_name);
  ~RocksdbDurableMark();  // writes what is noted

  // What the file said when it was opened; all zero if nothing.
  [[nodiscard]] const DurableWords& found() const { return found_[kContent]; }
  [[nodiscard]] ManifestPosition found_manifest() const {
    return {found_[kManifest][0], found_[kManifest][1]};
  }

  // `position` is durable now. Written soon.
  void Note(const DurableWords& position) ABSL_LOCKS_EXCLUDED(mutex_);
  // As Note, unless as much or more (in lexicographic order) is noted already: for positions that never fall and are
  // reported by several threads at once.
  void Raise(const DurableWords& position) ABSL_LOCKS_EXCLUDED(mutex_);
  // The log is about to end before the mark lawfully (a snapshot takes the place of a longer log of an earlier
  // term). Durable on return. Blocks on disk.
  [[nodiscard]] absl::Status Lower(const DurableWords& position)
      ABSL_LOCKS_EXCLUDED(file_mutex_, mutex_);
  // As Raise, for the MANIFEST.
  void RaiseManifest(const ManifestPosition& position) ABSL_LOCKS_EXCLUDED(mutex_);
  // As Lower, for the MANIFEST of a database that was made anew.
  [[nodiscard]] absl::Status LowerManifest(const ManifestPosition& position)
      ABSL_LOCKS_EXCLUDED(file_mutex_, mutex_);

 private:
  // What has a pair of slots.
  enum Track : std::size_t { kContent, kManifest, kTracks };
  template <class Value>
  using EachTrack = std::array<Value, kTracks>;
  RocksdbDurableMark(rocksdb::Env* env, std::string path, std::string thread_name);
  absl::Status ReadFile();
  absl::Status ReadSlotsLocked(Track track) ABSL_EXCLUSIVE_LOCKS_REQUIRED(file_mutex_);
  absl::Status WriteSlotLocked(Track track, const DurableWords& position)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(file_mutex_);
  absl::Status WriteChangedLocked(const EachTrack<DurableWords>& positions)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(file_mutex_);
  absl::Status LowerTrack(Track track, const DurableWords& position)
      ABSL_LOCKS_EXCLUDED(file_mutex_, mutex_);
  void NoteLocked(Track track, const DurableWords& position)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void WriteNoted() ABSL_LOCKS_EXCLUDED(file_mutex_, mutex_);

  rocksdb::Env* const env_;
  const std::string path_;
  EachTrack<DurableWords> found_{};
  Mutex file_mutex_;  // before mutex_
  std::unique_ptr<rocksdb::FSRandomRWFile> file_ ABSL_GUARDED_BY(file_mutex_);
  EachTrack<std::uint64_t> sequences_ ABSL_GUARDED_BY(file_mutex_){};  // of the slots written last
  EachTrack<DurableWords> written_ ABSL_GUARDED_BY(file_mutex_){};
  Mutex mutex_;
  EachTrack<DurableWords> noted_ ABSL_GUARDED_BY(mutex_){};
  bool is_scheduled_ ABSL_GUARDED_BY(mutex_) = false;
  bool has_failed_ ABSL_GUARDED_BY(mutex_) = false;
  ThreadExecutor executor_;  // last: its task uses the others
};

}  // namespace dfs

#endif  // DFS_COMMON_ROCKSDB_DURABLE_MARK_H_
