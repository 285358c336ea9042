#include "server/consensus/raft_log.h"

#include <glog/logging.h>

#include <algorithm>

#include "common/mutant.h"

namespace dfs::consensus {

RaftLog::RaftLog(LogIndex base_index, Term base_term, Configuration base_configuration,
                 std::vector<Entry> entries)
    : base_index_(base_index), base_term_(base_term) {
  configurations_.emplace_back(
      base_index, std::make_shared<const Configuration>(std::move(base_configuration)));
  for (Entry& entry : entries) Append(std::move(entry));
  emitted_index_ = last_index();
  durable_index_ = last_index();
}

const RaftLog::Slot& RaftLog::SlotAt(LogIndex index) const {
  CHECK_GT(index, base_index_);
  CHECK_LE(index, last_index());
  return slots_[index.value() - base_index_.value() - 1];
}

RaftLog::Slot& RaftLog::SlotAt(LogIndex index) {
  return const_cast<Slot&>(std::as_const(*this).SlotAt(index));
}

Term RaftLog::TermAt(LogIndex index) const {
  return index == base_index_ ? base_term_ : SlotAt(index).entry.term;
}

bool RaftLog::Holds(LogIndex index, Term term) const {
  return index >= base_index_ && index <= last_index() && TermAt(index) == term;
}

LogIndex RaftLog::LastIndexUpToTerm(LogIndex index, Term term) const {
  index = std::min(index, last_index());
  if (index <= base_index_) return base_index_;
  const auto end =
      slots_.begin() + static_cast<std::ptrdiff_t>(index.value() - base_index_.value());
  const auto above = std::partition_point(slots_.begin(), end,
                                          [&](const Slot& s) { return s.entry.term <= term; });
  return LogIndex(base_index_.value() + static_cast<std::uint64_t>(above - slots_.begin()));
}

std::vector<Entry> RaftLog::Entries(LogIndex after, LogIndex to, std::size_t bytes_max) const {
  std::vector<Entry> entries;
  std::size_t bytes = 0;
  for (LogIndex i = after.Next(); i <= to; i = i.Next()) {
    const Entry& entry = At(i);
    bytes += entry.bytes();
    if (!entries.empty() && bytes > bytes_max) break;
    entries.push_back(entry);
  }
  return entries;
}

std::size_t RaftLog::BytesThrough(LogIndex index) const {
  return index <= base_index_ ? bytes_origin_ : SlotAt(index).bytes_through;
}

std::size_t RaftLog::BytesAfter(LogIndex after) const {
  return BytesThrough(last_index()) - BytesThrough(after);
}

const Configuration& RaftLog::ConfigurationAt(LogIndex index) const {
  CHECK_GE(index, base_index_);
  const auto later = std::partition_point(configurations_.begin() + 1, configurations_.end(),
                                          [&](const auto& c) { return c.first <= index; });
  return *std::prev(later)->second;
}

void RaftLog::Append(Entry entry) {
  CHECK_EQ(entry.index, last_index().Next());
  CHECK_GE(entry.term, last_term());
  if (entry.configuration) configurations_.emplace_back(entry.index, entry.configuration);
  const std::size_t bytes_through = BytesThrough(last_index()) + entry.bytes();
  slots_.push_back(Slot{std::move(entry), Term(), bytes_through});
}

void RaftLog::TruncateFrom(LogIndex first) {
  CHECK_GT(first, base_index_);
  if (first > last_index()) return;
  slots_.resize(first.value() - base_index_.value() - 1);
  // The front stands for the base, which cannot be truncated.
  while (configurations_.size() > 1 && configurations_.back().first >= first &&
         !DFS_MUTANT(4, "a truncated configuration stays in force")) {
    configurations_.pop_back();
  }
  emitted_index_ = std::min(emitted_index_, last_index());
  durable_index_ = std::min(durable_index_, last_index());
}

void RaftLog::CutTo(LogIndex index) {
  CHECK_LE(index, last_index());
  if (index <= base_index_) return;
  const Term term = TermAt(index);
  const std::size_t bytes_through = BytesThrough(index);
  slots_.erase(slots_.begin(),
               slots_.begin() + static_cast<std::ptrdiff_t>(index.value() - base_index_.value()));
  while (configurations_.size() > 1 &&
         (configurations_[1].first <= index ||
          DFS_MUTANT(104, "the base of a cut log carries the newest configuration"))) {
    configurations_.pop_front();
  }
  base_index_ = index;
  base_term_ = term;
  bytes_origin_ = bytes_through;
  emitted_index_ = std::max(emitted_index_, index);
  durable_index_ = std::max(durable_index_, index);
}

void RaftLog::Reset(LogIndex index, Term term, Configuration configuration) {
  slots_.clear();
  configurations_.clear();
  configurations_.emplace_back(index,
                               std::make_shared<const Configuration>(std::move(configuration)));
  base_index_ = index;
  base_term_ = term;
  bytes_origin_ = 0;
  emitted_index_ = index;
  durable_index_ = index;
}

std::vector<Entry> RaftLog::TakeUnemitted(Term term) {
  std::vector<Entry> entries = Entries(emitted_index_, last_index());
  for (LogIndex i = emitted_index_.Next(); i <= last_index(); i = i.Next()) {
    SlotAt(i).emitted_in = term;
  }
  emitted_index_ = last_index();
  return entries;
}

void RaftLog::RecordPersisted(LogIndex index, Term term, Term hard_state_term) {
  if (DFS_MUTANT(10, "a late report of a write counts for whatever stands at that index now")) {
    durable_index_ = std::max(durable_index_, std::min(index, emitted_index_));
    return;
  }
  if (index <= durable_index_ || index > emitted_index_) return;
  const Slot& slot = SlotAt(index);
  if (slot.entry.term != term || slot.emitted_in > hard_state_term) return;
  durable_index_ = index;
}

}  // namespace dfs::consensus
