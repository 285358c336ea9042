#include "server/placement/rebalance_plan.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <utility>

#include "common/mutant.h"

namespace dfs::placement {
namespace {

// One that gets a part of a sum: by weight, within bounds.
struct Share {
  double weight = 0;
  double low = 0;
  double high = 0;
  double part = 0;
};

double SumAt(const std::vector<Share>& shares, double level) {
  double sum = 0;
  for (const Share& share : shares) sum += std::clamp(share.weight * level, share.low, share.high);
  return sum;
}

// Gives `total` out so that each part is weight * level within its bounds, with one level for all. Where the bounds do not
// let the sum be reached, all are at them.
void GiveOut(double total, std::vector<Share>& shares) {
  constexpr int kSteps = 100;  // halves the interval: exact to the last bit of a double long before
  double low = 0;
  double high = 1;
  for (int i = 0; i < kSteps && SumAt(shares, high) < total; ++i) high *= 2;
  for (int i = 0; i < kSteps; ++i) {
    const double middle = (low + high) / 2;
    (SumAt(shares, middle) < total ? low : high) = middle;
  }
  for (Share& share : shares) share.part = std::clamp(share.weight * high, share.low, share.high);
}

int CopiesIn(const std::map<std::string, int>& zones, const std::string& zone) {
  const auto found = zones.find(zone);
  return found == zones.end() ? 0 : found->second;
}

bool Contains(const std::vector<NodeId>& nodes, NodeId node) {
  return std::find(nodes.begin(), nodes.end(), node) != nodes.end();
}

}  // namespace

RebalancePlan::RebalancePlan(const std::vector<BalanceNode>& nodes, std::uint64_t unique_bytes,
                             std::size_t replicas, std::uint64_t slack_bytes)
    : replicas_(replicas), slack_bytes_(slack_bytes) {
  std::map<std::string, std::vector<Node*>> zones;
  double total = 0;
  for (const BalanceNode& given : nodes) {
    Node& node = nodes_[given.node];
    node = {given, given.held_bytes, 0};
    if (!given.takes_part) continue;
    zones[given.zone].push_back(&node);
    total += static_cast<double>(given.held_bytes);
  }
  if (zones.empty()) return;
  // A chunk has a copy in every zone if there are few zones, and never more in one than the others leave over.
  const auto unique = static_cast<double>(unique_bytes);
  const std::size_t spread = std::min(zones.size(), replicas_);
  const auto in_one_zone = static_cast<double>(replicas_ - spread + 1);
  std::vector<Share> of_zones;
  for (const auto& [zone, members] : zones) {
    Share share;
    for (const Node* node : members) share.weight += static_cast<double>(node->given.capacity_bytes);
    const double copies_max = std::min(in_one_zone, static_cast<double>(members.size()));
    share.high = unique * copies_max;
    share.low = zones.size() <= replicas_ ? std::min(unique, share.high) : 0;
    of_zones.push_back(share);
  }
  GiveOut(total, of_zones);
  std::size_t at = 0;
  for (const auto& [zone, members] : zones) {
    std::vector<Share> of_nodes;
    for (const Node* node : members) {
      of_nodes.push_back({static_cast<double>(node->given.capacity_bytes), 0, unique, 0});
    }
    GiveOut(of_zones[at++].part, of_nodes);
    for (std::size_t i = 0; i < members.size(); ++i) {
      members[i]->target = static_cast<std::uint64_t>(std::llround(of_nodes[i].part));
    }
  }
}

bool RebalancePlan::HasRoom(const Node& node, std::uint64_t size) const {
  return node.given.takes_part && node.held + size <= node.given.capacity_bytes;
}

bool RebalancePlan::MayGive(const Node& node, std::uint64_t size) const {
  return node.given.takes_part && node.held >= size && node.held - size >= node.target;
}

bool RebalancePlan::MayTake(const Node& node, std::uint64_t size) const {
  if (!HasRoom(node, size)) return false;
  return node.held + size <= node.target ||
         DFS_MUTANT(842, "a node is filled beyond its part, and what it got goes on to the next");
}

std::map<std::string, int> RebalancePlan::ZonesOf(const std::vector<NodeId>& set) const {
  std::map<std::string, int> zones;
  for (const NodeId member : set) {
    if (const auto found = nodes_.find(member); found != nodes_.end()) ++zones[found->second.given.zone];
  }
  return zones;
}

// From a zone that has two more than another to that one (with three zones or more: from two to none): the one that is fullest to the one that is emptiest, by their targets.
std::optional<RebalancePlan::Move> RebalancePlan::MoveForZones(
    std::uint64_t size, const std::vector<NodeId>& set,
    const std::map<std::string, int>& zones) const {
  const Node* from = nullptr;
  const Node* to = nullptr;
  const auto above = [](const Node& node) {
    return static_cast<double>(node.held) - static_cast<double>(node.target);
  };
  const auto copies = [&](const Node& node) { return CopiesIn(zones, node.given.zone); };
  for (const auto& [id, node] : nodes_) {
    if (!node.given.takes_part || Contains(set, id) || !HasRoom(node, size)) continue;
    const std::pair rank(copies(node), above(node));
    if (to == nullptr || rank < std::pair(copies(*to), above(*to))) to = &node;
  }
  if (to == nullptr) return std::nullopt;
  for (const auto& [id, node] : nodes_) {
    // The zone that gives is not poorer afterwards than the one that takes.
    if (!node.given.takes_part || !Contains(set, id) || copies(node) < copies(*to) + 2) continue;
    if (from == nullptr || above(node) > above(*from)) from = &node;
  }
  if (from == nullptr) return std::nullopt;
  return Move{from->given.node, to->given.node, true};
}

std::optional<RebalancePlan::Move> RebalancePlan::MoveForBalance(
    std::uint64_t size, const std::vector<NodeId>& set, const std::map<std::string, int>& zones,
    const std::vector<NodeId>& offering) const {
  const Node* best_from = nullptr;
  const Node* best_to = nullptr;
  std::pair<bool, std::uint64_t> best;
  for (const NodeId giver : set) {
    const auto from = nodes_.find(giver);
    if (from == nodes_.end() || !MayGive(from->second, size)) continue;
    for (const auto& [id, to] : nodes_) {
      if (Contains(set, id) || !MayTake(to, size)) continue;
      const bool is_same_zone = to.given.zone == from->second.given.zone;
      const bool is_denser =
          CopiesIn(zones, to.given.zone) >= CopiesIn(zones, from->second.given.zone);
      if (!is_same_zone && is_denser && !DFS_MUTANT(843, "a move puts two copies into one zone")) {
        continue;
      }
      const std::uint64_t gain = (from->second.held - from->second.target) +
                                 (to.target > to.held ? to.target - to.held : 0);
      const std::pair rank{Contains(offering, id), gain};
      if (best_from != nullptr && rank <= best) continue;
      best_from = &from->second;
      best_to = &to;
      best = rank;
    }
  }
  if (best_from == nullptr) return std::nullopt;
  return Move{best_from->given.node, best_to->given.node, false};
}

std::optional<RebalancePlan::Move> RebalancePlan::Offer(std::uint64_t size,
                                                        const std::vector<NodeId>& set,
                                                        const std::vector<NodeId>& offering) {
  if (size == 0) return std::nullopt;
  const auto zones = ZonesOf(set);
  auto move = MoveForZones(size, set, zones);
  if (!move) move = MoveForBalance(size, set, zones, offering);
  if (move) Record(*move, size);
  return move;
}

void RebalancePlan::Record(const Move& move, std::uint64_t size) {
  nodes_.at(move.from).held -= std::min(nodes_.at(move.from).held, size);
  nodes_.at(move.to).held += size;
}

void RebalancePlan::TakeBack(const Move& move, std::uint64_t size) {
  Record({move.to, move.from, false}, size);
}

bool RebalancePlan::IsWorthIt() const {
  return std::any_of(nodes_.begin(), nodes_.end(), [&](const auto& entry) {
    const Node& node = entry.second;
    if (!node.given.takes_part || node.held >= node.target) return false;
    return node.target - node.held > std::max(slack_bytes_, node.target / kTolerancePart);
  });
}

std::uint64_t RebalancePlan::bytes_needed() const {
  std::uint64_t bytes = 0;
  for (const auto& [id, node] : nodes_) {
    if (node.given.takes_part && node.held < node.target) bytes += node.target - node.held;
  }
  return bytes;
}

std::uint64_t RebalancePlan::TargetOf(NodeId node) const {
  const auto found = nodes_.find(node);
  return found == nodes_.end() ? 0 : found->second.target;
}

}  // namespace dfs::placement
