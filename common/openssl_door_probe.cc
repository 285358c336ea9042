#include <fcntl.h>
#include <netdb.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <system_error>

#include "common/clock.h"
#include "common/openssl_handles.h"
#include "common/tls_door_probe.h"

namespace dfs {
namespace {

using Door = TlsDoorReport::Door;

using openssl::Context;
using openssl::PemOf;
using openssl::Session;

constexpr unsigned char kHttp2[] = {2, 'h', '2'};  // gRPC closes on those that do not offer it

class Socket {
 public:
  Socket() = default;
  ~Socket() {
    if (fd_ >= 0) ::close(fd_);
  }
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;
  void Reset(int fd) {
    if (fd_ >= 0) ::close(fd_);
    fd_ = fd;
  }
  [[nodiscard]] int get() const { return fd_; }

 private:
  int fd_ = -1;
};

// A write to a connection that the other end has closed must not end the process: OpenSSL cannot be told so.
class WithoutPipeSignal {
 public:
  WithoutPipeSignal() {
    sigemptyset(&pipe_);
    sigaddset(&pipe_, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipe_, &before_);
  }
  ~WithoutPipeSignal() {
    if (sigismember(&before_, SIGPIPE) == 1) return;
    const timespec none{};
    while (sigtimedwait(&pipe_, nullptr, &none) > 0) continue;
    pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }
  WithoutPipeSignal(const WithoutPipeSignal&) = delete;
  WithoutPipeSignal& operator=(const WithoutPipeSignal&) = delete;

