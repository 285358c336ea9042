// The bytes of one client's connection.
#ifndef DFS_SERVER_HTTP_HTTP_STREAM_H_
#define DFS_SERVER_HTTP_HTTP_STREAM_H_

#include <sys/uio.h>

#include <cstddef>
#include <functional>
#include <memory>
#include <span>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/clock.h"

namespace dfs {
class TlsAcceptor;
}

namespace dfs::http {

// Where encryption comes in: another implementation over the same socket. Shakes hands in its first reads.
//
// Used by one thread at a time, but for ShutDown.
class HttpStream {
 public:
  virtual ~HttpStream() = default;

  // What has come and waits for nothing: 0 bytes if nothing has. kCancelled: the client has closed its side, or the
  // connection is broken.
  virtual absl::StatusOr<std::size_t> ReadNow(std::span<char> buffer) = 0;
  // At least 1 byte. Blocks until `deadline`. kCancelled as above; kDeadlineExceeded.
  virtual absl::StatusOr<std::size_t> Read(std::span<char> buffer, MonotonicTime deadline) = 0;
  // Some of the bytes, at least 1. Blocks until `deadline`. Errors as Read.
  virtual absl::StatusOr<std::size_t> Write(std::span<const iovec> parts,
                                            MonotonicTime deadline) = 0;
  // Tells the client that no more comes.
  virtual void EndWriting() = 0;
  // Ends what blocks in another thread, and all that follows. From any thread.
  virtual void ShutDown() = 0;
  // To be polled for something to read.
  [[nodiscard]] virtual int descriptor() const = 0;
};

// Makes the stream of a connection that was accepted; owns the descriptor, which does not block. Null: it cannot be
// served, and is closed.
using StreamMaker = std::function<std::unique_ptr<HttpStream>(int descriptor)>;

// Without encryption.
StreamMaker PosixStreams(const Clock* clock);
// TLS only: a client that speaks plaintext, or shows no certificate that may come in, gets no answer.
StreamMaker TlsStreams(std::shared_ptr<TlsAcceptor> acceptor, const Clock* clock);

}  // namespace dfs::http

#endif  // DFS_SERVER_HTTP_HTTP_STREAM_H_
