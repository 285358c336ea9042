// Late copies, repair and its orders, and what befalls disks (rule R19, section "Repair").
#include "tests/model/protocol.h"

namespace dfs::model {

// A call whose order has ended may still do its work at the node; its acknowledgement counts no
// more.
void Protocol::EndOrder(State* state, std::size_t t, std::size_t n) const {
  Copy& copy = state->copies[t][n];
  copy.order = Order::kNone;
  if (copy.call == Call::kOrdered) copy.call = Call::kOrderedLate;
  if (copy.call == Call::kMade) {
    copy.call = Is(Mutant::kOrderNumberIgnored) ? Call::kMadeLate : Call::kNone;
  }
  if (copy.call == Call::kNone) {
    copy.call_storage = 0;
    copy.replaces = 0;
  }
}

// Whether the node has the chunk, or some other can give it.
bool Protocol::CanMake(const State& state, std::size_t t, std::size_t n) const {
  for (std::size_t m = 0; m < configuration_.nodes; ++m) {
    const Copy& copy = state.copies[t][m];
    if (m == n && copy.is_held) return true;
    if (m != n && copy.is_held && copy.row == Row::kOk) return true;
  }
  return false;
}

void Protocol::MakeCopy(State* state, std::size_t t, std::size_t n) const {
  Copy& copy = state->copies[t][n];
  const Copy before = copy;
  Store(state, t, n);
  if (Is(Mutant::kCopyKeepsQuestion)) {
    copy.question = before.question;
    copy.seen = before.seen;
  }
}

bool Protocol::MayOrder(const State& state, std::size_t t, std::size_t n,
                        std::size_t replaces) const {
  const auto& copies = state.copies[t];
  const Row row = copies[n].row;
  if (state.txns[t].version != Version::kCurrent || copies[n].order == Order::kAcknowledged)
    return false;
  for (std::size_t m = 0; m < configuration_.nodes; ++m) {
    // One at a time for a chunk.
    if (copies[m].order == Order::kRepair || copies[m].order == Order::kAcknowledged) return false;
  }
  if (Is(Mutant::kRepairNeedsASource)) {
    std::size_t sources = 0;
    for (std::size_t m = 0; m < configuration_.nodes; ++m) {
      if (copies[m].row == Row::kOk && copies[m].is_held) ++sources;
    }
    if (sources == 0) return false;
  }
  if (replaces == 0) {
    if (row == Row::kMissing || row == Row::kCorrupt) return true;
    return row == Row::kNone && SetSize(state, t) < WantedCopies();
  }
  if (IsMember(row)) return false;
  return MayReplace(state, t, replaces - 1);
}

void Protocol::OrderCopies(const State& state, std::size_t t, std::size_t n, Sink* sink) const {
  for (std::size_t replaces = 0; replaces <= configuration_.nodes; ++replaces) {
    if (!MayOrder(state, t, n, replaces)) continue;
    State next = state;
    EndOrder(&next, t, n);
    Copy& copy = next.copies[t][n];
    copy.order = Order::kRepair;
    copy.call = Call::kOrdered;
    copy.replaces = ToSmall(replaces);
    if (replaces == 0) {
      sink->Take(next, {"the leader orders a copy of txn $t on node $n", t, n});
    } else {
      sink->Take(next, {"the leader orders a copy of txn $t on node $n, in the place of node $m", t,
                        n, replaces - 1});
    }
  }
}

void Protocol::RepairSteps(const State& state, std::size_t t, std::size_t n, Sink* sink) const {
  const Copy& copy = state.copies[t][n];
  if (configuration_.has_repair) OrderCopies(state, t, n, sink);
  if ((copy.call == Call::kOrdered || copy.call == Call::kOrderedLate) && CanMake(state, t, n)) {
    State next = state;
    MakeCopy(&next, t, n);
    Copy& made = next.copies[t][n];
    made.call_storage = state.disk_storage[n];
    const bool is_late = copy.call == Call::kOrderedLate;
    made.call = is_late ? Call::kMadeLate : Call::kMade;
    if (is_late && !Is(Mutant::kOrderNumberIgnored)) made.call = Call::kNone;
    if (made.call == Call::kNone) made.call_storage = made.replaces = 0;
    sink->Take(next, {is_late ? "node $n makes its copy of txn $t, though the order has ended"
                              : "node $n has its copy of txn $t and acknowledges the order",
                      t, n});
  }
  const bool is_ack = copy.call == Call::kMade && copy.order == Order::kRepair;
  if (is_ack || (copy.call == Call::kMadeLate && IsNamed(state.txns[t]))) {
    State next = state;
    Entry entry;
    entry.kind = EntryKind::kChangeReplica;
    entry.txn = ToSmall(t);
    entry.node = ToSmall(n);
    entry.storage = copy.call_storage;
    entry.replaces = copy.replaces;
    Copy& after = next.copies[t][n];
    after.order = Is(Mutant::kOrderEndsAtAcknowledgement) ? Order::kNone : Order::kAcknowledged;
    after.call = Call::kNone;
    after.call_storage = after.replaces = 0;
    if (Append(&next, entry)) {
      sink->Take(
          next,
          {"the leader takes the acknowledgement of node $n for txn $t: change proposed", t, n});
    }
  }
  // The put's own copy, later than its CommitPut. (Relinked ones are not reported.)
  const bool has_order = copy.order == Order::kPut ||
                         (Is(Mutant::kLateAcknowledgementCounts) && copy.order == Order::kNone);
  if (copy.write == Write::kAcknowledged && !copy.is_named && has_order &&
      state.txns[t].from == 0 && IsNamed(state.txns[t]) &&
      !HasEntry(state, EntryKind::kChangeReplica, t, n)) {
    State next = state;
    Entry entry;
    entry.kind = EntryKind::kChangeReplica;
    entry.txn = ToSmall(t);
    entry.node = ToSmall(n);
    entry.storage = copy.write_storage;
    next.copies[t][n].order =
        Is(Mutant::kOrderEndsAtAcknowledgement) ? Order::kNone : Order::kAcknowledged;
    if (Append(&next, entry)) {
      sink->Take(
          next,
          {"the late acknowledgement of node $n for txn $t is reported: change proposed", t, n});
    }
  }
  if (copy.order == Order::kPut || copy.order == Order::kRepair) {
    State next = state;
    EndOrder(&next, t, n);
    sink->Take(next, {"the order for txn $t on node $n ends without progress", t, n});
  }
}

// What is assumed of disks: one is wiped only when the log knows of those wiped before; and the
// last intact copy of a set is not lost while an answer is on its way (10 s at most) or while the
// loss of another has not been noticed. No rule could help there.
bool Protocol::MayLose(const State& state, std::size_t t, std::size_t n) const {
  for (std::size_t m = 0; m < configuration_.nodes; ++m) {
    if (state.disk_storage[m] != state.table_storage[m]) return false;
  }
  if (!IsNamed(state.txns[t])) return true;
  bool is_noticed = true;
  for (std::size_t m = 0; m < configuration_.nodes; ++m) {
    const Copy& other = state.copies[t][m];
    if (other.question != Question::kNone || other.late_answer != Question::kNone)
      is_noticed = false;
    if (m == n || !IsMember(other.row)) continue;
    if (other.is_held) return true;
    if (other.row == Row::kOk) is_noticed = false;
  }
  return is_noticed;
}

void Protocol::Faults(const State& state, Sink* sink) const {
  for (std::size_t n = 0; n < configuration_.nodes; ++n) {
    for (std::size_t t = 0; t < configuration_.txns; ++t) {
      const Copy& copy = state.copies[t][n];
      if (state.damages_left > 0 && copy.is_held && copy.row == Row::kOk) {
        if (!MayLose(state, t, n)) continue;
        State next = state;
        --next.damages_left;
        Copy& damaged = next.copies[t][n];
        damaged.is_held = damaged.is_trashed = false;
        damaged.is_lost = true;
        VoidQuestion(&damaged);
        sink->Take(next, {"the copy of txn $t on node $n becomes unreadable", t, n});
      }
      if (copy.is_lost && copy.row == Row::kOk && state.disk_storage[n] == state.table_storage[n] &&
          !HasEntry(state, EntryKind::kChangeReplica, t, n)) {
        State next = state;
        Entry entry;
        entry.kind = EntryKind::kChangeReplica;
        entry.txn = ToSmall(t);
        entry.node = ToSmall(n);
        entry.storage = state.disk_storage[n];
        entry.is_damage = true;
        if (Append(&next, entry)) {
          sink->Take(next,
                     {"a reader reports the copy of txn $t on node $n as damaged: proposed", t, n});
        }
      }
    }
    bool may_wipe = state.wipes_left > 0 && state.disk_storage[n] == 0;
    for (std::size_t t = 0; t < configuration_.txns; ++t) {
      const Copy& copy = state.copies[t][n];
      if (copy.is_held && !MayLose(state, t, n)) may_wipe = false;
    }
    if (may_wipe) {
      State next = state;
      --next.wipes_left;
      next.disk_storage[n] = 1;
      for (std::size_t t = 0; t < configuration_.txns; ++t) {
        Copy& copy = next.copies[t][n];
        copy.is_held = copy.is_trashed = copy.is_lost = false;
        VoidQuestion(&copy);
        copy.late_answer = Question::kNone;
      }
      sink->Take(next, {"the disk of node $n is wiped", 0, n});
    }
    NodeChanges(state, n, sink);
  }
}

bool Protocol::HasRetiredRows(const State& state, std::size_t n) const {
  for (std::size_t t = 0; t < configuration_.txns; ++t) {
    if (state.copies[t][n].row == Row::kRetired && SetSize(state, t) > 1) return true;
  }
  return false;
}

// The node table changes: replaced, swept out of the sets, OUT and back.
void Protocol::NodeChanges(const State& state, std::size_t n, Sink* sink) const {
  const auto propose = [&](State next, EntryKind kind, const char* text) {
    Entry entry;
    entry.kind = kind;
    entry.node = ToSmall(n);
    if (!HasEntry(state, kind, 0, n) && Append(&next, entry)) sink->Take(next, {text, 0, n});
  };
  if (state.disk_storage[n] != state.table_storage[n]) {
    propose(state, EntryKind::kReplace, "node $n is to be replaced: proposed");
  }
  if (HasRetiredRows(state, n)) {
    propose(state, EntryKind::kRetireStep, "the node that was $n is to leave the sets: proposed");
  }
  if (state.marks_left > 0) {
    State next = state;
    --next.marks_left;
    propose(next, EntryKind::kMark, "node $n goes OUT, or comes back: proposed");
  }
}

}  // namespace dfs::model
