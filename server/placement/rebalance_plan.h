// Which copies to move so that all members are equally full. Pure.
#ifndef DFS_SERVER_PLACEMENT_REBALANCE_PLAN_H_
#define DFS_SERVER_PLACEMENT_REBALANCE_PLAN_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "common/ids.h"

namespace dfs::placement {

struct BalanceNode {
  NodeId node;
  std::string zone;                  // empty is a zone as any other
  std::uint64_t held_bytes = 0;      // of the copies that sets name there
  std::uint64_t capacity_bytes = 0;  // for copies, those it holds included
  // Alive, to stay, and has room beyond what is kept back. Others neither give nor take.
  bool takes_part = false;
};

// One round of moves. Each node has a target: its part of all bytes, by capacity, within what zones and the rule "a chunk
// once on a node" allow. A move goes from a node that stays at or above its target to one that stays at or below its own,
// and never makes a chunk's copies share a zone more than before. So a node that gives never takes, no copy is moved twice
// in a round, and:
//
//   the bytes moved in a round are at most bytes_needed(): what lies below the targets when it begins, which any way to
//   get there has to move.
//
// A copy whose zone has two more copies of its chunk than another zone that has a node to take it (so: shares its zone, while
// there is one without) moves there whatever the targets are: at most once for each copy too many in a zone. These are extra.
//
// Not thread-safe.
class RebalancePlan {
 public:
  // A round begins for no less than this part of a node's target, so that ordinary puts do not set it off.
  static constexpr std::uint64_t kTolerancePart = 20;

  // `unique_bytes`: of all chunks, each once. `replicas`: copies wanted of each. `slack_bytes`: no round for less.
  RebalancePlan(const std::vector<BalanceNode>& nodes, std::uint64_t unique_bytes,
                std::size_t replicas, std::uint64_t slack_bytes);

  struct Move {
    NodeId from;
    NodeId to;
    bool is_for_zones = false;
  };
  // The move that this chunk is to make, if any; from here on it counts as made. `set`: where its copies are, all good. A
  // node of `offering`, which holds the bytes in some other form, is preferred as the one that takes.
  [[nodiscard]] std::optional<Move> Offer(std::uint64_t size, const std::vector<NodeId>& set,
                                          const std::vector<NodeId>& offering = {});
  // It was not made after all.
  void TakeBack(const Move& move, std::uint64_t size);

  // Whether some node is so far below its target that a round is worth it.
  [[nodiscard]] bool IsWorthIt() const;
  // What lies below the targets now.
  [[nodiscard]] std::uint64_t bytes_needed() const;
  // 0 for one that takes no part.
  [[nodiscard]] std::uint64_t TargetOf(NodeId node) const;

 private:
  struct Node {
    BalanceNode given;
    std::uint64_t held = 0;    // with the moves planned so far
    std::uint64_t target = 0;
  };
  [[nodiscard]] bool MayGive(const Node& node, std::uint64_t size) const;
  [[nodiscard]] bool MayTake(const Node& node, std::uint64_t size) const;
  [[nodiscard]] bool HasRoom(const Node& node, std::uint64_t size) const;
  [[nodiscard]] std::map<std::string, int> ZonesOf(const std::vector<NodeId>& set) const;
  [[nodiscard]] std::optional<Move> MoveForZones(std::uint64_t size, const std::vector<NodeId>& set,
                                                 const std::map<std::string, int>& zones) const;
  [[nodiscard]] std::optional<Move> MoveForBalance(std::uint64_t size,
                                                   const std::vector<NodeId>& set,
                                                   const std::map<std::string, int>& zones,
                                                   const std::vector<NodeId>& offering) const;
  void Record(const Move& move, std::uint64_t size);

  const std::size_t replicas_;
  const std::uint64_t slack_bytes_;
  std::map<NodeId, Node> nodes_;
};

}  // namespace dfs::placement

#endif  // DFS_SERVER_PLACEMENT_REBALANCE_PLAN_H_
