#include "tests/support/byte_proxy.h"

#include <arpa/inet.h>
#include <glog/logging.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>

namespace dfs::testing {
namespace {

sockaddr_in Loopback(int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

// Every write is to be a packet of its own.
void SetNoDelay(int fd) {
  const int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

}  // namespace

ByteProxy::ByteProxy(const std::string& target, std::size_t piece_bytes, bool gathers)
    : target_port_(std::stoi(target.substr(target.rfind(':') + 1))),
      piece_bytes_(piece_bytes),
      gathers_(gathers),
      threads_("byte-proxy", 1 + 2 * kConnectionsMax) {
  listener_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = Loopback(0);
  socklen_t length = sizeof address;
  PCHECK(bind(listener_, reinterpret_cast<const sockaddr*>(&address), length) == 0);
  PCHECK(listen(listener_, static_cast<int>(kConnectionsMax)) == 0);
  PCHECK(getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &length) == 0);
  port_ = ntohs(address.sin_port);
  threads_.Post([this] { Accept(); });
}

ByteProxy::~ByteProxy() {
  {
    MutexLock lock(&mutex_);
    is_stopping_ = true;
    shutdown(listener_, SHUT_RDWR);
    for (const int fd : open_) shutdown(fd, SHUT_RDWR);
  }
  threads_.Stop();
  close(listener_);
  MutexLock lock(&mutex_);
  for (const int fd : open_) close(fd);
}

bool ByteProxy::Keep(int fd) {
  MutexLock lock(&mutex_);
  if (is_stopping_ || open_.size() >= 2 * kConnectionsMax) {
    close(fd);
    return false;
  }
  open_.push_back(fd);
  return true;
}

void ByteProxy::Accept() {
  while (true) {
    const int client = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (client < 0) return;
    const int server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (!Keep(client) || !Keep(server)) return;
    const sockaddr_in address = Loopback(target_port_);
    if (connect(server, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
      shutdown(client, SHUT_RDWR);
      continue;
    }
    SetNoDelay(client);
    SetNoDelay(server);
    threads_.Post([this, client, server] { Pump(client, server, hold_after_); });
    threads_.Post([this, client, server] { Pump(server, client, UINT64_MAX); });
  }
}

std::size_t ByteProxy::Gather(int from, char* buffer, std::size_t size, std::size_t size_max) {
  constexpr int kMomentMs = 5;
  pollfd waits{from, POLLIN, 0};
  while (size < size_max && poll(&waits, 1, kMomentMs) > 0) {
    const ssize_t more = recv(from, buffer + size, size_max - size, 0);
    if (more <= 0) break;  // the next read says so again
    size += static_cast<std::size_t>(more);
  }
  return size;
}

void ByteProxy::Pump(int from, int to, std::uint64_t hold_after) {
  std::uint64_t passed = 0;
  std::array<char, 65'536> buffer{};
  while (true) {
    if (passed >= hold_after) {
      has_held_ = true;
      // Taken all the same: behind a full window the client's FIN would never come.
      while (recv(from, buffer.data(), buffer.size(), 0) > 0) {
      }
      break;
    }
    const ssize_t first = recv(from, buffer.data(), buffer.size(), 0);
    if (first <= 0) break;
    auto received = static_cast<std::size_t>(first);
    if (gathers_) received = Gather(from, buffer.data(), received, buffer.size());
    passed += received;
    std::size_t sent = 0;
    while (!is_black_hole_ && sent < received) {
      const std::size_t piece = std::min(piece_bytes_, received - sent);
      const ssize_t taken = send(to, buffer.data() + sent, piece, MSG_NOSIGNAL);
      if (taken <= 0) break;
      sent += static_cast<std::size_t>(taken);
    }
  }
  shutdown(to, SHUT_WR);
}

}  // namespace dfs::testing
