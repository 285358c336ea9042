// Waiting for a socket that does not block.
#ifndef DFS_SERVER_HTTP_SOCKET_WAIT_H_
#define DFS_SERVER_HTTP_SOCKET_WAIT_H_

#include <string_view>

#include "absl/status/status.h"
#include "common/clock.h"

namespace dfs::http {

// kCancelled, with the error of the system.
absl::Status BrokenSocket(std::string_view what, int error_number);

// Blocks until one of the events (poll(2)) is there. kDeadlineExceeded; kCancelled as above.
absl::Status AwaitSocket(int descriptor, short events, MonotonicTime deadline, const Clock& clock);

}  // namespace dfs::http

#endif  // DFS_SERVER_HTTP_SOCKET_WAIT_H_
