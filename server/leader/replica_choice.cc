#include "server/leader/replica_choice.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <set>
#include <utility>

#include "common/random.h"

namespace dfs::leader {
namespace {

// Picks one after another, each from a zone not used yet if there is one.
class Picker {
 public:
  Picker(const std::vector<CandidateNode>& candidates, std::uint64_t seed)
      : candidates_(candidates) {
    for (const auto& candidate : candidates) {
      // Weighted sampling without replacement (Efraimidis and Spirakis): -log(u) / weight, smallest first.
      Random random(seed ^ (std::uint64_t{candidate.node.value()} * 0x9e3779b97f4a7c15u));
      const double u = (static_cast<double>(random.Next() >> 11) + 1.0) / 9007199254740993.0;
      const double weight = candidate.free_bytes == 0
                                ? 1.0
                                : static_cast<double>(candidate.free_bytes) / (1u << 30);
      score_[candidate.node] = -std::log(u) / weight;
    }
  }

  [[nodiscard]] bool IsTaken(NodeId node) const { return taken_.contains(node); }

  void Take(const CandidateNode& candidate) {
    taken_.insert(candidate.node);
    if (!candidate.zone.empty()) zones_.insert(candidate.zone);
  }

  // The best of those that `fits` and are not taken; nullptr if there is none. Takes it.
  const CandidateNode* Next(const std::function<bool(const CandidateNode&)>& fits) {
    const CandidateNode* best = nullptr;
    std::pair<bool, double> best_rank;
    for (const auto& candidate : candidates_) {
      if (IsTaken(candidate.node) || !fits(candidate)) continue;
      const bool is_zone_used = !candidate.zone.empty() && zones_.contains(candidate.zone);
      const std::pair<bool, double> rank{is_zone_used, score_[candidate.node]};
      if (best == nullptr || rank < best_rank) {
        best = &candidate;
        best_rank = rank;
      }
    }
    if (best != nullptr) Take(*best);
    return best;
  }

 private:
  const std::vector<CandidateNode>& candidates_;
  std::map<NodeId, double> score_;
  std::set<NodeId> taken_;
  std::set<std::string> zones_;
};

bool Contains(const std::vector<NodeId>& nodes, NodeId node) {
  return std::find(nodes.begin(), nodes.end(), node) != nodes.end();
}

}  // namespace

ReplicaChoice ChooseReplicas(const std::vector<CandidateNode>& candidates,
                             const ReplicaRequest& request) {
  const std::size_t wanted = std::min(request.replicas, candidates.size());
  Picker picker(candidates, request.seed);
  ReplicaChoice choice;
  const auto take_first = [&](const std::function<bool(const CandidateNode&)>& fits) {
    for (const auto& candidate : candidates) {
      if (choice.replicas.size() == wanted) return;
      if (picker.IsTaken(candidate.node) || !fits(candidate)) continue;
      picker.Take(candidate);
      choice.replicas.push_back(candidate.node);
    }
  };
  const auto take = [&](std::size_t count, const std::function<bool(const CandidateNode&)>& fits) {
    while (choice.replicas.size() < count) {
      const CandidateNode* const next = picker.Next(fits);
      if (next == nullptr) return;
      choice.replicas.push_back(next->node);
    }
  };
  const auto is_coordinator = [&](const CandidateNode& c) { return c.node == request.coordinator; };
  const auto is_holder = [&](const CandidateNode& c) { return Contains(request.holders, c.node); };
  const auto is_writable = [](const CandidateNode& c) { return c.is_usable && !c.is_full; };
  const auto is_good = [&](const CandidateNode& c) {
    return is_writable(c) && !Contains(request.avoid, c.node);
  };
  take_first([&](const CandidateNode& c) { return is_holder(c) && is_coordinator(c); });
  take_first(is_holder);
  take_first([&](const CandidateNode& c) { return is_good(c) && is_coordinator(c); });
  take(wanted, is_good);
  take(std::min(wanted, request.write_quorum), is_writable);

  std::size_t writable = choice.replicas.size();
  choice.is_short = writable < request.write_quorum;
  while (choice.spares.size() < kSparesMax) {
    const CandidateNode* const next = picker.Next(is_good);
    if (next == nullptr) break;
    choice.spares.push_back(next->node);
  }
  choice.set = choice.replicas;
  Picker stand_ins(candidates, request.seed);
  for (const auto& candidate : candidates) {
    if (Contains(choice.set, candidate.node)) stand_ins.Take(candidate);
    if (candidate.is_usable && candidate.is_full) ++writable;
  }
  choice.is_space_short = choice.is_short && writable >= request.write_quorum;
  // Those that live first: a full or avoided one may have room again sooner than a dead one is back.
  for (const bool usable : {true, false}) {
    while (choice.set.size() < wanted) {
      const CandidateNode* const next =
          stand_ins.Next([&](const CandidateNode& c) { return c.is_usable == usable; });
      if (next == nullptr) break;
      choice.set.push_back(next->node);
    }
  }
  return choice;
}

}  // namespace dfs::leader
