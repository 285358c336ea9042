// Opens TCP connections to see whether anybody is there.
#include <fcntl.h>
#include <glog/logging.h>
#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <string>

#include "server/node/recovery.h"

namespace dfs::node {
namespace {

constexpr int kDialMilliseconds = 2'000;

bool Connects(const addrinfo& to) {
  const int fd = socket(to.ai_family, to.ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return true;  // not known to be away
  bool is_connected = connect(fd, to.ai_addr, to.ai_addrlen) == 0;
  if (!is_connected && errno == EINPROGRESS) {
    pollfd wait{fd, POLLOUT, 0};
    if (poll(&wait, 1, kDialMilliseconds) == 1) {
      int error = 0;
      socklen_t size = sizeof error;
      is_connected = getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0 && error == 0;
    }
  }
  close(fd);
  return is_connected;
}

}  // namespace

bool AnswersTcp(const std::string& address) {
  const auto colon = address.rfind(':');
  std::string host = address.substr(0, colon);
  if (host.size() > 2 && host.front() == '[') host = host.substr(1, host.size() - 2);
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (getaddrinfo(host.c_str(), address.substr(colon + 1).c_str(), &hints, &found) != 0) {
    LOG(WARNING) << "no machine is known by the name of " << address;
    return false;
  }
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> owned(found, &freeaddrinfo);
  for (const addrinfo* at = found; at != nullptr; at = at->ai_next) {
    if (Connects(*at)) return true;
  }
  return false;
}

}  // namespace dfs::node
