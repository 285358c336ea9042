#include "client/cli/get_cache.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "client/posix_partial_file.h"
#include "common/checksum.h"
#include "common/status_macros.h"

namespace dfs::client::cli {
namespace {

namespace fs = std::filesystem;

// A folder with more files than this was not made by this program.
constexpr std::size_t kEntriesMax = 1'000'000;

// Empty: neither variable names a folder.
std::string CacheHome() {
  // NOLINTBEGIN(concurrency-mt-unsafe): nothing here sets variables
  const char* cache = std::getenv("XDG_CACHE_HOME");
  const char* home = std::getenv("HOME");
  // NOLINTEND(concurrency-mt-unsafe)
  if (cache != nullptr && cache[0] == '/') return cache;
  if (home != nullptr && home[0] == '/') return std::string(home) + "/.cache";
  return "";
}

}  // namespace

absl::StatusOr<GetCache> GetCache::Open(std::string_view cluster_id, std::uint64_t bytes_max) {
  const std::string home = CacheHome();
  if (home.empty()) return LocalError("find a place for", "the cache", ENOENT);
  const std::string folder = home + "/dfs/" + std::string(cluster_id);
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) return LocalError("create", folder, error.value());
  if (::chmod(folder.c_str(), S_IRWXU) != 0) return LocalError("protect", folder, errno);
  return GetCache(folder, bytes_max);
}

std::string GetCache::PathOf(const v1::FileInfo& file) const {
  std::string key = file.bucket();
  key.push_back('\0');
  key += file.name();
  key.push_back('\0');
  key += std::to_string(file.version());
  return folder_ + "/" + ToString(Xxh3(key.data(), key.size()));
}

absl::StatusOr<bool> GetCache::Fetch(const v1::FileInfo& file, ByteSink& sink) const {
  const std::string path = PathOf(file);
  const auto source = OpenFileSource(path);
  if (!source.ok()) return false;
  // Once for the checksums, and once more to hand it on: no byte goes out that was not verified.
  ContentSums before;
  while (true) {
    auto bytes = (*source)->Read(kLocalReadBytes);
    if (!bytes.ok()) return false;
    if (bytes->empty()) break;
    before.Add(*bytes);
  }
  if (!before.IsOf(file) || !(*source)->Rewind()) {
    ::unlink(path.c_str());
    return false;
  }
  ContentSums after;
  DFS_RETURN_IF_ERROR(sink.Begin(file));
  while (true) {
    DFS_ASSIGN_OR_RETURN(const Slices bytes, (*source)->Read(kLocalReadBytes));
    if (bytes.empty()) break;
    after.Add(bytes);
    DFS_RETURN_IF_ERROR(sink.Write(bytes));
  }
  if (!after.IsOf(file)) return LocalError("read (it changed meanwhile)", path, EIO);
  // The time of its last use decides what goes first. That of its modification stays: another program may be reading it.
  const timespec times[] = {{0, UTIME_NOW}, {0, UTIME_OMIT}};
  ::utimensat(AT_FDCWD, path.c_str(), times, 0);
  return true;
}

std::unique_ptr<FileSink> GetCache::NewEntry(const v1::FileInfo& file) const {
  if (file.size() > bytes_max_) return nullptr;
  auto sink = FileSink::Create(PathOf(file));
  return sink.ok() ? *std::move(sink) : nullptr;
}

void GetCache::Shrink() const {
  struct Entry {
    absl::Time used;
    std::uint64_t bytes;
    fs::path path;
  };
  std::vector<Entry> entries;
  std::uint64_t total = 0;
  std::error_code error;
  for (fs::directory_iterator it(folder_, error), end; it != end && !error; it.increment(error)) {
    std::error_code gone;  // another program may be at work here
    if (!it->is_regular_file(gone) || entries.size() == kEntriesMax) continue;
    struct stat status {};
    if (::stat(it->path().c_str(), &status) != 0) continue;
    const absl::Time used = std::max(absl::TimeFromTimespec(status.st_atim), absl::TimeFromTimespec(status.st_mtim));
    Entry entry{used, static_cast<std::uint64_t>(status.st_size), it->path()};
    total += entry.bytes;
    entries.push_back(std::move(entry));
  }
  std::sort(entries.begin(), entries.end(),
            [](const Entry& a, const Entry& b) { return a.used < b.used; });
  for (const Entry& entry : entries) {
    if (total <= bytes_max_) return;
    if (fs::remove(entry.path, error)) total -= entry.bytes;
  }
}

absl::Status TeeSink::Begin(const v1::FileInfo& file) {
  if (has_both_ && !second_.Begin(file).ok()) has_both_ = false;
  return first_.Begin(file);
}

absl::Status TeeSink::Write(const Slices& bytes) {
  if (has_both_ && !second_.Write(bytes).ok()) has_both_ = false;
  return first_.Write(bytes);
}

bool TeeSink::Rewind() {
  if (has_both_ && !second_.Rewind()) has_both_ = false;
  return first_.Rewind();
}

}  // namespace dfs::client::cli
