#include "client/posix_byte_stream.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <system_error>
#include <utility>
#include <vector>

#include "common/ids.h"
#include "common/random.h"

namespace dfs::client {
namespace {

constexpr char kLocalUrl[] = "dfs.client.local_error";
constexpr int kVectorMax = 64;  // pieces a call of writev takes here

class Descriptor {
 public:
  explicit Descriptor(int number) : number_(number) {}
  ~Descriptor() {
    if (number_ >= 0) ::close(number_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  [[nodiscard]] int number() const { return number_; }

 private:
  const int number_;
};

// Up to `bytes_max` bytes by `read_at(buffer, bytes, done)`, into memory that gRPC frees.
template <class ReadAt>
absl::StatusOr<Slices> ReadInto(std::size_t bytes_max, const std::string& name, ReadAt read_at) {
  Slices out;
  if (bytes_max == 0) return out;
  void* buffer = std::malloc(bytes_max);
  if (buffer == nullptr) return LocalError("read", name, ENOMEM);
  std::size_t done = 0;
  while (done < bytes_max) {
    const ssize_t got = read_at(static_cast<char*>(buffer) + done, bytes_max - done, done);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) {
      const int error_number = errno;
      std::free(buffer);
      return LocalError("read", name, error_number);
    }
    if (got == 0) break;
    done += static_cast<std::size_t>(got);
  }
  if (done == 0) {
    std::free(buffer);
    return out;
  }
  out.Append(grpc::Slice(
      buffer, done, [](void* memory) { std::free(memory); }, buffer));
  return out;
}

class RegularFileSource final : public ByteSource {
 public:
  RegularFileSource(int descriptor, std::string path, const struct stat& status)
      : descriptor_(descriptor),
        path_(std::move(path)),
        size_(static_cast<std::uint64_t>(status.st_size)),
        modified_(status.st_mtim) {}

  [[nodiscard]] std::optional<std::uint64_t> size() const override { return size_; }

  [[nodiscard]] absl::StatusOr<Slices> Read(std::size_t bytes_max) override {
    const std::size_t wanted =
        static_cast<std::size_t>(std::min<std::uint64_t>(bytes_max, size_ - at_));
    auto out = ReadInto(wanted, path_, [&](char* to, std::size_t bytes, std::size_t done) {
      return ::pread(descriptor_.number(), to, bytes, static_cast<off_t>(at_ + done));
    });
    if (!out.ok()) return out;
    at_ += out->size();
    if (out->size() < wanted) return LocalError("read (it became shorter)", path_, ESTALE);
    // Its last bytes are not handed out if the first ones may be of another content.
    if (at_ == size_ && HasChanged()) return LocalError("read (it changed meanwhile)", path_, ESTALE);
    return out;
  }

  [[nodiscard]] bool Rewind() override {
    at_ = 0;
    return true;
  }
  [[nodiscard]] bool SkipTo(std::uint64_t offset) override {
    if (offset > size_) return false;
    at_ = offset;
    return true;
  }

 private:
  [[nodiscard]] bool HasChanged() const {
    struct stat now {};
    return ::fstat(descriptor_.number(), &now) != 0 || static_cast<std::uint64_t>(now.st_size) != size_ ||
           now.st_mtim.tv_sec != modified_.tv_sec || now.st_mtim.tv_nsec != modified_.tv_nsec;
  }

  const Descriptor descriptor_;
  const std::string path_;
  const std::uint64_t size_;
  const timespec modified_;
  std::uint64_t at_ = 0;
};

class DescriptorSource final : public ByteSource {
 public:
  DescriptorSource(int descriptor, bool is_owned, std::string name)
      : descriptor_(descriptor), owned_(is_owned ? descriptor : -1), name_(std::move(name)) {}

  [[nodiscard]] std::optional<std::uint64_t> size() const override { return std::nullopt; }

