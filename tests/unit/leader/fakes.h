// The world of the leader in one thread: a clock that stands still, an executor that runs when told, and a log of one member
// that applies to the real state machine.
#ifndef DFS_TESTS_UNIT_LEADER_FAKES_H_
#define DFS_TESTS_UNIT_LEADER_FAKES_H_

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "common/clock.h"
#include "common/executor.h"
#include "server/leader/consensus_port.h"
#include "server/leader/leader_operations.h"
#include "server/leader/term_state.h"
#include "server/metadata/metadata_machine.h"
#include "tests/support/memory_key_value_store.h"

namespace dfs::leader {

class FakeClock final : public Clock {
 public:
  [[nodiscard]] MonotonicTime Now() const override { return now_; }
  [[nodiscard]] absl::Time WallNow() const override { return now_; }
  void Advance(absl::Duration by) { now_ += by; }

 private:
  absl::Time now_ = absl::FromUnixSeconds(1'000'000);
};

// Runs tasks when told; advancing the clock runs those that are due.
class ManualExecutor final : public Executor {
 public:
  explicit ManualExecutor(FakeClock* clock) : clock_(clock) {}
  void Post(Task task) override { PostAt(clock_->Now(), std::move(task)); }
  void PostAt(MonotonicTime when, Task task) override {
    tasks_.emplace(std::pair{when, next_++}, std::move(task));
  }
  // What is due now, and what that posts, up to `tasks_max` tasks.
  void RunDue(int tasks_max = 10'000) {
    while (!tasks_.empty() && tasks_.begin()->first.first <= clock_->Now() && tasks_max-- > 0) {
      Task task = std::move(tasks_.begin()->second);
      tasks_.erase(tasks_.begin());
      task();
    }
  }
  void Advance(absl::Duration by) {
    const MonotonicTime end = clock_->Now() + by;
    RunDue();
    while (!tasks_.empty() && tasks_.begin()->first.first <= end) {
      clock_->Advance(tasks_.begin()->first.first - clock_->Now());
      RunDue();
    }
    clock_->Advance(end - clock_->Now());
  }

 private:
  FakeClock* const clock_;
  std::uint64_t next_ = 0;
  std::map<std::pair<MonotonicTime, std::uint64_t>, Task> tasks_;
};

inline StorageUuid UuidOf(std::uint32_t node) { return {77, node}; }
inline rpc::Ack AckOf(std::uint32_t node, std::uint64_t boot_epoch = 1) {
  rpc::Ack ack;
  ack.set_node_id(node);
  *ack.mutable_storage_uuid() = ToWire(UuidOf(node));
  ack.set_boot_epoch(boot_epoch);
  return ack;
}
inline rpc::NodeRow RowOf(std::uint32_t node, const std::string& zone = "") {
  rpc::NodeRow row;
  row.set_node_id(node);
  *row.mutable_storage_uuid() = ToWire(UuidOf(node));
  row.set_name("n" + std::to_string(node));
  row.set_zone(zone);
  row.set_client_address("127.0.0.1:" + std::to_string(7000 + node));
  row.set_peer_address("127.0.0.1:" + std::to_string(8000 + node));
  row.set_boot_epoch(1);
  return row;
}

// A log with one member that is always the leader of `term`. Proposals are applied at once, or kept while `holds`.
class FakeConsensus final : public ConsensusPort {
 public:
  explicit FakeConsensus(FakeClock* clock) : clock_(clock), machine_(&store_) {
    status_.self = NodeId(1);
    status_.leader = NodeId(1);
    status_.role = consensus::Role::kLeader;
    status_.term = Term(5);
    status_.can_serve = true;
    rpc::Command form;
    *form.mutable_form_cluster()->mutable_cluster_id() = ToWire(ClusterId{4, 2});
    *form.mutable_form_cluster()->mutable_node() = RowOf(1);
    ApplyNow(std::move(form));
    status_.configuration.members[NodeId(1)] = {UuidOf(1), RowOf(1).peer_address(), true};
    status_.configuration.voters.insert(NodeId(1));
  }

