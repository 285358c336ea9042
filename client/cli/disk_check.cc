#include "client/cli/disk_check.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <memory>
#include <string_view>

#include "absl/strings/str_cat.h"
#include "common/random.h"
#include "common/status_macros.h"

namespace dfs::client::cli {
namespace {

constexpr std::size_t kPieceBytes = std::size_t{1} << 20;

// Bytes that no device can leave out or make small.
std::string Noise(std::size_t bytes) {
  Random random(1);
  std::string out;
  out.reserve(bytes + sizeof(std::uint64_t));
  while (out.size() < bytes) {
    const std::uint64_t next = random.Next();
    out.append(reinterpret_cast<const char*>(&next), sizeof(next));
  }
  out.resize(bytes);
  return out;
}

absl::Status Measure(DiskFile& file, const Clock& clock, const DiskCheckOptions& options, DiskCheckResult& out) {
  const std::string noise = Noise(std::max(kPieceBytes, options.sync_bytes));
  std::uint64_t offset = 0;
  const MonotonicTime begin = clock.Now();
  for (int i = 0; i < options.syncs && clock.Now() - begin < options.time_max; ++i) {
    const std::array<std::string_view, 1> piece = {std::string_view(noise).substr(0, options.sync_bytes)};
    const MonotonicTime before = clock.Now();
    DFS_RETURN_IF_ERROR(file.Write(offset, piece));
    DFS_RETURN_IF_ERROR(file.SyncData());
    out.syncs.Add(clock.Now() - before);
    offset += piece[0].size();
  }
  const MonotonicTime stream_begin = clock.Now();
  while (out.stream_bytes < options.stream_bytes && clock.Now() - stream_begin < options.time_max) {
    const std::array<std::string_view, 1> piece = {std::string_view(noise).substr(
        0, static_cast<std::size_t>(std::min<std::uint64_t>(kPieceBytes, options.stream_bytes - out.stream_bytes)))};
    DFS_RETURN_IF_ERROR(file.Write(offset, piece));
    file.StartWriteback(offset, piece[0].size());
    offset += piece[0].size();
    out.stream_bytes += piece[0].size();
  }
  DFS_RETURN_IF_ERROR(file.SyncData());
  out.stream_time = clock.Now() - stream_begin;
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<DiskCheckResult> CheckDisk(Disk& disk, const Clock& clock, const std::string& path,
                                          const DiskCheckOptions& options) {
  const std::string folder = std::filesystem::path(path).parent_path().string();
  DFS_ASSIGN_OR_RETURN(const DiskSpace space, disk.GetSpace(folder));
  const std::uint64_t wanted = 2 * (options.stream_bytes + static_cast<std::uint64_t>(options.syncs) * options.sync_bytes);
  if (space.free_bytes < wanted) {
    return absl::ResourceExhaustedError(
        absl::StrCat(space.free_bytes, " bytes free, ", wanted, " wanted; a smaller --size takes less"));
  }
  DiskCheckResult out;
  out.free_bytes = space.free_bytes;
  DFS_ASSIGN_OR_RETURN(std::unique_ptr<DiskFile> file, disk.Create(path));
  const absl::Status measured = Measure(*file, clock, options, out);
  file.reset();
  const absl::Status removed = disk.Unlink(path);
  DFS_RETURN_IF_ERROR(measured);
  DFS_RETURN_IF_ERROR(removed);
  return out;
}

}  // namespace dfs::client::cli
