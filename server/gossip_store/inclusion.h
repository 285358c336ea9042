// Who has taken over whose state, up to when: by it tombstones may go (rule R23). Pure.
#ifndef DFS_SERVER_GOSSIP_STORE_INCLUSION_H_
#define DFS_SERVER_GOSSIP_STORE_INCLUSION_H_

#include <algorithm>
#include <cstdint>
#include <map>
#include <utility>
#include <vector>

#include "common/ids.h"
#include "server/gossip_store/hybrid_clock.h"

namespace dfs::gossip_store {

// `node` has everything, or what superseded it, that another node had at that time of the other's clock.
struct InclusionRow {
  NodeId node;
  std::map<NodeId, HybridTime> had;
  [[nodiscard]] HybridTime Of(NodeId other) const {
    const auto found = had.find(other);
    return found == had.end() ? HybridTime() : found->second;
  }
  // Each as far as either says.
  void Take(const InclusionRow& other) {
    for (const auto& [id, time] : other.had) had[id] = std::max(had[id], time);
  }
};

// A node's own row, and what it was told of those of others. Rows only ever go forward. Not thread-safe.
class InclusionTable {
 public:
  explicit InclusionTable(InclusionRow own) : own_(std::move(own)) {}

  // Who is not among them is forgotten, and waited for no longer.
  void SetMembers(const std::vector<NodeId>& members) {
    const auto is_gone = [&](NodeId id) {
      return std::find(members.begin(), members.end(), id) == members.end();
    };
    std::erase_if(others_, [&](const auto& entry) { return is_gone(entry.first); });
    members_ = members;
  }
  // A peer's own row, or what a peer knows of another's.
  void Record(const InclusionRow& row) {
    if (row.node == own_.node || !IsMember(row.node)) return;
    InclusionRow& known = others_[row.node];
    known.node = row.node;
    known.Take(row);
  }
  // This node took over all that `peer` had at `as_of`, when the peer's row was `row`.
  void Include(NodeId peer, HybridTime as_of, const InclusionRow& row) {
    own_.Take(row);
    own_.had.erase(own_.node);
    own_.had[peer] = std::max(own_.had[peer], as_of);
  }

  [[nodiscard]] bool IsMember(NodeId node) const {
    return std::find(members_.begin(), members_.end(), node) != members_.end();
  }
  [[nodiscard]] const InclusionRow& own() const { return own_; }
  [[nodiscard]] const std::map<NodeId, InclusionRow>& others() const { return others_; }

  // Every other member has what this node had at that time of its own clock.
  [[nodiscard]] HybridTime HeldByAll() const {
    HybridTime out(~std::uint64_t{0});
    for (const NodeId id : members_) {
      if (id == own_.node) continue;
      const auto found = others_.find(id);
      out = std::min(out, found == others_.end() ? HybridTime() : found->second.Of(own_.node));
    }
    return out;
  }
  // This node has, or had, every record that a member wrote up to that time.
  [[nodiscard]] HybridTime SeenOfAll() const {
    HybridTime out(~std::uint64_t{0});
    for (const NodeId id : members_) {
      if (id != own_.node) out = std::min(out, own_.Of(id));
    }
    return out;
  }

 private:
  InclusionRow own_;
  std::map<NodeId, InclusionRow> others_;
  std::vector<NodeId> members_;
};

}  // namespace dfs::gossip_store

#endif  // DFS_SERVER_GOSSIP_STORE_INCLUSION_H_
