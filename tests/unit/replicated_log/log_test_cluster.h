// Several hosts of the log in one process, over a loopback network, for tests.
#ifndef DFS_TESTS_UNIT_REPLICATED_LOG_LOG_TEST_CLUSTER_H_
#define DFS_TESTS_UNIT_REPLICATED_LOG_LOG_TEST_CLUSTER_H_

#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "common/clock.h"
#include "common/sync.h"
#include "server/metadata/metadata_machine.h"
#include "server/replicated_log/raft_host.h"
#include "tests/support/loopback_raft_transport.h"
#include "tests/support/memory_log_store.h"

namespace dfs::replicated_log {

inline constexpr absl::Duration kPatience = absl::Seconds(30);

// Checks every few milliseconds, for as long as a slow machine may need.
inline bool WaitUntil(const std::function<bool()>& holds) {
  Event never;
  const MonotonicTime end = SystemClock().Now() + kPatience;
  while (!holds()) {
    if (SystemClock().Now() > end) return false;
    never.WaitFor(absl::Milliseconds(3));
  }
  return true;
}

// Waits for one answer.
template <class T>
class Answer {
 public:
  absl::AnyInvocable<void(T)> Callback() {
    return [state = state_](T value) {
      state->value = std::make_unique<T>(std::move(value));
      state->event.Set();
    };
  }
  T Get() {
    if (!state_->event.WaitFor(kPatience)) return T(absl::UnknownError("never answered"));
    return std::move(*state_->value);
  }
  [[nodiscard]] bool IsThere() { return state_->event.IsSet(); }

 private:
  struct State {
    Event event;
    std::unique_ptr<T> value;
  };
  std::shared_ptr<State> state_ = std::make_shared<State>();
};
using CommandAnswer = Answer<absl::StatusOr<rpc::CommandResult>>;

class LeadershipLog final : public LeadershipListener {
 public:
  void OnLeading(Term term) override {
    MutexLock lock(&mutex_);
    terms_.push_back(term);
    is_leading_ = true;
  }
  void OnNotLeading() override {
    MutexLock lock(&mutex_);
    EXPECT_TRUE(is_leading_) << "told of an end without a beginning";
    is_leading_ = false;
  }
  [[nodiscard]] bool is_leading() const {
    MutexLock lock(&mutex_);
    return is_leading_;
  }

 private:
  mutable Mutex mutex_;
  std::vector<Term> terms_ ABSL_GUARDED_BY(mutex_);
  bool is_leading_ ABSL_GUARDED_BY(mutex_) = false;
};

inline StorageUuid UuidOf(NodeId node) { return {77, node.value()}; }

inline rpc::Command NodeStartedCommand(std::uint32_t node, std::uint64_t epoch) {
  rpc::Command command;
  command.mutable_node_started()->set_node_id(node);
  *command.mutable_node_started()->mutable_storage_uuid() = ToWire(UuidOf(NodeId(node)));
  command.mutable_node_started()->set_boot_epoch(epoch);
  return command;
}

inline consensus::Configuration MembersOf(const std::set<NodeId>& voters,
                                          const std::set<NodeId>& learners = {}) {
  consensus::Configuration out;
  for (const NodeId node : voters) out.members[node] = {UuidOf(node), "", true};
  for (const NodeId node : learners) out.members[node] = {UuidOf(node), "", true};
  out.voters = voters;
  return out;
}

// The first entry of every log: forms the cluster.
inline consensus::Entry FoundingEntry(const consensus::Configuration& configuration) {
  rpc::Command command;
  *command.mutable_form_cluster()->mutable_cluster_id() = ToWire(ClusterId{5, 5});
  auto* node = command.mutable_form_cluster()->mutable_node();
  node->set_node_id(1);
  *node->mutable_storage_uuid() = ToWire(UuidOf(NodeId(1)));
  consensus::Entry entry;
  entry.term = Term(1);
  entry.index = LogIndex(1);
  entry.configuration = std::make_shared<const consensus::Configuration>(configuration);
  entry.command = std::make_shared<const std::string>(command.SerializeAsString());
  return entry;
}

struct LogTestNode {
  LogTestNode(NodeId node, testing::LoopbackNetwork* network, metadata::Keeps keeps)
      : id(node), transport(node, network), store(UuidOf(node)), machine(store.state(), keeps) {}

  void Start(consensus::Options options = {}, bool is_held = false) {
    options.self = id;
    options.random_seed = id.value();
    RaftHost::Parts parts;
    parts.options = options;
    parts.log_store = &store;
    parts.machine = &machine;
    parts.transport = &transport;
    parts.clock = &SystemClock();
    parts.listener = &leadership;
    parts.on_fatal = [this](const absl::Status& status) {
      LOG(INFO) << status;
      is_fatal.Set();
    };
    auto made = RaftHost::Create(std::move(parts));
    ASSERT_TRUE(made.ok()) << made.status();
    host = *std::move(made);
    is_held ? host->StartHeld() : host->Start();
  }

  const NodeId id;
  testing::LoopbackRaftTransport transport;
  testing::MemoryLogStore store;
  metadata::MetadataMachine machine;
  LeadershipLog leadership;
  Event is_fatal;
  std::unique_ptr<RaftHost> host;
};

class LogTestCluster {
 public:
  // Nodes 1 to `count`; those in `configuration` begin with the founding entry, the others with nothing. `storage`: keeps a
  // directory only.
  LogTestCluster(std::uint32_t count, const consensus::Configuration& configuration, NodeId storage = {}) {
    for (std::uint32_t id = 1; id <= count; ++id) {
      const auto keeps = NodeId(id) == storage ? metadata::Keeps::kDirectory : metadata::Keeps::kEverything;
      auto node = std::make_unique<LogTestNode>(NodeId(id), &network, keeps);
      if (configuration.IsMember(NodeId(id))) {
        EXPECT_TRUE(node->store
                        .Append(consensus::HardState{Term(1), NodeId()},
                                {FoundingEntry(configuration)})
                        .ok());
      }
      nodes[NodeId(id)] = std::move(node);
    }
  }
  ~LogTestCluster() {
    for (auto& [id, node] : nodes) {
      if (node->host) node->host->Stop();
    }
    network.Stop();
  }
  // What node `by` has seen node `of` show.
  [[nodiscard]] WitnessMark MarkOf(std::uint32_t by, std::uint32_t of) {
    return node(by).host->MarkOf(NodeId(of));
  }
  void StartAll(const consensus::Options& options = {}) {
    for (auto& [id, node] : nodes) node->Start(options);
  }
  LogTestNode& node(std::uint32_t id) { return *nodes.at(NodeId(id)); }
  // One that leads and can serve, `except` aside; null if none comes.
  LogTestNode* WaitForLeader(NodeId except = {}) {
    LogTestNode* found = nullptr;
    (void)WaitUntil([&] {
      for (auto& [id, node] : nodes) {
        if (id == except || !node->host) continue;
        if (node->host->Status().can_serve) found = node.get();
      }
      return found != nullptr;
    });
    return found;
  }

  testing::LoopbackNetwork network;
  std::map<NodeId, std::unique_ptr<LogTestNode>> nodes;
};

}  // namespace dfs::replicated_log

#endif  // DFS_TESTS_UNIT_REPLICATED_LOG_LOG_TEST_CLUSTER_H_
