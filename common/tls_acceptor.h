// TLS on the side that is dialled, for doors that are not gRPC's: bytes over a socket that does not block.
#ifndef DFS_COMMON_TLS_ACCEPTOR_H_
#define DFS_COMMON_TLS_ACCEPTOR_H_

#include <cstddef>
#include <memory>
#include <span>
#include <string_view>

#include "absl/status/statusor.h"
#include "common/tls_identity.h"

namespace dfs {

// One connection. Shakes hands in its first calls; nothing is read or written before the other end has shown a
// certificate that may come in. Used by one thread at a time.
class TlsConnection {
 public:
  // What a call that moved nothing waits for on the socket (poll(2)); call again then.
  enum class Waits { kForNothing, kToRead, kToWrite };
  struct Moved {
    std::size_t bytes = 0;
    Waits waits = Waits::kForNothing;  // bytes == 0 only
  };

  virtual ~TlsConnection() = default;
  // At least one byte, or what to wait for. kCancelled: the other end has closed, or the connection is broken;
  // kUnauthenticated: no handshake, because of the certificate or the version.
  // Bytes that have come may wait here and not in the socket: call until it says kToRead before polling.
  virtual absl::StatusOr<Moved> Read(std::span<char> buffer) = 0;
  virtual absl::StatusOr<Moved> Write(std::span<const char> bytes) = 0;
  // Tells the other end that no more comes, if that can be done at once.
  virtual void EndWriting() = 0;
};

// Thread-safe.
class TlsAcceptor {
 public:
  virtual ~TlsAcceptor() = default;
  // `descriptor`: of a socket that does not block; the caller's to close, after the connection is gone. SIGPIPE must be
  // ignored by the process. Never null.
  virtual std::unique_ptr<TlsConnection> Accept(int descriptor) = 0;
};

// TLS 1.3 only, certificates wanted and checked as `door` says (kPeers, kClients), no session is ever taken up again.
// ALPN: `protocol` if it is offered. kInternal: the identity cannot be used.
absl::StatusOr<std::unique_ptr<TlsAcceptor>> MakeTlsAcceptor(const TlsIdentity& identity, TlsDoor door,
                                                             std::string_view protocol);

}  // namespace dfs

#endif  // DFS_COMMON_TLS_ACCEPTOR_H_
