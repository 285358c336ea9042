// Anti-entropy: the part of GossipCore that compares states.
#include <algorithm>
#include <utility>

#include "server/gossip_store/gossip_core.h"
#include "common/mutant.h"

namespace dfs::gossip_store {

std::vector<InclusionRow> GossipCore::RowsFor(NodeId to) {
  std::vector<InclusionRow> out = {inclusion_.own()};
  const auto& others = inclusion_.others();
  if (const auto known = others.find(to); known != others.end()) out.push_back(known->second);
  auto at = others.upper_bound(last_row_told_);
  for (std::size_t i = 0; i < others.size() && out.size() < kRowsMax; ++i, ++at) {
    if (at == others.end()) at = others.begin();
    last_row_told_ = at->first;
    if (at->first != to) out.push_back(at->second);
  }
  return out;
}

void GossipCore::RecordRows(const std::vector<InclusionRow>& rows) {
  if (rows.size() > kRowsMax) return;
  for (const InclusionRow& row : rows) {
    if (row.node == options_.self) RecordOwnRow(row);
    // A time of this node's own that it does not remember: what it gives from now on must be greater.
    clock_.Record(row.Of(options_.self));
    inclusion_.Record(row);
  }
  alone_.erase(alone_.begin(), alone_.upper_bound(TakenOver()));
}

void GossipCore::RecordOwnRow(const InclusionRow& row) {
  for (const auto& [peer, time] : row.had) {
    if (time <= inclusion_.own().Of(peer) || !inclusion_.IsMember(peer)) continue;
    // Whoever began anew does not have what it is known for, until a round with that peer brings its row beyond all that
    // was ever told of it.
    const bool is_explained = has_begun_anew_ && !included_members_.contains(peer);
    if (!is_explained || DFS_MUTANT(1090, "a node that began anew begins anew for ever")) {
      out_.has_lost_memory = true;
    }
  }
}

void GossipCore::BeginRound() {
  const auto peers = RandomPeers(1, NodeId());
  if (peers.empty()) return;
  round_.emplace(peers.front(), next_round_++, now_, answer_patience_);
  Send(peers.front(), SyncBegin{round_->number(), table_.tree().root(), RowsFor(peers.front())});
}

bool GossipCore::IsOfRound(NodeId from, std::uint64_t number) const {
  return round_ && round_->peer() == from && round_->number() == number;
}

void GossipCore::GoOn() {
  if (auto question = round_->NextQuestion()) {
    Send(round_->peer(), *std::move(question));
  } else if (round_->IsDone()) {
    EndRound(round_->HasAll());
  }
}

void GossipCore::EndRound(bool has_all) {
  if (has_all) {
    ++counts_.rounds;
    answer_patience_ = SyncRound::kAnswerPatienceMin;
    const SyncState& state = *round_->state();
    InclusionRow row = state.rows.front();
    inclusion_.Include(round_->peer(), state.as_of, row);
    included_members_[round_->peer()] = state.members_index;
    is_complete_ = is_complete_ || state.is_complete;
    const bool knows_all = std::all_of(members_.begin(), members_.end(), [&](NodeId id) {
      return id == options_.self || included_members_.contains(id);
    });
    if (knows_all) has_begun_anew_ = false;
    is_state_changed_ = true;
  } else {
    ++counts_.rounds_failed;
  }
  round_.reset();
}

// ---- the side that is asked ----

void GossipCore::Take(NodeId from, const SyncBegin& begin) {
  RecordRows(begin.rows);
  SyncState answer{.round = begin.round, .as_of = NextTime(), .is_complete = IsComplete(),
                   .members_index = members_index_, .rows = RowsFor(from)};
  told_.push_back(answer.as_of);
  if (told_.size() > kToldMax) told_.pop_front();
  if (begin.root != table_.tree().root()) {
    answer.inner.assign(table_.tree().inner().begin(), table_.tree().inner().end());
  }
  Send(from, std::move(answer));
}

void GossipCore::Take(NodeId from, const AskLeaves& ask) {
  if (ask.inner.empty() || ask.inner.size() > kInnerAskedMax) return;
  Leaves answer{.round = ask.round, .inner = ask.inner};
  for (const InnerNumber inner : ask.inner) {
    for (std::size_t i = 0; i < kLeavesPerInner; ++i) {
      answer.digests.push_back(table_.tree().Leaf(static_cast<LeafNumber>(inner * kLeavesPerInner + i)));
    }
  }
  Send(from, std::move(answer));
}

void GossipCore::Take(NodeId from, const AskRecords& ask) {
  if (ask.leaves.empty() || ask.leaves.size() > kLeavesAskedMax) return;
  LeafRecords answer{.round = ask.round};
  for (const LeafNumber leaf : ask.leaves) {
    if (answer.records.size() >= kRecordsWanted) break;
    answer.leaves.push_back(leaf);
    for (const HeldRecord* held : table_.RecordsOf(leaf)) answer.records.push_back(held->record);
  }
  Send(from, std::move(answer));
}

// ---- the side that asks ----

void GossipCore::Take(NodeId from, const SyncState& state) {
  if (state.rows.empty() || state.rows.front().node != from) return;
  RecordRows(state.rows);
  if (!IsOfRound(from, state.round)) return;
  if (!round_->TakeState(state, table_.tree(), now_)) return EndRound(false);
  GoOn();
}

void GossipCore::Take(NodeId from, const Leaves& leaves) {
  if (!IsOfRound(from, leaves.round)) return;
  if (!round_->TakeLeaves(leaves, table_.tree(), now_)) return EndRound(false);
  GoOn();
}

void GossipCore::Take(NodeId from, const LeafRecords& records) {
  if (!IsOfRound(from, records.round)) return;
  if (!round_->TakeRecords(records, now_)) return EndRound(false);
  for (const Record& record : records.records) {
    const auto pending = fetching_.find(record.key);
    if (pending != fetching_.end() && pending->second.stamp >= record.stamp) {
      round_->Await(pending->second.stamp);
      continue;
    }
    const Verdict verdict = Judge(record, Source::kRound);
    if (verdict == Verdict::kNotYet) round_->Spoil();
    if (verdict != Verdict::kNew) continue;
    if (!record.is_tombstone && fetches_ >= kFetchesMax) {
      round_->Spoil();
      continue;
    }
    if (!record.is_tombstone && !DFS_MUTANT(1086, "a round ends before its files are here")) {
      round_->Await(record.stamp);
    }
    Accept(record, from, false);
  }
  GoOn();
}

}  // namespace dfs::gossip_store
