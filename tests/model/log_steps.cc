// The log: what an entry does when it is applied, changes of leader, and changes by clients and
// upkeep (rules R13, R15, R17).
#include "tests/model/protocol.h"

namespace dfs::model {

bool Protocol::Append(State* state, const Entry& entry) const {
  if (state->log_size == kLogMax) return false;
  state->log[state->log_size] = entry;
  ++state->log_size;
  return true;
}

bool Protocol::HasEntry(const State& state, EntryKind kind, std::size_t t, std::size_t n) const {
  for (std::size_t i = 0; i < state.log_size; ++i) {
    const Entry& entry = state.log[i];
    if (entry.kind == kind && entry.txn == t && entry.node == n) return true;
  }
  return false;
}

std::size_t Protocol::SetSize(const State& state, std::size_t t) const {
  std::size_t size = 0;
  for (std::size_t n = 0; n < configuration_.nodes; ++n) {
    if (state.copies[t][n].row != Row::kNone) ++size;
  }
  return size;
}

std::size_t Protocol::OkCopies(const State& state, std::size_t t) const {
  std::size_t count = 0;
  for (std::size_t n = 0; n < configuration_.nodes; ++n) {
    if (state.copies[t][n].row == Row::kOk) ++count;
  }
  return count;
}

std::size_t Protocol::WantedCopies() const {
  return configuration_.replicas < configuration_.nodes ? configuration_.replicas
                                                        : configuration_.nodes;
}

// Whether the member's place may go to a good copy elsewhere.
bool Protocol::MayReplace(const State& state, std::size_t t, std::size_t member) const {
  const Row row = state.copies[t][member].row;
  if (row == Row::kOk) return state.is_out[member];
  return row != Row::kNone;
}

bool Protocol::IsFull(const State& state, std::size_t t) const {
  std::size_t ok = OkCopies(state, t);
  for (const Copy& copy : state.copies[t]) {
    if (Is(Mutant::kRetiredCopiesCount) && copy.row == Row::kRetired) ++ok;
  }
  return ok == SetSize(state, t) && ok >= WantedCopies();
}

void Protocol::CommitHead(const State& state, Sink* sink) const {
  if (state.log_size == 0) return;
  State next = state;
  const Entry entry = state.log[0];
  for (std::size_t i = 1; i < kLogMax; ++i) next.log[i - 1] = state.log[i];
  next.log[kLogMax - 1] = Entry();
  --next.log_size;
  Apply(&next, entry, /*is_leader_here=*/!entry.is_foreign);
  static constexpr const char* kTexts[] = {
      "",
      "committed and applied: CommitPut of txn $t",
      "committed and applied: Settle",
      "committed and applied: the replica of txn $t on node $n changes",
      "committed and applied: Remove",
      "committed and applied: Purge of txn $t",
      "committed and applied: Undelete of txn $t",
      "committed and applied: node $n has unlinked txn $t",
      "committed and applied: node $n is replaced by one with an empty disk",
      "committed and applied: the node that was $n leaves the sets",
      "committed and applied: node $n is OUT, or no longer",
  };
  sink->Take(next, {kTexts[static_cast<std::size_t>(entry.kind)], entry.txn, entry.node});
}

// `is_leader_here`: the leader that proposed the entry lives and hears of it.
void Protocol::Apply(State* state, const Entry& entry, bool is_leader_here) const {
  switch (entry.kind) {
    case EntryKind::kNone:
      return;
    case EntryKind::kCommitPut:
      ApplyCommitPut(state, entry, is_leader_here);
      return;
    case EntryKind::kSettle: {
      Result& stored = state->requests[entry.request].stored;
      if (stored == Result::kNone && !Is(Mutant::kSettleNotStored)) stored = Result::kDidNotHappen;
      // The proposer is answered "did not happen".
      if (Is(Mutant::kSettleNotStored) && stored == Result::kNone) {
        state->requests[entry.request].told = Told::kFailure;
      }
      return;
    }
    case EntryKind::kChangeReplica:
      ApplyChangeReplica(state, entry, is_leader_here);
      return;
    case EntryKind::kRemove:
      for (std::size_t t = 0; t < configuration_.txns; ++t) {
        if (state->txns[t].version == Version::kCurrent) Trash(state, t);
      }
      return;
    case EntryKind::kPurge:
      ApplyPurge(state, entry, is_leader_here);
      return;
    case EntryKind::kUndelete: {
      Txn& txn = state->txns[entry.txn];
      for (const Txn& other : state->txns) {
        if (other.version == Version::kCurrent) return;  // the name is taken
      }
      if (txn.version == Version::kPurged && Is(Mutant::kUndeleteAfterPurge)) {
        txn.version = Version::kCurrent;
        state->violation = Violation::kResurrected;
      }
      if (txn.version == Version::kTrashed) txn.version = Version::kCurrent;
      return;
    }
    case EntryKind::kUnlinked:
      state->copies[entry.txn][entry.node].has_purge_row = false;
      return;
    case EntryKind::kReplace:
      state->table_storage[entry.node] = state->disk_storage[entry.node];
      for (std::size_t t = 0; t < configuration_.txns; ++t) {
        Copy& copy = state->copies[t][entry.node];
        if (IsMember(copy.row)) copy.row = Row::kRetired;
        copy.has_purge_row = false;
      }
      state->is_out[entry.node] = false;
      return;
    case EntryKind::kRetireStep:
      for (std::size_t t = 0; t < configuration_.txns; ++t) {
        Row& row = state->copies[t][entry.node].row;
        // The last one stays: whoever asks is told where the file was.
        if (row == Row::kRetired && SetSize(*state, t) > 1) row = Row::kNone;
      }
      return;
    case EntryKind::kMark:
      state->is_out[entry.node] = !state->is_out[entry.node];
      return;
  }
}

void Protocol::ApplyCommitPut(State* state, const Entry& entry, bool is_leader_here) const {
  Txn& txn = state->txns[entry.txn];
  Request& request = state->requests[entry.request];
  const auto refuse = [&] {
    if (!is_leader_here) return;
    if (txn.at_leader != AtLeader::kNotOurs) txn.at_leader = AtLeader::kClosed;
    // Not if a result is stored: then that is the answer.
    const Coordinator& coordinator = state->coordinators[txn.coordinator];
    if (request.stored == Result::kNone && coordinator.phase == Phase::kCommitting &&
        coordinator.txn == entry.txn) {
      txn.is_told_to_rebegin = true;
    }
  };
  if (request.stored != Result::kNone && !Is(Mutant::kStoredResultNotLookedUp)) return refuse();
  if (txn.term != state->term && !Is(Mutant::kNoTermCheckAtApply)) return refuse();
  if (IsNamed(txn)) return refuse();
  const std::size_t needed =
      configuration_.write_quorum - (Is(Mutant::kTooFewAcknowledgements) ? 1 : 0);
  if (CurrentAcks(*state, entry.txn) < needed) return refuse();
  MakeVersion(state, entry.txn, is_leader_here);
  if (request.stored == Result::kDidNotHappen) state->violation = Violation::kResultChanged;
  if (++request.commits > 1) state->violation = Violation::kCommittedTwice;
  request.stored = Result::kDone;
}

void Protocol::MakeVersion(State* state, std::size_t t, bool is_leader_here) const {
  Txn& txn = state->txns[t];
  for (std::size_t other = 0; other < configuration_.txns; ++other) {
    if (state->txns[other].version == Version::kCurrent) Trash(state, other);
  }
  if (txn.version == Version::kPurged) state->violation = Violation::kResurrected;
  txn.version = Version::kCurrent;
  if (is_leader_here) txn.at_leader = AtLeader::kClosed;
  // The set: those that acknowledged, then others until it is large enough (rule R16).
  std::size_t size = 0;
  std::size_t holding = 0;
  for (std::size_t n = 0; n < configuration_.nodes; ++n) {
    Copy& copy = state->copies[t][n];
    const bool is_current =
        copy.write_storage == state->table_storage[n] || Is(Mutant::kAcknowledgementsNotCurrent);
    if (size == WantedCopies() || !copy.is_named || !is_current) continue;
    copy.row = Row::kOk;
    ++size;
    // A disk that fails after it acknowledged is a fault, and found and healed as one. What the
    // table says of nodes that were replaced is none.
    const bool has_failed = state->disk_storage[n] != state->table_storage[n] || copy.is_lost;
    const bool is_current_storage = copy.write_storage == state->table_storage[n];
    if (is_current_storage && (copy.is_held || has_failed)) ++holding;
  }
  for (std::size_t n = 0; n < configuration_.nodes; ++n) {
    Copy& copy = state->copies[t][n];
    if (copy.row == Row::kNone && size < WantedCopies()) {
      copy.row = Row::kMissing;
      ++size;
    }
    // CommitPut opens an order for each copy that it could not name.
    if (is_leader_here && configuration_.has_late_acks && !copy.is_named) copy.order = Order::kPut;
  }
  if (holding < configuration_.write_quorum) state->violation = Violation::kTooFewCopies;
}

void Protocol::Trash(State* state, std::size_t t) const {
  state->txns[t].version = Version::kTrashed;
  ++state->txns[t].trashed;
}

void Protocol::ApplyChangeReplica(State* state, const Entry& entry, bool is_leader_here) const {
  auto& copies = state->copies[entry.txn];
  Copy& copy = copies[entry.node];
  if (is_leader_here && !entry.is_damage) copy.order = Order::kNone;
  if (is_leader_here && entry.replaces != 0) {
    // The set changes: the orders for this chunk end.
    for (std::size_t n = 0; n < configuration_.nodes; ++n) EndOrder(state, entry.txn, n);
  }
  if (!IsNamed(state->txns[entry.txn])) return;
  if (entry.storage != state->table_storage[entry.node] && !Is(Mutant::kReplicaChangeNotCurrent)) {
    return;
  }
  if (entry.is_damage) {
    if (copy.row == Row::kOk) copy.row = Row::kCorrupt;
    return;
  }
  if (IsMember(copy.row)) {
    if (copy.row == Row::kCorrupt && !copy.is_held &&
        state->disk_storage[entry.node] == state->table_storage[entry.node]) {
      state->violation = Violation::kDamagedCounts;
    }
    copy.row = Row::kOk;
    return;
  }
  if (entry.replaces != 0) {
    if (!MayReplace(*state, entry.txn, entry.replaces - std::size_t{1})) return;
    copies[entry.replaces - 1].row = Row::kNone;
    copy.row = Row::kOk;
  } else if (copy.row == Row::kNone && SetSize(*state, entry.txn) < WantedCopies()) {
    copy.row = Row::kOk;
  }
}

void Protocol::ApplyPurge(State* state, const Entry& entry, bool is_leader_here) const {
  Txn& txn = state->txns[entry.txn];
  if (is_leader_here) txn.purge_planned = 0;
  if (txn.version != Version::kTrashed) return;
  if (txn.trashed != entry.trashed) {
    if (!Is(Mutant::kPurgeWithoutIndex)) return;
    state->violation = Violation::kPurgedTooEarly;
  }
  txn.version = Version::kPurged;
  for (std::size_t n = 0; n < configuration_.nodes; ++n) {
    Copy& copy = state->copies[entry.txn][n];
    if (IsMember(copy.row)) copy.has_purge_row = true;
    copy.row = Row::kNone;
    if (is_leader_here) EndOrder(state, entry.txn, n);
  }
}

// Another node leads, in the next term; its first entry is applied, and before it what it found in
// its log: the first `kept` of those that were not committed. The others are lost; or one of them
// had left its leader, had not reached the log, and does so later, in the term that there is then.
// Leaders that never get so far change nothing and are left out.
void Protocol::NewTerm(const State& state, Sink* sink) const {
  if (state.term >= configuration_.terms) return;
  for (std::size_t kept = 0; kept <= state.log_size; ++kept) {
    State base = state;
    AnswerByLeaderThatEnds(state, &base);
    base.log = {};
    base.log_size = 0;
    for (std::size_t i = 0; i < kept; ++i) Apply(&base, state.log[i], /*is_leader_here=*/false);
    base.term = ToSmall(state.term + std::size_t{1});
    for (std::size_t t = 0; t < configuration_.txns; ++t) {
      base.txns[t].at_leader = AtLeader::kNotOurs;
      base.txns[t].purge_planned = 0;
      for (std::size_t n = 0; n < configuration_.nodes; ++n) {
        EndOrder(&base, t, n);
        base.copies[t][n].order = Order::kNone;
      }
    }
    sink->Take(base,
               {"another node leads; it finds $m entries in its log and commits them", 0, 0, kept});
    for (std::size_t i = kept; i < state.log_size; ++i) {
      // A change of replicas is bound to its term: the order that it is for died with it.
      if (state.log[i].kind == EntryKind::kChangeReplica && !Is(Mutant::kReplicaChangeOfOldTerm)) {
        continue;
      }
      State late = base;
      late.delayed = state.log[i];
      late.delayed.is_foreign = true;
      sink->Take(
          late,
          {"another node leads; it commits $m entries of its log, and one more is still on its way",
           0, 0, kept});
    }
    if (!Is(Mutant::kVerdictBeforeFirstEntry)) continue;
    for (std::size_t t = 0; t < configuration_.txns; ++t) {
      for (std::size_t n = 0; n < configuration_.nodes; ++n) {
        if (!state.copies[t][n].is_held) continue;
        const Question verdict = Decide(state, t, n, {}, base.term);
        if (verdict == Question::kNone) continue;
        State next = base;
        next.copies[t][n].question = verdict;
        sink->Take(next,
                   {"another node leads and tells node $n of txn $t what it knew before it applied "
                    "what was in its log",
                    t, n});
      }
    }
  }
}

void Protocol::AppendDelayed(const State& state, Sink* sink) const {
  if (state.delayed.kind == EntryKind::kNone) return;
  State next = state;
  next.delayed = Entry();
  if (Append(&next, state.delayed)) {
    sink->Take(next,
               {"what was proposed under an earlier leader comes into the log of this term", 0});
  }
}

// Remove and Undelete by clients, Purge by the leader.
void Protocol::ClientChanges(const State& state, Sink* sink) const {
  bool has_current = false;
  for (const Txn& txn : state.txns) has_current = has_current || txn.version == Version::kCurrent;
  if (state.removes_left > 0 && has_current) {
    State next = state;
    --next.removes_left;
    Entry entry;
    entry.kind = EntryKind::kRemove;
    if (Append(&next, entry)) sink->Take(next, {"a client removes the file: proposed", 0});
  }
  for (std::size_t t = 0; t < configuration_.txns; ++t) {
    const Txn& txn = state.txns[t];
    const bool may_undelete = txn.version == Version::kTrashed ||
                              (txn.version == Version::kPurged && Is(Mutant::kUndeleteAfterPurge));
    if (state.undeletes_left > 0 && may_undelete) {
      State next = state;
      --next.undeletes_left;
      Entry entry;
      entry.kind = EntryKind::kUndelete;
      entry.txn = ToSmall(t);
      if (Append(&next, entry))
        sink->Take(next, {"a client takes txn $t out of the trash: proposed", t});
    }
    if (!configuration_.has_purge) continue;
    if (txn.version == Version::kTrashed && txn.purge_planned == 0) {
      State next = state;
      next.txns[t].purge_planned = txn.trashed;
      sink->Take(next, {"the leader sees that txn $t has been in the trash for long enough", t});
    }
    if (txn.purge_planned != 0 && !HasEntry(state, EntryKind::kPurge, t, 0)) {
      State next = state;
      Entry entry;
      entry.kind = EntryKind::kPurge;
      entry.txn = ToSmall(t);
      entry.trashed = txn.purge_planned;
      if (Append(&next, entry)) sink->Take(next, {"the leader proposes Purge of txn $t", t});
    }
  }
}

}  // namespace dfs::model