  // Adds ACTIVE members up to `count`.
  void AddMembers(std::uint32_t count, const std::vector<std::string>& zones = {}) {
    for (std::uint32_t node = 2; node <= count; ++node) {
      if (machine_.View()->FindNode(NodeId(node))) continue;
      rpc::Command add;
      *add.mutable_add_node()->mutable_node() =
          RowOf(node, node - 1 < zones.size() ? zones[node - 1] : "");
      ApplyNow(std::move(add));
      rpc::Command activate;
      activate.mutable_activate_node()->set_node_id(node);
      ApplyNow(std::move(activate));
      status_.configuration.members[NodeId(node)] = {UuidOf(node), RowOf(node).peer_address(),
                                                     true};
      status_.peers.push_back({NodeId(node), LogIndex(1'000'000), clock_->Now(), false});
    }
  }

  rpc::CommandResult ApplyNow(rpc::Command command) {
    command.set_time_us(static_cast<std::uint64_t>(absl::ToUnixMicros(clock_->WallNow())));
    const LogIndex index = machine_.applied_index().Next();
    const auto result = machine_.Apply(index, status_.term, command.SerializeAsString());
    status_.commit_index = status_.applied_index = status_.last_log_index = index;
    return result;
  }

  [[nodiscard]] replicated_log::RaftStatus Status() const override { return status_; }

  void Propose(rpc::Command command, Term only_in_term, ResultCallback done) override {
    if (!only_in_term.is_none() && only_in_term != status_.term) {
      done(absl::UnavailableError("another term"));
      return;
    }
    proposed.push_back(command);
    held_.push_back({std::move(command), std::move(done)});
    if (!holds) Release();
  }
  void ProposeMembers(MembersChange change, rpc::Command command, ResultCallback done) override {
    auto next = change(status_.configuration);
    if (!next.ok()) {
      done(next.status());
      return;
    }
    status_.configuration = *std::move(next);
    Propose(std::move(command), Term(), std::move(done));
  }
  void ProposeVoters(std::set<NodeId> voters,
                     absl::AnyInvocable<void(absl::Status)> done) override {
    ++voter_changes;
    status_.configuration.voters = std::move(voters);
    done(absl::OkStatus());
  }
  void ReadIndex(absl::AnyInvocable<void(absl::StatusOr<LogIndex>)> done) override {
    ++read_indexes;
    if (on_read_index) std::exchange(on_read_index, nullptr)();
    if (fails_read_index) {
      done(absl::UnavailableError("not leading"));
    } else {
      done(status_.commit_index);
    }
  }
  void WaitApplied(LogIndex, absl::Duration, absl::AnyInvocable<void(absl::Status)> done) override {
    done(absl::OkStatus());
  }

  // Applies what was kept.
  void Release() {
    while (!held_.empty()) {
      auto [command, done] = std::move(held_.front());
      held_.pop_front();
      done(ApplyNow(std::move(command)));
    }
  }
  // The first one kept ends with this error.
  void FailFirst(const absl::Status& status) {
    auto done = std::move(held_.front().second);
    held_.pop_front();
    done(status);
  }
  [[nodiscard]] std::size_t held() const { return held_.size(); }
  [[nodiscard]] std::size_t CountProposed(rpc::Command::KindCase kind) const {
    std::size_t count = 0;
    for (const auto& command : proposed) count += command.kind_case() == kind ? 1 : 0;
    return count;
  }

  metadata::MetadataMachine& machine() { return machine_; }
  replicated_log::RaftStatus& status() { return status_; }

  bool holds = false;
  bool fails_read_index = false;
  int voter_changes = 0;
  int read_indexes = 0;
  std::function<void()> on_read_index;  // called once: what is applied until the round ends
  std::vector<rpc::Command> proposed;

 private:
  FakeClock* const clock_;
  metadata::MemoryKeyValueStore store_;
  metadata::MetadataMachine machine_;
  replicated_log::RaftStatus status_;
  std::deque<std::pair<rpc::Command, ResultCallback>> held_;
};

// All of it together.
struct FakeWorld {
  FakeWorld() : executor(&clock), consensus(&clock) {}