  [[nodiscard]] absl::StatusOr<Slices> Read(std::size_t bytes_max) override {
    if (at_ < kept_.size()) {
      Slices out = kept_.Range(at_, std::min(bytes_max, kept_.size() - at_));
      at_ += out.size();
      return out;
    }
    if (is_at_end_) return Slices();
    auto out = ReadInto(bytes_max, name_, [&](char* to, std::size_t bytes, std::size_t) {
      return ::read(descriptor_, to, bytes);
    });
    if (!out.ok()) return out;
    is_at_end_ = out->size() < bytes_max;
    Keep(*out);
    return out;
  }

  [[nodiscard]] bool Rewind() override {
    if (!is_all_kept_) return false;
    at_ = 0;
    return true;
  }

 private:
  void Keep(const Slices& bytes) {
    if (is_all_kept_ && kept_.size() + bytes.size() <= kReplayBytesMax) {
      kept_.Append(bytes);
      at_ = kept_.size();
    } else if (!bytes.empty()) {
      is_all_kept_ = false;
      kept_.Clear();
      at_ = 0;
    }
  }

  const int descriptor_;
  const Descriptor owned_;
  const std::string name_;
  Slices kept_;  // the first bytes, while all that was read is among them
  std::size_t at_ = 0;
  bool is_all_kept_ = true;
  bool is_at_end_ = false;
};

absl::Status WriteAll(int descriptor, const Slices& bytes, const std::string& name) {
  std::vector<iovec> parts;
  parts.reserve(bytes.pieces().size());
  for (const auto& piece : bytes.pieces()) {
    parts.push_back({const_cast<std::uint8_t*>(piece.begin()), piece.size()});
  }
  std::size_t first = 0;
  while (first < parts.size()) {
    const int count = static_cast<int>(std::min<std::size_t>(parts.size() - first, kVectorMax));
    const ssize_t wrote = ::writev(descriptor, &parts[first], count);
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0) return LocalError("write", name, errno);
    auto left = static_cast<std::size_t>(wrote);
    while (first < parts.size() && left >= parts[first].iov_len) left -= parts[first++].iov_len;
    if (left > 0) {
      parts[first].iov_base = static_cast<char*>(parts[first].iov_base) + left;
      parts[first].iov_len -= left;
    }
  }
  return absl::OkStatus();
}

class DescriptorSink final : public ByteSink {
 public:
  DescriptorSink(int descriptor, std::string name)
      : descriptor_(descriptor), name_(std::move(name)) {}
  [[nodiscard]] absl::Status Write(const Slices& bytes) override {
    return WriteAll(descriptor_, bytes, name_);
  }

 private:
  const int descriptor_;
  const std::string name_;
};

// What is no regular file (a device, a pipe) is written in place: renaming over it would replace
// it.
class SpecialFileSink final : public FileSink {
 public:
  SpecialFileSink(int descriptor, std::string path)
      : descriptor_(descriptor), path_(std::move(path)) {}
  [[nodiscard]] absl::Status Write(const Slices& bytes) override {
    return WriteAll(descriptor_.number(), bytes, path_);
  }
  [[nodiscard]] absl::Status Sync() override { return absl::OkStatus(); }  // a pipe has nothing to sync
  [[nodiscard]] absl::Status Commit() override { return absl::OkStatus(); }
  [[nodiscard]] const std::string& partial_path() const override { return none_; }

 private:
  const Descriptor descriptor_;
  const std::string path_;
  const std::string none_;
};

class PartialFileSink final : public FileSink {
 public:
  PartialFileSink(int descriptor, std::string path, std::string partial)
      : descriptor_(descriptor), path_(std::move(path)), partial_(std::move(partial)) {}
  ~PartialFileSink() override {
    if (!is_committed_) ::unlink(partial_.c_str());
  }
  PartialFileSink(const PartialFileSink&) = delete;
  PartialFileSink& operator=(const PartialFileSink&) = delete;

