// Many files at once: workers, one bar, a line for each file, the sum of it all.
#ifndef DFS_CLIENT_CLI_TRANSFER_BOARD_H_
#define DFS_CLIENT_CLI_TRANSFER_BOARD_H_

#include <CLI/CLI.hpp>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "client/cli/progress_line.h"
#include "client/cli/session.h"
#include "client/cli/transfer_plan.h"
#include "client/file_client.h"
#include "common/sync.h"

namespace dfs::client::cli {

inline constexpr std::size_t kJobsDefault = 4;
inline constexpr std::size_t kJobsMax = 64;  // each has a stream of 1 MiB messages in memory

// -j,--jobs
void AddJobsFlag(CLI::App& app, std::size_t& jobs);

// What became of one file.
struct FileDone {
  std::string line;           // for people
  bool is_data = false;       // the line goes to standard output, else to standard error
  Json json;
  std::uint64_t bytes = 0;
  bool was_there = false;     // nothing had to be moved
  bool is_silent = false;     // it is counted, and no line is printed; nor does it show that the cluster answers
};

// Runs `count` operations on `jobs` threads and reports each as it ends. Gives up, and says how many files were not tried, when it
// makes no sense to go on: nobody can be reached or we are not let in, or kHopelessMax files in a row have failed for want of a
// quorum or of time.
class TransferBoard {
 public:
  static constexpr int kHopelessMax = 8;

  // `verb` is for the summary, for example "stored". `bytes` in all.
  TransferBoard(Session& session, std::string verb, std::size_t count, std::uint64_t bytes);

  // Called by several threads at once, with the number of the file and what is to be told of its progress.
  using Operation = std::function<absl::StatusOr<FileDone>(std::size_t index, const OnProgress& on_progress)>;
  using NameOf = std::function<std::string(std::size_t index)>;
  // Blocks until all have ended. Once.
  void Run(std::size_t jobs, const Operation& operation, const NameOf& name_of) ABSL_LOCKS_EXCLUDED(mutex_);

  // Gives up, too, when a file fails with this exit code. Before Run.
  void GiveUpAt(int exit_code) ABSL_LOCKS_EXCLUDED(mutex_);

  // Files that were not even tried: they count as failed.
  void Fail(const Failures& failures) ABSL_LOCKS_EXCLUDED(mutex_);
  // Says the sum, with `note` behind it if that is not empty. Exit code: 0; 2 if some files failed and others did not; that of the
  // first failure if all failed.
  int Finish(const std::string& note = "") ABSL_LOCKS_EXCLUDED(mutex_);

  // Instead of Finish, where several boards make one sum, or the sum is said in other words.
  struct Sum {
    std::uint64_t done = 0;         // those that were there, too
    std::uint64_t were_there = 0;
    std::uint64_t failed = 0;
    std::uint64_t untried = 0;      // it gave up before
    std::uint64_t bytes_moved = 0;
    int first_failure = kExitOk;
    void Add(const Sum& later);
    // As Finish says it, and its exit code.
    [[nodiscard]] std::string Text(const std::string& verb, bool is_human) const;
    [[nodiscard]] int ExitCode() const { return first_failure != kExitOk && done > 0 ? kExitPartly : first_failure; }
  };
  [[nodiscard]] Sum sum() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  void Work(std::size_t worker, const Operation& operation, const NameOf& name_of) ABSL_LOCKS_EXCLUDED(mutex_);
  // The number of a file that nobody has begun; `count_`: there is none, or it is over.
  std::size_t Next() ABSL_LOCKS_EXCLUDED(mutex_);
  void Progress(std::size_t worker, std::uint64_t bytes) ABSL_LOCKS_EXCLUDED(mutex_);
  void Record(std::size_t worker, const FileDone& done) ABSL_LOCKS_EXCLUDED(mutex_);
  // Takes the line of progress away.
  [[nodiscard]] Sum TakeSum() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void RecordFailure(const std::string& name, const absl::Status& status) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const std::string verb_;
  const std::size_t count_;
  const std::uint64_t bytes_;

  Mutex mutex_;
  Session& session_ ABSL_GUARDED_BY(mutex_);
  ProgressLine line_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::uint64_t> moving_ ABSL_GUARDED_BY(mutex_);  // by worker: bytes of its file
  std::size_t next_ ABSL_GUARDED_BY(mutex_) = 0;
  Sum sum_ ABSL_GUARDED_BY(mutex_);  // `untried` is known at the end
  std::uint64_t bytes_done_ ABSL_GUARDED_BY(mutex_) = 0;
  int hopeless_ ABSL_GUARDED_BY(mutex_) = 0;  // in a row
  bool has_given_up_ ABSL_GUARDED_BY(mutex_) = false;
  int gives_up_at_ ABSL_GUARDED_BY(mutex_) = kExitUnreachable;
};

}  // namespace dfs::client::cli

#endif  // DFS_CLIENT_CLI_TRANSFER_BOARD_H_
