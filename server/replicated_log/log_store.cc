#include "server/replicated_log/log_store.h"

namespace dfs::replicated_log {
namespace {

absl::Status NoSnapshots() {
  return absl::UnimplementedError("this log store takes no snapshots");
}

}  // namespace

absl::StatusOr<std::unique_ptr<SnapshotFiles>> LogStore::WriteSnapshot(
    const metadata::RowReader& /*rows*/) {
  return NoSnapshots();
}
absl::StatusOr<std::unique_ptr<SnapshotSink>> LogStore::NewSnapshotSink() { return NoSnapshots(); }
absl::StatusOr<std::unique_ptr<PreparedState>> LogStore::PrepareState(
    std::unique_ptr<SnapshotSink> /*sink*/, const SnapshotContent& /*content*/,
    const StateCheck& /*check*/) {
  return NoSnapshots();
}
absl::Status LogStore::InstallState(std::unique_ptr<PreparedState> /*prepared*/,
                                    const SnapshotDescription& /*description*/,
                                    bool /*keep_tail*/) {
  return NoSnapshots();
}

}  // namespace dfs::replicated_log