  [[nodiscard]] absl::Status Write(const Slices& bytes) override {
    return WriteAll(descriptor_.number(), bytes, path_);
  }
  [[nodiscard]] bool Rewind() override {
    return ::ftruncate(descriptor_.number(), 0) == 0 &&
           ::lseek(descriptor_.number(), 0, SEEK_SET) == 0;
  }
  [[nodiscard]] absl::Status Sync() override {
    return ::fsync(descriptor_.number()) == 0 ? absl::OkStatus() : LocalError("sync", path_, errno);
  }
  [[nodiscard]] absl::Status Commit() override {
    if (::rename(partial_.c_str(), path_.c_str()) != 0) return LocalError("write", path_, errno);
    is_committed_ = true;
    return absl::OkStatus();
  }
  [[nodiscard]] const std::string& partial_path() const override { return partial_; }

 private:
  const Descriptor descriptor_;
  const std::string path_;
  const std::string partial_;
  bool is_committed_ = false;
};

}  // namespace

absl::Status LocalError(std::string_view action, std::string_view path, int error_number) {
  std::string text = "cannot ";
  text.append(action).append(" ").append(path).append(": ");
  text += std::generic_category().message(error_number);
  absl::Status out(absl::StatusCode::kFailedPrecondition, text);
  out.SetPayload(kLocalUrl, absl::Cord("1"));
  return out;
}

bool IsLocalError(const absl::Status& status) { return status.GetPayload(kLocalUrl).has_value(); }

absl::StatusOr<std::unique_ptr<ByteSource>> OpenFileSource(const std::string& path) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return LocalError("open", path, errno);
  struct stat status {};
  if (::fstat(descriptor, &status) != 0 || S_ISDIR(status.st_mode)) {
    const int error_number = S_ISDIR(status.st_mode) ? EISDIR : errno;
    ::close(descriptor);
    return LocalError("read", path, error_number);
  }
  if (!S_ISREG(status.st_mode)) {
    return std::make_unique<DescriptorSource>(descriptor, true, path);
  }
  ::posix_fadvise(descriptor, 0, 0, POSIX_FADV_SEQUENTIAL);
  return std::make_unique<RegularFileSource>(descriptor, path, status);
}

std::unique_ptr<ByteSource> MakeDescriptorSource(int descriptor, std::string name) {
  return std::make_unique<DescriptorSource>(descriptor, false, std::move(name));
}

std::unique_ptr<ByteSink> MakeDescriptorSink(int descriptor, std::string name) {
  return std::make_unique<DescriptorSink>(descriptor, std::move(name));
}

std::string FollowLink(const std::string& path) {
  struct stat status {};
  if (::lstat(path.c_str(), &status) != 0 || !S_ISLNK(status.st_mode)) return path;
  char* real = ::realpath(path.c_str(), nullptr);
  if (real == nullptr) return path;
  std::string out(real);
  std::free(real);
  return out;
}

std::string PartialPath(const std::string& path, std::string_view tag) {
  const auto slash = path.rfind('/');
  const std::string folder = slash == std::string::npos ? "" : path.substr(0, slash + 1);
  std::string name = slash == std::string::npos ? path : path.substr(slash + 1);
  const std::string end = "." + std::string(tag) + ".partial";
  name = name.substr(0, kFileNameBytesMax - 1 - end.size());
  return folder + "." + name + end;
}

absl::StatusOr<std::unique_ptr<FileSink>> FileSink::Create(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) == 0 && !S_ISREG(status.st_mode)) {
    if (S_ISDIR(status.st_mode)) return LocalError("write", path, EISDIR);
    const int special = ::open(path.c_str(), O_WRONLY | O_CLOEXEC);
    if (special < 0) return LocalError("write", path, errno);
    return std::make_unique<SpecialFileSink>(special, path);
  }
  const std::string target = FollowLink(path);
  const std::string partial = PartialPath(target, HexOf(0, SystemRandom64()).substr(16));
  const int descriptor = ::open(partial.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  if (descriptor < 0) return LocalError("write", path, errno);
  return std::make_unique<PartialFileSink>(descriptor, target, partial);
}

}  // namespace dfs::client
