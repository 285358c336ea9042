// A whole ring in one thread: simulated time and network, one seed.
#ifndef DFS_TESTS_SIMULATION_MEMBERSHIP_SIM_RING_H_
#define DFS_TESTS_SIMULATION_MEMBERSHIP_SIM_RING_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "common/random.h"
#include "membership/ring_core.h"

namespace dfs::membership {

// Odds of everything that goes wrong by itself; what a test breaks on purpose it calls.
struct FaultPlan {
  std::uint64_t heartbeat_loss_percent = 0;
  std::uint64_t message_loss_percent = 0;  // of all kinds (real streams lose nothing: harder than life)
  std::uint64_t slow_percent = 0;          // messages that take up to 60 ms instead of 0.2 to 2 ms
  absl::Duration tick_delay_max = absl::Milliseconds(2);  // timers fire up to this late
};

struct FaultCounts {
  std::uint64_t crashes = 0, restarts = 0, pauses = 0, cuts = 0, heals = 0, lost = 0, slow = 0;
};

class SimRing {
 public:
  // Nodes 1 to `size`, all started at time 0 up to 200 ms later.
  SimRing(std::uint64_t seed, std::size_t size, FaultPlan plan);

  void Run(absl::Duration duration);
  // Runs until `condition`, at most `limit`; returns how long that took, nullopt if the limit was reached.
  std::optional<absl::Duration> RunUntil(const std::function<bool()>& condition,
                                         absl::Duration limit);

  void Crash(NodeId node);    // streams are reset, connections refused from now on
  void Restart(NodeId node);  // with the next boot epoch
  void Pause(NodeId node, absl::Duration duration);
  void Cut(NodeId from, NodeId to);  // this direction only; silently
  void CutOff(NodeId node);          // from all others, both ways
  void Partition(const std::set<NodeId>& side);
  void HealAll();
  void SetPlan(FaultPlan plan) { plan_ = plan; }

  [[nodiscard]] bool IsUp(NodeId node) const { return nodes_.at(node).core != nullptr; }
  [[nodiscard]] const RingCore& core(NodeId node) const { return *nodes_.at(node).core; }
  [[nodiscard]] LivenessState View(NodeId observer, NodeId subject) const;
  [[nodiscard]] std::vector<NodeId> Up() const;
  [[nodiscard]] std::vector<NodeId> All() const;
  // In the order of the full ring, from an arbitrary start.
  [[nodiscard]] std::vector<NodeId> InRingOrder() const;
  // All up nodes hold `node` for DEAD.
  [[nodiscard]] bool IsDeadEverywhere(NodeId node) const;
  // All up nodes hold up nodes for ALIVE and the others for DEAD.
  [[nodiscard]] bool IsAgreed() const;
  // Where views differ from the truth, and each node's own incarnation.
  [[nodiscard]] std::string Describe() const;

  [[nodiscard]] MonotonicTime now() const { return now_; }
  [[nodiscard]] const FaultCounts& faults() const { return faults_; }
  [[nodiscard]] std::uint64_t messages() const { return messages_; }
  [[nodiscard]] std::uint64_t steps() const { return steps_; }
  // Changes to SUSPECT or DEAD of nodes that were up then.
  [[nodiscard]] std::uint64_t false_suspects() const { return false_suspects_; }
  [[nodiscard]] std::uint64_t false_dead() const { return false_dead_; }
  // Who starts later than the others is rightly DEAD until then, and the news is still under way afterwards.
  void ForgetFalseVerdicts() { false_suspects_ = false_dead_ = 0; }
  // What was broken of what must hold at all times; empty if nothing.
  [[nodiscard]] const std::string& violation() const { return violation_; }
  // Order and content of all that happened: equal seeds give equal hashes.
  [[nodiscard]] std::uint64_t trace_hash() const { return trace_hash_; }

 private:
  struct Node {
    std::unique_ptr<RingCore> core;  // none while down
    std::uint64_t epoch = 0;
    std::uint64_t run = 0;           // events for earlier runs are dropped
    MonotonicTime paused_until = absl::InfinitePast();
    MonotonicTime armed = absl::InfiniteFuture();
    std::set<NodeId> streams;        // to whom it has an open stream
    std::map<NodeId, std::uint64_t> incarnations;  // greatest seen, of each member
  };
  struct Event {
    NodeId node;
    std::uint64_t run = 0;
    bool is_start = false;
    Input input;
  };
  using Link = std::pair<NodeId, NodeId>;

  void Schedule(MonotonicTime at, Event event);
  void Dispatch(Event event);
  void StepNode(NodeId id, Node& node, Input input);
  void CheckInvariants(NodeId id, Node& node, const Output& output);
  void Carry(NodeId from, const Sending& sending);
  void RefuseTo(NodeId sender, NodeId refusing);
  [[nodiscard]] absl::Duration Delay();
  [[nodiscard]] bool IsCut(NodeId from, NodeId to) const { return cuts_.contains({from, to}); }
  void Trace(std::uint64_t value);

  Random random_;
  const std::uint64_t seed_;
  FaultPlan plan_;
  MonotonicTime now_ = absl::UnixEpoch();
  std::uint64_t order_ = 0;
  std::map<std::pair<MonotonicTime, std::uint64_t>, Event> events_;
  std::map<NodeId, Node> nodes_;
  std::set<Link> cuts_;
  std::map<Link, MonotonicTime> last_delivery_;  // streams keep their order
  FaultCounts faults_;
  std::uint64_t messages_ = 0, steps_ = 0, false_suspects_ = 0, false_dead_ = 0;
  std::string violation_;
  std::uint64_t trace_hash_ = 0;
};

}  // namespace dfs::membership

#endif  // DFS_TESTS_SIMULATION_MEMBERSHIP_SIM_RING_H_
