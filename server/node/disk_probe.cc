#include "server/node/disk_probe.h"

#include <array>
#include <string_view>
#include <utility>

#include "common/status_macros.h"

namespace dfs::node {

absl::StatusOr<std::unique_ptr<DiskProbe>> DiskProbe::Start(Disk* disk, const std::string& path,
                                                            const Clock* clock) {
  if (const absl::Status removed = disk->Unlink(path);
      !removed.ok() && !absl::IsNotFound(removed)) {
    return removed;
  }
  DFS_ASSIGN_OR_RETURN(auto file, disk->Create(path));
  std::unique_ptr<DiskProbe> probe(new DiskProbe(std::move(file), clock));
  probe->executor_.Post([raw = probe.get()] { raw->Try(); });
  return probe;
}

DiskProbe::DiskProbe(std::unique_ptr<DiskFile> file, const Clock* clock)
    : file_(std::move(file)), clock_(clock), last_(clock->Now()), executor_("disk-probe", *clock) {}

DiskProbe::~DiskProbe() { executor_.Stop(); }

void DiskProbe::Try() {
  const MonotonicTime start = clock_->Now();
  absl::Status status = file_->Write(0, std::array<std::string_view, 1>{"probe"});
  if (status.ok()) status = file_->SyncData();
  if (status.ok()) {
    MutexLock lock(&mutex_);
    last_ = start;
  }
  executor_.PostAt(clock_->Now() + kEvery, [this] { Try(); });
}

absl::Duration DiskProbe::Age() const {
  const MonotonicTime now = clock_->Now();
  MutexLock lock(&mutex_);
  return now - last_;
}

}  // namespace dfs::node
