#include "tests/support/raft_cluster.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <utility>

namespace dfs::consensus {

Configuration MakeConfiguration(std::initializer_list<std::uint32_t> voters,
                                std::initializer_list<std::uint32_t> active,
                                std::initializer_list<std::uint32_t> joining) {
  Configuration c;
  const auto add = [&](std::uint32_t id, bool is_active) {
    c.members[NodeId(id)] =
        MemberInfo{StorageUuid{1, id}, "host:" + std::to_string(7000 + id), is_active};
  };
  for (const auto id : voters) {
    add(id, true);
    c.voters.insert(NodeId(id));
  }
  for (const auto id : active) add(id, true);
  for (const auto id : joining) add(id, false);
  return c;
}

std::shared_ptr<const std::string> Command(const std::string& text) {
  return std::make_shared<const std::string>(text);
}

Entry MakeEntry(std::uint64_t index, std::uint64_t term, const std::string& command) {
  return Entry{Term(term), LogIndex(index), nullptr, Command(command)};
}

std::string LogOf(const RaftCore& core) {
  std::string text;
  for (LogIndex i = core.first_log_index(); i <= core.last_log_index(); i = i.Next()) {
    if (!text.empty()) text += ' ';
    text += std::to_string(i.value()) + "/" + std::to_string(core.TermAt(i).value());
  }
  return text;
}

RaftCluster::RaftCluster(const Configuration& configuration) {
  for (const auto& [node, info] : configuration.members) Add(node.value(), configuration);
}

void RaftCluster::Add(std::uint32_t id, const Configuration& base) {
  InitialState initial;
  initial.base_configuration = base;
  Add(id, std::move(initial));
}

void RaftCluster::Add(std::uint32_t id, InitialState initial) {
  Node& n = nodes_[id];
  n.options = defaults;
  n.options.self = NodeId(id);
  n.options.random_seed = id;
  n.disk_hard_state = initial.hard_state;
  n.disk_base_index = initial.base_index;
  n.disk_base_term = initial.base_term;
  n.disk_base_configuration = initial.base_configuration;
  n.disk_entries = initial.entries;
  n.core = std::make_unique<RaftCore>(n.options, std::move(initial), now_);
  Step(id, Tick{});
}

std::uint32_t RaftCluster::Leader() const {
  std::uint32_t leader = 0;
  Term term;
  for (const auto& [id, n] : nodes_) {
    if (!n.core || n.core->role() != Role::kLeader || n.core->term() < term) continue;
    leader = id;
    term = n.core->term();
  }
  return leader;
}

// What becomes durable at once is stepped at once, until nothing is left to write.
// NOLINTBEGIN(misc-no-recursion)
void RaftCluster::Step(std::uint32_t id, Input input) {
  Node& n = nodes_.at(id);
  ASSERT_NE(n.core, nullptr) << "node " << id << " is down";
  Output output = n.core->Step(now_, std::move(input));
  const absl::Status ok = invariants_.Check(*n.core);
  ASSERT_TRUE(ok.ok()) << ok.ToString();
  CarryOut(id, std::move(output));
}

void RaftCluster::Leave(std::vector<Message>& messages) {
  for (Message& m : messages) {
    on_message(m);
    queue_.push_back(std::move(m));
  }
  messages.clear();
}

void RaftCluster::CarryOut(std::uint32_t id, Output output) {
  Node& n = nodes_.at(id);
  n.deadline = output.next_deadline;
  on_output(id, output);
  Leave(output.messages);
  n.proposed.insert(n.proposed.end(), output.proposed.begin(), output.proposed.end());
  n.rejected.insert(n.rejected.end(), output.rejected.begin(), output.rejected.end());
  n.reads.insert(n.reads.end(), output.reads.begin(), output.reads.end());
  n.snapshots_wanted.insert(n.snapshots_wanted.end(), output.snapshots_wanted.begin(),
                            output.snapshots_wanted.end());
  const bool has_write = output.hard_state || !output.entries.empty();
  if (!has_write && output.messages_after_persist.empty()) return;
  n.unwritten.push_back(std::move(output));
  if (!n.hold_disk) PersistAll(id);
}

void RaftCluster::WriteToDisk(std::uint32_t id, const Output& output) {
  Node& n = nodes_.at(id);
  if (output.hard_state) n.disk_hard_state = *output.hard_state;
  if (output.entries.empty()) return;
  const LogIndex first = output.entries.front().index;
  while (!n.disk_entries.empty() && n.disk_entries.back().index >= first) n.disk_entries.pop_back();
  n.disk_entries.insert(n.disk_entries.end(), output.entries.begin(), output.entries.end());
}

void RaftCluster::PersistOne(std::uint32_t id) {
  Node& n = nodes_.at(id);
  ASSERT_FALSE(n.unwritten.empty()) << "node " << id << " has nothing to write";
  Output output = std::move(n.unwritten.front());
  n.unwritten.pop_front();
  WriteToDisk(id, output);
  on_written(id, output);
  Leave(output.messages_after_persist);
  Persisted persisted;
  persisted.hard_state = n.disk_hard_state;
  if (!output.entries.empty()) {
    persisted.last_index = output.entries.back().index;
    persisted.last_term = output.entries.back().term;
  }
  Step(id, persisted);
}

void RaftCluster::PersistAll(std::uint32_t id) {
  while (!nodes_.at(id).unwritten.empty() && !::testing::Test::HasFatalFailure()) PersistOne(id);
}
// NOLINTEND(misc-no-recursion)

void RaftCluster::Deliver() {
  for (int i = 0; !queue_.empty() && !::testing::Test::HasFatalFailure(); ++i) {
    ASSERT_LT(i, 100'000) << "messages cause messages for ever";
    Message m = std::move(queue_.front());
    queue_.pop_front();
    const auto to = nodes_.find(m.to.value());
    if (to == nodes_.end() || !to->second.core || is_dropped(m)) continue;
    if (isolated_.contains(m.from.value()) != isolated_.contains(m.to.value())) continue;
    Step(to->first, Receive{std::move(m)});
  }
}

void RaftCluster::Advance(absl::Duration duration) {
  const MonotonicTime end = now_ + duration;
  Deliver();
  while (!::testing::Test::HasFatalFailure()) {
    std::uint32_t next = 0;
    MonotonicTime when = absl::InfiniteFuture();
    for (const auto& [id, n] : nodes_) {
      if (n.core && n.deadline < when) {
        when = n.deadline;
        next = id;
      }
    }
    if (next == 0 || when > end) break;
    now_ = std::max(now_, when);
    Step(next, Tick{});
    Deliver();
  }
  now_ = end;
}

void RaftCluster::MoveClock(MonotonicTime to) { now_ = std::max(now_, to); }

void RaftCluster::FireTimer(std::uint32_t id) {
  Node& n = nodes_.at(id);
  ASSERT_LT(n.deadline, absl::InfiniteFuture()) << "node " << id << " waits for nothing";
  now_ = std::max(now_, n.deadline);
  Step(id, Tick{});
}

void RaftCluster::Elect(std::uint32_t id) {
  FireTimer(id);
  Deliver();
}

void RaftCluster::Crash(std::uint32_t id) {
  Node& n = nodes_.at(id);
  n.core.reset();
  n.unwritten.clear();
  invariants_.RecordCrash(NodeId(id));
}

void RaftCluster::Restart(std::uint32_t id) {
  Node& n = nodes_.at(id);
  InitialState initial;
  initial.hard_state = n.disk_hard_state;
  initial.base_index = n.disk_base_index;
  initial.base_term = n.disk_base_term;
  initial.base_configuration = n.disk_base_configuration;
  initial.entries = n.disk_entries;
  initial.applied_index = n.disk_base_index;
  n.options.random_seed += 1000;
  n.core = std::make_unique<RaftCore>(n.options, std::move(initial), now_);
  Step(id, Tick{});
}

void RaftCluster::CutLog(std::uint32_t id) {
  Node& n = nodes_.at(id);
  const LogIndex to = n.core->commit_index();
  if (to <= n.disk_base_index) return;
  ASSERT_TRUE(n.unwritten.empty());
  n.disk_base_term = n.core->TermAt(to);
  n.disk_base_configuration = n.core->ConfigurationAt(to);
  n.disk_base_index = to;
  std::erase_if(n.disk_entries, [&](const Entry& e) { return e.index <= to; });
  Step(id, consensus::CutLog{to});
}

void RaftCluster::SendSnapshot(std::uint32_t from, std::uint32_t to) {
  const Node& source = nodes_.at(from);
  Node& n = nodes_.at(to);
  ASSERT_TRUE(n.unwritten.empty()) << "nothing else may be under way";
  if (source.disk_base_index > n.core->commit_index()) {
    const auto held =
        std::find_if(n.disk_entries.begin(), n.disk_entries.end(), [&](const Entry& e) {
          return e.index == source.disk_base_index && e.term == source.disk_base_term;
        });
    n.disk_entries.erase(n.disk_entries.begin(),
                         held == n.disk_entries.end() ? held : std::next(held));
    n.disk_base_index = source.disk_base_index;
    n.disk_base_term = source.disk_base_term;
    n.disk_base_configuration = source.disk_base_configuration;
    Step(to, SnapshotInstalled{n.disk_base_index, n.disk_base_term, n.disk_base_configuration});
  }
  Step(from, SnapshotSent{NodeId(to), source.disk_base_index});
}

std::optional<LogIndex> RaftCluster::Propose(std::uint32_t id, const std::string& command) {
  Node& n = nodes_.at(id);
  const std::size_t before = n.proposed.size();
  Step(id, consensus::Propose{n.proposed.size() + n.rejected.size() + 1, Command(command)});
  if (n.proposed.size() == before) return std::nullopt;
  return n.proposed.back().index;
}

void RaftCluster::Isolate(std::set<std::uint32_t> ids) { isolated_ = std::move(ids); }

}  // namespace dfs::consensus