  LeaderWorld Make() {
    LeaderWorld world;
    world.self = NodeId(1);
    world.clock = &clock;
    world.consensus = &consensus;
    world.view = [this] { return consensus.machine().View(); };
    world.liveness = [this] {
      std::vector<NodeLiveness> nodes;
      for (const auto& row : consensus.machine().View()->Nodes()) {
        const NodeId node(row.node_id());
        const auto room = free_bytes.find(node);
        nodes.push_back({node, !dead.contains(node),
                         room == free_bytes.end() ? std::uint64_t{100} << 30 : room->second,
                         std::uint64_t{200} << 30});
        nodes.back().has_handed_gossip_over = gossip_handed_over.contains(node);
        if (const auto alone = gossip_alone.find(node); alone != gossip_alone.end()) nodes.back().gossip_alone = alone->second;
      }
      return nodes;
    };
    world.copy = [this](NodeId node, const rpc::CopyChunkRequest& request, absl::Duration)
        -> absl::StatusOr<rpc::ChunkAck> {
      copies.emplace_back(node, request);
      if (fails_copies || dead.contains(node)) return absl::UnavailableError("no copy");
      rpc::ChunkAck ack;
      *ack.mutable_chunk() = request.chunk();
      *ack.mutable_ack() = AckOf(node.value());
      ack.set_size(request.size());
      *ack.mutable_hash() = request.hash();
      return ack;
    };
    world.inventory = [this](NodeId node) -> absl::StatusOr<std::vector<ChunkId>> {
      if (dead.contains(node)) return absl::UnavailableError("dead");
      const std::set<ChunkId>& chunks = held[node];
      return std::vector<ChunkId>(chunks.begin(), chunks.end());
    };
    world.executor = &executor;
    world.run_blocking = [this](Task task) { executor.Post(std::move(task)); };
    return world;
  }

  FakeClock clock;
  ManualExecutor executor;
  FakeConsensus consensus;
  std::set<NodeId> dead;
  std::set<NodeId> gossip_handed_over;  // those that say so
  std::map<NodeId, std::uint64_t> gossip_alone;
  std::map<NodeId, std::uint64_t> free_bytes;  // of disks of 200 GiB; others have 100 GiB
  std::map<NodeId, std::set<ChunkId>> held;  // what inventories tell
  bool fails_copies = false;
  std::vector<std::pair<NodeId, rpc::CopyChunkRequest>> copies;
};

inline const std::string kSession = "0123456789abcdef";

inline api::RequestId RequestIdOf(std::uint64_t sequence) {
  api::RequestId id;
  id.set_session(kSession);
  id.set_sequence(sequence);
  id.set_birth(1);
  return id;
}

inline rpc::Command PutCommand(std::uint64_t sequence, const rpc::TxnId& txn,
                               const std::vector<std::uint32_t>& acks,
                               const std::vector<std::uint32_t>& set,
                               const std::string& name = "file") {
  rpc::Command command;
  rpc::CommitPut& put = *command.mutable_commit_put();
  *put.mutable_request_id() = RequestIdOf(sequence);
  *put.mutable_txn() = txn;
  put.set_bucket_id(1);
  put.set_name(name);
  put.set_size(100);
  rpc::CommitChunk& chunk = *put.add_chunks();
  chunk.set_size(100);
  *chunk.mutable_hash() = ToWire(Hash128{1, sequence});
  for (const std::uint32_t node : acks) *chunk.add_acks() = AckOf(node);
  for (const std::uint32_t node : set) chunk.add_set(node);
  return command;
}

// Takes the answer of a call that answers at once, or later.
template <class Response>
struct Taken {
  std::shared_ptr<std::optional<absl::StatusOr<Response>>> value =
      std::make_shared<std::optional<absl::StatusOr<Response>>>();
  Answer<Response> Callback() {
    return [value = value](absl::StatusOr<Response> response) { *value = std::move(response); };
  }
  [[nodiscard]] bool has() const { return value->has_value(); }
  [[nodiscard]] const absl::StatusOr<Response>& get() const { return value->value(); }
};

}  // namespace dfs::leader

#endif  // DFS_TESTS_UNIT_LEADER_FAKES_H_
