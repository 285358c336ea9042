#include "membership/failure_detector.h"

#include <algorithm>
#include <utility>

#include "common/mutant.h"

namespace dfs::membership {

FailureDetector::FailureDetector(const Parts& parts)
    : options_(*parts.options),
      table_(*parts.table),
      news_(*parts.news),
      outbox_(*parts.outbox),
      local_health_(*parts.local_health),
      random_(*parts.random) {}

// ---- silence ----

absl::Duration FailureDetector::SilenceLimit(const Member& member) const {
  // Without a rhythm to go by (just started, just become a neighbour) wait twice as long.
  const absl::Duration base =
      member.arrivals.HasEnough()
          ? std::max(options_.suspect_after_min,
                     std::min(member.arrivals.Threshold(), kSuspectAfterMax))
          : 2 * options_.suspect_after_min;
  return local_health_.Stretch(base);
}

void FailureDetector::CheckSilence(MonotonicTime now, NodeId node, Member& member) {
  const absl::Duration limit = SilenceLimit(member);
  const absl::Duration silence = now - member.silent_since;
  if (silence < limit) return;
  if (!member.is_vouched || silence >= 2 * limit) {
    Accuse(now, node, /*is_refused=*/false);
    return;
  }
  // Others heard it lately though we did not: ask them before accusing it again and again over one bad link.
  if (member.quiet_probe >= member.silent_since) return;
  member.quiet_probe = now;
  outbox_.Send(outbox_.Make(MessageKind::kProbe, node, Outbox::News::kNone), /*is_fresh=*/true);
  AskHelpers(node, ChooseHelpers(node));
}

void FailureDetector::Forgive(MonotonicTime now, absl::Duration lateness) {
  for (auto& [node, member] : table_.members()) {
    if (member.is_watched) member.silent_since = std::min(now, member.silent_since + lateness);
  }
}

void FailureDetector::ForgiveAll(MonotonicTime now) {
  for (auto& [node, member] : table_.members()) {
    if (!member.is_watched) continue;
    member.silent_since = now;
    member.arrivals.Interrupt();
  }
  favours_.clear();
  for (auto& [node, opened] : cases_) {
    opened.suspicion.Restart(now);
    opened.own_probe_at = now + options_.dead_after_max;
    if (opened.probes) BeginProbes(now, node, opened);
  }
}

// ---- evidence ----

void FailureDetector::HandleContact(MonotonicTime now, NodeId node) {
  AnswerFavours(node, /*is_alive=*/true);
  const auto found = cases_.find(node);
  const Member& member = *table_.Find(node);
  const bool is_open = found != cases_.end() && member.state == LivenessState::kSuspect &&
                       member.incarnation == found->second.incarnation;
  if (!is_open) return;
  if (found->second.is_own) local_health_.Worsen(now);
  Exonerate(now, node, found->second);
}

void FailureDetector::HandleVouched(MonotonicTime now, NodeId node) {
  Member& member = *table_.Find(node);
  if (!member.is_watched) return;
  member.silent_since = now;
  member.is_vouched = true;
}

void FailureDetector::HandleRefused(MonotonicTime now, NodeId node) {
  for (auto& [suspect, opened] : cases_) {
    if (opened.probes) opened.probes->RecordHelperGone(node);
  }
  const Member* const member = table_.Find(node);
  if (member == nullptr || node == table_.self_id()) return;
  if (member->state != LivenessState::kDead) {
    if (const auto found = cases_.find(node); found != cases_.end() && found->second.probes) {
      found->second.probes->RecordRefused(now);
    }
    Accuse(now, node, /*is_refused=*/true);
  }
  // After accusing, so that the answer names this node as a witness.
  AnswerFavours(node, /*is_alive=*/false);
}

void FailureDetector::Accuse(MonotonicTime now, NodeId node, bool is_refused) {
  Member& member = *table_.Find(node);
  table_.Merge(now, node, LivenessState::kSuspect, member.incarnation);
  if (member.state != LivenessState::kSuspect) return;
  if (MemberTable::AddObserver(member, table_.self_id())) news_.Put(table_.RumourOf(node));
  Case& opened = OpenCase(now, node);
  opened.is_own = true;
  opened.was_refused = opened.was_refused || is_refused;
  if (!opened.probes) BeginProbes(now, node, opened);
}

void FailureDetector::HandleSuspectRumour(MonotonicTime now, const Rumour& rumour) {
  Member& member = *table_.Find(rumour.node);
  bool is_news = table_.Merge(now, rumour.node, LivenessState::kSuspect, rumour.incarnation);
  if (member.state != LivenessState::kSuspect || member.incarnation != rumour.incarnation) return;
  for (const NodeId observer : rumour.observers) {
    if (observer == table_.self_id() || observer == rumour.node) continue;
    is_news = MemberTable::AddObserver(member, observer) || is_news;
  }
  if (is_news) news_.Put(table_.RumourOf(rumour.node));
  OpenCase(now, rumour.node);
}

void FailureDetector::HandleDeadRumour(MonotonicTime now, const Rumour& rumour, bool is_old) {
  Member& member = *table_.Find(rumour.node);
  if (!MemberTable::IsNews(member, LivenessState::kDead, rumour.incarnation)) return;
  const bool is_heard = now - member.heard_directly < options_.suspect_after_min;
  // When a partition heals, each side brings its belief that the other is dead: believed at once, that would
  // kill every live member on paper. Who is heard here is asked instead, and who is not is examined.
  const bool is_believed = DFS_MUTANT(704, "a DEAD in a full exchange is believed at once");
  if (is_heard || (is_old && member.state != LivenessState::kUnknown && !is_believed)) {
    const bool is_new = member.state != LivenessState::kSuspect;
    HandleSuspectRumour(now, rumour);
    if (is_new) outbox_.Send(outbox_.Make(MessageKind::kProbe, rumour.node));
    return;
  }
  table_.Merge(now, rumour.node, LivenessState::kDead, rumour.incarnation);
  for (const NodeId observer : rumour.observers) MemberTable::AddObserver(member, observer);
  news_.Put(table_.RumourOf(rumour.node));
}

// ---- cases ----

FailureDetector::Case& FailureDetector::OpenCase(MonotonicTime now, NodeId node) {
  const std::uint64_t incarnation = table_.Find(node)->incarnation;
  if (const auto found = cases_.find(node); found != cases_.end()) {
    if (found->second.incarnation == incarnation) return found->second;
    cases_.erase(found);
  }
  // Who can confirm: live members other than the suspect and the first observer.
  const std::size_t live = table_.live_count();
  const std::size_t expected = std::min(kConfirmationsMax, live > 2 ? live - 2 : 0);
  const auto jitter = absl::Milliseconds(
      random_.Between(0, absl::ToInt64Milliseconds(options_.dead_after_max)));
  Case opened{.incarnation = incarnation,
              .suspicion = Suspicion(now, options_.dead_after_min, options_.dead_after_max, expected),
              .is_own = false,
              .was_refused = false,
              .probes = std::nullopt,
              .own_probe_at = now + options_.dead_after_max + jitter};
  return cases_.emplace(node, std::move(opened)).first->second;
}

void FailureDetector::CloseSettledCases(MonotonicTime now) {
  for (auto it = cases_.begin(); it != cases_.end();) {
    const auto& [node, opened] = *it;
    const Member* const member = table_.Find(node);
    const bool is_open = member != nullptr && member->state == LivenessState::kSuspect &&
                         member->incarnation == opened.incarnation;
    if (is_open) {
      ++it;
      continue;
    }
    // Accused wrongly by us, in the same run: perhaps it is this node that is slow.
    if (member != nullptr && opened.is_own && member->state == LivenessState::kAlive &&
        EpochOf(member->incarnation) == EpochOf(opened.incarnation)) {
      local_health_.Worsen(now);
    }
    it = cases_.erase(it);
  }
}

void FailureDetector::Exonerate(MonotonicTime now, NodeId node, Case& opened) {
  Member& member = *table_.Find(node);
  if (!DFS_MUTANT(709, "a witness that hears the accused does not withdraw")) {
    std::erase(member.observers, table_.self_id());
  }
  member.silent_since = now;
  opened.is_own = false;
  opened.was_refused = false;
  opened.probes.reset();
  opened.suspicion.Restart(now);
  opened.own_probe_at = now + 2 * options_.dead_after_max;
}

void FailureDetector::BeginProbes(MonotonicTime now, NodeId node, Case& opened) {
  const std::vector<NodeId> helpers = ChooseHelpers(node);
  opened.probes.emplace(now, options_.probe_timeout, helpers);
  AskHelpers(node, helpers);
}

std::vector<NodeId> FailureDetector::ChooseHelpers(NodeId target) {
  // Who is no neighbour of the target has no evidence of its own yet, so its word is independent.
  const std::vector<NodeId> near = table_.ring().Neighbours(target);
  std::vector<std::pair<std::pair<bool, std::uint64_t>, NodeId>> order;
  for (const auto& [node, member] : table_.members()) {
    if (node == target || node == table_.self_id()) continue;
    if (member.state != LivenessState::kAlive) continue;
    const bool is_near = std::find(near.begin(), near.end(), node) != near.end();
    order.push_back({{is_near, random_.Next()}, node});
  }
  std::sort(order.begin(), order.end());
  if (order.size() > ProbeRound::kHelpersMax) order.resize(ProbeRound::kHelpersMax);
  std::vector<NodeId> helpers;
  helpers.reserve(order.size());
  for (const auto& [rank, node] : order) helpers.push_back(node);
  return helpers;
}

void FailureDetector::AddRumourOf(NodeId node, Message& message) const {
  const auto& rumours = message.rumours;
  if (std::any_of(rumours.begin(), rumours.end(),
                  [&](const Rumour& rumour) { return rumour.node == node; })) {
    return;
  }
  message.rumours.push_back(table_.RumourOf(node));
}

void FailureDetector::AskHelpers(NodeId target, const std::vector<NodeId>& helpers) {
  for (const NodeId helper : helpers) {
    Message question = outbox_.Make(MessageKind::kIndirectProbe, helper);
    question.target = target;
    // So that the helper's own probe carries the accusation, and the answer is a refutation.
    AddRumourOf(target, question);
    outbox_.Send(std::move(question));
  }
}

MonotonicTime FailureDetector::VerdictTime(const Member& member, const Case& opened) const {
  const std::size_t observers = member.observers.size();
  return opened.suspicion.Deadline(observers > 1 ? observers - 1 : 0);
}

bool FailureDetector::ShouldDeclareDead(MonotonicTime now, const Member& member,
                                        const Case& opened) const {
  const bool has_failed_probes = opened.is_own && opened.probes && opened.probes->HasFailed(now);
  if (opened.is_own && opened.was_refused && opened.probes && opened.probes->refused() > 0) {
    // A refused connection is a fact, not a delay: no need to wait out the window. One other witness, or
    // all probes, guard against a single bad link.
    if (member.observers.size() >= 2 || opened.probes->denied() > 0) return true;
    if (has_failed_probes || DFS_MUTANT(707, "one refused connection is death")) return true;
  }
  if (now < VerdictTime(member, opened)) return false;
  if (DFS_MUTANT(701, "a suspect dies with the window, without probes or witnesses")) return true;
  return member.observers.size() >= 2 || has_failed_probes;
}

void FailureDetector::AdvanceCase(MonotonicTime now, NodeId node, Case& opened) {
  Member& member = *table_.Find(node);
  if (!opened.probes && now >= opened.own_probe_at) BeginProbes(now, node, opened);
  if (opened.probes) {
    if (opened.probes->IsDirectDue(now)) {
      outbox_.Send(outbox_.Make(MessageKind::kProbe, node, Outbox::News::kNone), /*is_fresh=*/true);
      opened.probes->RecordDirectSent(now);
    }
    if (!opened.is_own && opened.probes->HasFailed(now)) {
      opened.is_own = true;
      if (MemberTable::AddObserver(member, table_.self_id())) news_.Put(table_.RumourOf(node));
    }
  }
  if (!ShouldDeclareDead(now, member, opened)) return;
  table_.Merge(now, node, LivenessState::kDead, opened.incarnation);
  news_.Put(table_.RumourOf(node));
}

// ---- probes for others ----

void FailureDetector::HandleIndirectProbe(MonotonicTime now, const Message& message) {
  if (message.target == table_.self_id() || message.target == message.from) return;
  if (table_.Find(message.target) == nullptr || favours_.size() >= kFavoursMax) return;
  favours_.push_back({message.from, message.target, message.sequence, now + options_.probe_timeout});
  outbox_.Send(outbox_.Make(MessageKind::kProbe, message.target, Outbox::News::kNone),
               /*is_fresh=*/true);
}

void FailureDetector::AnswerFavour(const Favour& favour, bool is_alive) {
  Message answer = outbox_.Make(MessageKind::kIndirectReply, favour.asker);
  answer.sequence = favour.sequence;
  answer.target = favour.target;
  answer.is_alive = is_alive;
  if (table_.Find(favour.target) != nullptr) AddRumourOf(favour.target, answer);
  outbox_.Send(std::move(answer));
}

void FailureDetector::AnswerFavours(NodeId target, bool is_alive) {
  std::vector<Favour> answered;
  std::erase_if(favours_, [&](const Favour& favour) {
    if (favour.target != target) return false;
    answered.push_back(favour);
    return true;
  });
  for (const Favour& favour : answered) AnswerFavour(favour, is_alive);
}

void FailureDetector::HandleIndirectReply(MonotonicTime now, const Message& message) {
  Member* const member = table_.Find(message.target);
  if (member == nullptr || message.target == table_.self_id()) return;
  const auto found = cases_.find(message.target);
  if (message.is_alive) {
    HandleVouched(now, message.target);
    if (found != cases_.end()) Exonerate(now, message.target, found->second);
  } else if (found != cases_.end() && found->second.probes) {
    found->second.probes->RecordHelperDenied(message.from);
  }
}

// ---- time ----

void FailureDetector::Advance(MonotonicTime now) {
  CloseSettledCases(now);
  std::vector<Favour> expired;
  std::erase_if(favours_, [&](const Favour& favour) {
    if (now < favour.deadline) return false;
    expired.push_back(favour);
    return true;
  });
  for (const Favour& favour : expired) AnswerFavour(favour, /*is_alive=*/false);
  for (auto& [node, member] : table_.members()) {
    if (member.is_watched && member.state <= LivenessState::kAlive) CheckSilence(now, node, member);
  }
  for (auto& [node, opened] : cases_) AdvanceCase(now, node, opened);
  CloseSettledCases(now);
}

MonotonicTime FailureDetector::NextDeadline(MonotonicTime now) const {
  MonotonicTime next = absl::InfiniteFuture();
  for (const Favour& favour : favours_) next = std::min(next, favour.deadline);
  for (const auto& [node, member] : table_.members()) {
    if (!member.is_watched || member.state > LivenessState::kAlive) continue;
    const absl::Duration limit = SilenceLimit(member);
    const bool is_asked = member.is_vouched && member.quiet_probe >= member.silent_since;
    next = std::min(next, member.silent_since + (is_asked ? 2 * limit : limit));
  }
  for (const auto& [node, opened] : cases_) {
    const Member& member = *table_.Find(node);
    if (opened.probes) next = std::min(next, opened.probes->NextDeadline(now));
    for (const MonotonicTime at : {VerdictTime(member, opened), opened.own_probe_at}) {
      if (at > now) next = std::min(next, at);
    }
  }
  return next;
}

}  // namespace dfs::membership
