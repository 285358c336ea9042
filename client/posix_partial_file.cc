#include "client/posix_partial_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <system_error>
#include <utility>
#include <vector>

#include "common/status_macros.h"
#include "proto/wire_status.h"

namespace dfs::client {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kWorthKeeping = std::uint64_t{1} << 20;  // bytes
constexpr std::size_t kTagHashDigits = 16;
constexpr char kEnd[] = ".partial";

std::string HexOfBytes(std::string_view bytes) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string out;
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    out += {kDigits[byte >> 4], kDigits[byte & 15]};
  }
  return out;
}

std::string TagOf(const v1::FileInfo& file) {
  return "v" + std::to_string(file.version()) + "-" + HexOfBytes(file.content_hash()).substr(0, kTagHashDigits);
}

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

// As the random tags of FileSink, too.
bool IsHash(std::string_view text) {
  return text.size() == kTagHashDigits &&
         std::all_of(text.begin(), text.end(), [](char c) { return IsDigit(c) || (c >= 'a' && c <= 'f'); });
}

bool IsTag(std::string_view text) {
  const auto dash = text.find('-');
  if (dash == std::string_view::npos || dash < 2 || text[0] != 'v') return false;
  const std::string_view version = text.substr(1, dash - 1);
  return std::all_of(version.begin(), version.end(), IsDigit) && IsHash(text.substr(dash + 1));
}

// Between the last two dots; empty: it is no partial file.
std::string_view TagIn(std::string_view name) {
  if (!name.starts_with('.') || !name.ends_with(kEnd)) return {};
  name.remove_suffix(sizeof(kEnd) - 1);
  const auto dot = name.rfind('.');
  return dot == 0 ? std::string_view() : name.substr(dot + 1);
}

// What earlier gets left beside `path`.
std::vector<std::string> LeftBeside(const std::string& path) {
  // The tag of a version is at most this long, so the name is cut nowhere further ahead.
  const std::string sample = PartialPath(path, "v" + std::string(20, '0') + "-" + std::string(kTagHashDigits, '0'));
  const auto slash = sample.rfind('/');
  const std::string folder = slash == std::string::npos ? "" : sample.substr(0, slash + 1);
  const std::string begin = sample.substr(folder.size(), sample.rfind(".v0") - folder.size());
  std::vector<std::string> out;
  std::error_code error;
  for (fs::directory_iterator it(folder.empty() ? "." : folder, error), end; it != end && !error; it.increment(error)) {
    const std::string name = it->path().filename().string();
    const std::string_view tag = TagIn(name);
    if (!name.starts_with(begin) || !IsTag(tag)) continue;
    // A name that had to be cut is cut less before a shorter tag.
    const bool is_cut = sample.size() - folder.size() >= kFileNameBytesMax;
    if (is_cut || name.size() == begin.size() + 1 + tag.size() + sizeof(kEnd) - 1) out.push_back(folder + name);
  }
  return out;
}

// Locked, ours alone, and still what `path` names; else -1.
int OpenOwn(const std::string& path, int flags) {
  const int descriptor = ::open(path.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | flags, 0666);
  if (descriptor < 0) return -1;
  struct stat opened {};
  struct stat named {};
  const bool is_ours = ::flock(descriptor, LOCK_EX | LOCK_NB) == 0 && ::fstat(descriptor, &opened) == 0 &&
                       ::lstat(path.c_str(), &named) == 0 && opened.st_ino == named.st_ino &&
                       opened.st_dev == named.st_dev && S_ISREG(opened.st_mode) && opened.st_uid == ::geteuid() &&
                       opened.st_nlink == 1;
  if (is_ours) return descriptor;
  ::close(descriptor);
  return -1;
}

bool IsSpecial(const std::string& path) {
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0 && !S_ISREG(status.st_mode);
}

}  // namespace

bool IsPartialName(std::string_view name) {
  const std::string_view tag = TagIn(name);
  return IsTag(tag) || IsHash(tag);
}

void ContentSums::Add(const void* data, std::size_t bytes) {
  crc_ = ExtendCrc32c(crc_, data, bytes);
  hash_.Update(data, bytes);
  length_ += bytes;
}

void ContentSums::Add(const Slices& bytes) {
  for (const auto& piece : bytes.pieces()) Add(piece.begin(), piece.size());
}

bool ContentSums::IsOf(const v1::FileInfo& file) const {
  return length_ == file.size() && crc_ == file.crc32c() && ToString(hash_.Digest()) == HexOfBytes(file.content_hash());
}

