// The order in which live members watch each other.
#ifndef DFS_MEMBERSHIP_RING_H_
#define DFS_MEMBERSHIP_RING_H_

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "common/ids.h"

namespace dfs::membership {

// How many members on each side are watched.
inline constexpr std::size_t kNeighboursPerSide = 2;

// Members in the order of a hash of their ids: neighbours in number (started together, in one
// rack) do not stand together. Equal sets give equal rings on every machine. Immutable; pure.
class Ring {
 public:
  Ring() = default;
  explicit Ring(const std::vector<NodeId>& members);

  // The nearest members after and before where `node` stands, or would stand, never `node` itself; nearest
  // first, at most kNeighboursPerSide. On small rings a member may be both.
  [[nodiscard]] std::vector<NodeId> Successors(NodeId node) const;
  [[nodiscard]] std::vector<NodeId> Predecessors(NodeId node) const;
  // Both without repetition: min(4, others) distinct members. (No pair of a small ring is left out:
  // up to 5 members all watch each other.)
  [[nodiscard]] std::vector<NodeId> Neighbours(NodeId node) const;

  [[nodiscard]] std::size_t size() const { return order_.size(); }

 private:
  using Place = std::pair<std::uint64_t, NodeId>;
  [[nodiscard]] std::vector<NodeId> Walk(NodeId node, bool is_forward) const;

  std::vector<Place> order_;
};

}  // namespace dfs::membership

#endif  // DFS_MEMBERSHIP_RING_H_
