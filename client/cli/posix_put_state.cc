#include "client/cli/posix_put_state.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/escaping.h"
#include "client/cli/json.h"
#include "client/cli/state_folder.h"
#include "client/posix_byte_stream.h"
#include "common/checksum.h"

namespace dfs::client::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kStateBytesMax = 4'096;  // of one file
constexpr int kNamesMax = 4'096;               // looked at in the folder

// Locked, ours alone, and still what `path` names; else -1, and errno is EWOULDBLOCK if another process has the lock.
int OpenLocked(const std::string& path, int flags) {
  const int descriptor = ::open(path.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW | flags, S_IRUSR | S_IWUSR);
  if (descriptor < 0) return -1;
  struct stat opened {};
  struct stat named {};
  errno = EACCES;  // for what is not ours
  const bool is_ours = ::flock(descriptor, LOCK_EX | LOCK_NB) == 0 && ::fstat(descriptor, &opened) == 0 &&
                       ::lstat(path.c_str(), &named) == 0 && opened.st_ino == named.st_ino &&
                       opened.st_dev == named.st_dev && S_ISREG(opened.st_mode) && opened.st_uid == ::geteuid();
  if (is_ours) return descriptor;
  const int error_number = errno;
  ::close(descriptor);
  errno = error_number;
  return -1;
}

absl::Time ModifiedAt(const struct stat& status) { return absl::TimeFromTimespec(status.st_mtim); }

// Removes what is too old; how many others there are. The file system's own clock tells the time.
std::size_t Prune(const std::string& folder, absl::Time now) {
  std::size_t count = 0;
  int names_left = kNamesMax;
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; it != end && !error && names_left > 0; it.increment(error), --names_left) {
    const std::string path = it->path().string();
    struct stat status {};
    if (::lstat(path.c_str(), &status) != 0 || !S_ISREG(status.st_mode)) continue;
    const int descriptor = now - ModifiedAt(status) > PutState::kAgeMax ? OpenLocked(path, 0) : -1;
    if (descriptor < 0) {
      ++count;
      continue;
    }
    ::unlink(path.c_str());
    ::close(descriptor);
  }
  return count;
}

// What changes when the file does.
std::string StampOf(const std::string& local) {
  struct stat status {};
  if (::stat(local.c_str(), &status) != 0) return "";
  return std::to_string(status.st_size) + " " + std::to_string(status.st_ino) + " " +
         std::to_string(absl::ToUnixNanos(ModifiedAt(status)));
}

std::string TextOf(const Json& json, const char* field) {
  const auto it = json.find(field);
  return it != json.end() && it->is_string() ? it->get<std::string>() : "";
}

}  // namespace

absl::StatusOr<std::unique_ptr<PutState>> PutState::Open(const std::string& what, const std::string& local) {
  const std::string folder = StateFolder("puts");
  if (folder.empty() || ::chmod(folder.c_str(), S_IRWXU) != 0) {
    return absl::FailedPreconditionError(
        "there is no folder to remember it in: set HOME or XDG_STATE_HOME to one that can be written");
  }
  std::error_code error;
  const std::string absolute = fs::absolute(local, error).string();
  if (error) return LocalError("find", local, error.value());
  const std::string both = what + '\0' + absolute;
  Xxh3Stream name;
  name.Update(both.data(), both.size());
  const std::string path = folder + "/" + ToString(name.Digest());
  const int descriptor = OpenLocked(path, O_CREAT);
  if (descriptor < 0 && errno == EWOULDBLOCK) {
    return absl::FailedPreconditionError("another run is putting this file under this name now");
  }
  if (descriptor < 0) return LocalError("open", path, errno);
  auto state = std::unique_ptr<PutState>(new PutState(path, absolute, descriptor));
  struct stat before {};
  struct stat now {};
  const bool is_touched =
      ::fstat(descriptor, &before) == 0 && ::futimens(descriptor, nullptr) == 0 && ::fstat(descriptor, &now) == 0;
  if (!is_touched) return LocalError("touch", path, errno);
  if (ModifiedAt(now) - ModifiedAt(before) > kAgeMax) state->Clear();
  if (Prune(folder, ModifiedAt(now)) > kStatesMax) {
    return absl::ResourceExhaustedError(std::to_string(kStatesMax) +
                                        " other interrupted puts are remembered already: finish them, or remove the files in " +
                                        folder);
  }
  return state;
}

PutState::~PutState() {
  if (descriptor_ < 0) return;
  struct stat status {};
  if (::fstat(descriptor_, &status) == 0 && status.st_size == 0) ::unlink(path_.c_str());
  ::close(descriptor_);
}

std::optional<PutTrace> PutState::left() const {
  std::string text(kStateBytesMax, '\0');
  const ssize_t got = ::pread(descriptor_, text.data(), text.size(), 0);
  if (got <= 0) return std::nullopt;
  text.resize(static_cast<std::size_t>(got));
  const Json json = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object() || TextOf(json, "file") != StampOf(local_)) return std::nullopt;
  PutTrace trace;
  trace.token = absl::HexStringToBytes(TextOf(json, "token"));
  trace.address = TextOf(json, "address");
  const bool is_whole = trace.request_id.ParseFromString(absl::HexStringToBytes(TextOf(json, "request")));
  if (!is_whole || trace.token.empty() || trace.request_id.sequence() == 0) return std::nullopt;
  return trace;
}

void PutState::Write(const PutTrace& trace) {
  const std::string text = Json{{"token", absl::BytesToHexString(trace.token)},
                                {"request", absl::BytesToHexString(trace.request_id.SerializeAsString())},
                                {"address", trace.address},
                                {"file", StampOf(local_)}}
                               .dump();
  if (descriptor_ < 0) return;
  // Half a text is none: whoever reads it begins anew.
  const bool is_written = ::ftruncate(descriptor_, 0) == 0 &&
                          ::pwrite(descriptor_, text.data(), text.size(), 0) == static_cast<ssize_t>(text.size());
  if (!is_written) Remove();
}

void PutState::Clear() {
  if (descriptor_ >= 0 && ::ftruncate(descriptor_, 0) != 0) Remove();
}

void PutState::Remove() {
  if (descriptor_ < 0) return;
  ::unlink(path_.c_str());
  ::close(descriptor_);
  descriptor_ = -1;
}

}  // namespace dfs::client::cli
