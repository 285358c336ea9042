#include "server/node/disk_space.h"

#include <glog/logging.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <fstream>
#include <iterator>
#include <vector>

#include "common/disk_full.h"
#include "server/chunk/local_chunk_store.h"

namespace dfs::node {
namespace {

constexpr std::uint64_t kSpaceToRunMax = std::uint64_t{64} << 20;
constexpr absl::Duration kLookEvery = absl::Seconds(1);
constexpr int kSayEvery = 30;  // looks

}  // namespace

bool HasSpaceToRun(Disk& disk, const std::string& data_dir) {
  const auto space = disk.GetSpace(data_dir);
  if (!space.ok()) return true;  // the start says what is wrong
  return space->free_bytes >= std::min(kSpaceToRunMax, chunk::ReserveOf(space->total_bytes) / 2);
}

bool AwaitSpaceToRun(Disk& disk, const std::string& data_dir, const Interrupted& interrupted) {
  for (int looks = 0; !HasSpaceToRun(disk, data_dir); ++looks) {
    LOG_IF(ERROR, looks % kSayEvery == 0)
        << "THE DISK OF " << data_dir << " IS FULL: this node waits until there is space";
    if (interrupted(kLookEvery)) return false;
  }
  return true;
}

void RestartProgram() {
  std::ifstream file("/proc/self/cmdline", std::ios::binary);
  std::string line((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  std::vector<char*> arguments;
  for (std::size_t at = 0; at < line.size(); at = line.find('\0', at) + 1) {
    arguments.push_back(line.data() + at);
  }
  if (arguments.empty() || line.back() != '\0') return;
  arguments.push_back(nullptr);
  LOG(ERROR) << "this program begins anew";
  google::FlushLogFiles(google::INFO);
  execv("/proc/self/exe", arguments.data());
  PLOG(ERROR) << "cannot begin anew";
}

std::function<void(absl::Status)> FailStopOf(Disk& disk, const std::string& data_dir) {
  return [&disk, data_dir](const absl::Status& status) {
    if (IsDiskFull(status) || !HasSpaceToRun(disk, data_dir)) {
      LOG(ERROR) << "the disk is full, this node begins anew: " << status;
      RestartProgram();
    }
    LOG(FATAL) << "the state machine's rows: " << status;
  };
}

}  // namespace dfs::node
