// Makes the certificates of a cluster: ECDSA P-256, no other software needed.
#ifndef DFS_COMMON_CERTIFICATE_AUTHORITY_H_
#define DFS_COMMON_CERTIFICATE_AUTHORITY_H_

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/disk.h"
#include "common/tls_name.h"

namespace dfs {

struct KeyAndCertificate {
  std::string key_pem;          // not encrypted
  std::string certificate_pem;
};

struct Validity {
  absl::Time not_before;
  absl::Time not_after;
};

// A new key. kInternal: the machine has no randomness.
absl::StatusOr<std::string> MakeKey();

// A certificate for that key that may sign others for `cluster`.
absl::StatusOr<KeyAndCertificate> MakeAuthority(std::string key_pem, std::string_view cluster,
                                                const Validity& validity);

struct IssueOptions {
  TlsRole role = TlsRole::kClient;
  std::string name;
  std::vector<std::string> hosts;  // names or addresses that it holds for; none: any
  Validity validity;               // ends with the authority's if that ends before
};
// kInvalidArgument: the name or a host is malformed, or the authority is none.
absl::StatusOr<KeyAndCertificate> IssueCertificate(const KeyAndCertificate& authority,
                                                   std::string key_pem, const IssueOptions& options);

// The folder that `dfs-cli cert` works on: ca.key, ca.crt, and NAME.key, NAME.crt for each that it issued. Keys have mode
// 0600, the folder 0700. Each file appears whole and synced, and its key before a certificate; what an interrupted run
// left (a key without certificate) is used by the next. Nothing is ever overwritten. One process at a time.
class CertificateFolder {
 public:
  // `disk` outlives this.
  CertificateFolder(Disk* disk, std::string path) : disk_(disk), path_(std::move(path)) {}

  // kAlreadyExists: there is an authority, nothing changed. The folder above must exist.
  [[nodiscard]] absl::Status Init(std::string_view cluster, const Validity& validity);
  // kNotFound: no authority is here; kAlreadyExists: there is a certificate of that name. Nothing changed.
  [[nodiscard]] absl::Status Issue(const IssueOptions& options);

  [[nodiscard]] std::string CaFile() const { return path_ + "/ca.crt"; }
  [[nodiscard]] std::string CertificateFile(const std::string& name) const {
    return path_ + "/" + name + ".crt";
  }
  [[nodiscard]] std::string KeyFile(const std::string& name) const {
    return path_ + "/" + name + ".key";
  }

 private:
  [[nodiscard]] absl::StatusOr<std::string> KeyFor(const std::string& name);
  [[nodiscard]] absl::Status WriteNew(const std::string& path, std::string_view text);

  Disk* const disk_;
  const std::string path_;
};

}  // namespace dfs

#endif  // DFS_COMMON_CERTIFICATE_AUTHORITY_H_
