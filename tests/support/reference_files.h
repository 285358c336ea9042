// What buckets, names and versions are after one change and another: the meaning of the commands,
// without any cluster. Written anew from what is promised, not from the state machine that it
// judges.
#ifndef DFS_TESTS_SUPPORT_REFERENCE_FILES_H_
#define DFS_TESTS_SUPPORT_REFERENCE_FILES_H_

#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"

namespace dfs::testing {

struct BucketPromise {
  std::uint32_t versions_kept = 1;  // the current one included
  std::uint64_t quota_bytes = 0;    // 0: none
  std::uint64_t quota_files = 0;
  std::uint64_t copies_least = 0;  // durable before a put is answered
};

struct FileVersion {
  std::uint64_t number = 0;
  std::uint64_t value = 0;  // which bytes they are
  std::uint64_t size = 0;
  friend bool operator==(const FileVersion&, const FileVersion&) = default;
};
std::string ToText(const FileVersion& version);
// The current version first, then the kept ones, newest first. Empty: there is no such file.
using HeldVersions = std::vector<FileVersion>;

enum class Verdict { kDone, kNotFound, kPreconditionFailed, kExists, kOverQuota, kNotEmpty };
const char* NameOf(Verdict verdict);

// A change that was decided: what was asked, and what was answered.
struct DecidedChange {
  enum class Kind { kPut, kRemove, kMove, kUndelete, kClear, kMakeBucket, kRemoveBucket };
  static constexpr std::int64_t kNever = std::numeric_limits<std::int64_t>::max();

  Kind kind = Kind::kPut;
  std::string bucket;
  std::string name;                         // of a clear: the prefix; of a move: the source
  std::string target;                       // of a move
  FileVersion content;                      // of a put; number 0
  std::optional<std::uint64_t> if_version;  // 0: there must be none
  bool if_absent = false;
  std::optional<std::uint64_t> version;  // of a removal: an older one; of an undelete
  bool replaces = false;                 // of an undelete
  BucketPromise promise;                 // of a new bucket
  int client = 0;
  // Any clock that orders all events of a history. kNever: nobody was told before the history
  // ended.
  std::int64_t start = 0;
  std::int64_t end = kNever;

  Verdict verdict = Verdict::kDone;
  std::uint64_t log_index = 0;  // of the entry that decided
  FileVersion answered;  // what was put, moved, brought back (as it is now) or removed (as it was)
  std::uint64_t count = 0;  // of a clear: files; of a move: the number before; of a new bucket: its
                            // id; of a put: copies that were durable
};
std::string ToText(const DecidedChange& change);

// Not thread-safe.
class ReferenceFiles {
 public:
  struct Bucket {
    std::uint64_t id = 0;
    BucketPromise promise;
    std::map<std::string, HeldVersions> files;  // none is empty
    // What was removed or replaced, by name and number. Some of it may have been purged.
    std::map<std::string, std::map<std::uint64_t, FileVersion>> trash;
    [[nodiscard]] std::uint64_t current_bytes() const;
    [[nodiscard]] std::uint64_t kept_versions() const;  // the current ones not counted
    [[nodiscard]] std::uint64_t kept_bytes() const;
  };

  // There is the bucket "default".
  explicit ReferenceFiles(const BucketPromise& of_default);
  // kFailedPrecondition: this change cannot have had that answer here. The state is of no use then.
  absl::Status Apply(const DecidedChange& change);
  [[nodiscard]] const std::map<std::string, Bucket>& buckets() const { return buckets_; }
  [[nodiscard]] std::uint64_t last_version() const { return last_version_; }
  // The names in the change's bucket that the last change may have touched.
  [[nodiscard]] const std::vector<std::string>& touched() const { return touched_; }

 private:
  [[nodiscard]] Verdict VerdictOf(const DecidedChange& change, Bucket* bucket) const;
  absl::Status Do(const DecidedChange& change, Bucket& bucket);
  absl::Status Put(const DecidedChange& change, Bucket& bucket);
  absl::Status Remove(const DecidedChange& change, Bucket& bucket);
  absl::Status Move(const DecidedChange& change, Bucket& bucket);
  absl::Status Undelete(const DecidedChange& change, Bucket& bucket);
  absl::Status Clear(const DecidedChange& change, Bucket& bucket);
  absl::Status MakeBucket(const DecidedChange& change);

  std::map<std::string, Bucket> buckets_;
  std::uint64_t next_bucket_ = 2;
  std::uint64_t last_version_ = 0;
  std::vector<std::string> touched_;
};

}  // namespace dfs::testing

#endif  // DFS_TESTS_SUPPORT_REFERENCE_FILES_H_
