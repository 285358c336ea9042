// HttpStream over a TCP socket that does not block.
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "server/http/http_stream.h"

namespace dfs::http {
namespace {

absl::Status Broken(std::string_view what, int error_number) {
  return absl::CancelledError(
      absl::StrCat("the client's connection: ", std::string(what), ": ", std::strerror(error_number)));
}

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
      if (errno != EINTR) return Broken("read", errno);
    }
  }

  absl::StatusOr<std::size_t> Read(std::span<char> buffer, MonotonicTime deadline) override {
    while (true) {
      auto got = ReadNow(buffer);
      if (!got.ok() || *got > 0) return got;
      if (const auto status = Await(POLLIN, deadline); !status.ok()) return status;
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
        return Broken("write", errno);
      }
      if (const auto status = Await(POLLOUT, deadline); !status.ok()) return status;
    }
  }

  void EndWriting() override { ::shutdown(descriptor_, SHUT_WR); }
  void ShutDown() override { ::shutdown(descriptor_, SHUT_RDWR); }
  [[nodiscard]] int descriptor() const override { return descriptor_; }

 private:
  absl::Status Await(short events, MonotonicTime deadline) {
    while (true) {
      const absl::Duration left = deadline - clock_->Now();
      if (left <= absl::ZeroDuration()) {
        return absl::DeadlineExceededError("the client moves too slowly");
      }
      pollfd poll_for{descriptor_, events, 0};
      const auto wait = std::min(left + absl::Milliseconds(1), absl::Hours(1));
      const int ready = ::poll(&poll_for, 1, static_cast<int>(absl::ToInt64Milliseconds(wait)));
      if (ready > 0) return absl::OkStatus();
      if (ready < 0 && errno != EINTR) return Broken("poll", errno);
    }
  }

  const int descriptor_;
  const Clock* const clock_;
};

}  // namespace

StreamMaker PosixStreams(const Clock* clock) {
  return [clock](int descriptor) { return std::make_unique<PosixStream>(descriptor, clock); };
}

}  // namespace dfs::http
