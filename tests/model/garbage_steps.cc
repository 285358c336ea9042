// A node's questions, the leader's verdicts, and what a node does with them (rules R17 to R20).
#include "tests/model/protocol.h"

namespace dfs::model {

// What makes the chunk count again at its node voids its question: whatever the answer, it does
// nothing.
void Protocol::VoidQuestion(Copy* copy) const {
  if (Is(Mutant::kNonceIgnored) &&
      (copy->question == Question::kDead || copy->question == Question::kExcess)) {
    copy->late_answer = copy->question;
  }
  copy->question = Question::kNone;
  copy->seen = 0;
}

Protocol::Facts Protocol::FactsOf(const State& state, std::size_t t, std::size_t n) const {
  const Txn& txn = state.txns[t];
  Facts facts;
  facts.has_order = state.copies[t][n].order != Order::kNone;
  facts.is_closed = txn.at_leader == AtLeader::kClosed || Is(Mutant::kDeadWhileOpen);
  return facts;
}

// `state`: what the state machine's view shows. `facts`: what the leader's tables showed before.
Question Protocol::Decide(const State& state, std::size_t t, std::size_t n, Facts facts,
                          std::size_t leader_term) const {
  const Txn& txn = state.txns[t];
  const Copy& copy = state.copies[t][n];
  const bool is_named = IsNamed(txn);
  if (is_named && IsMember(copy.row)) return Question::kNone;
  if (facts.has_order && !Is(Mutant::kVerdictBesideOpenOrder)) return Question::kNone;
  if (copy.has_purge_row) return Question::kDead;
  if (!is_named) {
    if (txn.term < leader_term) return Question::kDead;
    if (txn.term > leader_term) return Question::kNone;
    return facts.is_closed ? Question::kDead : Question::kNone;
  }
  return IsFull(state, t) || Is(Mutant::kExcessOfPoorSet) ? Question::kExcess : Question::kNone;
}

namespace {

// The view as a number, for the leader that reads it first (a mistake).
enum Seen : Small {
  kSawOrder = 1,
  kSawClosed = 2,
  kSawDeadIfClosed = 4,
  kSawVerdict = 8,
  kSawExcess = 16
};

}  // namespace

void Protocol::Questions(const State& state, std::size_t t, std::size_t n, Sink* sink) const {
  const Copy& copy = state.copies[t][n];
  switch (copy.question) {
    case Question::kNone: {
      std::size_t open = 0;
      for (const auto& chunk : state.copies) {
        for (const Copy& other : chunk) open += other.question != Question::kNone ? 1 : 0;
      }
      if (!copy.is_held || open >= configuration_.questions_max) break;
      // Asking and the read-index round are one step: what happens between the two at this node
      // voids the question, and the rest may as well have happened before it.
      State next = state;
      next.copies[t][n].question = Question::kConfirmed;
      sink->Take(next, {"node $n asks about txn $t; the leader's read-index round succeeds", t, n});
      if (copy.old_verdict != Question::kNone) {
        State late = state;
        late.copies[t][n].question = copy.old_verdict;
        late.copies[t][n].old_verdict = Question::kNone;
        sink->Take(late,
                   {"node $n asks about txn $t, and a leader that was replaced answers", t, n});
      }
      break;
    }
    case Question::kConfirmed: {
      State next = state;
      Copy& after = next.copies[t][n];
      after.question = Question::kHalfRead;
      if (Is(Mutant::kStateReadBeforeOrders)) {
        const Question if_closed = Decide(state, t, n, {false, true}, state.term);
        const Question if_open = Decide(state, t, n, {false, false}, state.term);
        if (if_closed != Question::kNone && if_open == Question::kNone)
          after.seen |= kSawDeadIfClosed;
        if (if_open != Question::kNone) after.seen |= kSawVerdict;
        if (if_open == Question::kExcess) after.seen |= kSawExcess;
        sink->Take(next, {"the leader reads the state machine for node $n and txn $t", t, n});
      } else {
        const Facts facts = FactsOf(state, t, n);
        if (facts.has_order) after.seen |= kSawOrder;
        if (facts.is_closed) after.seen |= kSawClosed;
        sink->Take(next,
                   {"the leader reads its orders and transactions for node $n and txn $t", t, n});
      }
      break;
    }
    case Question::kHalfRead: {
      State next = state;
      Copy& after = next.copies[t][n];
      after.question = Question::kNone;
      after.seen = 0;
      if (Is(Mutant::kStateReadBeforeOrders)) {
        const Facts facts = FactsOf(state, t, n);
        const bool is_deletable = (copy.seen & kSawVerdict) != 0 ||
                                  ((copy.seen & kSawDeadIfClosed) != 0 && facts.is_closed);
        if (is_deletable && !facts.has_order) {
          after.question = (copy.seen & kSawExcess) != 0 ? Question::kExcess : Question::kDead;
        }
      } else {
        const Facts facts{(copy.seen & kSawOrder) != 0, (copy.seen & kSawClosed) != 0};
        after.question = Decide(state, t, n, facts, state.term);
      }
      const char* text = "the leader answers node $n about txn $t: LIVE or PENDING";
      if (after.question == Question::kDead) text = "the leader answers node $n about txn $t: DEAD";
      if (after.question == Question::kExcess)
        text = "the leader answers node $n about txn $t: EXCESS";
      sink->Take(next, {text, t, n});
      break;
    }
    case Question::kDead:
    case Question::kExcess:
      Act(state, t, n, copy.question, false, sink);
      break;
  }
  if (Is(Mutant::kNoSecondQuestion) && copy.is_held && copy.is_trashed) {
    State next = state;
    Unlink(&next, t, n);
    sink->Take(next, {"node $n unlinks txn $t, without a second question", t, n});
  }
  if (copy.has_purge_row && !copy.is_held && !HasEntry(state, EntryKind::kUnlinked, t, n)) {
    State next = state;
    Entry entry;
    entry.kind = EntryKind::kUnlinked;
    entry.txn = ToSmall(t);
    entry.node = ToSmall(n);
    if (Append(&next, entry))
      sink->Take(next, {"node $n reports that it does not hold txn $t: proposed", t, n});
  }
  if (copy.late_answer != Question::kNone) Act(state, t, n, copy.late_answer, true, sink);
}

void Protocol::Act(const State& state, std::size_t t, std::size_t n, Question answer, bool is_late,
                   Sink* sink) const {
  const Copy& copy = state.copies[t][n];
  if (!copy.is_held) return;
  State next = state;
  Copy& after = next.copies[t][n];
  if (!is_late) VoidQuestion(&after);
  if (Is(Mutant::kNonceIgnored)) after.late_answer = answer;  // it may come twice
  if (!copy.is_trashed) {
    after.is_trashed = true;
    sink->Take(next, {"node $n moves txn $t to its trash", t, n});
    return;
  }
  Unlink(&next, t, n);
  sink->Take(next, {"node $n unlinks txn $t", t, n});
}

void Protocol::Unlink(State* state, std::size_t t, std::size_t n) const {
  Copy& copy = state->copies[t][n];
  copy.is_held = copy.is_trashed = false;
  VoidQuestion(&copy);
  if (Is(Mutant::kRelinkWithoutCount)) {
    for (std::size_t other = 0; other < configuration_.txns; ++other) {
      if (state->txns[other].from == t + 1) state->copies[other][n].is_held = false;
    }
  }
  if (!IsNamed(state->txns[t])) return;
  for (std::size_t m = 0; m < configuration_.nodes; ++m) {
    if (state->copies[t][m].is_held) return;
  }
  state->violation = Violation::kLastCopyDeleted;
}

// A leader that does not know yet that it was replaced answers the questions that it had confirmed
// before. It sees the state machine as it was, its transactions and orders as they were or after
// time has ended them: the worst is taken.
void Protocol::AnswerByLeaderThatEnds(const State& before, State* state) const {
  for (std::size_t t = 0; t < configuration_.txns; ++t) {
    for (std::size_t n = 0; n < configuration_.nodes; ++n) {
      const Copy& copy = before.copies[t][n];
      Copy& after = state->copies[t][n];
      Facts facts;
      facts.is_closed = before.txns[t].at_leader == AtLeader::kOpen ||
                        before.txns[t].at_leader == AtLeader::kClosed;
      facts.has_order = copy.order == Order::kAcknowledged;
      if (Is(Mutant::kVerdictWithoutReadIndex)) {
        after.old_verdict = Decide(before, t, n, facts, before.term);
      }
      if (copy.question == Question::kHalfRead && !Is(Mutant::kStateReadBeforeOrders)) {
        facts = {(copy.seen & kSawOrder) != 0, (copy.seen & kSawClosed) != 0};
      }
      if (copy.question == Question::kHalfRead || copy.question == Question::kConfirmed) {
        after.question = Decide(before, t, n, facts, before.term);
        after.seen = 0;
      }
    }
  }
}

}  // namespace dfs::model
