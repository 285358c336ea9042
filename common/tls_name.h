// What a certificate of ours says of its holder. Pure.
#ifndef DFS_COMMON_TLS_NAME_H_
#define DFS_COMMON_TLS_NAME_H_

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace dfs {

enum class TlsRole { kNode, kClient };

// The one URI dfs://CLUSTER/node/NAME or dfs://CLUSTER/client/NAME among the names of a certificate. CLUSTER is what
// the certificate authority was made for; the certificates of one cluster all have the same.
struct TlsName {
  std::string cluster;
  TlsRole role = TlsRole::kClient;
  std::string name;

  friend bool operator==(const TlsName&, const TlsName&) = default;
};

// kInvalidArgument: not 1 to 63 letters, digits, `.`, `_` or `-`, of which the first is a letter or digit.
absl::Status CheckTlsLabel(std::string_view what, std::string_view label);

[[nodiscard]] std::string UriOf(const TlsName& name);
// Of the URIs in a certificate. kUnauthenticated: none of them is ours, or more than one, or it is malformed.
absl::StatusOr<TlsName> TlsNameOf(const std::vector<std::string>& uris);

// Who may come in, and who may be there where this process dials.
enum class TlsDoor {
  kPeers,    // the port of the nodes, from either side: nodes of the same cluster only. A client could speak Raft otherwise
  kClients,  // into the port of the clients: clients and nodes of the same cluster
  kServer,   // at the other end of a client's connection: nodes of the same cluster only. A client could play the server
};
// kUnauthenticated, with a sentence, unless `peer` may be at the other end.
absl::Status CheckTlsPeer(TlsDoor door, const TlsName& own, const TlsName& peer);

// Whether a certificate made out to these hosts (names, or addresses without brackets) may be at "host:port", "[host]:port"
// or "host". One without hosts may be anywhere.
[[nodiscard]] bool HoldsForHost(const std::vector<std::string>& hosts, std::string_view address);

}  // namespace dfs

#endif  // DFS_COMMON_TLS_NAME_H_
