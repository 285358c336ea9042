#include "client/cli/terminal.h"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <limits>

namespace dfs::client::cli {

bool HasTerminal() { return ::isatty(STDIN_FILENO) == 1 && ::isatty(STDERR_FILENO) == 1; }

bool IsConfirmed(const std::string& question, absl::Duration patience) {
  std::fprintf(stderr, "%s [y/N] ", question.c_str());
  std::fflush(stderr);
  pollfd input{STDIN_FILENO, POLLIN, 0};
  const std::int64_t wait_ms = std::clamp<std::int64_t>(absl::ToInt64Milliseconds(patience), 0,
                                                        std::numeric_limits<int>::max());
  // A terminal hands out whole lines.
  char answer[16] = "";
  const bool has_line = ::poll(&input, 1, static_cast<int>(wait_ms)) == 1 &&
                        ::read(STDIN_FILENO, answer, sizeof(answer) - 1) > 0;
  if (!has_line) std::fprintf(stderr, "\n");
  return answer[0] == 'y' || answer[0] == 'Y';
}

}  // namespace dfs::client::cli
