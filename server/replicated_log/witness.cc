#include "server/replicated_log/witness.h"

#include <algorithm>
#include <optional>
#include <utility>

namespace dfs::replicated_log {
namespace {

// What a message proves to be durable with its sender. Pre-votes, refusals and answers to older
// terms prove nothing.
struct Shown {
  bool has_term = false;
  std::optional<std::pair<Term, LogIndex>> entry;
};

Shown ShownBy(const consensus::Message& message, const consensus::RaftCore& core) {
  Shown shown;
  if (const auto* vote = std::get_if<consensus::VoteRequest>(&message.body)) {
    // It left after the batch with the candidate's own vote, and that after everything before it.
    shown.has_term = true;
    shown.entry = {vote->last_log_term, vote->last_log_index};
  } else if (const auto* reply = std::get_if<consensus::VoteReply>(&message.body)) {
    shown.has_term = reply->is_granted;
  } else if (const auto* append = std::get_if<consensus::AppendRequest>(&message.body)) {
    shown.has_term = true;
    shown.entry = {append->durable_term, append->durable_index};
  } else if (const auto* held = std::get_if<consensus::AppendReply>(&message.body)) {
    if (!held->is_success) return shown;
    shown.has_term = true;
    // Only the leader of that term knows which entry that is.
    const bool is_known = core.role() == consensus::Role::kLeader && core.term() == message.term &&
                          held->index.Next() >= core.first_log_index() &&
                          held->index <= core.last_log_index();
    if (is_known) shown.entry = {core.TermAt(held->index), held->index};
  }
  return shown;
}

}  // namespace

void Witness::Record(const consensus::Message& message, const consensus::RaftCore& core) {
  const Shown shown = ShownBy(message, core);
  if (!shown.has_term) return;
  MutexLock lock(&mutex_);
  const WitnessMark before = marks_.Of(message.from);
  marks_.RecordTerm(message.from, message.term);
  if (shown.entry) marks_.RecordEntry(message.from, shown.entry->first, shown.entry->second);
  if (marks_.Of(message.from) != before) is_changed_ = true;
}

void Witness::Keep(MonotonicTime now) {
  if (!is_changed_) return;
  dirty_since_ = std::min(dirty_since_, now);
  if (now >= handed_at_ + kKeepEvery) HandOver(now);
}

void Witness::HandOver(MonotonicTime now) {
  handed_at_ = now;
  is_changed_ = false;
  MutexLock lock(&mutex_);
  store_->KeepMarks(marks_);
}

absl::Status Witness::Written(MonotonicTime now, bool was_batch_written) {
  if (!was_batch_written) {
    if (now < deadline()) return absl::OkStatus();
    HandOver(now);
    if (absl::Status status = store_->FlushMarks(); !status.ok()) return status;
  }
  // Everything up to the last hand-over is on disk.
  dirty_since_ = is_changed_ ? std::max(dirty_since_, handed_at_) : absl::InfiniteFuture();
  return absl::OkStatus();
}

MonotonicTime Witness::deadline() const { return dirty_since_ + kAgeMax; }

WitnessMark Witness::MarkOf(NodeId node) const {
  MutexLock lock(&mutex_);
  return marks_.Of(node);
}

}  // namespace dfs::replicated_log
