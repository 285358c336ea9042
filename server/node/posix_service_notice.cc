// Datagrams to NOTIFY_SOCKET.
#include <glog/logging.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <cstring>

#include "server/node/service_notice.h"

namespace dfs::node {
namespace {

constexpr std::size_t kStateBytesMax = 4096;

}  // namespace

void NotifyService(std::string_view state) {
  // Read at each call: a program that begins anew in the same process has the environment of its start.
  const char* path = std::getenv("NOTIFY_SOCKET");  // NOLINT(concurrency-mt-unsafe): nobody sets variables here
  if (path == nullptr || *path == '\0') return;
  sockaddr_un to{};
  to.sun_family = AF_UNIX;
  const std::size_t length = std::strlen(path);
  if ((*path != '/' && *path != '@') || length >= sizeof to.sun_path || state.size() > kStateBytesMax) {
    LOG(WARNING) << "the service manager cannot be told: NOTIFY_SOCKET=" << path;
    return;
  }
  std::memcpy(to.sun_path, path, length);
  // A name that begins with @ stands for one in the abstract namespace, whose first byte is zero and which no zero ends.
  if (*path == '@') to.sun_path[0] = '\0';
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + length + (*path == '/' ? 1 : 0));
  const int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) {
    PLOG(WARNING) << "the service manager cannot be told";
    return;
  }
  if (sendto(fd, state.data(), state.size(), MSG_NOSIGNAL, reinterpret_cast<const sockaddr*>(&to), size) < 0) {
    PLOG(WARNING) << "the service manager at " << path << " does not listen";
  }
  close(fd);
}

}  // namespace dfs::node
