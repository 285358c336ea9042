#include "common/tls_identity.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"

namespace dfs {
namespace {

constexpr std::size_t kFileBytesMax = std::size_t{1} << 20;  // hundreds of certificates

// Symbolic links are followed: that is how secrets are mounted into containers.
absl::StatusOr<std::string> ReadPem(const std::string& flag, const std::string& path, bool is_secret) {
  const auto error = [&](const std::string& why) {
    return absl::InvalidArgumentError(absl::StrCat(flag, "=", path, ": ", why));
  };
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return error(std::generic_category().message(errno));
  struct stat status = {};
  std::string text;
  ssize_t bytes = 0;
  const bool is_known = ::fstat(fd, &status) == 0;
  do {
    char piece[16'384];
    bytes = ::read(fd, piece, sizeof piece);
    if (bytes > 0) text.append(piece, static_cast<std::size_t>(bytes));
  } while ((bytes > 0 && text.size() <= kFileBytesMax) || (bytes < 0 && errno == EINTR));
  const int failure = errno;
  ::close(fd);
  if (bytes < 0) return error(std::generic_category().message(failure));
  if (text.size() > kFileBytesMax) return error("this is no PEM file of a certificate or key");
  if (is_secret && is_known && (status.st_mode & (S_IROTH | S_IWOTH)) != 0) {
    return error("everybody on this machine may read or write this key: chmod 600 it");
  }
  return text;
}

absl::Status CheckDates(const TlsFiles& files, const TlsCertificate& own, absl::Time now) {
  const auto day = [](absl::Time time) {
    return absl::FormatTime("%Y-%m-%d %H:%M:%S UTC", time, absl::UTCTimeZone());
  };
  if (now > own.not_after) {
    return absl::UnauthenticatedError(absl::StrCat(
        "the certificate ", files.cert, " expired on ", day(own.not_after),
        ": issue a new one (dfs-cli cert issue, or how you got this one)"));
  }
  if (now < own.not_before) {
    return absl::UnauthenticatedError(absl::StrCat("the certificate ", files.cert,
                                                   " is not valid before ", day(own.not_before),
                                                   ": is this machine's clock right?"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<TlsIdentity> LoadTlsIdentity(const TlsFiles& files, absl::Time now, const TlsWords& words) {
  if (files.cert.empty() || files.key.empty() || files.ca.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("TLS takes all three of ", words.cert, ", ", words.key, " and ", words.ca));
  }
  DFS_ASSIGN_OR_RETURN(std::string certificate, ReadPem(words.cert, files.cert, false));
  DFS_ASSIGN_OR_RETURN(std::string key, ReadPem(words.key, files.key, true));
  DFS_ASSIGN_OR_RETURN(std::string ca, ReadPem(words.ca, files.ca, false));
  auto identity = MakeTlsIdentity(std::move(certificate), std::move(key), std::move(ca));
  if (!identity.ok()) {
    return absl::InvalidArgumentError(absl::StrCat(files.cert, ", ", files.key, ", ", files.ca, ": ",
                                                   std::string(identity.status().message())));
  }
  DFS_RETURN_IF_ERROR(CheckDates(files, identity->own, now));
  return identity;
}

}  // namespace dfs
