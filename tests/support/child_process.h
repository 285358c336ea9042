// Real processes in tests: started, signalled, waited for, and never left behind.
#ifndef DFS_TESTS_SUPPORT_CHILD_PROCESS_H_
#define DFS_TESTS_SUPPORT_CHILD_PROCESS_H_

#include <sys/types.h>

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/time/time.h"

namespace dfs::testing {

// Added to or, when empty, taken from the environment of a child.
using Environment = std::map<std::string, std::string>;

// Where a child's standard streams come from and go to; an empty path is /dev/null.
struct ChildStreams {
  std::string in;
  std::string out;  // appended to
  std::string err;  // appended to; may be the same file
};

// One child process. It is killed when this object goes, and also when the test's process dies or the thread
// that started it ends. Not thread-safe.
class ChildProcess {
 public:
  ChildProcess() = default;
  // `command[0]` is looked up in PATH. CHECK-fails if the process cannot be made; a program that cannot be
  // executed exits with 127.
  ChildProcess(const std::vector<std::string>& command, const ChildStreams& streams,
               const Environment& environment = {});
  ~ChildProcess();
  ChildProcess(ChildProcess&& other) noexcept;
  ChildProcess& operator=(ChildProcess&& other) noexcept;

  // 0 if there is none, or it has been waited for.
  [[nodiscard]] pid_t pid() const { return pid_; }
  [[nodiscard]] bool is_running() const { return pid_ != 0; }
  // Also true for a stopped process. Reaps the child if it has ended.
  [[nodiscard]] bool IsAlive();
  // Does nothing if there is no process.
  void Signal(int signal);
  // Waits until the process has ended and reaps it. Its exit status, or 128 + the signal that ended it; nullopt if
  // it still runs after `timeout`. The last status again if it has ended already.
  std::optional<int> WaitFor(absl::Duration timeout);
  // SIGKILL and WaitFor.
  void Kill();
  // The most memory that it, or a process that it has waited for, had resident at once, in MB; not less than what this process had
  // that is not of files when it started it, as that is copied. 0 before it has been waited for.
  [[nodiscard]] double peak_mb() const { return peak_mb_; }

 private:
  pid_t pid_ = 0;
  int handle_ = -1;  // a pidfd: readable once the process has ended
  int exit_status_ = 0;
  double peak_mb_ = 0;
};

struct CommandResult {
  int exit_code = -1;  // 128 + signal if one ended it; -1 if it was killed after the timeout
  std::string out;
  std::string err;
  absl::Duration elapsed;
  double peak_mb = 0;  // ChildProcess::peak_mb
};
// Runs a program to its end with `in` as its standard input.
CommandResult RunCommand(const std::vector<std::string>& command, std::string_view in = {},
                         const Environment& environment = {},
                         absl::Duration timeout = absl::Seconds(60));

// Whether the running test has failed or, between tests, the suite: then what could explain it is kept.
bool HasFailedHere();

// A line of /proc/PID/status that is in kB ("VmRSS", "VmHWM"), in MB; 0 if there is none.
double StatusMb(pid_t pid, const std::string& name);

// What a process, all threads together, has used of the processors; 0 if there is none.
absl::Duration ProcessorTime(pid_t pid);

// The content of a file; empty if it cannot be read.
std::string ReadFile(const std::string& path);
void WriteFile(const std::string& path, std::string_view content);

// A fresh folder below the system's folder for temporary files, removed with all it holds when this
// object goes; with kUnlessFailed not if a test has failed by then (its path is printed instead).
class TemporaryFolder {
 public:
  enum class Removal { kUnlessFailed, kAlways, kNever };
  explicit TemporaryFolder(Removal removal = Removal::kUnlessFailed);
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] std::string File(std::string_view name) const;
  // It outlives this object.
  void Keep() { removal_ = Removal::kNever; }

 private:
  Removal removal_;
  std::string path_;
};

}  // namespace dfs::testing

#endif  // DFS_TESTS_SUPPORT_CHILD_PROCESS_H_
