// Looks at a port from outside, as a client would that knows only TCP and TLS: why does no connection come about?
#ifndef DFS_COMMON_TLS_DOOR_PROBE_H_
#define DFS_COMMON_TLS_DOOR_PROBE_H_

#include <string>

#include "absl/time/time.h"
#include "common/tls_identity.h"

namespace dfs {

struct TlsDoorReport {
  enum class Door {
    kAway,      // no TCP connection, or no answer in time
    kNotTls,    // answers, but to something else
    kClosed,    // closed the connection without a word: TLS that wants none of this side does so, and others do, too
    kTls,       // speaks TLS
  };
  Door door = Door::kAway;
  bool is_open = false;  // kTls: it let this side in
  std::string reason;    // why not, as far as it can be known: an alert, a name, a system error
  std::string version;   // is_open: "TLSv1.3"
  std::string heard;     // the first of what it said, 512 bytes at most
  std::string peer_pem;  // the certificate that it showed, if it got so far
};

struct TlsDoorProbe {
  std::string address;                   // host:port
  const TlsIdentity* identity = nullptr; // null: comes without certificate and believes any
  bool is_only_tls12 = false;            // offers nothing newer
  absl::Duration connect_timeout = absl::Seconds(1);
  std::string words;  // said after the handshake, where a door waits to be spoken to (HTTP); gRPC's speaks first
  absl::Duration timeout = absl::Seconds(1);  // in all
};

// Blocks for `timeout` at most (and for the name's look-up). Sends nothing but `words` after the handshake. `is_open` says what the
// other end thinks of this side; what is to be thought of it is the caller's to decide (tls_name.h).
TlsDoorReport ProbeTlsDoor(const TlsDoorProbe& probe);

}  // namespace dfs

#endif  // DFS_COMMON_TLS_DOOR_PROBE_H_