PartialFile::PartialFile(std::string path, bool keeps) : path_(FollowLink(path)), keeps_(keeps) {}

PartialFile::~PartialFile() {
  if (bytes_kept() == 0) Discard();
  Close();
}

bool PartialFile::HasLeft(const std::string& path) { return !LeftBeside(FollowLink(path)).empty(); }

void PartialFile::RemoveOthers(const std::string& but) const {
  for (const std::string& left : LeftBeside(path_)) {
    if (left == but) continue;
    const int descriptor = OpenOwn(left, 0);
    if (descriptor < 0) continue;
    ::unlink(left.c_str());
    ::close(descriptor);
  }
}

bool PartialFile::Open(const v1::FileInfo& file, bool creates) {
  kept_ = PartialPath(path_, TagOf(file));
  descriptor_ = OpenOwn(kept_, creates ? O_CREAT : 0);
  if (descriptor_ < 0) return false;
  writer_ = MakeDescriptorSink(descriptor_, path_);
  return true;
}

void PartialFile::Close() {
  writer_.reset();
  if (descriptor_ >= 0) ::close(descriptor_);
  descriptor_ = -1;
  written_ = 0;
  is_taken_over_ = false;
}

bool PartialFile::Sum() {
  std::vector<char> buffer(kLocalReadBytes);
  for (;;) {
    const ssize_t got = ::read(descriptor_, buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return got == 0;
    sums_.Add(buffer.data(), static_cast<std::size_t>(got));
  }
}

std::uint64_t PartialFile::TakeOver(const v1::FileInfo& file) {
  if (!keeps_ || IsSpecial(path_)) return 0;
  RemoveOthers(PartialPath(path_, TagOf(file)));
  if (file.size() < kResumableBytesMin || !Open(file, /*creates=*/false)) return 0;
  sums_ = ContentSums();
  if (!Sum() || sums_.length() > file.size()) {
    Discard();
    return 0;
  }
  written_ = sums_.length();
  is_taken_over_ = true;
  file_ = file;
  return written_;
}

absl::Status PartialFile::Begin(const v1::FileInfo& file) {
  if (is_taken_over_) {
    if (file.version() == file_.version() && file.size() == file_.size() && file.crc32c() == file_.crc32c()) {
      return absl::OkStatus();
    }
    return absl::AbortedError("the file was replaced since it was begun");
  }
  plain_.reset();
  const bool is_kept = keeps_ && file.size() >= kResumableBytesMin && file.consistency() != v1::EVENTUAL && !IsSpecial(path_);
  if (is_kept && Open(file, /*creates=*/true)) {
    if (::ftruncate(descriptor_, 0) == 0) return absl::OkStatus();
    Discard();
  }
  DFS_ASSIGN_OR_RETURN(plain_, FileSink::Create(path_));
  return absl::OkStatus();
}

absl::Status PartialFile::Write(const Slices& bytes) {
  if (plain_ != nullptr) return plain_->Write(bytes);
  DFS_RETURN_IF_ERROR(writer_->Write(bytes));
  written_ += bytes.size();
  if (is_taken_over_) sums_.Add(bytes);
  return absl::OkStatus();
}

bool PartialFile::Rewind() {
  if (is_taken_over_ || IsSpecial(path_)) return false;
  Discard();
  return true;
}

absl::Status PartialFile::Sync() {
  if (plain_ != nullptr) return plain_->Sync();
  return ::fsync(descriptor_) == 0 ? absl::OkStatus() : LocalError("sync", path_, errno);
}

absl::Status PartialFile::Commit() {
  if (plain_ != nullptr) return plain_->Commit();
  if (is_taken_over_ && !sums_.IsOf(file_)) {
    Discard();
    return ErrorWithReason(absl::StatusCode::kDataLoss, "what an earlier get left here was damaged",
                           v1::ErrorDetail::BAD_CHECKSUM);
  }
  if (::rename(kept_.c_str(), path_.c_str()) != 0) return LocalError("write", path_, errno);
  Close();
  return absl::OkStatus();
}

void PartialFile::Discard() {
  plain_.reset();
  if (descriptor_ >= 0) ::unlink(kept_.c_str());
  Close();
}

const std::string& PartialFile::path_to_remove() const {
  static const auto* const kNone = new std::string();
  return plain_ != nullptr ? plain_->partial_path() : *kNone;
}

std::uint64_t PartialFile::bytes_kept() const {
  return descriptor_ >= 0 && written_ >= kWorthKeeping ? written_ : 0;
}

}  // namespace dfs::client
