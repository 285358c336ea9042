// What a leader says of its repair.
#ifndef DFS_TESTS_UNIT_LEADER_REPAIR_PROGRESS_H_
#define DFS_TESTS_UNIT_LEADER_REPAIR_PROGRESS_H_

#include "server/leader/leader_host.h"
#include "tests/unit/leader/fakes.h"

namespace dfs::leader {

// Asks `host`, which runs in `world`.
inline api::RepairProgress RepairProgressOf(LeaderHost& host, FakeWorld& world) {
  rpc::ManageRequest request;
  request.mutable_repair();
  Taken<rpc::ManageResponse> taken;
  host.Manage(request, absl::Seconds(1), taken.Callback());
  world.executor.RunDue();
  return taken.get()->repair().progress();
}

}  // namespace dfs::leader

#endif  // DFS_TESTS_UNIT_LEADER_REPAIR_PROGRESS_H_
