// All steps of a state; what must hold in each; and what must be left when everything has come to
// rest.
#include "tests/model/protocol.h"

namespace dfs::model {

void Protocol::Expand(const State& state, Sink* sink) const {
  CommitHead(state, sink);
  AppendDelayed(state, sink);
  for (std::size_t c = 0; c < configuration_.coordinators; ++c) {
    BeginPut(state, c, sink);
    SendCommit(state, c, sink);
    BeginAgain(state, c, sink);
    EndCoordinator(state, c, sink);
  }
  const std::size_t requests = configuration_.is_retry ? 1 : configuration_.coordinators;
  for (std::size_t q = 0; q < requests; ++q) SettleSteps(state, q, sink);
  for (std::size_t t = 0; t < configuration_.txns; ++t) {
    if (state.txns[t].term == 0) continue;
    DeliverWrites(state, t, sink);
    DeliverCommit(state, t, sink);
    AnswerFromOldLeader(state, t, sink);
    Expire(state, t, sink);
    for (std::size_t n = 0; n < configuration_.nodes; ++n) {
      RepairSteps(state, t, n, sink);
      if (configuration_.has_collection) Questions(state, t, n, sink);
    }
  }
  ClientChanges(state, sink);
  Faults(state, sink);
  NewTerm(state, sink);
}

const char* Protocol::Check(const State& state) const {
  switch (state.violation) {
    case Violation::kNone:
      break;
    case Violation::kTooFewCopies:
      return "a version became visible with fewer than W copies that hold its bytes";
    case Violation::kCommittedTwice:
      return "one request made two versions";
    case Violation::kResurrected:
      return "a purged version is back";
    case Violation::kPurgedTooEarly:
      return "a version was purged for an earlier time in the trash";
    case Violation::kLastCopyDeleted:
      return "the last copy of a version that exists was deleted";
    case Violation::kDamagedCounts:
      return "a copy that was found damaged counts as good again, and nothing was made anew";
    case Violation::kResultChanged:
      return "a request got two different results";
  }
  for (std::size_t q = 0; q < kRequestsMax; ++q) {
    const Request& request = state.requests[q];
    if (request.told == Told::kFailure && request.commits > 0) {
      return "a put that was answered as failed became visible";
    }
    if (request.told == Told::kSuccess && request.commits == 0) {
      return "a put was acknowledged and never became visible";
    }
  }
  for (std::size_t t = 0; t < configuration_.txns; ++t) {
    if (!IsNamed(state.txns[t])) continue;
    for (std::size_t n = 0; n < configuration_.nodes; ++n) {
      const Copy& copy = state.copies[t][n];
      const bool has_failed = copy.is_lost || state.disk_storage[n] != state.table_storage[n];
      if (copy.row == Row::kOk && !copy.is_held && !has_failed) {
        return "a copy that counts as good is not on its node";
      }
      if (copy.row == Row::kOk && copy.is_trashed && !has_failed) {
        return "a copy that counts as good is in its node's trash";
      }
    }
  }
  return nullptr;
}

// Takes everything to rest, without faults, clients or luck: one way to do it that always exists.
class Draining {
 public:
  Draining(const Protocol& protocol, State* state) : protocol_(protocol), state_(*state) {}

  // False: nothing more moves. Nodes that were OUT are back.
  bool Step() {
    if (state_.log_size < kLogMax && state_.delayed.kind != EntryKind::kNone) {
      state_.log[state_.log_size++] = state_.delayed;
      state_.delayed = Entry();
      return true;
    }
    if (state_.log_size > 0) {
      CommitOne();
      return true;
    }
    state_.is_out = {};
    bool has_moved = false;
    for (auto& coordinator : state_.coordinators) {
      const Phase phase = coordinator.phase;
      if (phase == Phase::kIdle || phase == Phase::kEnded || phase == Phase::kCrashed) continue;
      coordinator.phase = Phase::kEnded;
      has_moved = true;
    }
    for (std::size_t n = 0; n < protocol_.configuration_.nodes; ++n) {
      if (state_.disk_storage[n] == state_.table_storage[n]) continue;
      Propose(EntryKind::kReplace, 0, n);
      return true;
    }
    for (std::size_t n = 0; n < protocol_.configuration_.nodes; ++n) {
      if (!protocol_.HasRetiredRows(state_, n)) continue;
      Propose(EntryKind::kRetireStep, 0, n);
      return true;
    }
    for (std::size_t t = 0; t < protocol_.configuration_.txns; ++t) {
      has_moved = DrainTxn(t) || has_moved;
      for (std::size_t n = 0; n < protocol_.configuration_.nodes; ++n) {
        has_moved = DrainCopy(t, n) || has_moved;
        if (state_.log_size > 0) return true;
      }
    }
    return has_moved;
  }

