// Decides whether what clients saw is explained by the order that the log claims to have given
// their changes.
//
// Each change that was decided tells the entry that decided it. So there is a candidate for the
// order, over all names and buckets at once, and nothing has to be searched: changes are played in
// that order on the reference, each must get the answer that it got, the order must respect who was
// answered before who asked, and each strong read must fit between. If all of that holds the
// history is linearizable, moves, conditions, quotas and listings included; if not, either it is
// not or the log lied about its order.
#ifndef DFS_TESTS_SUPPORT_ORDERED_HISTORY_H_
#define DFS_TESTS_SUPPORT_ORDERED_HISTORY_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "tests/support/reference_files.h"

namespace dfs::testing {

struct SeenRead {
  enum class Kind {
    kFile,      // a file, or a version of it
    kList,      // all files of a bucket with a prefix
    kNoBucket,  // that there is no such bucket
  };
  Kind kind = Kind::kFile;
  // Strong ones see all that was answered before. Others see some earlier state, and one state
  // only.
  bool is_strong = true;
  std::string bucket;
  std::string name;                      // of a list: the prefix
  std::optional<std::uint64_t> version;  // that was asked for; else the current one
  std::optional<FileVersion> found;      // of a file
  // Of a list; nullopt: there was no such bucket.
  std::optional<std::map<std::string, FileVersion>> listed;
  std::uint64_t applied_index = 0;  // of a list: of the state that it is said to show; 0: not told
  int client = 0;
  std::int64_t start = 0;
  std::int64_t end = 0;
};

// What one node's state holds after the last change.
struct SeenState {
  struct Bucket {
    std::uint64_t id = 0;
    std::map<std::string, HeldVersions> files;
    // As the node counts them.
    std::uint64_t files_counted = 0;
    std::uint64_t bytes_counted = 0;
    std::uint64_t old_versions_counted = 0;
    std::uint64_t old_bytes_counted = 0;
  };
  std::map<std::string, Bucket> buckets;
};

// Not thread-safe.
class OrderedHistory {
 public:
  // What the bucket "default" promises.
  explicit OrderedHistory(const BucketPromise& of_default = {}) : of_default_(of_default) {}
  // A time that no other event has.
  std::int64_t Tick() { return next_time_++; }
  void Record(DecidedChange change) { changes_.push_back(std::move(change)); }
  void Record(SeenRead read) { reads_.push_back(std::move(read)); }
  [[nodiscard]] std::uint64_t count() const { return changes_.size() + reads_.size(); }

  // kFailedPrecondition with what is wrong. `last`: compared with what all changes leave behind.
  [[nodiscard]] absl::Status Check(const std::optional<SeenState>& last) const;

 private:
  BucketPromise of_default_;
  std::int64_t next_time_ = 1;
  std::vector<DecidedChange> changes_;
  std::vector<SeenRead> reads_;
};

}  // namespace dfs::testing

#endif  // DFS_TESTS_SUPPORT_ORDERED_HISTORY_H_
