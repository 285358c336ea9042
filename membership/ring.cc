#include "membership/ring.h"

#include <algorithm>

#include "common/random.h"

namespace dfs::membership {
namespace {

// One step of SplitMix64: equal everywhere, and spreads small numbers well.
std::uint64_t PlaceOf(NodeId node) { return Random(node.value()).Next(); }

}  // namespace

Ring::Ring(const std::vector<NodeId>& members) {
  order_.reserve(members.size());
  for (const NodeId node : members) order_.emplace_back(PlaceOf(node), node);
  std::sort(order_.begin(), order_.end());
  order_.erase(std::unique(order_.begin(), order_.end()), order_.end());
}

std::vector<NodeId> Ring::Walk(NodeId node, bool is_forward) const {
  std::vector<NodeId> out;
  const Place place{PlaceOf(node), node};
  const std::size_t size = order_.size();
  if (size == 0) return out;
  const auto found = std::lower_bound(order_.begin(), order_.end(), place);
  const auto at = static_cast<std::size_t>(found - order_.begin());
  const bool is_member = found != order_.end() && *found == place;
  // From where `node` stands; if it is not on the ring, `at` is already the first one after it.
  std::size_t index = is_forward ? (is_member ? at + 1 : at) : at + size - 1;
  for (std::size_t step = 0; step < size && out.size() < kNeighboursPerSide; ++step) {
    const NodeId other = order_[index % size].second;
    if (other == node) break;
    out.push_back(other);
    index = is_forward ? index + 1 : index + size - 1;
  }
  return out;
}

std::vector<NodeId> Ring::Successors(NodeId node) const { return Walk(node, true); }
std::vector<NodeId> Ring::Predecessors(NodeId node) const { return Walk(node, false); }

std::vector<NodeId> Ring::Neighbours(NodeId node) const {
  std::vector<NodeId> out = Successors(node);
  for (const NodeId other : Predecessors(node)) {
    if (std::find(out.begin(), out.end(), other) == out.end()) out.push_back(other);
  }
  return out;
}

}  // namespace dfs::membership
