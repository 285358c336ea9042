#include "server/leader/stop_check.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/metadata/bucket_rule.h"

namespace dfs::leader {

namespace {
constexpr std::size_t kReasonsMax = 10;  // there may be 1,000 buckets
}  // namespace

StopCheck::StopCheck(const RepairMembers& members, std::set<NodeId> stopping,
                     std::set<NodeId> voters)
    : members_(members), stopping_(std::move(stopping)), voters_(std::move(voters)) {}

bool StopCheck::Remains(NodeId node) const {
  return members_.IsUsable(node) && !stopping_.contains(node);
}

std::vector<std::string> StopCheck::ClusterReasons(
    const std::vector<rpc::BucketRow>& buckets) const {
  std::vector<std::string> reasons;
  const auto voting = static_cast<std::size_t>(
      std::count_if(voters_.begin(), voters_.end(), [this](NodeId node) { return Remains(node); }));
  if (2 * voting <= voters_.size()) {
    reasons.push_back(
        absl::StrCat(voting, " of ", voters_.size(),
                     " voters would remain: no leader, no change and no strong read"));
  }
  std::size_t remaining = 0;
  for (const auto& [node, member] : members_.all()) remaining += Remains(node) ? 1 : 0;
  for (const auto& bucket : buckets) {
    const std::size_t wanted = metadata::EffectiveWriteQuorum(bucket, members_.size());
    if (remaining >= wanted) continue;
    const std::string where =
        bucket.name() == "default" ? "" : absl::StrCat(" into bucket \"", bucket.name(), "\"");
    reasons.push_back(
        absl::StrCat(remaining, " node(s) would remain, and a put", where, " needs ", wanted));
    if (reasons.size() >= kReasonsMax) break;
  }
  return reasons;
}

std::string StopCheck::WhatIsLost(const rpc::VersionRow& version,
                                  const rpc::BucketRow& bucket) const {
  std::set<NodeId> set;
  for (const std::uint32_t node : version.empty_set()) set.insert(NodeId(node));
  for (int k = 0; k < version.chunks_size(); ++k) {
    bool has_copy = false;
    for (const auto& replica : version.chunks(k).replicas()) {
      set.insert(NodeId(replica.node_id()));
      has_copy = has_copy || (replica.state() == api::OK && Remains(NodeId(replica.node_id())));
    }
    if (!has_copy) return absl::StrCat("no copy of chunk ", k, " would be on a live node");
  }
  // Rule R7: retired nodes count no more.
  std::erase_if(set, [this](NodeId node) { return members_.Find(node) == nullptr; });
  const auto confirming = static_cast<std::size_t>(
      std::count_if(set.begin(), set.end(), [this](NodeId node) { return Remains(node); }));
  const std::size_t wanted = metadata::EffectiveReadQuorum(bucket, set.size());
  if (confirming >= wanted) return "";
  return absl::StrCat(confirming, " of its nodes would be alive, and a strong get needs ", wanted);
}

}  // namespace dfs::leader
