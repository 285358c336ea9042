#include "tests/simulation/consensus/sim_clients.h"

#include <utility>

namespace dfs::consensus {

SimClients::SimClients(SimWorld& world, const Load& load, std::function<SimMember*()> pick_member)
    : world_(world), load_(load), pick_member_(std::move(pick_member)) {}

void SimClients::Start() {
  for (int client = 0; client < load_.clients; ++client) Next(client);
}

void SimClients::Next(int client) {
  if (is_stopped_) return;
  world_.After(world_.Uniform(absl::ZeroDuration(), load_.think_max), [this, client] {
    if (is_stopped_) return;
    SimMember* member = pick_member_();
    if (member == nullptr) {
      Next(client);
      return;
    }
    const std::size_t index = operations_.size();
    Operation& o = operations_.emplace_back();
    o.key = world_.random().Below(load_.keys) + 1;
    o.op.client = client;
    o.op.start = world_.NextStamp();
    const bool is_write = world_.random().OneIn(1, 2);
    const auto finish = [this, client, index](Outcome outcome, std::uint64_t value) {
      // The answer travels for a moment, so that others overlap.
      world_.After(
          world_.Uniform(absl::ZeroDuration(), absl::Milliseconds(1)),
          [this, client, index, outcome, value] { Finish(client, index, outcome, value); });
    };
    world_.After(load_.timeout,
                 [this, client, index] { Finish(client, index, Outcome::kUnknown, 0); });
    if (is_write) {
      o.op.kind = RegisterOperation::Kind::kWrite;
      o.op.value = ++last_value_;
      const std::uint64_t value = o.op.value;
      member->Write(o.key, value, [finish, value](Outcome outcome) { finish(outcome, value); });
    } else {
      member->Read(o.key, finish);
    }
  });
}

void SimClients::Finish(int client, std::size_t index, Outcome outcome, std::uint64_t value) {
  Operation& o = operations_[index];
  if (o.is_over) return;
  o.is_over = true;
  o.op.end = world_.NextStamp();
  const bool is_write = o.op.kind == RegisterOperation::Kind::kWrite;
  if (!is_write) o.op.value = value;
  o.op.is_outcome_unknown = is_write && outcome == Outcome::kUnknown;
  o.counts = outcome == Outcome::kDone || o.op.is_outcome_unknown;
  world_.Mix(o.op.value * 3 + static_cast<std::uint64_t>(outcome));
  if (outcome == Outcome::kDone) {
    ++done_count_;
    ++world_.counts[is_write ? "writes done" : "reads done"];
  } else {
    ++world_.counts[outcome == Outcome::kUnknown ? "operations with unknown outcome"
                                                 : "operations refused"];
  }
  Next(client);
}

absl::Status SimClients::CheckHistory(std::int64_t* checked) const {
  std::map<std::uint64_t, std::vector<RegisterOperation>> by_key;
  for (const Operation& o : operations_) {
    const bool is_write = o.op.kind == RegisterOperation::Kind::kWrite;
    RegisterOperation op = o.op;
    if (!o.is_over) op.is_outcome_unknown = is_write;
    if (o.is_over ? o.counts : is_write) by_key[o.key].push_back(op);
  }
  for (auto& [key, history] : by_key) {
    *checked += static_cast<std::int64_t>(history.size());
    const absl::Status status = CheckLinearizable(std::move(history));
    if (!status.ok()) {
      return absl::Status(status.code(),
                          "register " + std::to_string(key) + ": " + std::string(status.message()));
    }
  }
  return absl::OkStatus();
}

}  // namespace dfs::consensus
