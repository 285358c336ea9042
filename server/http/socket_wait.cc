#include "server/http/socket_wait.h"

#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string>

#include "absl/strings/str_cat.h"

namespace dfs::http {

absl::Status BrokenSocket(std::string_view what, int error_number) {
  return absl::CancelledError(
      absl::StrCat("the client's connection: ", std::string(what), ": ", std::strerror(error_number)));
}

absl::Status AwaitSocket(int descriptor, short events, MonotonicTime deadline, const Clock& clock) {
  while (true) {
    const absl::Duration left = deadline - clock.Now();
    if (left <= absl::ZeroDuration()) {
      return absl::DeadlineExceededError("the client moves too slowly");
    }
    pollfd poll_for{descriptor, events, 0};
    const auto wait = std::min(left + absl::Milliseconds(1), absl::Hours(1));
    const int ready = ::poll(&poll_for, 1, static_cast<int>(absl::ToInt64Milliseconds(wait)));
    if (ready > 0) return absl::OkStatus();
    if (ready < 0 && errno != EINTR) return BrokenSocket("poll", errno);
  }
}

}  // namespace dfs::http
