#include "server/http/http_server.h"

#include <glog/logging.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"

namespace dfs::http {
namespace {

constexpr int kBacklog = 512;
constexpr absl::Duration kSweepEvery = absl::Milliseconds(500);
constexpr int kEventsPerRound = 64;

struct AddressList {
  ~AddressList() {
    if (first != nullptr) freeaddrinfo(first);
  }
  addrinfo* first = nullptr;
};

absl::StatusOr<int> Open(const std::string& address) {
  const auto colon = address.rfind(':');
  if (colon == std::string::npos) {
    return absl::InvalidArgumentError(absl::StrCat(address, " is not host:port"));
  }
  std::string host = address.substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  AddressList found;
  if (getaddrinfo(host.c_str(), address.substr(colon + 1).c_str(), &hints, &found.first) != 0) {
    return absl::InvalidArgumentError(absl::StrCat(address, " is no address"));
  }
  int error_number = EADDRNOTAVAIL;
  for (const addrinfo* at = found.first; at != nullptr; at = at->ai_next) {
    const int made = ::socket(at->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (made < 0) continue;
    const int on = 1;
    ::setsockopt(made, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (::bind(made, at->ai_addr, at->ai_addrlen) == 0 && ::listen(made, kBacklog) == 0) return made;
    error_number = errno;
    ::close(made);
  }
  return absl::UnavailableError(absl::StrCat("cannot listen on --http-listen=", address, ": ",
                                             std::strerror(error_number)));
}

int PortOf(int descriptor) {
  sockaddr_storage name{};
  socklen_t size = sizeof(name);
  if (::getsockname(descriptor, reinterpret_cast<sockaddr*>(&name), &size) != 0) return 0;
  return ntohs(name.ss_family == AF_INET6 ? reinterpret_cast<sockaddr_in6*>(&name)->sin6_port
                                          : reinterpret_cast<sockaddr_in*>(&name)->sin_port);
}

}  // namespace

absl::StatusOr<std::unique_ptr<HttpServer>> HttpServer::Listen(Options options) {
  const auto listener = Open(options.address);
  if (!listener.ok()) return listener.status();
  std::unique_ptr<HttpServer> out(new HttpServer(std::move(options), *listener, PortOf(*listener)));
  out->epoll_ = ::epoll_create1(EPOLL_CLOEXEC);
  out->wake_ = ::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (out->epoll_ < 0 || out->wake_ < 0) {
    return absl::UnavailableError(absl::StrCat("no descriptors: ", std::strerror(errno)));
  }
  for (const int watched : {out->listener_, out->wake_}) {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.fd = watched;
    if (::epoll_ctl(out->epoll_, EPOLL_CTL_ADD, watched, &event) != 0) {
      return absl::UnavailableError(absl::StrCat("epoll: ", std::strerror(errno)));
    }
  }
  out->poller_.Post([server = out.get()] { server->Watch(); });
  return out;
}

HttpServer::HttpServer(Options options, int listener, int port)
    : options_(std::move(options)),
      listener_(listener),
      port_(port),
      next_sweep_(options_.clock->Now()),
      pool_("http", options_.requests_max),
      poller_("http-poller") {}

HttpServer::~HttpServer() {
  Stop(absl::ZeroDuration());
  for (const int descriptor : {listener_, epoll_, wake_}) {
    if (descriptor >= 0) ::close(descriptor);
  }
}

void HttpServer::WakeWatcher() {
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t ignored = ::write(wake_, &one, sizeof(one));
}

void HttpServer::Watch() {
  while (true) {
    {
      MutexLock lock(&mutex_);
      if (is_stopping_) break;
    }
    std::array<epoll_event, kEventsPerRound> events;
    const int count = ::epoll_wait(epoll_, events.data(), kEventsPerRound,
                                   static_cast<int>(absl::ToInt64Milliseconds(kSweepEvery)));
    for (int i = 0; i < count; ++i) {
      const int descriptor = events[static_cast<std::size_t>(i)].data.fd;
      if (descriptor == listener_) {
        Accept();
      } else if (descriptor == wake_) {
        TakeBack();
      } else {
        Hand(descriptor);
      }
    }
    CloseOverdue();
  }
  ::shutdown(listener_, SHUT_RDWR);  // those that come now are refused, and do not wait for the grace to end
  waiting_.clear();
}

// Whoever waits in the backlog would wake this thread again and again.
void HttpServer::Listen(bool is_wanted) {
  if (std::exchange(is_listening_, is_wanted) == is_wanted) return;
  epoll_event event{};
  event.events = is_wanted ? EPOLLIN : 0;
  event.data.fd = listener_;
  ::epoll_ctl(epoll_, EPOLL_CTL_MOD, listener_, &event);
}

void HttpServer::Accept() {
  // Not for ever: others wait as well.
  for (int i = 0; i < kEventsPerRound; ++i) {
    const int accepted = ::accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (accepted >= 0) {
      Admit(accepted);
      continue;
    }
    if (errno != EMFILE && errno != ENFILE) return;
    if (MakeRoom()) continue;
    LOG(WARNING) << "out of descriptors: HTTP clients wait";
    Listen(false);
    return;
  }
}

void HttpServer::Admit(int descriptor) {
  const int on = 1;
  ::setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  auto stream = options_.make_stream(descriptor);
  if (stream == nullptr) return;
  auto connection = std::make_unique<HttpConnection>(std::move(stream), options_.clock, &count_);
  if (count_ > options_.connections_max && !MakeRoom()) {
    connection->Refuse();
    return;
  }
  Rearm(std::move(connection));
}

// The one that has been idle longest; a request that is half there is not.
bool HttpServer::MakeRoom() {
  auto oldest = waiting_.end();
  for (auto at = waiting_.begin(); at != waiting_.end(); ++at) {
    if (!at->second->is_idle()) continue;
    if (oldest == waiting_.end() || at->second->deadline() < oldest->second->deadline()) oldest = at;
  }
  if (oldest == waiting_.end()) return false;
  waiting_.erase(oldest);
  return true;
}

// The descriptor is disarmed once it has fired (EPOLLONESHOT), and leaves the set when it is closed.
void HttpServer::Rearm(std::unique_ptr<HttpConnection> connection) {
  const int descriptor = connection->descriptor();
  epoll_event event{};
  event.events = EPOLLIN | EPOLLRDHUP | EPOLLONESHOT;
  event.data.fd = descriptor;
  if (::epoll_ctl(epoll_, EPOLL_CTL_MOD, descriptor, &event) != 0 &&
      ::epoll_ctl(epoll_, EPOLL_CTL_ADD, descriptor, &event) != 0) {
    return;
  }
  waiting_[descriptor] = std::move(connection);
}

void HttpServer::Hand(int descriptor) {
  const auto found = waiting_.find(descriptor);
  if (found == waiting_.end()) return;
  auto connection = std::move(found->second);
  waiting_.erase(found);
  Consider(std::move(connection));
}

void HttpServer::Consider(std::unique_ptr<HttpConnection> connection) {
  switch (connection->Take()) {
    case HttpConnection::Next::kClose:
      return;
    case HttpConnection::Next::kWait:
      return Rearm(std::move(connection));
    case HttpConnection::Next::kRequest:
      break;
  }
  {
    MutexLock lock(&mutex_);
    served_.insert(connection.get());
  }
  pool_.Post([this, moved = std::move(connection)]() mutable { Serve(std::move(moved)); });
}

void HttpServer::Serve(std::unique_ptr<HttpConnection> connection) {
  bool goes_on = true;
  bool stays = true;
  while (goes_on && stays) {
    auto next = connection->Take();
    if (next == HttpConnection::Next::kWait && connection->is_idle() &&
        connection->AwaitRequest(kStay)) {
      next = connection->Take();
    }
    if (next == HttpConnection::Next::kRequest) {
      goes_on = connection->Serve(options_.handler);
    } else {
      goes_on = next == HttpConnection::Next::kWait;
      stays = false;
    }
    MutexLock lock(&mutex_);
    if (is_stopping_) goes_on = false;
    // Others wait for a thread.
    if (served_.size() > options_.requests_max) stays = false;
  }
  bool is_last = false;
  {
    MutexLock lock(&mutex_);
    served_.erase(connection.get());
    is_last = served_.empty();
    if (goes_on) returned_.push_back(std::move(connection));
  }
  if (is_last) none_served_.SignalAll();
  if (goes_on) WakeWatcher();
}

void HttpServer::TakeBack() {
  std::uint64_t count = 0;
  [[maybe_unused]] const ssize_t ignored = ::read(wake_, &count, sizeof(count));
  std::vector<std::unique_ptr<HttpConnection>> returned;
  {
    MutexLock lock(&mutex_);
    returned.swap(returned_);
  }
  // Something may have come while nobody watched, and of a stream that is encrypted no event may tell it.
  for (auto& connection : returned) Consider(std::move(connection));
}

void HttpServer::CloseOverdue() {
  const MonotonicTime now = options_.clock->Now();
  if (now < next_sweep_) return;
  next_sweep_ = now + kSweepEvery;
  std::erase_if(waiting_, [&](const auto& entry) { return entry.second->deadline() <= now; });
  Listen(true);
}

void HttpServer::Stop(absl::Duration grace) {
  {
    MutexLock lock(&mutex_);
    if (std::exchange(is_stopping_, true)) return;
  }
  WakeWatcher();
  poller_.Stop();
  const MonotonicTime end = options_.clock->Now() + grace;
  {
    MutexLock lock(&mutex_);
    while (!served_.empty() && options_.clock->Now() < end) {
      none_served_.WaitFor(&mutex_, end - options_.clock->Now());
    }
    for (HttpConnection* connection : served_) connection->ShutDown();
    returned_.clear();
  }
  pool_.Stop();
}

}  // namespace dfs::http
