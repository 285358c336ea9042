#include "membership/ring_core.h"

#include <algorithm>
#include <limits>
#include <set>
#include <utility>

#include "common/mutant.h"

namespace dfs::membership {
namespace {

// Health heard from its owner within this time is not replaced by hearsay.
constexpr absl::Duration kHealthFresh = absl::Seconds(1);
// Older than this, even hearsay without a date is better.
constexpr absl::Duration kHealthStale = absl::Seconds(10);

}  // namespace

RingCore::RingCore(const RingOptions& options, MonotonicTime now)
    : options_(options),
      random_(options.random_seed ^ (std::uint64_t{options.self.value()} << 32)),
      table_(options.self, FirstIncarnation(options.boot_epoch), options.suspect_phi),
      outbox_(&table_, &news_),
      detector_({.options = &options_,
                 .table = &table_,
                 .news = &news_,
                 .outbox = &outbox_,
                 .local_health = &local_health_,
                 .random = &random_}),
      next_heartbeat_(now),
      // The first exchange comes at a random time, so that nodes started together do not all speak at once.
      next_full_exchange_(now + absl::Milliseconds(random_.Between(
                                    0, absl::ToInt64Milliseconds(options.full_exchange_interval)))),
      next_dead_probe_(now + kDeadProbeInterval) {}

Output RingCore::Step(MonotonicTime now, Input input) {
  NoticeLateness(now);
  std::visit([&](auto& one) { Handle(now, std::move(one)); }, input);
  Advance(now);
  Output output;
  output.sendings = outbox_.Take();
  output.changes = table_.TakeChanges();
  output.next_deadline = NextDeadline(now);
  promised_ = output.next_deadline;
  return output;
}

void RingCore::NoticeLateness(MonotonicTime now) {
  const absl::Duration lateness = now - promised_;
  if (lateness <= kLateness) return;
  if (DFS_MUTANT(705, "a node that ran late accuses by what it missed")) return;
  if (lateness >= 2 * options_.heartbeat_interval) {
    local_health_.Worsen(now, 2);
    detector_.ForgiveAll(now);
  } else {
    local_health_.Worsen(now);
    detector_.Forgive(now, lateness);
  }
}

// ---- inputs ----

void RingCore::Handle(MonotonicTime, Tick) {}

void RingCore::Handle(MonotonicTime now, Refused input) { detector_.HandleRefused(now, input.node); }

void RingCore::Handle(MonotonicTime now, SetMembers input) {
  table_.SetMembers(now, input.members);
  // A member that was just added shall hear of us, and we of it, at once.
  next_heartbeat_ = now;
}

void RingCore::Handle(MonotonicTime now, SetHealth input) {
  Member& self = table_.self();
  self.health = input.health;
  self.health_heard = now;
}

void RingCore::Handle(MonotonicTime now, Receive input) {
  const Message& message = input.message;
  // Guards, in this order: for us, and by another? From a member? Not by an earlier run of it?
  if (message.to != options_.self || message.from == options_.self) return;
  Member* const sender = table_.Find(message.from);
  if (sender == nullptr || message.incarnation == 0) return;
  if (EpochOf(message.incarnation) < EpochOf(sender->incarnation) &&
      !DFS_MUTANT(706, "messages of an earlier run count")) {
    return;
  }
  if (message.rumours.size() > kRumoursMax) return;

  RecordContact(now, message, *sender);
  bool is_wrong_about_us = false;
  for (const Rumour& rumour : message.rumours) {
    if (rumour.node == options_.self) {
      is_wrong_about_us = HandleRumourOfSelf(now, rumour) || is_wrong_about_us;
    } else {
      HandleRumour(now, message, rumour);
    }
  }
  HandleKind(now, message, is_wrong_about_us);
}

void RingCore::RecordContact(MonotonicTime now, const Message& message, Member& sender) {
  const LivenessState before = sender.state;
  const bool is_news =
      table_.Merge(now, message.from, LivenessState::kAlive, message.incarnation);
  sender.last_heard = now;
  sender.heard_directly = now;
  sender.silent_since = now;
  sender.is_vouched = false;
  sender.health = message.health;
  sender.health_heard = now;
  if (message.kind == MessageKind::kHeartbeat) sender.arrivals.Record(now);
  detector_.HandleContact(now, message.from);
  if (!is_news) return;
  news_.Put(table_.RumourOf(message.from));
  // Back from the dead, or met for the first time: both have missed what the other knows.
  if (before == LivenessState::kDead || before == LivenessState::kUnknown) {
    SendFullExchange(message.from);
  }
}

void RingCore::HandleRumour(MonotonicTime now, const Message& message, const Rumour& rumour) {
  // Guards: about a member? Not about an incarnation that is past?
  const Member* const member = table_.Find(rumour.node);
  if (member == nullptr || rumour.incarnation < member->incarnation) return;
  if (rumour.observers.size() > kObserversMax) return;
  switch (rumour.state) {
    case LivenessState::kUnknown:
      return;
    case LivenessState::kAlive:
      return HandleAliveRumour(now, message, rumour);
    case LivenessState::kSuspect:
      return detector_.HandleSuspectRumour(now, rumour);
    case LivenessState::kDead:
      return detector_.HandleDeadRumour(now, rumour, message.is_full_exchange);
  }
}

void RingCore::HandleAliveRumour(MonotonicTime now, const Message& message, const Rumour& rumour) {
  Member& member = *table_.Find(rumour.node);
  const bool is_news = table_.Merge(now, rumour.node, LivenessState::kAlive, rumour.incarnation);
  if (is_news) {
    member.last_heard = now;
    detector_.HandleVouched(now, rumour.node);
  }
  if (rumour.health && rumour.incarnation == member.incarnation) {
    // Neighbours tell of whom they just heard; a full exchange does not say how old it is.
    const absl::Duration limit = message.is_full_exchange ? kHealthStale : kHealthFresh;
    if (is_news || now - member.health_heard >= limit) {
      member.health = *rumour.health;
      member.health_heard = now;
      if (!message.is_full_exchange) member.last_heard = now;
    }
  }
  if (is_news) news_.Put(table_.RumourOf(rumour.node));
}

bool RingCore::HandleRumourOfSelf(MonotonicTime now, const Rumour& rumour) {
  Member& self = table_.self();
  // Of a later run than this one: whoever that is, this process cannot outrank it (rule R1 decides).
  if (EpochOf(rumour.incarnation) > EpochOf(self.incarnation)) return false;
  const bool is_accused = rumour.state >= LivenessState::kSuspect;
  if (rumour.incarnation < self.incarnation) return is_accused;
  if (!is_accused && rumour.incarnation == self.incarnation) return false;
  // The counter's end, after 4 billion refutations in one run, is not worth a wrong epoch.
  constexpr std::uint64_t kCounterMax = std::numeric_limits<std::uint32_t>::max();
  if ((rumour.incarnation & kCounterMax) == kCounterMax) return false;
  self.incarnation = rumour.incarnation + 1;
  if (DFS_MUTANT(702, "a refutation does not raise the incarnation")) --self.incarnation;
  if (is_accused) local_health_.Worsen(now);
  news_.Put(table_.RumourOf(options_.self));
  return true;
}

void RingCore::HandleKind(MonotonicTime now, const Message& message, bool was_wrong_about_us) {
  bool has_answered = false;
  const auto reply = [&](MessageKind kind) {
    Message answer = outbox_.Make(kind, message.from);
    answer.sequence = message.sequence;
    outbox_.Send(std::move(answer));
    has_answered = true;
  };
  switch (message.kind) {
    case MessageKind::kHeartbeat: {
      // It takes us for its neighbour and we owe it no heartbeat: tell it that we live.
      const Member* const sender = table_.Find(message.from);
      if (!sender->is_watched) reply(MessageKind::kProbeReply);
      break;
    }
    case MessageKind::kProbe:
      reply(MessageKind::kProbeReply);
      break;
    case MessageKind::kIndirectProbe:
      detector_.HandleIndirectProbe(now, message);
      break;
    case MessageKind::kIndirectReply:
      detector_.HandleIndirectReply(now, message);
      break;
    case MessageKind::kGossip:
      if (message.is_full_exchange && !message.is_alive) AnswerFullExchange(message);
      break;
    case MessageKind::kProbeReply:
      break;
  }
  if (has_answered) return;
  // The accused hears of it from each who is in touch with it, until it has refuted; and who accuses us
  // hears our new incarnation first.
  const bool is_accused = table_.Find(message.from)->state >= LivenessState::kSuspect;
  if (DFS_MUTANT(708, "the accused is not told")) return;
  if (was_wrong_about_us || is_accused) reply(MessageKind::kGossip);
}

// ---- what goes out ----

std::vector<NodeId> RingCore::LiveOthers() const {
  std::vector<NodeId> out;
  for (const auto& [node, member] : table_.members()) {
    if (node != options_.self && member.state != LivenessState::kDead) out.push_back(node);
  }
  return out;
}

void RingCore::SendHeartbeats(MonotonicTime now) {
  const bool is_relay = table_.members().size() > 2 * kNeighboursPerSide + 1 &&
                        heartbeat_rounds_ % kRelayRounds == 0;
  for (const NodeId to : table_.neighbours()) {
    Message message = outbox_.Make(MessageKind::kHeartbeat, to);
    if (is_relay) {
      for (const NodeId node : table_.neighbours()) {
        const Member& member = *table_.Find(node);
        if (node == to || member.state != LivenessState::kAlive) continue;
        if (now - member.heard_directly > kHealthFresh) continue;
        if (message.rumours.size() < kRumoursMax) message.rumours.push_back(table_.RumourOf(node));
      }
    }
    outbox_.Send(std::move(message));
  }
  ++heartbeat_rounds_;
  last_heartbeat_ = now;
  next_heartbeat_ = now + options_.heartbeat_interval;
}

void RingCore::Gossip(MonotonicTime now) {
  std::vector<NodeId> targets = LiveOthers();
  for (std::size_t i = 0; i < options_.gossip_fanout && i < targets.size(); ++i) {
    std::swap(targets[i], targets[i + random_.Below(targets.size() - i)]);
    Message message = outbox_.Make(MessageKind::kGossip, targets[i]);
    if (!message.rumours.empty()) outbox_.Send(std::move(message));
  }
  last_gossip_ = now;
}

void RingCore::ProbeDead() {
  std::vector<NodeId> dead;
  for (const auto& [node, member] : table_.members()) {
    if (member.state == LivenessState::kDead) dead.push_back(node);
  }
  if (dead.empty()) return;
  std::set<NodeId> targets = {dead[random_.Below(dead.size())]};
  for (const NodeId node : table_.full_ring().Neighbours(options_.self)) {
    if (table_.Find(node)->state == LivenessState::kDead) targets.insert(node);
  }
  for (const NodeId node : targets) {
    outbox_.Send(outbox_.Make(MessageKind::kProbe, node, Outbox::News::kNone), /*is_fresh=*/true);
  }
}

void RingCore::SendFullExchange(NodeId to) {
  Message message = outbox_.Make(MessageKind::kGossip, to, Outbox::News::kNone);
  message.is_full_exchange = true;
  const Message empty = message;
  for (const auto& [node, member] : table_.members()) {
    if (member.state == LivenessState::kUnknown || node == to) continue;
    message.rumours.push_back(table_.RumourOf(node));
    if (message.rumours.size() == kRumoursMax) outbox_.Send(std::exchange(message, empty));
  }
  outbox_.Send(std::move(message));
}

void RingCore::AnswerFullExchange(const Message& message) {
  // Only what the sender named: of a table in several messages, each is answered for itself.
  Message answer = outbox_.Make(MessageKind::kGossip, message.from, Outbox::News::kNone);
  answer.is_full_exchange = true;
  answer.is_alive = true;
  for (const Rumour& rumour : message.rumours) {
    const Member* const member = table_.Find(rumour.node);
    if (member == nullptr || rumour.node == options_.self || rumour.node == message.from) continue;
    const auto known = std::pair{member->incarnation, member->state};
    if (known <= std::pair{rumour.incarnation, rumour.state}) continue;
    if (answer.rumours.size() < kRumoursMax) answer.rumours.push_back(table_.RumourOf(rumour.node));
  }
  if (!answer.rumours.empty()) outbox_.Send(std::move(answer));
}

// ---- time ----

void RingCore::Advance(MonotonicTime now) {
  local_health_.Advance(now);
  table_.self().health.local_health = local_health_.score();
  detector_.Advance(now);
  // New neighbours hear of us at once, but a ring that changes all the time does not make a storm.
  if (table_.TakeNeighboursChanged()) {
    next_heartbeat_ = std::min(next_heartbeat_, std::max(now, last_heartbeat_ + kGossipSpacing));
  }
  if (now >= next_heartbeat_) SendHeartbeats(now);
  if (now >= next_full_exchange_) {
    const std::vector<NodeId> others = LiveOthers();
    if (!others.empty()) SendFullExchange(others[random_.Below(others.size())]);
    next_full_exchange_ = now + options_.full_exchange_interval;
  }
  if (now >= next_dead_probe_) {
    ProbeDead();
    next_dead_probe_ = now + kDeadProbeInterval;
  }
  if (now >= NextGossip()) Gossip(now);
}

MonotonicTime RingCore::NextGossip() const {
  if (news_.empty() || table_.live_count() < 2) return absl::InfiniteFuture();
  return last_gossip_ + (news_.HasUntold() ? kGossipSpacing : options_.gossip_interval);
}

MonotonicTime RingCore::NextDeadline(MonotonicTime now) const {
  if (table_.members().size() < 2) return absl::InfiniteFuture();
  return std::min({next_heartbeat_, next_full_exchange_, next_dead_probe_, NextGossip(),
                   detector_.NextDeadline(now)});
}

}  // namespace dfs::membership
