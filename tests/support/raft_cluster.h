// A small Raft group under the test's thumb: nothing moves unless the test says so.
//
// Messages wait in one queue until Deliver; writes wait per node until Persist, if `hold_disk` says
// so, else they are durable at once; time passes by Advance alone. RaftInvariants runs after every
// step and fails the test. For seeded faults see tests/simulation/consensus.
#ifndef DFS_TESTS_SUPPORT_RAFT_CLUSTER_H_
#define DFS_TESTS_SUPPORT_RAFT_CLUSTER_H_

#include <cstdint>
#include <deque>
#include <functional>
#include <initializer_list>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "common/clock.h"
#include "common/ids.h"
#include "server/consensus/input_output.h"
#include "server/consensus/raft_core.h"
#include "server/consensus/raft_invariants.h"

namespace dfs::consensus {

// Voters `voters`, then learners that count (`active`), then joiners.
Configuration MakeConfiguration(std::initializer_list<std::uint32_t> voters,
                                std::initializer_list<std::uint32_t> active = {},
                                std::initializer_list<std::uint32_t> joining = {});
std::shared_ptr<const std::string> Command(const std::string& text);
Entry MakeEntry(std::uint64_t index, std::uint64_t term, const std::string& command = "x");
// "1/1 2/1 3/4": index/term of all entries held.
std::string LogOf(const RaftCore& core);

class RaftCluster {
 public:
  struct Node {
    Options options;
    std::unique_ptr<RaftCore> core;  // null while crashed
    // What the disk holds, and the batches on their way to it.
    HardState disk_hard_state;
    LogIndex disk_base_index;
    Term disk_base_term;
    Configuration disk_base_configuration;
    std::vector<Entry> disk_entries;
    std::deque<Output> unwritten;
    bool hold_disk = false;
    MonotonicTime deadline;
    // Everything the core ever said.
    std::vector<Proposed> proposed;
    std::vector<Rejected> rejected;
    std::vector<ReadReady> reads;
    std::vector<NodeId> snapshots_wanted;
  };

  RaftCluster() = default;
  // Copied for each node that is added from now on.
  Options defaults;
  // All of them start with this configuration as the base of an empty log.
  explicit RaftCluster(const Configuration& configuration);

  void Add(std::uint32_t id, const Configuration& base);
  void Add(std::uint32_t id, InitialState initial);

  [[nodiscard]] RaftCore& core(std::uint32_t id) { return *nodes_.at(id).core; }
  [[nodiscard]] Node& node(std::uint32_t id) { return nodes_.at(id); }
  [[nodiscard]] MonotonicTime now() const { return now_; }
  [[nodiscard]] std::deque<Message>& queue() { return queue_; }
  // Id of the leader of the highest term; 0 if nobody leads.
  [[nodiscard]] std::uint32_t Leader() const;

  void Step(std::uint32_t id, Input input);
  // Delivers what is queued, and what that causes, until nothing is left; messages that
  // `is_dropped` names vanish. At most 100,000 messages, then the test fails.
  void Deliver();
  std::function<bool(const Message&)> is_dropped = [](const Message&) { return false; };
  // Time passes: timers fire in order, messages are delivered at once.
  void Advance(absl::Duration duration);
  // Lets `id` campaign now (its timer is made to fire) and delivers everything.
  void Elect(std::uint32_t id);
  // Time passes and nobody notices: no timer fires.
  void MoveClock(MonotonicTime to);
  // Moves the clock to the node's own deadline and fires its timer alone.
  void FireTimer(std::uint32_t id);
  // The oldest (or every) batch of the node becomes durable.
  void PersistOne(std::uint32_t id);
  void PersistAll(std::uint32_t id);
  // Unwritten batches are lost with everything in memory.
  void Crash(std::uint32_t id);
  void Restart(std::uint32_t id);
  // The node's state machine is durable up to its commit index: its log is cut there.
  void CutLog(std::uint32_t id);
  // The state machine and configuration of `from` at the base of its log become those of `to`, and
  // both learn how it ended. Does what SnapshotInstalled demands of a driver.
  void SendSnapshot(std::uint32_t from, std::uint32_t to);
  // Proposes at `id`; the index if it was accepted.
  std::optional<LogIndex> Propose(std::uint32_t id, const std::string& command);
  // Cuts `ids` off from all others, both ways; none: no partition.
  void Isolate(std::set<std::uint32_t> ids);

  // Called with each output before it is carried out, with each batch when it is durable, and with
  // each message when it leaves.
  std::function<void(std::uint32_t, const Output&)> on_output = [](std::uint32_t, const Output&) {};
  std::function<void(std::uint32_t, const Output&)> on_written = [](std::uint32_t, const Output&) {
  };
  std::function<void(const Message&)> on_message = [](const Message&) {};

 private:
  void Leave(std::vector<Message>& messages);
  void CarryOut(std::uint32_t id, Output output);
  void WriteToDisk(std::uint32_t id, const Output& output);

  MonotonicTime now_ = absl::UnixEpoch() + absl::Hours(1);
  std::map<std::uint32_t, Node> nodes_;
  std::deque<Message> queue_;
  std::set<std::uint32_t> isolated_;
  RaftInvariants invariants_;
};

}  // namespace dfs::consensus

#endif  // DFS_TESTS_SUPPORT_RAFT_CLUSTER_H_
