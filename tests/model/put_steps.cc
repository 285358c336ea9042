// Steps of puts: transactions, writes and relinks, CommitPut and its answers, Settle (rules R13 to
// R15).
#include "tests/model/protocol.h"

namespace dfs::model {

std::size_t Protocol::RequestOf(const State& state, std::size_t t) const {
  return configuration_.is_retry ? 0 : state.txns[t].coordinator;
}

// Acknowledgements that CommitPut names and that are of the storage that the node table has.
std::size_t Protocol::CurrentAcks(const State& state, std::size_t t) const {
  std::size_t count = 0;
  for (std::size_t n = 0; n < configuration_.nodes; ++n) {
    const Copy& copy = state.copies[t][n];
    if (!copy.is_named) continue;
    if (copy.write_storage == state.table_storage[n] || Is(Mutant::kAcknowledgementsNotCurrent)) {
      ++count;
    }
  }
  return count;
}

bool Protocol::IsPending(const State& state, std::size_t request) const {
  for (std::size_t i = 0; i < state.log_size; ++i) {
    const EntryKind kind = state.log[i].kind;
    if ((kind == EntryKind::kCommitPut || kind == EntryKind::kSettle) &&
        state.log[i].request == request && !state.log[i].is_foreign) {
      return true;
    }
  }
  return false;
}

namespace {

std::size_t FreeTxn(const State& state, std::size_t txns) {
  std::size_t t = 0;
  while (t < txns && state.txns[t].term != 0) ++t;
  return t;
}

}  // namespace

void Protocol::BeginPut(const State& state, std::size_t c, Sink* sink) const {
  if (state.coordinators[c].phase != Phase::kIdle) return;
  const bool is_second = configuration_.is_retry && c > 0;
  if (is_second && state.requests[0].told != Told::kUnknown) return;
  const std::size_t t = FreeTxn(state, configuration_.txns);
  if (t == configuration_.txns) return;
  State next = state;
  next.coordinators[c] = {Phase::kWriting, ToSmall(t), true};
  next.txns[t].term = state.term;
  next.txns[t].coordinator = ToSmall(c);
  next.txns[t].at_leader = AtLeader::kOpen;
  for (std::size_t n = 0; n < configuration_.nodes; ++n) next.copies[t][n].write = Write::kSent;
  sink->Take(
      next, {"a coordinator begins a put: the leader opens txn $t, the bytes are on their way", t});
}

// The node stores the chunk: whatever it was asked about it is void.
void Protocol::Store(State* state, std::size_t t, std::size_t n) const {
  Copy& copy = state->copies[t][n];
  copy.is_held = true;
  copy.is_trashed = false;
  copy.is_lost = false;
  VoidQuestion(&copy);
}

// The transaction under which the node's copy was acknowledged last; kTxnsMax: none.
std::size_t Protocol::RelinkSource(const State& state, std::size_t t, std::size_t n) const {
  std::size_t from = state.txns[t].from;
  while (from != 0) {
    if (state.copies[from - 1][n].write == Write::kAcknowledged) return from - 1;
    from = state.txns[from - 1].from;
  }
  return kTxnsMax;
}

void Protocol::DeliverWrites(const State& state, std::size_t t, Sink* sink) const {
  const Phase phase = state.coordinators[state.txns[t].coordinator].phase;
  for (std::size_t n = 0; n < configuration_.nodes; ++n) {
    const Copy& copy = state.copies[t][n];
    const bool comes_at_once = !configuration_.has_late_acks && phase != Phase::kCrashed;
    const Write stored = comes_at_once ? Write::kAcknowledged : Write::kStored;
    if (copy.write == Write::kSent) {
      State next = state;
      Store(&next, t, n);
      next.copies[t][n].write = stored;
      next.copies[t][n].write_storage = state.disk_storage[n];
      sink->Take(next, {"node $n stores the chunk of txn $t", t, n});
    } else if (copy.write == Write::kNone && state.txns[t].from != 0) {
      const std::size_t from = RelinkSource(state, t, n);
      if (from == kTxnsMax) continue;
      State next = state;
      next.copies[t][n].write_storage = state.disk_storage[n];
      if (state.copies[from][n].is_held) {
        next.copies[from][n].is_trashed = false;
        Copy& made = next.copies[t][n];
        made.is_held = true;
        made.is_trashed = false;
        made.write = stored;
        VoidQuestion(&next.copies[from][n]);
        VoidQuestion(&made);
        sink->Take(next, {"node $n relinks its object of txn $m for txn $t", t, n, from});
      } else if (Is(Mutant::kRelinkOfNothing)) {
        next.copies[t][n].write = stored;
        sink->Take(next,
                   {"node $n acknowledges a relink for txn $t of an object that is gone", t, n});
      } else {
        next.copies[t][n].write = Write::kRefused;
        sink->Take(next, {"node $n cannot relink for txn $t: the object is gone", t, n});
      }
    } else if (copy.write == Write::kStored && phase != Phase::kCrashed) {
      State next = state;
      next.copies[t][n].write = Write::kAcknowledged;
      sink->Take(next, {"the acknowledgement of node $n for txn $t reaches the coordinator", t, n});
    }
  }
}

void Protocol::SendCommit(const State& state, std::size_t c, Sink* sink) const {
  const Coordinator& coordinator = state.coordinators[c];
  if (coordinator.phase != Phase::kWriting && coordinator.phase != Phase::kRelinking) return;
  const std::size_t t = coordinator.txn;
  State next = state;
  std::size_t acks = 0;
  for (std::size_t n = 0; n < configuration_.nodes; ++n) {
    Copy& copy = next.copies[t][n];
    copy.is_named = copy.write == Write::kAcknowledged;
    if (copy.is_named) ++acks;
  }
  const std::size_t needed =
      configuration_.write_quorum - (Is(Mutant::kTooFewAcknowledgements) ? 1 : 0);
  if (acks < needed) return;
  next.coordinators[c].phase = Phase::kCommitting;
  next.txns[t].is_commit_sent = true;
  sink->Take(
      next, {"the coordinator sends CommitPut of txn $t with all acknowledgements that it has", t});
}

void Protocol::DeliverCommit(const State& state, std::size_t t, Sink* sink) const {
  const Txn& txn = state.txns[t];
  if (!txn.is_commit_sent) return;
  const std::size_t request = RequestOf(state, t);
  // A change of the same request is pending: this one waits until that is decided.
  if (IsPending(state, request) && !Is(Mutant::kRebeginBesidePending)) return;
  const std::size_t needed =
      configuration_.write_quorum - (Is(Mutant::kTooFewAcknowledgements) ? 1 : 0);
  const bool is_enough = CurrentAcks(state, t) >= needed;
  if (txn.at_leader == AtLeader::kOpen && is_enough) {
    State next = state;
    next.txns[t].at_leader = AtLeader::kProposed;
    Entry entry;
    entry.kind = EntryKind::kCommitPut;
    entry.txn = ToSmall(t);
    entry.request = ToSmall(request);
    if (Append(&next, entry)) {
      sink->Take(next, {"the leader admits CommitPut of txn $t and proposes it", t});
    }
    return;
  }
  if (state.requests[request].stored != Result::kNone) return;  // that is the answer
  const bool is_listened_to = state.coordinators[txn.coordinator].phase == Phase::kCommitting &&
                              state.coordinators[txn.coordinator].txn == t;
  if (!is_listened_to || txn.is_told_to_rebegin) return;
  State next = state;
  if (txn.at_leader == AtLeader::kOpen && !Is(Mutant::kRebeginLeavesOpen)) {
    next.txns[t].at_leader = AtLeader::kClosed;
  }
  next.txns[t].is_told_to_rebegin = true;
  sink->Take(next, {"the leader answers CommitPut of txn $t: REBEGIN", t});
}

// A transaction that its coordinator does not renew is closed; never while its proposal may still
// count.
void Protocol::Expire(const State& state, std::size_t t, Sink* sink) const {
  const AtLeader at = state.txns[t].at_leader;
  if (Is(Mutant::kNothingExpires)) return;
  if (at != AtLeader::kOpen && !(at == AtLeader::kProposed && Is(Mutant::kExpiryClosesProposed)))
    return;
  State next = state;
  next.txns[t].at_leader = AtLeader::kClosed;
  sink->Take(next, {"the leader closes txn $t, which was not renewed", t});
}

// A leader of the term before that does not know yet that it was replaced. It may say REBEGIN of
// transactions of its own and older terms: those can no longer count, and to say so changes nothing
// here. Of a newer term it knows nothing.
void Protocol::AnswerFromOldLeader(const State& state, std::size_t t, Sink* sink) const {
  const Txn& txn = state.txns[t];
  if (!Is(Mutant::kRebeginOfNewerTerm)) return;
  if (state.term == 1 || txn.term != state.term || !txn.is_commit_sent || txn.is_told_to_rebegin) {
    return;
  }
  if (state.requests[RequestOf(state, t)].stored != Result::kNone) return;
  State next = state;
  next.txns[t].is_told_to_rebegin = true;
  sink->Take(next, {"the replaced leader, which does not know txn $t, answers REBEGIN", t});
}

void Protocol::BeginAgain(const State& state, std::size_t c, Sink* sink) const {
  const Coordinator& coordinator = state.coordinators[c];
  const std::size_t old = coordinator.txn;
  if (coordinator.phase == Phase::kCommitting && state.txns[old].is_told_to_rebegin) {
    State next = state;
    next.coordinators[c].phase = Phase::kBeginningAgain;
    sink->Take(next, {"the coordinator takes REBEGIN for txn $t", old});
  }
  if (coordinator.phase != Phase::kBeginningAgain) return;
  const std::size_t t = FreeTxn(state, configuration_.txns);
  if (t == configuration_.txns) return;
  State next = state;
  next.coordinators[c].phase = Phase::kRelinking;
  next.coordinators[c].txn = ToSmall(t);
  next.txns[t].term = state.term;
  next.txns[t].coordinator = ToSmall(c);
  next.txns[t].at_leader = AtLeader::kOpen;
  next.txns[t].from = ToSmall(old + 1);
  sink->Take(next, {"the coordinator begins again: the leader opens txn $t for the bytes of txn $m",
                    t, 0, old});
}

void Protocol::EndCoordinator(const State& state, std::size_t c, Sink* sink) const {
  const Coordinator& coordinator = state.coordinators[c];
  const Phase phase = coordinator.phase;
  if (phase == Phase::kIdle || phase == Phase::kCrashed || phase == Phase::kEnded) return;
  const std::size_t t = coordinator.txn;
  const std::size_t q = RequestOf(state, t);
  const Request& request = state.requests[q];
  if (phase != Phase::kCommitting || Is(Mutant::kFailureAfterLostAnswer)) {
    State next = state;
    next.coordinators[c].phase = Phase::kEnded;
    // After an earlier attempt of unknown end the client does not believe this.
    if (coordinator.is_heard && request.told == Told::kNothing) {
      next.requests[q].told = Told::kFailure;
    }
    sink->Take(next, {"the coordinator gives up txn $t and says that nothing happened", t});
  }
  if (phase == Phase::kCommitting && request.stored != Result::kNone) {
    State next = state;
    next.coordinators[c].phase = Phase::kEnded;
    if (coordinator.is_heard && request.stored == Result::kDone) {
      next.requests[q].told = Told::kSuccess;
    }
    sink->Take(next, {"the coordinator of txn $t gets the stored result and passes it on", t});
  }
  if (configuration_.has_crashes) {
    State next = state;
    next.coordinators[c].phase = Phase::kCrashed;
    next.coordinators[c].is_heard = false;
    if (coordinator.is_heard && request.told == Told::kNothing) {
      next.requests[q].told = Told::kUnknown;
    }
    sink->Take(next, {"the coordinator of txn $t dies", t});
  }
  if (coordinator.is_heard && (configuration_.has_settle || configuration_.is_retry)) {
    State next = state;
    next.coordinators[c].is_heard = false;
    if (request.told == Told::kNothing) next.requests[q].told = Told::kUnknown;
    sink->Take(next, {"the client hears no more of the coordinator of txn $t: outcome unknown", t});
  }
}

void Protocol::SettleSteps(const State& state, std::size_t q, Sink* sink) const {
  const Request& request = state.requests[q];
  if (!configuration_.has_settle || request.told != Told::kUnknown) return;
  if (Is(Mutant::kFailureWithoutSettle)) {
    State next = state;
    next.requests[q].told = Told::kFailure;
    sink->Take(next, {"the client reports a failure without settling", 0});
  }
  if (!request.is_settling) {
    State next = state;
    next.requests[q].is_settling = true;
    sink->Take(next, {"the client settles", 0});
    return;
  }
  if (request.stored != Result::kNone) {
    State next = state;
    next.requests[q].told = request.stored == Result::kDone ? Told::kSuccess : Told::kFailure;
    sink->Take(next, {"the client hears what Settle found", 0});
    return;
  }
  for (std::size_t i = 0; i < state.log_size; ++i) {
    if (state.log[i].kind == EntryKind::kSettle && state.log[i].request == q) return;
  }
  State next = state;
  Entry entry;
  entry.kind = EntryKind::kSettle;
  entry.request = ToSmall(q);
  if (Append(&next, entry)) sink->Take(next, {"the leader proposes Settle", 0});
}

}  // namespace dfs::model
