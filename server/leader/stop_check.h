// Whether nodes may be stopped without anything losing its quorum. Pure.
#ifndef DFS_SERVER_LEADER_STOP_CHECK_H_
#define DFS_SERVER_LEADER_STOP_CHECK_H_

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "common/ids.h"
#include "common/wire_ids.h"
#include "server/leader/repair_plan.h"

namespace dfs::leader {

class StopCheck {
 public:
  // `members`: all ACTIVE ones as they are now. `stopping`: those to be stopped, beside what is
  // dead already.
  StopCheck(const RepairMembers& members, std::set<NodeId> stopping, std::set<NodeId> voters);

  // Sentences: what the cluster as a whole would lose.
  [[nodiscard]] std::vector<std::string> ClusterReasons(
      const std::vector<rpc::BucketRow>& buckets) const;
  // A sentence: what the version would lose; empty: nothing.
  [[nodiscard]] std::string WhatIsLost(const rpc::VersionRow& version,
                                       const rpc::BucketRow& bucket) const;

 private:
  [[nodiscard]] bool Remains(NodeId node) const;

  const RepairMembers& members_;
  const std::set<NodeId> stopping_;
  const std::set<NodeId> voters_;
};

}  // namespace dfs::leader

#endif  // DFS_SERVER_LEADER_STOP_CHECK_H_
