// What clients of a cluster were told about its files, and whether any order of their operations explains it.
#ifndef DFS_TESTS_SUPPORT_CLIENT_HISTORY_H_
#define DFS_TESTS_SUPPORT_CLIENT_HISTORY_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "common/ids.h"
#include "common/sync.h"

namespace dfs::testing {

// Each file name is a register that holds the number of a put, or 0 while there is no file. The content of a put
// belongs to it alone, so that its bytes, and their hash, tell which put they come from.
//
// An operation is recorded by Begin before the call and one of the End functions after it: what lies between is when it
// may have happened.
//
//   put      done, failed for good (nothing may ever show it), or of unknown outcome
//   remove   done (of that version), "no such file" (which is a read, too), failed for good, or unknown
//   read     the content (get) or its hash (stat), or "no such file"; one without an answer says nothing
//
// Thread-safe.
class ClientHistory {
 public:
  enum class Fate { kDone, kFailed, kUnknown };
  enum class Action { kPut, kRemove, kGet, kStat };

  // The fate that an error means, or kDone.
  static Fate FateOf(const absl::Status& status);

  ClientHistory();

  struct Call {
    int client = 0;
    std::string name;
    Action action = Action::kGet;
    std::uint64_t value = 0;  // of a put
    std::int64_t start = 0;
    absl::Duration start_time;  // since the history began; for people
  };

  // The bytes of a new put of `name`, and its number. `size` is a wish: enough bytes are added to tell it apart.
  std::pair<std::uint64_t, std::string> NewContent(const std::string& name, std::size_t size)
      ABSL_LOCKS_EXCLUDED(mutex_);

  // `value`: of a put, from NewContent.
  Call Begin(int client, std::string name, Action action, std::uint64_t value = 0);

  // `version`: that the cluster gave it; 0 if it was not told.
  void EndPut(const Call& call, Fate fate, std::uint64_t version) ABSL_LOCKS_EXCLUDED(mutex_);
  // `version`: that was removed.
  void EndRemove(const Call& call, const absl::Status& status, std::uint64_t version)
      ABSL_LOCKS_EXCLUDED(mutex_);
  // What was read; nullopt: there is no such file. Bytes that nobody put there are a violation.
  void EndRead(const Call& call, const std::optional<Hash128>& hash, std::uint64_t version)
      ABSL_LOCKS_EXCLUDED(mutex_);
  // A read without an answer.
  void EndUnanswered(const Call& call) ABSL_LOCKS_EXCLUDED(mutex_);

  // OK if, file by file, some order that keeps real time explains every answer; no content of a failed put was ever
  // seen; content and version belong together; and versions grow from one put to the next.
  // Else kFailedPrecondition with the name of a file and what is wrong there.
  [[nodiscard]] absl::Status Check() const ABSL_LOCKS_EXCLUDED(mutex_);
  // The operations on one file, a line each, by time of call.
  [[nodiscard]] std::string Describe(std::string_view name) const ABSL_LOCKS_EXCLUDED(mutex_);
  [[nodiscard]] std::vector<std::string> Names() const ABSL_LOCKS_EXCLUDED(mutex_);

  struct Counts {
    std::uint64_t operations = 0;  // that have ended and say something: checked by Check
    std::uint64_t puts = 0;        // done
    std::uint64_t removes = 0;     // done
    std::uint64_t reads = 0;       // answered; "no such file" to a remove counts
    std::uint64_t unknown = 0;     // changes
    std::uint64_t failed = 0;      // changes
    std::uint64_t unanswered = 0;  // reads
    absl::Duration longest_pause;  // between two changes that were done
  };
  [[nodiscard]] Counts counts() const ABSL_LOCKS_EXCLUDED(mutex_);
  // "1,234 operations (…)".
  [[nodiscard]] std::string Summary() const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct Operation {
    Call call;
    std::int64_t end = 0;
    absl::Duration end_time;
    Fate fate = Fate::kDone;
    // Removed or read: the content is not there (0), is that of a put, or is not known (of a remove).
    std::optional<std::uint64_t> value;
    std::uint64_t version = 0;
  };
  using Operations = std::vector<Operation>;

  static absl::Status CheckFile(const Operations& operations);
  static absl::Status CheckVersions(const Operations& operations,
                                    std::map<std::uint64_t, std::uint64_t>& value_of_version);
  static std::string DescribeOperation(const Operation& operation);
  Operation Ended(const Call& call);
  void Record(Operation operation) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const absl::Time began_;
  std::atomic<std::int64_t> next_tick_ = 1;

  mutable Mutex mutex_;
  std::uint64_t last_value_ ABSL_GUARDED_BY(mutex_) = 0;
  std::map<Hash128, std::pair<std::uint64_t, std::string>> contents_ ABSL_GUARDED_BY(mutex_);  // value, name
  std::map<std::string, Operations, std::less<>> operations_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::string> violations_ ABSL_GUARDED_BY(mutex_);
  Counts counts_ ABSL_GUARDED_BY(mutex_);
  absl::Duration last_change_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace dfs::testing

#endif  // DFS_TESTS_SUPPORT_CLIENT_HISTORY_H_