 private:
  sigset_t pipe_{};
  sigset_t before_{};
};

// False: not before `end`.
bool Wait(int fd, short events, MonotonicTime end) {
  while (true) {
    const std::int64_t left = absl::ToInt64Milliseconds(end - SystemClock().Now());
    if (left <= 0) return false;
    pollfd wait{fd, events, 0};
    const int ready = ::poll(&wait, 1, static_cast<int>(std::min<std::int64_t>(left, 60'000)));
    if (ready > 0) return true;
    if (ready < 0 && errno != EINTR) return false;
  }
}

// The errno, or 0.
int ConnectTo(const addrinfo& to, MonotonicTime end, Socket* out) {
  out->Reset(::socket(to.ai_family, to.ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC, to.ai_protocol));
  if (out->get() < 0) return errno;
  if (::connect(out->get(), to.ai_addr, to.ai_addrlen) == 0) return 0;
  if (errno != EINPROGRESS) return errno;
  if (!Wait(out->get(), POLLOUT, end)) return ETIMEDOUT;
  int error = 0;
  socklen_t size = sizeof error;
  return ::getsockopt(out->get(), SOL_SOCKET, SO_ERROR, &error, &size) == 0 ? error : errno;
}

int Connect(const std::string& address, MonotonicTime end, Socket* out) {
  const auto colon = address.rfind(':');
  if (colon == std::string::npos) return EINVAL;
  std::string host = address.substr(0, colon);
  if (host.size() > 2 && host.front() == '[') host = host.substr(1, host.size() - 2);
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (::getaddrinfo(host.c_str(), address.substr(colon + 1).c_str(), &hints, &found) != 0) return ENXIO;
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> owned(found, &freeaddrinfo);
  int error = ENXIO;
  for (const addrinfo* at = found; at != nullptr; at = at->ai_next) {
    error = ConnectTo(*at, end, out);
    if (error == 0) return 0;
  }
  return error;
}

bool Use(SSL_CTX* context, const TlsIdentity& identity) {
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
  return openssl::UseIdentity(identity, context);
}

// Goes on with `step` (as SSL_do_handshake) until it ends. Its last error.
template <class Step>
int Drive(SSL* session, MonotonicTime end, Step step) {
  while (true) {
    ERR_clear_error();
    const int done = step();
    if (done > 0) return SSL_ERROR_NONE;
    const int error = SSL_get_error(session, done);
    if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE) return error;
    if (!Wait(SSL_get_fd(session), error == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT, end)) return error;
  }
}

std::string ReasonOf(SSL* session, int error) {
  if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) return "no answer in time";
  const unsigned long last = ERR_peek_last_error();
  ERR_clear_error();
  const bool is_looked_at = (SSL_get_verify_mode(session) & SSL_VERIFY_PEER) != 0;
  if (const long verified = SSL_get_verify_result(session); is_looked_at && verified != X509_V_OK) {
    return std::string("its certificate: ") + X509_verify_cert_error_string(verified);
  }
  const char* reason = last == 0 ? nullptr : ERR_reason_error_string(last);
  return reason == nullptr ? "it closed the connection" : reason;
}

// Of a handshake in which the other end got no further than its first answer: did it answer as TLS does?
Door DoorOf(SSL* session, unsigned long error) {
  const bool has_answered_hello = SSL_get_state(session) != TLS_ST_CW_CLNT_HELLO;
  const bool is_of_tls = ERR_GET_LIB(error) == ERR_LIB_SSL;
  const bool is_alert = is_of_tls && ERR_GET_REASON(error) >= SSL_AD_REASON_OFFSET;
  if (has_answered_hello || is_alert) return Door::kTls;
  const bool is_end = !is_of_tls || ERR_GET_REASON(error) == SSL_R_UNEXPECTED_EOF_WHILE_READING;
  return is_end ? Door::kClosed : Door::kNotTls;
}

TlsDoorReport Handshake(SSL* session, const std::string& words, MonotonicTime end) {
  TlsDoorReport report;
  int error = Drive(session, end, [session] { return SSL_connect(session); });
  if (error != SSL_ERROR_NONE) {
    report.door = DoorOf(session, ERR_peek_last_error());
  } else {
    report.door = Door::kTls;
    // In TLS 1.3 this side is done before the other has looked at its certificate: what it thinks of it comes as an alert,
    // or as the first bytes of what it has to say.
    char heard[512];
    int size = 0;
    if (!words.empty()) {
      error = Drive(session, end, [&] { return SSL_write(session, words.data(), static_cast<int>(words.size())); });
    }
    if (error == SSL_ERROR_NONE) {
      error = Drive(session, end, [&] { return size = SSL_read(session, heard, sizeof heard); });
    }
    if (size > 0) report.heard.assign(heard, static_cast<std::size_t>(size));
    report.is_open = error == SSL_ERROR_NONE;
    report.version = SSL_get_version(session);
  }
  report.peer_pem = PemOf(SSL_get0_peer_certificate(session));
  if (!report.is_open) report.reason = ReasonOf(session, error);
  return report;
}

}  // namespace

TlsDoorReport ProbeTlsDoor(const TlsDoorProbe& probe) {
  const MonotonicTime begin = SystemClock().Now();
  const MonotonicTime end = begin + probe.timeout;
  TlsDoorReport report;
  Socket socket;
  if (const int error = Connect(probe.address, std::min(end, begin + probe.connect_timeout), &socket); error != 0) {
    report.reason = std::generic_category().message(error);
    return report;
  }
  const Context context(SSL_CTX_new(TLS_client_method()));
  const bool is_ready = context != nullptr &&
                        SSL_CTX_set_alpn_protos(context.get(), kHttp2, sizeof kHttp2) == 0 &&
                        (probe.identity == nullptr || Use(context.get(), *probe.identity)) &&
                        (!probe.is_only_tls12 ||
                         SSL_CTX_set_max_proto_version(context.get(), TLS1_2_VERSION) == 1);
  const Session session(is_ready ? SSL_new(context.get()) : nullptr);
  if (session == nullptr || SSL_set_fd(session.get(), socket.get()) != 1) {
    ERR_clear_error();
    report.reason = "OpenSSL cannot begin";
    return report;
  }
  const WithoutPipeSignal without;
  report = Handshake(session.get(), probe.words, end);
  ERR_clear_error();
  return report;
}

}  // namespace dfs
