// Gossip buckets of many nodes in one thread: simulated time, network, clocks and disks, one seed.
#ifndef DFS_TESTS_SIMULATION_GOSSIP_STORE_GOSSIP_SIMULATION_H_
#define DFS_TESTS_SIMULATION_GOSSIP_STORE_GOSSIP_SIMULATION_H_

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
#include "server/gossip_store/gossip_core.h"

namespace dfs::gossip_store {

struct SimulationCounts {
  std::uint64_t writes = 0, refused_writes = 0, crashes = 0, partitions = 0, lost = 0, doubled = 0;
  std::uint64_t messages = 0, fetches = 0, fetches_failed = 0, joins = 0, forgets = 0, skews = 0, old_disks = 0;
  std::uint64_t purged = 0, refused_records = 0, held_back = 0;
  std::uint64_t unsynced = 0, full_disks = 0, leaves = 0;
  absl::Duration longest_convergence;
  void Add(const SimulationCounts& other);
};

class GossipSimulation {
 public:
  // Faults for `faulty`, then everything is healed and must come to rest.
  GossipSimulation(std::uint64_t seed, std::size_t nodes, absl::Duration faulty);

  // What was violated; empty if nothing was.
  [[nodiscard]] std::string Run();
  [[nodiscard]] const SimulationCounts& counts() const { return counts_; }
  // Order and content of all that happened: equal seeds give equal hashes.
  [[nodiscard]] std::uint64_t trace_hash() const { return trace_hash_; }

 private:
  // What a disk showed at a time.
  struct Backup {
    MonotonicTime taken;
    GossipState state;
    std::map<Key, HeldRecord> rows;
    std::set<TxnId> chunks;
  };
  // A machine: its disk outlives its process.
  struct Node {
    std::unique_ptr<GossipCore> core;  // none while it is down
    std::uint64_t run = 0;             // events for earlier runs are dropped
    absl::Duration skew;               // of its clock on the wall
    bool is_member = false;
    bool is_forgotten = false;
    bool is_full = false;              // its disk takes records, and no bytes of files
    std::set<NodeId> departing;        // as far as its log says
    std::vector<NodeId> members;       // as far as its log says
    std::uint64_t members_version = 1;
    GossipState state;
    std::map<Key, HeldRecord> rows;
    std::set<TxnId> chunks;
    std::optional<Backup> backup;
    bool is_on_old_disk = false;       // and nobody has told it yet
    MonotonicTime old_disk_since;
    std::vector<std::pair<MonotonicTime, Stamp>> acknowledged;
  };
  struct Event {
    NodeId node;
    std::uint64_t run = 0;  // 0: of any
    std::function<void()> act;
  };

  void At(absl::Duration delay, NodeId node, std::function<void()> act);
  void RunUntil(MonotonicTime end);
  void Start(NodeId id);
  void Crash(NodeId id);
  void Step(NodeId id, Input input);
  void Obey(NodeId id, Output output);
  void Keep(NodeId id, Node& node, const Change& change);
  void Carry(const Message& message);
  void DoFetch(NodeId id, const Fetch& fetch);
  void TickSoon(NodeId id);
  void SetPeers(NodeId id);
  void ChangeMembers();
  // A member is to leave; it goes once it says that another has all that it has, and nothing is lost with it.
  void BeginLeave();
  void MaybeEndLeave();
  void TellMembers();
  void BackUp(NodeId id);
  void RestoreOldDisk(NodeId id);
  void BeginAnew(NodeId id);
  // What the node acknowledged since then may be gone.
  void GiveUpSince(const Node& node, MonotonicTime since);
  void Act();
  void WriteSomewhere();
  void Partition();
  void Heal();
  void Fail(const std::string& what);
  void Trace(std::uint64_t value);
  [[nodiscard]] bool IsConnected(NodeId a, NodeId b) const;
  [[nodiscard]] std::vector<NodeId> Members() const;
  [[nodiscard]] NodeId Pick(const std::vector<NodeId>& from);
  [[nodiscard]] absl::Time WallOf(const Node& node) const { return now_ + node.skew; }
  [[nodiscard]] std::string WhyNotEqual() const;
  [[nodiscard]] bool HasTombstones() const;
  void CheckFiles();
  void CheckRest();

  Random random_;
  const std::size_t node_count_;
  const absl::Duration faulty_;
  // A member leaves; nobody is forgotten and no disk is an old one, since what one member alone took over from who left
  // would be lost with it.
  const bool has_leave_;
  MonotonicTime now_ = absl::FromUnixSeconds(1'000'000);
  std::uint64_t order_ = 0;
  std::map<std::pair<MonotonicTime, std::uint64_t>, Event> events_;
  std::map<NodeId, Node> nodes_;
  std::map<NodeId, int> side_;            // of a partition
  std::set<std::pair<NodeId, NodeId>> cuts_;  // one way
  std::uint64_t members_version_ = 1;
  NodeId leaving_;                        // none: nobody is to leave
  bool is_faulty_ = true;
  bool has_far_clock_ = false;
  std::uint64_t next_number_ = 1;
  std::map<Key, Stamp> newest_;           // of all writes that were acknowledged
  std::map<Key, Stamp> purged_;           // tombstones that a node has let go
  std::set<NodeId> lost_writers_;
  std::set<Stamp> lost_writes_;
  SimulationCounts counts_;
  std::string violation_;
  std::uint64_t trace_hash_ = 0;
};

}  // namespace dfs::gossip_store

#endif  // DFS_TESTS_SIMULATION_GOSSIP_STORE_GOSSIP_SIMULATION_H_
