#include "common/posix_disk.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"

namespace dfs {
namespace {

constexpr std::size_t kPiecesMax = 256;  // of one pwritev; the system's own limit is 1,024

absl::StatusCode CodeOf(int error) {
  switch (error) {
    case ENOENT:
      return absl::StatusCode::kNotFound;
    case EEXIST:
      return absl::StatusCode::kAlreadyExists;
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
      return absl::StatusCode::kResourceExhausted;
    case EACCES:
    case EPERM:
    case EROFS:
      return absl::StatusCode::kPermissionDenied;
    case EMFILE:
    case ENFILE:
    case ENOMEM:
      return absl::StatusCode::kUnavailable;
    default:
      return absl::StatusCode::kDataLoss;
  }
}

absl::Status ErrorOf(int error, const char* what, const std::string& path) {
  return absl::Status(CodeOf(error), absl::StrCat("cannot ", what, " ", path, ": ",
                                                  std::generic_category().message(error)));
}

// Calls again while a signal interrupted it.
template <class Call>
auto Uninterrupted(Call call) {
  auto result = call();
  while (result < 0 && errno == EINTR) result = call();
  return result;
}

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  [[nodiscard]] int get() const { return fd_; }

 private:
  const int fd_;
};

class PosixFile final : public DiskFile {
 public:
  PosixFile(int fd, std::string path) : fd_(fd), path_(std::move(path)) {}

  absl::Status Write(std::uint64_t offset, std::span<const std::string_view> pieces) override {
    // Set below as far as it is used.
    std::array<iovec, kPiecesMax> vectors;  // NOLINT(cppcoreguidelines-pro-type-member-init)
    std::size_t next = 0;     // piece
    std::size_t written = 0;  // of that piece
    while (next < pieces.size()) {
      std::size_t count = 0;
      for (std::size_t i = next; i < pieces.size() && count < kPiecesMax; ++i, ++count) {
        const std::size_t skip = i == next ? written : 0;
        vectors[count] = {const_cast<char*>(pieces[i].data()) + skip, pieces[i].size() - skip};
      }
      const ssize_t bytes = Uninterrupted([&] {
        return ::pwritev(fd_.get(), vectors.data(), static_cast<int>(count),
                         static_cast<off_t>(offset));
      });
      if (bytes < 0) return ErrorOf(errno, "write", path_);
      offset += static_cast<std::uint64_t>(bytes);
      written += static_cast<std::size_t>(bytes);
      while (next < pieces.size() && written >= pieces[next].size()) {
        written -= pieces[next].size();
        ++next;
      }
    }
    return absl::OkStatus();
  }

  absl::Status Read(std::uint64_t offset, std::span<char> out) const override {
    std::size_t done = 0;
    while (done < out.size()) {
      const ssize_t bytes = Uninterrupted([&] {
        return ::pread(fd_.get(), out.data() + done, out.size() - done,
                       static_cast<off_t>(offset + done));
      });
      if (bytes < 0) return ErrorOf(errno, "read", path_);
      if (bytes == 0) return absl::OutOfRangeError(absl::StrCat(path_, " is too short"));
      done += static_cast<std::size_t>(bytes);
    }
    return absl::OkStatus();
  }

  void StartWriteback(std::uint64_t offset, std::uint64_t length) override {
    ::sync_file_range(fd_.get(), static_cast<off_t>(offset), static_cast<off_t>(length),
                      SYNC_FILE_RANGE_WRITE);
  }

  absl::Status SyncData() override {
    if (::fdatasync(fd_.get()) != 0) return ErrorOf(errno, "sync", path_);
    return absl::OkStatus();
  }

  absl::Status SetMode(std::uint32_t mode) override {
    if (::fchmod(fd_.get(), mode) != 0) return ErrorOf(errno, "set the mode of", path_);
    return absl::OkStatus();
  }

  [[nodiscard]] int descriptor() const { return fd_.get(); }

 private:
  const Descriptor fd_;
  const std::string path_;
};

class PosixDiskImpl final : public Disk {
 public:
  absl::StatusOr<std::unique_ptr<DiskFile>> Create(const std::string& path) override {
    return OpenWith(path, O_RDWR | O_CREAT | O_EXCL, "create");
  }
  absl::StatusOr<std::unique_ptr<DiskFile>> Open(const std::string& path) override {
    return OpenWith(path, O_RDONLY, "open");
  }
  absl::Status Unlink(const std::string& path) override {
    if (::unlink(path.c_str()) != 0) return ErrorOf(errno, "unlink", path);
    return absl::OkStatus();
  }
  absl::Status Rename(const std::string& from, const std::string& to) override {
    if (::rename(from.c_str(), to.c_str()) != 0) return ErrorOf(errno, "rename", from);
    return absl::OkStatus();
  }
  absl::Status MakeFolder(const std::string& path) override {
    if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) {
      return ErrorOf(errno, "make folder", path);
    }
    return absl::OkStatus();
  }
  absl::Status SyncFolder(const std::string& path) override {
    const Descriptor fd(Uninterrupted(
        [&] { return ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC); }));
    if (fd.get() < 0) return ErrorOf(errno, "open folder", path);
    if (::fsync(fd.get()) != 0) return ErrorOf(errno, "sync folder", path);
    return absl::OkStatus();
  }
  absl::StatusOr<std::vector<DiskEntry>> List(const std::string& path) override {
    const std::unique_ptr<DIR, int (*)(DIR*)> folder(::opendir(path.c_str()), &::closedir);
    if (folder == nullptr) return ErrorOf(errno, "list", path);
    std::vector<DiskEntry> out;
    while (true) {
      errno = 0;
      // Safe: nobody else reads this stream.
      const dirent* entry = ::readdir(folder.get());  // NOLINT(concurrency-mt-unsafe)
      if (entry == nullptr) {
        if (errno != 0) return ErrorOf(errno, "list", path);
        return out;
      }
      const std::string name = entry->d_name;
      if (name == "." || name == "..") continue;
      bool is_folder = entry->d_type == DT_DIR;
      if (entry->d_type == DT_UNKNOWN) {
        struct stat status = {};
        const std::string inner = absl::StrCat(path, "/", name);
        if (::lstat(inner.c_str(), &status) != 0) return ErrorOf(errno, "look at", inner);
        is_folder = S_ISDIR(status.st_mode);
      }
      out.push_back({name, is_folder});
    }
  }
  absl::StatusOr<DiskSpace> GetSpace(const std::string& path) override {
    struct statvfs status = {};
    if (::statvfs(path.c_str(), &status) != 0) return ErrorOf(errno, "ask the space of", path);
    return DiskSpace{.total_bytes = std::uint64_t{status.f_blocks} * status.f_frsize,
                     .free_bytes = std::uint64_t{status.f_bavail} * status.f_frsize};
  }

 private:
  static absl::StatusOr<std::unique_ptr<DiskFile>> OpenWith(const std::string& path, int flags,
                                                            const char* what) {
    const int fd =
        Uninterrupted([&] { return ::open(path.c_str(), flags | O_CLOEXEC | O_NOFOLLOW, 0600); });
    if (fd < 0) return ErrorOf(errno, what, path);
    return std::make_unique<PosixFile>(fd, path);
  }
};

}  // namespace

int PosixDescriptorOf(const DiskFile& file) {
  const auto* const posix = dynamic_cast<const PosixFile*>(&file);
  return posix == nullptr ? -1 : posix->descriptor();
}

Disk& PosixDisk() {
  static PosixDiskImpl* const disk = new PosixDiskImpl;
  return *disk;
}

}  // namespace dfs
