#include "server/node/open_log.h"

#include <glog/logging.h>

#include <utility>

#include "common/damage.h"
#include "common/posix_disk.h"
#include "common/status_macros.h"
#include "server/node/disk_space.h"
#include "server/node/metadata_damage.h"
#include "server/node/set_aside.h"
#include "server/replicated_log/rocksdb_log_store.h"

namespace dfs::node {
namespace {

constexpr absl::Duration kDamageAsks = absl::Seconds(30);  // for a leader; members may be starting, too

absl::StatusOr<std::unique_ptr<replicated_log::LogStore>> TryOpen(const std::string& data_dir) {
  DFS_RETURN_IF_ERROR(NotedMetadataDamage(PosixDisk(), data_dir));
  replicated_log::RocksdbLogStore::Options options;
  options.data_dir = data_dir;
  options.on_failure = [data_dir, stop = FailStopOf(PosixDisk(), data_dir)](const absl::Status& status) {
    NoteIfDamage(data_dir, status);
    stop(status);  // nobody can go on without the row
  };
  DFS_ASSIGN_OR_RETURN(auto store, replicated_log::RocksdbLogStore::Open(std::move(options)));
  DFS_RETURN_IF_ERROR(store->Load().status());
  return store;
}

}  // namespace

bool NoteIfDamage(const std::string& data_dir, const absl::Status& status) {
  if (!IsDamage(status)) return false;
  const absl::Status noted = NoteMetadataDamage(PosixDisk(), data_dir, status.ToString());
  LOG_IF(ERROR, !noted.ok()) << noted;
  return noted.ok();
}

absl::StatusOr<std::unique_ptr<replicated_log::LogStore>> OpenLog(
    const std::string& data_dir, const Others& others, const Interrupted& interrupted) {
  DFS_RETURN_IF_ERROR(CarryOutSetAside(PosixDisk(), data_dir));
  auto store = TryOpen(data_dir);
  if (store.ok() || !IsDamage(store.status())) return store;
  DFS_RETURN_IF_ERROR(OrderSetAsideIfClusterServes(PosixDisk(), data_dir, others,
                                                   store.status(), kDamageAsks, interrupted));
  DFS_RETURN_IF_ERROR(CarryOutSetAside(PosixDisk(), data_dir));
  return TryOpen(data_dir);
}

}  // namespace dfs::node