 private:
  void CommitOne() {
    const Entry entry = state_.log[0];
    for (std::size_t i = 1; i < kLogMax; ++i) state_.log[i - 1] = state_.log[i];
    --state_.log_size;
    protocol_.Apply(&state_, entry, /*is_leader_here=*/!entry.is_foreign);
  }
  Entry& Propose(EntryKind kind, std::size_t t, std::size_t n) {
    Entry& entry = state_.log[state_.log_size++];
    entry = Entry();
    entry.kind = kind;
    entry.txn = ToSmall(t);
    entry.node = ToSmall(n);
    return entry;
  }

  bool DrainTxn(std::size_t t) {
    Txn& txn = state_.txns[t];
    bool has_moved = false;
    if (txn.at_leader == AtLeader::kOpen && !protocol_.Is(Mutant::kNothingExpires)) {
      txn.at_leader = AtLeader::kClosed;
      has_moved = true;
    }
    if (protocol_.configuration_.has_purge && txn.version == Version::kTrashed) {
      Propose(EntryKind::kPurge, t, 0).trashed = txn.trashed;
      has_moved = true;
    }
    return has_moved;
  }

  bool DrainCopy(std::size_t t, std::size_t n) {
    Copy& copy = state_.copies[t][n];
    bool has_moved = false;
    if (copy.write == Write::kSent) {
      protocol_.Store(&state_, t, n);
      copy.write = Write::kStored;
      has_moved = true;
    }
    return DrainRepair(t, n) || Collect(t, n) || has_moved;
  }

  bool DrainRepair(std::size_t t, std::size_t n) {
    Copy& copy = state_.copies[t][n];
    if (copy.is_lost && copy.row == Row::kOk) {
      Entry& entry = Propose(EntryKind::kChangeReplica, t, n);
      entry.storage = state_.disk_storage[n];
      entry.is_damage = true;
      return true;
    }
    // Under way: what can be made is made, the rest ends.
    if (copy.order == Order::kPut || copy.order == Order::kRepair || copy.call != Call::kNone) {
      if (protocol_.Is(Mutant::kOrdersNeverEnd) && copy.order != Order::kNone) return false;
      protocol_.EndOrder(&state_, t, n);
      if (copy.call == Call::kOrderedLate && protocol_.CanMake(state_, t, n)) {
        protocol_.MakeCopy(&state_, t, n);
      }
      copy.call = Call::kNone;
      copy.call_storage = copy.replaces = 0;
      return true;
    }
    if (!protocol_.configuration_.has_repair || !protocol_.CanMake(state_, t, n)) return false;
    for (std::size_t replaces = 0; replaces <= protocol_.configuration_.nodes; ++replaces) {
      if (!protocol_.MayOrder(state_, t, n, replaces)) continue;
      protocol_.MakeCopy(&state_, t, n);
      Entry& entry = Propose(EntryKind::kChangeReplica, t, n);
      entry.storage = state_.disk_storage[n];
      entry.replaces = ToSmall(replaces);
      return true;
    }
    return false;
  }

  bool Collect(std::size_t t, std::size_t n) {
    if (!protocol_.configuration_.has_collection) return false;
    Copy& copy = state_.copies[t][n];
    if (copy.has_purge_row && !copy.is_held && !protocol_.Is(Mutant::kOnlyDeletedIsReported)) {
      Propose(EntryKind::kUnlinked, t, n);
      return true;
    }
    if (!copy.is_held) return false;
    const Question verdict =
        protocol_.Decide(state_, t, n, protocol_.FactsOf(state_, t, n), state_.term);
    if (verdict == Question::kNone) return false;
    protocol_.Unlink(&state_, t, n);
    if (copy.has_purge_row) Propose(EntryKind::kUnlinked, t, n);
    return true;
  }

  const Protocol& protocol_;
  State& state_;
};

const char* Protocol::CheckRest(State state) const {
  constexpr int kStepsMax = 200;
  Draining draining(*this, &state);
  int steps = 0;
  while (draining.Step()) {
    if (++steps > kStepsMax) return "it never comes to rest";
  }
  if (!configuration_.has_collection) return nullptr;
  for (std::size_t t = 0; t < configuration_.txns; ++t) {
    std::size_t holding = 0;
    for (std::size_t n = 0; n < configuration_.nodes; ++n) {
      const Copy& copy = state.copies[t][n];
      if (copy.has_purge_row) return "at rest, a purge row is left";
      if (copy.order != Order::kNone) return "at rest, an order is left open";
      if (!copy.is_held) continue;
      ++holding;
      if (!IsNamed(state.txns[t])) return "at rest, a chunk is left that no version names";
      if (!IsMember(copy.row)) return "at rest, a copy is left that is not in its set";
    }
    const bool is_current = state.txns[t].version == Version::kCurrent;
    if (configuration_.has_repair && is_current && holding > 0 && !IsFull(state, t)) {
      return "at rest, copies are missing that could have been made";
    }
  }
  return nullptr;
}

}  // namespace dfs::model
