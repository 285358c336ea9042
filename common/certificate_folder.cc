#include <fstream>
#include <iterator>
#include <optional>
#include <span>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/certificate_authority.h"
#include "common/mutant.h"
#include "common/random.h"
#include "common/status_macros.h"

namespace dfs {
namespace {

constexpr char kAuthority[] = "ca";

std::optional<std::string> ReadIfThere(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return std::nullopt;
  return std::string(std::istreambuf_iterator<char>(file), {});
}

}  // namespace

// Under a name of its own until it is whole.
absl::Status CertificateFolder::WriteNew(const std::string& path, std::string_view text) {
  const std::string partial = DFS_MUTANT(1066, "a key is written under its own name")
                                  ? path
                                  : absl::StrCat(path, ".", SystemRandom64(), ".partial");
  {
    DFS_ASSIGN_OR_RETURN(const auto file, disk_->Create(partial));
    absl::Status written = file->Write(0, std::span(&text, 1));
    if (written.ok()) written = file->SyncData();
    if (!written.ok()) {
      disk_->Unlink(partial).IgnoreError();  // as far as it can be helped
      return written;
    }
  }
  if (partial != path) DFS_RETURN_IF_ERROR(disk_->Rename(partial, path));
  return disk_->SyncFolder(path_);
}

absl::StatusOr<std::string> CertificateFolder::KeyFor(const std::string& name) {
  if (auto old = ReadIfThere(KeyFile(name))) return *std::move(old);
  DFS_ASSIGN_OR_RETURN(std::string key, MakeKey());
  DFS_RETURN_IF_ERROR(WriteNew(KeyFile(name), key));
  return key;
}

absl::Status CertificateFolder::Init(std::string_view cluster, const Validity& validity) {
  DFS_RETURN_IF_ERROR(CheckTlsLabel("the cluster's name", cluster));
  DFS_RETURN_IF_ERROR(disk_->MakeFolder(path_));
  if (ReadIfThere(CaFile())) {
    return absl::AlreadyExistsError(absl::StrCat(
        CaFile(), " is there already: whoever trusts it would have to be told of another one. "
        "Nothing was changed"));
  }
  DFS_ASSIGN_OR_RETURN(std::string key, KeyFor(kAuthority));
  DFS_ASSIGN_OR_RETURN(const KeyAndCertificate authority,
                       MakeAuthority(std::move(key), cluster, validity));
  return WriteNew(CaFile(), authority.certificate_pem);
}

absl::Status CertificateFolder::Issue(const IssueOptions& options) {
  DFS_RETURN_IF_ERROR(CheckTlsLabel("the name", options.name));
  if (options.name == kAuthority) {
    return absl::InvalidArgumentError("\"ca\" is the authority's own name: take another one");
  }
  auto ca = ReadIfThere(CaFile());
  auto ca_key = ReadIfThere(KeyFile(kAuthority));
  if (!ca || !ca_key) {
    return absl::NotFoundError(absl::StrCat("there is no ", ca ? KeyFile(kAuthority) : CaFile(),
                                            ": make an authority first (dfs-cli cert init --dir=",
                                            path_, ")"));
  }
  if (ReadIfThere(CertificateFile(options.name))) {
    return absl::AlreadyExistsError(absl::StrCat(
        CertificateFile(options.name), " is there already. Move it and its key away for a new one"));
  }
  DFS_ASSIGN_OR_RETURN(std::string key, KeyFor(options.name));
  DFS_ASSIGN_OR_RETURN(const KeyAndCertificate issued,
                       IssueCertificate({*std::move(ca_key), *std::move(ca)}, std::move(key), options));
  return WriteNew(CertificateFile(options.name), issued.certificate_pem);
}

}  // namespace dfs
