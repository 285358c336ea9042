#include "server/placement/placement_policy.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "common/random.h"

namespace dfs::placement {
namespace {

bool Contains(const std::vector<NodeId>& nodes, NodeId node) {
  return std::find(nodes.begin(), nodes.end(), node) != nodes.end();
}

// Smaller is better: an exponential variate with the free space as its rate, made from (seed, node) only.
double Cost(const Candidate& candidate, std::uint64_t seed) {
  Random random(seed * 0x9E3779B97F4A7C15u + candidate.node.value());
  random.Next();
  const double uniform = (static_cast<double>(random.Next() >> 11) + 1.0) / 9007199254740993.0;
  return -std::log(uniform) / (static_cast<double>(candidate.free_bytes) + 1.0);
}

// Picks one after the other and remembers which nodes and zones are taken.
class Picker {
 public:
  explicit Picker(const Question& question) : question_(question) {
    for (const Candidate& candidate : question.candidates) {
      if (!candidate.is_retired) members_.push_back(&candidate);
    }
    std::sort(members_.begin(), members_.end(), [&](const Candidate* a, const Candidate* b) {
      const double cost_a = Cost(*a, question_.seed);
      const double cost_b = Cost(*b, question_.seed);
      return cost_a != cost_b ? cost_a < cost_b : a->node < b->node;
    });
  }

  [[nodiscard]] std::size_t member_count() const { return members_.size(); }
  [[nodiscard]] const Candidate* FindMember(NodeId node) const {
    const auto it = std::find_if(members_.begin(), members_.end(),
                                 [&](const Candidate* c) { return c->node == node; });
    return it == members_.end() ? nullptr : *it;
  }
  [[nodiscard]] bool HasSpace(const Candidate& c) const {
    const Fullness fullness = FullnessOf(c.free_bytes, c.total_bytes);
    return fullness == Fullness::kRoomy ||
           (fullness == Fullness::kNearlyFull && question_.takes_nearly_full);
  }
  [[nodiscard]] bool CanTakeCopy(const Candidate& c) const {
    return c.is_usable && !c.is_withdrawn && HasSpace(c) && !Contains(question_.avoid, c.node);
  }

  // Adds it unless it is taken or `out` has `limit` nodes.
  void Take(const Candidate& c, std::size_t limit, std::vector<NodeId>* out) {
    if (out->size() >= limit || !taken_.insert(c.node).second) return;
    ++copies_in_zone_[c.zone];
    out->push_back(c.node);
  }
  // Fills `out` up to `limit` with those that may be picked: from the zones that have fewest first, cheapest first. (More
  // copies than zones are spread evenly: the loss of one zone takes as few as can be.)
  template <class MayPick>
  void Fill(std::size_t limit, MayPick may_pick, std::vector<NodeId>* out) {
    while (out->size() < limit) {
      const Candidate* best = nullptr;
      for (const Candidate* c : members_) {
        if (taken_.contains(c->node) || !may_pick(*c)) continue;
        if (best == nullptr || CopiesIn(c->zone) < CopiesIn(best->zone)) best = c;
      }
      if (best == nullptr) return;
      Take(*best, limit, out);
    }
  }

 private:
  [[nodiscard]] int CopiesIn(const std::string& zone) const {
    const auto found = copies_in_zone_.find(zone);
    return found == copies_in_zone_.end() ? 0 : found->second;
  }

  const Question& question_;
  std::vector<const Candidate*> members_;  // cheapest first
  std::set<NodeId> taken_;
  std::map<std::string, int> copies_in_zone_;
};

}  // namespace

Fullness FullnessOf(std::uint64_t free_bytes, std::uint64_t total_bytes) {
  const bool is_known = total_bytes > 0;
  const std::uint64_t nearly = is_known ? std::min(kFreeBytesMin, total_bytes / 20) : kFreeBytesMin;
  const std::uint64_t full = is_known ? std::min(kFullBytes, total_bytes / 50) : kFullBytes;
  if (free_bytes < full) return Fullness::kFull;
  return free_bytes < nearly ? Fullness::kNearlyFull : Fullness::kRoomy;
}

Placement Place(const Question& question) {
  Placement placement;
  Picker picker(question);
  const auto can_take_copy = [&](const Candidate& c) { return picker.CanTakeCopy(c); };
  // A holder that is full or looks dead still holds the bytes.
  for (const NodeId holder : question.holders) {
    if (const Candidate* c = picker.FindMember(holder)) {
      picker.Take(*c, question.replicas, &placement.replicas);
    }
  }
  const auto can_take_copy_soon = [&](const Candidate& c) {
    return !c.is_slow && can_take_copy(c);
  };
  if (const Candidate* c = picker.FindMember(question.coordinator); c && can_take_copy_soon(*c)) {
    picker.Take(*c, question.replicas, &placement.replicas);
  }
  picker.Fill(question.replicas, can_take_copy_soon, &placement.replicas);
  picker.Fill(question.replicas, can_take_copy, &placement.replicas);

  // Before the spares are taken: a spare is no member of the set unless it takes a replica's place.
  placement.set = placement.replicas;
  Picker spares = picker;
  const std::size_t set_size = std::min(question.replicas, picker.member_count());
  const auto may_stand_in = [&](const Candidate& c) { return !c.is_withdrawn && picker.HasSpace(c); };
  picker.Fill(set_size, [&](const Candidate& c) { return c.is_usable && may_stand_in(c); },
              &placement.set);
  picker.Fill(set_size, may_stand_in, &placement.set);
  picker.Fill(set_size, [](const Candidate&) { return true; }, &placement.set);

  spares.Fill(kSparesMax, can_take_copy_soon, &placement.spares);
  spares.Fill(kSparesMax, can_take_copy, &placement.spares);
  return placement;
}

}  // namespace dfs::placement
