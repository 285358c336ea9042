#include "server/gateway/posix_handover_socket.h"

#include <fcntl.h>
#include <glog/logging.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/chunk/stored_chunk.h"
#include "server/coordinator/get_operation.h"

namespace dfs::gateway {
namespace {

constexpr int kBacklog = 64;
constexpr mode_t kSocketMode = 0666;      // the ticket is what opens the door

std::string ErrorText(int error) { return std::generic_category().message(error); }

bool FillAddress(const std::string& path, sockaddr_un* address) {
  *address = {};
  address->sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof address->sun_path) return false;
  std::memcpy(address->sun_path, path.data(), path.size());
  return true;
}

int Bind(int socket, const sockaddr_un& address) {
  return bind(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 ? 0 : errno;
}

// Whether the socket file is one that nobody listens at.
bool IsLeftBehind(const sockaddr_un& address) {
  struct stat status {};
  if (lstat(address.sun_path, &status) != 0 || !S_ISSOCK(status.st_mode)) return false;
  const int probe = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
  if (probe < 0) return false;
  const bool is_refused =
      connect(probe, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 && errno == ECONNREFUSED;
  close(probe);
  return is_refused;
}

bool HasSpoken(int client) {
  pollfd state{client, POLLIN, 0};
  return poll(&state, 1, 0) == 1;
}

// An open file of its own, so that what the client does with it (locks, flags, position) stays with the client. -1: not possible.
int OpenAgain(int descriptor) {
  return open(absl::StrCat("/proc/self/fd/", descriptor).c_str(), O_RDONLY | O_CLOEXEC);
}

void Send(int client, const std::vector<int>& files) {
  char count = static_cast<char>(files.size());
  iovec part{&count, 1};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(coordinator::kHandedChunksMax * sizeof(int))> control{};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  if (!files.empty()) {
    message.msg_control = control.data();
    message.msg_controllen = CMSG_SPACE(files.size() * sizeof(int));
    cmsghdr* const header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(files.size() * sizeof(int));
    std::memcpy(CMSG_DATA(header), files.data(), files.size() * sizeof(int));
  }
  // A client that is gone takes the slow way next time.
  (void)sendmsg(client, &message, MSG_NOSIGNAL);
}

}  // namespace

absl::StatusOr<std::unique_ptr<HandoverSocket>> HandoverSocket::Listen(const Options& options, HandoverDesk* desk) {
  sockaddr_un address{};
  if (!FillAddress(options.path, &address)) {
    return absl::InvalidArgumentError(absl::StrCat("--unix-socket=", options.path, ": at most ", sizeof address.sun_path - 1, " bytes"));
  }
  const int listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
  if (listener < 0) return absl::UnavailableError(absl::StrCat("no Unix socket: ", ErrorText(errno)));
  int error = Bind(listener, address);
  if (error == EADDRINUSE && IsLeftBehind(address) && unlink(address.sun_path) == 0) error = Bind(listener, address);
  if (error == 0 && (chmod(address.sun_path, kSocketMode) != 0 || listen(listener, kBacklog) != 0)) error = errno;
  if (error != 0) {
    close(listener);
    return absl::UnavailableError(absl::StrCat("--unix-socket=", options.path, ": ", ErrorText(error)));
  }
  return std::unique_ptr<HandoverSocket>(new HandoverSocket(options, listener, desk));
}

HandoverSocket::HandoverSocket(Options options, int listener, HandoverDesk* desk)
    : options_(std::move(options)), listener_(listener), desk_(desk) {
  acceptor_.Post([this] { Accept(); });
}

HandoverSocket::~HandoverSocket() {
  shutdown(listener_, SHUT_RDWR);  // ends the accept
  acceptor_.Stop();
  threads_.Stop();
  close(listener_);
  unlink(options_.path.c_str());
}

void HandoverSocket::Accept() {
  for (;;) {
    const int client = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (client >= 0 && clients_ >= options_.clients_max) {
      close(client);
    } else if (client >= 0) {
      ++clients_;
      const auto serve = [this, client] {
        Serve(client);
        close(client);
        --clients_;
      };
      // What it wants mostly came along with it: then nobody has to be woken, and nobody is waited for.
      if (HasSpoken(client)) {
        serve();
      } else {
        threads_.Post(serve);
      }
    } else if (errno != EINTR && errno != ECONNABORTED) {
      // The end, or no descriptors: gets are answered as ever.
      if (errno != EINVAL) LOG(ERROR) << "no more files are handed over: " << ErrorText(errno);
      return;
    }
  }
}

void HandoverSocket::Serve(int client) {
  const timeval patience = absl::ToTimeval(options_.client_patience);
  setsockopt(client, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  setsockopt(client, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  std::array<char, coordinator::kHandedChunksMax * HandoverDesk::kTicketBytes> tickets{};
  const ssize_t got = recv(client, tickets.data(), tickets.size(), 0);
  if (got <= 0 || static_cast<std::size_t>(got) % HandoverDesk::kTicketBytes != 0) return;
  ucred peer{};
  socklen_t size = sizeof peer;
  const bool is_known = getsockopt(client, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0;
  const bool may_have = is_known && (peer.uid != geteuid() || options_.serves_own_user);
  std::vector<int> files;
  const std::string_view all(tickets.data(), static_cast<std::size_t>(got));
  bool has_all = may_have;
  for (std::size_t at = 0; at < all.size(); at += HandoverDesk::kTicketBytes) {
    const auto reader = desk_->Take(all.substr(at, HandoverDesk::kTicketBytes));
    const int file = has_all && reader != nullptr ? OpenAgain(chunk::DescriptorOf(*reader)) : -1;
    if (file >= 0) files.push_back(file);
    has_all = has_all && file >= 0;
  }
  Send(client, has_all ? files : std::vector<int>());
  for (const int file : files) close(file);
}

}  // namespace dfs::gateway
