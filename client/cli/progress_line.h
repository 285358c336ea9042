// How far a transfer is, on standard error.
#ifndef DFS_CLIENT_CLI_PROGRESS_LINE_H_
#define DFS_CLIENT_CLI_PROGRESS_LINE_H_

#include <cstdint>
#include <string>
#include <utility>

#include "client/cli/session.h"
#include "common/clock.h"

namespace dfs::client::cli {

enum class ProgressStyle {
  kNone,
  kBar,    // one line, drawn over
  kLines,  // a line a second, for logs
  kJson,   // the same as objects
};

// A bar on a terminal, unless -q or --json; with -P lines where there is no terminal.
ProgressStyle StyleFor(const GlobalFlags& flags, bool is_terminal);

// The words of one report. `total` 0: not known.
std::string FormatProgress(const std::string& name, std::uint64_t bytes, std::uint64_t total,
                           absl::Duration elapsed);

// Not thread-safe.
class ProgressLine {
 public:
  ProgressLine(const Session& session, std::string name);
  ~ProgressLine();  // clears the bar
  ProgressLine(const ProgressLine&) = delete;
  ProgressLine& operator=(const ProgressLine&) = delete;

  void Update(std::uint64_t bytes, std::uint64_t total);
  // Another name, for the reports from now on.
  void Rename(std::string name) { name_ = std::move(name); }
  // Makes room on the terminal for a line of something else.
  void Clear();

 private:
  const ProgressStyle style_;
  std::string name_;
  const MonotonicTime began_;
  MonotonicTime drawn_;
  bool is_drawn_ = false;
};

}  // namespace dfs::client::cli

#endif  // DFS_CLIENT_CLI_PROGRESS_LINE_H_
