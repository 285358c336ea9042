#include "server/replicated_log/start_check_core.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/mutant.h"

namespace dfs::replicated_log {

using start_check::Answered;
using start_check::AskedBy;
using start_check::Begin;
using start_check::Failed;
using start_check::LeaderMissing;
using start_check::Reconfigured;
using start_check::Tick;

StartCheckOutput StartCheckCore::Step(MonotonicTime now, StartCheckInput input) {
  now_ = std::max(now_, now);
  out_ = StartCheckOutput();
  if (is_rolled_back_) return std::move(out_);
  std::visit([this](auto& i) { Handle(std::move(i)); }, input);
  if (is_rolled_back_ || !is_begun_) return std::move(out_);
  MaybeRelease();
  AskWhoIsDue();
  return std::move(out_);
}

void StartCheckCore::Handle(Begin begin) {
  is_begun_ = true;
  begun_ = now_;
  join_ = std::move(begin.join);
  own_configuration_ = begin.configuration;
  newest_ = std::move(begin.configuration);
  newest_end_ = {begin.position.last_term, begin.position.last_index};
  AddAddresses();
}

// Addresses that are no longer a member's stay, if they were given with --join.
void StartCheckCore::AddAddresses() {
  std::set<std::string> wanted = join_;
  for (const auto* configuration : {&own_configuration_, &newest_}) {
    for (const auto& [node, member] : configuration->members) {
      if (node != options_.self) wanted.insert(member.peer_address);
    }
  }
  wanted.erase(options_.own_address);
  wanted.erase("");
  std::erase_if(asked_, [&](const auto& asked) { return !wanted.contains(asked.first); });
  for (const auto& address : wanted) {
    asked_.try_emplace(address, Asked{.next = now_});
  }
}

void StartCheckCore::Handle(Answered answered) {
  const auto found = asked_.find(answered.address);
  if (found == asked_.end()) return;
  if (!IsMemberItself(answered.greeting)) {
    Handle(Failed{answered.address});
    return;
  }
  Asked& asked = found->second;
  asked.is_under_way = false;
  asked.next = now_ + options_.ask_later_every;
  asked.answered_as = answered.greeting.node;
  asked.is_wanted = false;
  Judge(answered);
  if (is_rolled_back_) return;
  TakeConfiguration(answered);
  UpdateMoved();
}

bool StartCheckCore::IsMemberItself(const Greeting& greeting) const {
  for (const auto* configuration : {&own_configuration_, &newest_}) {
    const auto member = configuration->members.find(greeting.node);
    if (member == configuration->members.end()) continue;
    return member->second.storage_uuid == greeting.storage_uuid;
  }
  return true;  // it may have come while this node was away
}

void StartCheckCore::Judge(const Answered& answered) {
  const Greeting& greeting = answered.greeting;
  if (greeting.node == options_.self) return;  // this process, under another name of its address
  if (greeting.refuses_epoch) {
    out_.rolled_back = absl::StrCat("node ", greeting.node.value(), " says: ", greeting.reason);
  } else if (IsBelow(answered.own, greeting.mark)) {
    out_.rolled_back =
        absl::StrCat("node ", greeting.node.value(), " has seen ", ToString(greeting.mark),
                     " of this node, but its data directory holds ", ToString(answered.own));
  }
  is_rolled_back_ = out_.rolled_back.has_value();
}

void StartCheckCore::TakeConfiguration(const Answered& answered) {
  const Greeting& greeting = answered.greeting;
  if (const std::pair own{answered.own.last_term, answered.own.last_index}; own > newest_end_) {
    newest_end_ = own;
    newest_ = own_configuration_;
  }
  const std::pair<Term, LogIndex> end{greeting.last_term, greeting.last_index};
  if (greeting.configuration.members.empty() || end <= newest_end_) return;
  newest_end_ = end;
  newest_ = greeting.configuration;
  AddAddresses();
  UpdateNewer();
}

void StartCheckCore::UpdateNewer() {
  std::map<NodeId, consensus::MemberInfo> newer;
  for (const auto& [node, member] : newest_.members) {
    if (node != options_.self && !own_configuration_.IsMember(node)) newer[node] = member;
  }
  if (newer == newer_members_) return;
  newer_members_ = newer;
  out_.newer_members = std::move(newer);
}

// Rule R2: a member is where the configuration says, or where this start's --join addresses say.
void StartCheckCore::UpdateMoved() {
  std::map<NodeId, std::string> moved;
  for (const auto& address : join_) {
    const auto found = asked_.find(address);
    if (found == asked_.end()) continue;
    const NodeId node = found->second.answered_as;
    const auto member = own_configuration_.members.find(node);
    if (node.is_none() || node == options_.self || member == own_configuration_.members.end())
      continue;
    const auto configured = asked_.find(member->second.peer_address);
    const bool is_at_home = configured != asked_.end() && configured->second.answered_as == node;
    if (!is_at_home) moved[node] = address;
  }
  if (moved == moved_) return;
  moved_ = moved;
  out_.moved = std::move(moved);
}

void StartCheckCore::Handle(const Failed& failed) {
  const auto found = asked_.find(failed.address);
  if (found == asked_.end()) return;
  found->second.is_under_way = false;
  found->second.next = now_ + Pause();
}

void StartCheckCore::Handle(const AskedBy& by) {
  for (auto& [address, asked] : asked_) {
    if (address == by.address || asked.answered_as == by.node) {
      asked.is_wanted = true;
      asked.next = now_;
    }
  }
}

void StartCheckCore::Handle(Reconfigured reconfigured) {
  own_configuration_ = std::move(reconfigured.configuration);
  // A node that takes part hears of newer ones by its log.
  if (is_released_) newest_ = own_configuration_;
  AddAddresses();
  UpdateMoved();
  UpdateNewer();
}

void StartCheckCore::Handle(const LeaderMissing& /*missing*/) {
  for (auto& [address, asked] : asked_) asked.is_wanted = true;
}

void StartCheckCore::Handle(const Tick& /*tick*/) {}

bool StartCheckCore::HaveAllAnswered() const {
  std::set<NodeId> answered;
  for (const auto& [address, asked] : asked_) {
    if (asked.answered_as.is_none()) {
      // An address of a member that answers elsewhere is an old one.
      if (join_.contains(address)) return false;
    } else {
      answered.insert(asked.answered_as);
    }
  }
  return std::all_of(newest_.members.begin(), newest_.members.end(), [&](const auto& member) {
    return member.first == options_.self || answered.contains(member.first);
  });
}

std::string StartCheckCore::Missing() const {
  std::vector<std::string> missing;
  for (const auto& [address, asked] : asked_) {
    if (asked.answered_as.is_none()) missing.push_back(address);
  }
  return absl::StrJoin(missing, ", ");
}

void StartCheckCore::MaybeRelease() {
  if (is_released_) return;
  // Whoever was taken out takes no part; it is told by those who answer.
  if (!newest_.members.empty() && !newest_.IsMember(options_.self)) return;
  if (!HaveAllAnswered() && !DFS_MUTANT(406, "a starting member waits for nobody (rule R3)")) {
    if (now_ < begun_ + options_.patience) return;
    const bool has_majority = newest_.HasQuorum([this](NodeId voter) {
      return voter == options_.self ||
             std::any_of(asked_.begin(), asked_.end(),
                         [&](const auto& asked) { return asked.second.answered_as == voter; });
    });
    if (!has_majority) return;
  }
  is_released_ = true;
  out_.is_released = true;
}

absl::Duration StartCheckCore::Pause() const {
  const bool is_early = !is_released_ && now_ < begun_ + options_.patience;
  return is_early ? options_.ask_every : options_.ask_later_every;
}

void StartCheckCore::AskWhoIsDue() {
  // What a member that keeps this node waiting said may have changed.
  const bool asks_again = !is_released_ && now_ >= begun_ + options_.patience;
  out_.next_deadline = is_released_ ? absl::InfiniteFuture() : begun_ + options_.patience;
  if (asks_again) out_.next_deadline = absl::InfiniteFuture();
  for (auto& [address, asked] : asked_) {
    if (asked.is_under_way || !(asked.is_wanted || asks_again)) continue;
    if (asked.next > now_) {
      out_.next_deadline = std::min(out_.next_deadline, asked.next);
      continue;
    }
    asked.is_under_way = true;
    out_.ask.push_back(address);
  }
}

}  // namespace dfs::replicated_log
