#include "tests/simulation/system/sim_wire.h"

#include "tests/simulation/system/sim_node.h"

namespace dfs::simulation {

void SimWire::SetNode(int machine, SimNode* node, std::shared_ptr<SimProcess> process) {
  machines_[machine] = {node, std::move(process)};
}

void SimWire::Break(const SimProcess* process) {
  std::vector<std::shared_ptr<OpenCall>> broken;
  for (const auto& [number, open] : open_) {
    if (open.first == process) broken.push_back(open.second);
  }
  for (const auto& call : broken) {
    scheduler_->CallAfter(Latency(false), [call] { call->fail(Unreachable(true)); });
  }
}

std::int64_t SimWire::Latency(bool may_delay) {
  Random& random = scheduler_->random();
  if (may_delay && random.Below(1000) < odds_.delay) {
    ++counts_.delayed;
    return random.Between(10 * kMillisecond, 3'000 * kMillisecond);
  }
  return random.Between(50 * kMicrosecond, 500 * kMicrosecond);
}

absl::Status SimWire::Unreachable(bool is_sent) {
  return ErrorWithReason(absl::StatusCode::kUnavailable,
                         is_sent ? "the connection broke" : "connection refused",
                         v1::ErrorDetail::REASON_UNSPECIFIED,
                         is_sent ? v1::ErrorDetail::UNKNOWN : v1::ErrorDetail::NOTHING_CHANGED);
}

SimNode* SimWire::NodeAt(int machine, NodeId expected) const {
  const auto found = machines_.find(machine);
  if (found == machines_.end() || found->second.node == nullptr) return nullptr;
  // A Hello would not be accepted (rule R1).
  if (!expected.is_none() && found->second.node->self() != expected) return nullptr;
  return found->second.node;
}

std::shared_ptr<SimProcess> SimWire::ProcessOf(int machine) const {
  return machines_.at(machine).process;
}

void SimWire::Send(int from, int to, NodeId expected, std::function<void(SimNode&)> deliver,
                   std::function<void()> refused) {
  ++counts_.datagrams;
  Random& random = scheduler_->random();
  if (random.Below(1000) < odds_.lose) {
    ++counts_.lost;
    return;
  }
  const bool is_twice = random.Below(1000) < odds_.duplicate;
  if (is_twice) ++counts_.duplicated;
  const auto sender = scheduler_->process();
  const auto carry = [this, from, to, expected, deliver = std::move(deliver),
                      refused = std::move(refused), sender] {
    if (IsCut(from, to)) return;
    if (SimNode* const node = NodeAt(to, expected)) {
      scheduler_->Spawn(ProcessOf(to), [deliver, node] { deliver(*node); });
    } else if (refused != nullptr && !IsCut(to, from) && !sender->is_dead) {
      scheduler_->Spawn(sender, refused);
    }
  };
  scheduler_->CallAfter(Latency(true), carry);
  if (is_twice) scheduler_->CallAfter(Latency(true), carry);
}

}  // namespace dfs::simulation
