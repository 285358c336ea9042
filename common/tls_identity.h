// What a process shows at a TLS handshake, and whom it believes.
#ifndef DFS_COMMON_TLS_IDENTITY_H_
#define DFS_COMMON_TLS_IDENTITY_H_

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/tls_name.h"

namespace dfs {

// What one certificate of ours says.
struct TlsCertificate {
  TlsName name;
  std::vector<std::string> hosts;  // names and addresses that it holds for; empty: any
  absl::Time not_before;
  absl::Time not_after;
};
// The first certificate of a PEM text. kUnauthenticated: it is none of ours; kInvalidArgument: it is none.
absl::StatusOr<TlsCertificate> ReadTlsCertificate(std::string_view pem);

struct TlsIdentity {
  std::string certificate_pem;  // own first, then what leads to the authority
  std::string key_pem;
  std::string ca_pem;           // one or more authorities; others' certificates are held against these
  TlsCertificate own;           // what certificate_pem says
};

// Checks all but dates: an ECDSA certificate of ours with its own key, that these authorities have signed.
// kInvalidArgument: a sentence that says what is wrong.
absl::StatusOr<TlsIdentity> MakeTlsIdentity(std::string certificate_pem, std::string key_pem,
                                            std::string ca_pem);

// Where an identity lies. All three or none are given.
struct TlsFiles {
  std::string cert;
  std::string key;
  std::string ca;

  [[nodiscard]] bool has_any() const { return !cert.empty() || !key.empty() || !ca.empty(); }
};

// What the user calls these three, for sentences that say what to do.
struct TlsWords {
  std::string cert = "--tls-cert";
  std::string key = "--tls-key";
  std::string ca = "--tls-ca";
  std::string rest = " (or DFS_TLS_CERT, DFS_TLS_KEY and DFS_TLS_CA)";  // comes behind the three

  [[nodiscard]] std::string All() const { return cert + ", " + key + " and " + ca + rest; }
};

// Reads and checks. The message names the file, in the user's words, and says what to do.
//   kInvalidArgument  one of the three is missing, cannot be read, is not what it should be, does not belong to the
//                     others, or others than owner and group may read the key
//   kUnauthenticated  the certificate is not valid at `now`
absl::StatusOr<TlsIdentity> LoadTlsIdentity(const TlsFiles& files, absl::Time now, const TlsWords& words = {});

}  // namespace dfs

#endif  // DFS_COMMON_TLS_IDENTITY_H_
