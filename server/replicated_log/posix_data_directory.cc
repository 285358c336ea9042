#include "server/replicated_log/posix_data_directory.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "absl/strings/str_cat.h"

namespace dfs::replicated_log {
namespace {

constexpr mode_t kOursAlone = 0700;

absl::Status SyncParent(const std::string& path) {
  const std::size_t slash = path.find_last_of('/');
  const std::string parent =
      slash == std::string::npos ? "." : slash == 0 ? "/" : path.substr(0, slash);
  const int fd = open(parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return absl::ErrnoToStatus(errno, parent);
  const int result = fsync(fd);
  const int error = errno;
  close(fd);
  return result == 0 ? absl::OkStatus() : absl::ErrnoToStatus(error, parent);
}

}  // namespace

absl::Status PrepareDataDirectory(const std::string& given) {
  std::string path = given;
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  if (mkdir(path.c_str(), kOursAlone) == 0) {
    if (const auto status = SyncParent(path); !status.ok()) {
      return absl::UnavailableError(status.ToString());
    }
  } else if (errno != EEXIST) {
    return absl::UnavailableError(absl::StrCat("cannot make the data directory: ",
                                               absl::ErrnoToStatus(errno, path).ToString()));
  }
  struct stat info {};
  if (stat(path.c_str(), &info) != 0) {
    return absl::UnavailableError(absl::ErrnoToStatus(errno, path).ToString());
  }
  if (!S_ISDIR(info.st_mode)) {
    return absl::FailedPreconditionError(absl::StrCat(path, " is not a directory"));
  }
  if (info.st_uid != geteuid()) {
    return absl::FailedPreconditionError(
        absl::StrCat(path, " belongs to another user (uid ", info.st_uid, ")"));
  }
  if ((info.st_mode & 077) != 0) {
    return absl::FailedPreconditionError(absl::StrCat(
        path, " is open to other users: run chmod 700 ", path, " if only this node's data is in it"));
  }
  return absl::OkStatus();
}

}  // namespace dfs::replicated_log
