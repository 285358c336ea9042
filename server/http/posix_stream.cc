// HttpStream over a TCP socket that does not block.
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

#include "server/http/http_stream.h"
#include "server/http/socket_wait.h"

namespace dfs::http {
namespace {

class PosixStream final : public HttpStream {
 public:
  PosixStream(int descriptor, const Clock* clock) : descriptor_(descriptor), clock_(clock) {}
  ~PosixStream() override { ::close(descriptor_); }

  absl::StatusOr<std::size_t> ReadNow(std::span<char> buffer) override {
    while (true) {
      const ssize_t got = ::recv(descriptor_, buffer.data(), buffer.size(), 0);
      if (got > 0) return static_cast<std::size_t>(got);
      if (got == 0) return absl::CancelledError("the client has closed the connection");
      if (errno == EAGAIN || errno == EWOULDBLOCK) return std::size_t{0};
      if (errno != EINTR) return BrokenSocket("read", errno);
    }
  }

  absl::StatusOr<std::size_t> Read(std::span<char> buffer, MonotonicTime deadline) override {
    while (true) {
      auto got = ReadNow(buffer);
      if (!got.ok() || *got > 0) return got;
      if (const auto status = AwaitSocket(descriptor_, POLLIN, deadline, *clock_); !status.ok()) return status;
    }
  }

  absl::StatusOr<std::size_t> Write(std::span<const iovec> parts, MonotonicTime deadline) override {
    msghdr message{};
    message.msg_iov = const_cast<iovec*>(parts.data());  // sendmsg only reads it
    message.msg_iovlen = parts.size();
    while (true) {
      const ssize_t sent = ::sendmsg(descriptor_, &message, MSG_NOSIGNAL);
      if (sent > 0) return static_cast<std::size_t>(sent);
      if (sent < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR) {
        return BrokenSocket("write", errno);
      }
      if (const auto status = AwaitSocket(descriptor_, POLLOUT, deadline, *clock_); !status.ok()) return status;
    }
  }

  void EndWriting() override { ::shutdown(descriptor_, SHUT_WR); }
  void ShutDown() override { ::shutdown(descriptor_, SHUT_RDWR); }
  [[nodiscard]] int descriptor() const override { return descriptor_; }

 private:
  const int descriptor_;
  const Clock* const clock_;
};

}  // namespace

StreamMaker PosixStreams(const Clock* clock) {
  return [clock](int descriptor) { return std::make_unique<PosixStream>(descriptor, clock); };
}

}  // namespace dfs::http
