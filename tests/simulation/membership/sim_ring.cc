#include "tests/simulation/membership/sim_ring.h"

#include <algorithm>
#include <sstream>

namespace dfs::membership {

SimRing::SimRing(std::uint64_t seed, std::size_t size, FaultPlan plan)
    : random_(seed), seed_(seed), plan_(plan) {
  for (std::uint32_t id = 1; id <= size; ++id) nodes_[NodeId(id)];
  for (auto& [id, node] : nodes_) {
    node.epoch = 1;
    node.run = 1;
    const auto at = now_ + absl::Milliseconds(random_.Between(0, 200));
    Schedule(at, {.node = id, .run = 1, .is_start = true, .input = Tick{}});
  }
}

void SimRing::Schedule(MonotonicTime at, Event event) {
  events_.emplace(std::pair{at, order_++}, std::move(event));
}

void SimRing::Run(absl::Duration duration) {
  RunUntil([] { return false; }, duration);
}

std::optional<absl::Duration> SimRing::RunUntil(const std::function<bool()>& condition,
                                                absl::Duration limit) {
  if (condition()) return absl::ZeroDuration();
  const MonotonicTime start = now_;
  const MonotonicTime end = now_ + limit;
  while (!events_.empty() && events_.begin()->first.first <= end && violation_.empty()) {
    auto first = events_.extract(events_.begin());
    now_ = first.key().first;
    Dispatch(std::move(first.mapped()));
    if (condition()) return now_ - start;
  }
  if (violation_.empty()) now_ = end;
  return condition() ? std::optional(now_ - start) : std::nullopt;
}

void SimRing::Dispatch(Event event) {
  Node& node = nodes_.at(event.node);
  if (event.run != node.run) return;
  if (now_ < node.paused_until) {
    Schedule(node.paused_until, std::move(event));
    return;
  }
  if (event.is_start) {
    RingOptions options;
    options.self = event.node;
    options.boot_epoch = BootEpoch(node.epoch);
    options.random_seed = seed_ * 1'000 + node.epoch;
    node.core = std::make_unique<RingCore>(options, now_);
    node.incarnations.clear();
    node.armed = absl::InfiniteFuture();
    StepNode(event.node, node, SetMembers{All()});
    return;
  }
  if (!node.core) return;
  if (std::holds_alternative<Tick>(event.input)) {
    if (now_ < node.armed) return;
    node.armed = absl::InfiniteFuture();
  }
  if (const auto* refused = std::get_if<Refused>(&event.input)) node.streams.erase(refused->node);
  StepNode(event.node, node, std::move(event.input));
}

void SimRing::StepNode(NodeId id, Node& node, Input input) {
  ++steps_;
  Trace(id.value());
  Trace(input.index());
  Output output = node.core->Step(now_, std::move(input));
  CheckInvariants(id, node, output);
  for (const Change& change : output.changes) {
    Trace(change.node.value());
    Trace(static_cast<std::uint64_t>(change.to));
    Trace(change.incarnation);
    if (!IsUp(change.node)) continue;
    if (change.to == LivenessState::kSuspect) ++false_suspects_;
    if (change.to == LivenessState::kDead) ++false_dead_;
  }
  for (const Sending& sending : output.sendings) Carry(id, sending);
  if (output.next_deadline < node.armed && output.next_deadline != absl::InfiniteFuture()) {
    const auto late = absl::Microseconds(
        random_.Between(0, absl::ToInt64Microseconds(plan_.tick_delay_max)));
    node.armed = output.next_deadline;
    Schedule(output.next_deadline + late, {.node = id, .run = node.run, .input = Tick{}});
  }
}

void SimRing::CheckInvariants(NodeId id, Node& node, const Output& output) {
  std::ostringstream text;
  if (output.next_deadline <= now_) text << "node " << id << " has a deadline in the past; ";
  for (const auto& [subject, member] : node.core->table().members()) {
    std::uint64_t& greatest = node.incarnations[subject];
    if (member.incarnation < greatest) {
      text << "node " << id << " went back with the incarnation of " << subject << "; ";
    }
    greatest = member.incarnation;
  }
  for (const Sending& sending : output.sendings) {
    const Message& message = sending.message;
    if (message.rumours.size() > kRumoursMax) text << "too many rumours from " << id << "; ";
    if (message.to == id || message.from != id) text << "bad address from " << id << "; ";
  }
  if (const std::string found = text.str(); !found.empty()) {
    violation_ = found + "at " + absl::FormatDuration(now_ - absl::UnixEpoch());
  }
}

absl::Duration SimRing::Delay() {
  if (plan_.slow_percent > 0 && random_.OneIn(plan_.slow_percent, 100)) {
    ++faults_.slow;
    return absl::Microseconds(random_.Between(2'000, 60'000));
  }
  return absl::Microseconds(random_.Between(200, 2'000));
}

void SimRing::Carry(NodeId from, const Sending& sending) {
  const Message& message = sending.message;
  ++messages_;
  const Node& to = nodes_.at(message.to);
  if (IsCut(from, message.to)) return;
  if (!to.core) {
    RefuseTo(from, message.to);
    return;
  }
  const std::uint64_t loss = message.kind == MessageKind::kHeartbeat
                                 ? std::max(plan_.heartbeat_loss_percent, plan_.message_loss_percent)
                                 : plan_.message_loss_percent;
  if (!sending.is_fresh) nodes_.at(from).streams.insert(message.to);
  if (loss > 0 && random_.OneIn(loss, 100)) {
    ++faults_.lost;
    return;
  }
  MonotonicTime at = now_ + Delay();
  if (!sending.is_fresh) {
    MonotonicTime& last = last_delivery_.try_emplace({from, message.to}, at).first->second;
    at = last = std::max(at, last);
  }
  Schedule(at, {.node = message.to, .run = to.run, .input = Receive{message}});
}

void SimRing::RefuseTo(NodeId sender, NodeId refusing) {
  if (IsCut(refusing, sender) || IsCut(sender, refusing)) return;
  Schedule(now_ + Delay(),
           {.node = sender, .run = nodes_.at(sender).run, .input = Refused{refusing}});
}

void SimRing::Crash(NodeId id) {
  Node& node = nodes_.at(id);
  if (!node.core) return;
  ++faults_.crashes;
  node.core.reset();
  ++node.run;
  node.streams.clear();
  node.paused_until = absl::InfinitePast();
  for (auto& [other, peer] : nodes_) {
    if (peer.core && peer.streams.contains(id)) RefuseTo(other, id);
  }
}

void SimRing::Restart(NodeId id) {
  Node& node = nodes_.at(id);
  Crash(id);
  ++faults_.restarts;
  ++node.epoch;
  ++node.run;
  Schedule(now_, {.node = id, .run = node.run, .is_start = true, .input = Tick{}});
}

void SimRing::Pause(NodeId node, absl::Duration duration) {
  ++faults_.pauses;
  nodes_.at(node).paused_until = now_ + duration;
}

void SimRing::Cut(NodeId from, NodeId to) {
  ++faults_.cuts;
  cuts_.insert({from, to});
}

void SimRing::CutOff(NodeId node) { Partition({node}); }

void SimRing::Partition(const std::set<NodeId>& side) {
  for (const NodeId a : All()) {
    for (const NodeId b : All()) {
      if (side.contains(a) != side.contains(b)) Cut(a, b);
    }
  }
}

void SimRing::HealAll() {
  if (!cuts_.empty()) ++faults_.heals;
  cuts_.clear();
}

LivenessState SimRing::View(NodeId observer, NodeId subject) const {
  return core(observer).table().Find(subject)->state;
}

std::vector<NodeId> SimRing::Up() const {
  std::vector<NodeId> out;
  for (const auto& [id, node] : nodes_) {
    if (node.core) out.push_back(id);
  }
  return out;
}

std::vector<NodeId> SimRing::All() const {
  std::vector<NodeId> out;
  for (const auto& [id, node] : nodes_) out.push_back(id);
  return out;
}

std::vector<NodeId> SimRing::InRingOrder() const {
  const Ring ring(All());
  std::vector<NodeId> out = {nodes_.begin()->first};
  while (out.size() < nodes_.size()) out.push_back(ring.Successors(out.back()).front());
  return out;
}

bool SimRing::IsDeadEverywhere(NodeId node) const {
  for (const NodeId observer : Up()) {
    if (View(observer, node) != LivenessState::kDead) return false;
  }
  return true;
}

bool SimRing::IsAgreed() const {
  for (const auto& [observer, node] : nodes_) {
    if (!node.core) continue;
    for (const auto& [subject, other] : nodes_) {
      const auto wanted = other.core ? LivenessState::kAlive : LivenessState::kDead;
      if (View(observer, subject) != wanted) return false;
    }
  }
  return true;
}

std::string SimRing::Describe() const {
  std::ostringstream out;
  for (const auto& [observer, node] : nodes_) {
    if (!node.core) {
      out << observer << " is down\n";
      continue;
    }
    out << observer << "@" << EpochOf(node.core->incarnation()) << "."
        << (node.core->incarnation() & 0xffffffff) << " wrongly sees";
    for (const auto& [subject, member] : node.core->table().members()) {
      if (member.state == (IsUp(subject) ? LivenessState::kAlive : LivenessState::kDead)) continue;
      constexpr const char* kNames[] = {"unknown", "alive", "suspect", "dead"};
      out << " " << subject << "=" << kNames[static_cast<int>(member.state)] << "@"
          << EpochOf(member.incarnation) << "." << (member.incarnation & 0xffffffff);
    }
    out << "\n";
  }
  return out.str();
}

void SimRing::Trace(std::uint64_t value) {
  trace_hash_ = (trace_hash_ ^ value) * 0x100000001b3 + (trace_hash_ >> 29);
}

}  // namespace dfs::membership
