// HttpStream over TLS.
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "common/status_macros.h"
#include "common/tls_acceptor.h"
#include "server/http/http_stream.h"
#include "server/http/socket_wait.h"

namespace dfs::http {
namespace {

class TlsStream final : public HttpStream {
 public:
  TlsStream(int descriptor, std::unique_ptr<TlsConnection> connection, const Clock* clock)
      : descriptor_(descriptor), clock_(clock), connection_(std::move(connection)) {}
  ~TlsStream() override {
    connection_.reset();
    ::close(descriptor_);
  }

  absl::StatusOr<std::size_t> ReadNow(std::span<char> buffer) override {
    // What a handshake has to send finds an empty socket: it does not wait to write.
    DFS_ASSIGN_OR_RETURN(const TlsConnection::Moved moved, connection_->Read(buffer));
    return moved.bytes;
  }

  absl::StatusOr<std::size_t> Read(std::span<char> buffer, MonotonicTime deadline) override {
    while (true) {
      DFS_ASSIGN_OR_RETURN(const TlsConnection::Moved moved, connection_->Read(buffer));
      if (moved.bytes > 0) return moved.bytes;
      DFS_RETURN_IF_ERROR(Await(moved.waits, deadline));
    }
  }

  absl::StatusOr<std::size_t> Write(std::span<const iovec> parts, MonotonicTime deadline) override {
    // One record for a head and a small body.
    std::array<char, kRecordBytes> gathered;
    std::span<const char> bytes(static_cast<const char*>(parts[0].iov_base), parts[0].iov_len);
    if (bytes.size() < gathered.size() && parts.size() > 1) {
      std::size_t size = 0;
      for (const iovec& part : parts) {
        const std::size_t taken = std::min(part.iov_len, gathered.size() - size);
        std::memcpy(gathered.data() + size, part.iov_base, taken);
        size += taken;
        if (size == gathered.size()) break;
      }
      bytes = {gathered.data(), size};
    }
    while (true) {
      DFS_ASSIGN_OR_RETURN(const TlsConnection::Moved moved, connection_->Write(bytes));
      if (moved.bytes > 0) return moved.bytes;
      DFS_RETURN_IF_ERROR(Await(moved.waits, deadline));
    }
  }

  void EndWriting() override {
    connection_->EndWriting();
    ::shutdown(descriptor_, SHUT_WR);
  }
  void ShutDown() override { ::shutdown(descriptor_, SHUT_RDWR); }
  [[nodiscard]] int descriptor() const override { return descriptor_; }

 private:
  static constexpr std::size_t kRecordBytes = std::size_t{16} << 10;

  absl::Status Await(TlsConnection::Waits waits, MonotonicTime deadline) {
    const short events = waits == TlsConnection::Waits::kToWrite ? POLLOUT : POLLIN;
    return AwaitSocket(descriptor_, events, deadline, *clock_);
  }

  const int descriptor_;
  const Clock* const clock_;
  std::unique_ptr<TlsConnection> connection_;
};

}  // namespace

StreamMaker TlsStreams(std::shared_ptr<TlsAcceptor> acceptor, const Clock* clock) {
  return [acceptor = std::move(acceptor), clock](int descriptor) -> std::unique_ptr<HttpStream> {
    auto connection = acceptor->Accept(descriptor);
    if (connection == nullptr) {  // no memory for it
      ::close(descriptor);
      return nullptr;
    }
    return std::make_unique<TlsStream>(descriptor, std::move(connection), clock);
  };
}

}  // namespace dfs::http
