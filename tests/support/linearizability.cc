#include "tests/support/linearizability.h"

#include <algorithm>
#include <cstddef>
#include <limits>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <tuple>
#include <utility>

namespace dfs {
namespace {

using Kind = RegisterOperation::Kind;
constexpr std::int64_t kNever = std::numeric_limits<std::int64_t>::max();

// Makes the unknown writes as definite as the reads allow. One whose value nobody saw may be taken
// as never done: whoever overwrote it might as well have overwritten what was there before. One
// whose value only it can have written was done before the first that saw it returned. Seen by: a
// read of it, a write that is known to have replaced it, and one that brought it back.
std::vector<RegisterOperation> Simplify(std::vector<RegisterOperation> history) {
  std::map<std::uint64_t, std::int64_t> first_read_end;
  std::map<std::uint64_t, int> writers;
  for (const RegisterOperation& op : history) {
    if (op.kind == Kind::kWrite) ++writers[op.value];
    const std::int64_t end = op.is_outcome_unknown ? kNever : op.end;
    const auto see = [&](std::uint64_t value) {
      const auto [read, is_first] = first_read_end.emplace(value, end);
      if (!is_first) read->second = std::min(read->second, end);
    };
    if (op.kind == Kind::kRead || op.brings_back) see(op.value);
    if (op.over) see(*op.over);
  }
  // One that nobody saw may still have made way for what was brought back.
  const bool brings_back = std::any_of(history.begin(), history.end(),
                                       [](const auto& op) { return op.brings_back; });
  std::erase_if(history, [&](const RegisterOperation& op) {
    return op.is_outcome_unknown && !brings_back && !first_read_end.contains(op.value);
  });
  for (RegisterOperation& op : history) {
    if (!op.is_outcome_unknown) continue;
    if (!first_read_end.contains(op.value)) {
      op.end = kNever;
      continue;
    }
    const std::int64_t seen_by = first_read_end[op.value];
    const bool has_happened = writers[op.value] == 1 && op.value != 0 && seen_by != kNever;
    op.end = has_happened ? std::max(seen_by, op.start + 1) : kNever;
    op.is_outcome_unknown = !has_happened;
  }
  return history;
}

std::string Describe(const RegisterOperation& op) {
  std::ostringstream text;
  const char* const verb = op.kind == Kind::kRead ? " read "
                           : op.brings_back       ? " brought back "
                                                  : " wrote ";
  text << "client " << op.client << verb << op.value
       << " in [" << op.start << ", " << (op.end == kNever ? -1 : op.end) << "]";
  if (op.over) text << " over " << *op.over;
  return text.str();
}

// A write and the reads of its value. All of them happen while the register holds that value.
struct Zone {
  std::int64_t write_start = 0;
  std::int64_t first_end = kNever;  // least end: the value is there by then
  std::int64_t last_start = 0;      // greatest start: it is still there then
  RegisterOperation first;          // who ends first, and who starts last, for messages
  RegisterOperation last;
  [[nodiscard]] bool is_forward() const { return first_end < last_start; }
};

void Extend(Zone& zone, const RegisterOperation& op) {
  if (op.end <= zone.first_end) {
    zone.first_end = op.end;
    zone.first = op;
  }
  if (op.start >= zone.last_start) {
    zone.last_start = op.start;
    zone.last = op;
  }
}

absl::Status Contradiction(const char* why, const Zone& a, const Zone& b) {
  return absl::FailedPreconditionError(std::string("not linearizable: ") + why + ": " +
                                       Describe(a.first) + "; " + Describe(a.last) +
                                       "; against: " + Describe(b.first) + "; " + Describe(b.last));
}

// Linearizable if and only if no read ends before its write starts, no two forward zones overlap,
// and no forward zone contains a backward one (Gibbons and Korach, theorem on known read mappings).
absl::Status CheckZones(const std::vector<RegisterOperation>& history) {
  std::map<std::uint64_t, Zone> zones;
  RegisterOperation initial{Kind::kWrite,
                            0,
                            std::numeric_limits<std::int64_t>::min(),
                            std::numeric_limits<std::int64_t>::min() + 1,
                            false,
                            -1};
  zones[0].last_start = initial.start;
  Extend(zones[0], initial);
  zones[0].write_start = initial.start;
  for (const RegisterOperation& op : history) {
    if (op.kind != Kind::kWrite) continue;
    Zone& zone = zones[op.value];
    zone.write_start = op.start;
    zone.last_start = op.start;
    Extend(zone, op);
  }
  for (const RegisterOperation& op : history) {
    if (op.kind != Kind::kRead) continue;
    const auto zone = zones.find(op.value);
    if (zone == zones.end() || op.end < zone->second.write_start) {
      return absl::FailedPreconditionError("not linearizable: nobody had written it: " +
                                           Describe(op));
    }
    Extend(zone->second, op);
  }
  std::vector<Zone> forward;
  for (const auto& [value, zone] : zones) {
    if (zone.is_forward()) forward.push_back(zone);
  }
  std::sort(forward.begin(), forward.end(),
            [](const Zone& a, const Zone& b) { return a.first_end < b.first_end; });
  for (std::size_t i = 1; i < forward.size(); ++i) {
    if (forward[i].first_end < forward[i - 1].last_start) {
      return Contradiction("two values were there at once", forward[i - 1], forward[i]);
    }
  }
  for (const auto& by_value : zones) {
    const Zone& zone = by_value.second;
    if (zone.is_forward()) continue;
    // The last forward zone that starts before this one does; they do not overlap each other.
    const auto after = std::partition_point(forward.begin(), forward.end(), [&](const Zone& f) {
      return f.first_end < zone.last_start;
    });
    if (after != forward.begin() && zone.first_end < std::prev(after)->last_start) {
      return Contradiction("a value came and went while another was there", *std::prev(after),
                           zone);
    }
  }
  return absl::OkStatus();
}

// Whether CheckZones can decide about it.
bool HasZones(const std::vector<RegisterOperation>& history) {
  std::set<std::uint64_t> written = {0};
  return std::all_of(history.begin(), history.end(), [&](const RegisterOperation& op) {
    return op.kind != Kind::kWrite ||
           (!op.over && !op.brings_back && written.insert(op.value).second);
  });
}

// One search. Events (calls and returns) hang in a list by time; linearizing an operation takes
// both of its events out, going back puts them in again.
class Search {
 public:
  explicit Search(std::vector<RegisterOperation> ops) : ops_(std::move(ops)) {
    std::vector<Event> events;
    for (std::size_t i = 0; i < ops_.size(); ++i) {
      events.push_back({ops_[i].start, /*is_return=*/false, i});
      events.push_back({ops_[i].end, /*is_return=*/true, i});
      if (!ops_[i].is_outcome_unknown) ++open_known_;
    }
    std::stable_sort(events.begin(), events.end(), [](const Event& a, const Event& b) {
      return a.time != b.time ? a.time < b.time : a.is_return < b.is_return;
    });
    events_ = std::move(events);
    next_.resize(events_.size() + 1);
    previous_.resize(events_.size() + 1);
    return_of_.resize(ops_.size());
    for (std::size_t e = 0; e < events_.size(); ++e) {
      if (events_[e].is_return) return_of_[events_[e].op] = e + 1;
    }
    // Event e is node e + 1; node 0 is the head, and the end as well.
    for (std::size_t n = 0; n <= events_.size(); ++n) {
      next_[n] = n == events_.size() ? 0 : n + 1;
      previous_[n] = n == 0 ? events_.size() : n - 1;
    }
    done_.assign((ops_.size() + 63) / 64, 0);
    FindAlike();
  }

  absl::Status Run(std::int64_t steps_max) {
    std::size_t node = next_[0];
    std::size_t deepest = 0;
    std::size_t stuck_at = 0;
    for (std::int64_t step = 0; open_known_ > 0; ++step) {
      if (step >= steps_max) return absl::ResourceExhaustedError("linearizability: undecided");
      const Event& event = events_[node - 1];
      if (!event.is_return && TryLinearize(node)) {
        node = next_[0];
        continue;
      }
      if (!event.is_return) {
        node = next_[node];
        continue;
      }
      // A return: its operation should have been linearized by now. Go back.
      if (chosen_.size() >= deepest) {
        deepest = chosen_.size();
        stuck_at = event.op;
      }
      if (chosen_.empty()) return Refuse(stuck_at, deepest);
      node = next_[Undo()];
    }
    return absl::OkStatus();
  }

 private:
  struct Event {
    std::int64_t time = 0;
    bool is_return = false;
    std::size_t op = 0;
  };
  static constexpr std::size_t kNone = std::numeric_limits<std::size_t>::max();
  struct Choice {
    std::size_t node = 0;
    std::uint64_t value_before = 0;
  };

  // In the order of calls.
  void FindAlike() {
    alike_before_.assign(ops_.size(), kNone);
    std::map<std::tuple<std::uint64_t, std::optional<std::uint64_t>, bool>, std::size_t> last;
    for (const Event& event : events_) {
      const RegisterOperation& op = ops_[event.op];
      if (event.is_return || !op.is_outcome_unknown) continue;
      const auto [at, is_first] =
          last.emplace(std::tuple(op.value, op.over, op.brings_back), event.op);
      if (is_first) continue;
      alike_before_[event.op] = at->second;
      at->second = event.op;
    }
  }

  [[nodiscard]] bool IsDone(std::size_t op) const {
    return op == kNone || (done_[op / 64] >> (op % 64) & 1) != 0;
  }

  [[nodiscard]] bool IsWritten(std::uint64_t value) const {
    const auto found = written_.find(value);
    return found != written_.end() && found->second > 0;
  }

  bool TryLinearize(std::size_t node) {
    const std::size_t op = events_[node - 1].op;
    const RegisterOperation& o = ops_[op];
    if (o.kind == Kind::kRead && o.value != value_) return false;
    if (o.over && *o.over != value_) return false;
    if (o.brings_back && (o.value == value_ || !IsWritten(o.value))) return false;
    // What may never happen need not, unless it changes something; and of several alike the one
    // that was called first may as well be first.
    if (o.is_outcome_unknown && (o.value == value_ || !IsDone(alike_before_[op]))) return false;
    const std::uint64_t after = o.kind == Kind::kWrite ? o.value : value_;
    done_[op / 64] ^= std::uint64_t{1} << (op % 64);
    if (!seen_.emplace(done_, after).second) {
      done_[op / 64] ^= std::uint64_t{1} << (op % 64);
      return false;
    }
    chosen_.push_back({node, value_});
    value_ = after;
    if (o.kind == Kind::kWrite && !o.brings_back) ++written_[o.value];
    if (!o.is_outcome_unknown) --open_known_;
    Unlink(node);
    Unlink(return_of_[op]);
    return true;
  }

  // Returns the node whose operation is open again.
  std::size_t Undo() {
    const Choice choice = chosen_.back();
    chosen_.pop_back();
    const std::size_t op = events_[choice.node - 1].op;
    Relink(return_of_[op]);
    Relink(choice.node);
    done_[op / 64] ^= std::uint64_t{1} << (op % 64);
    value_ = choice.value_before;
    if (ops_[op].kind == Kind::kWrite && !ops_[op].brings_back) --written_[ops_[op].value];
    if (!ops_[op].is_outcome_unknown) ++open_known_;
    return choice.node;
  }

  void Unlink(std::size_t node) {
    next_[previous_[node]] = next_[node];
    previous_[next_[node]] = previous_[node];
  }
  void Relink(std::size_t node) {
    next_[previous_[node]] = node;
    previous_[next_[node]] = node;
  }

  absl::Status Refuse(std::size_t stuck_at, std::size_t deepest) const {
    std::ostringstream text;
    text << "not linearizable: after " << deepest << " of " << ops_.size()
         << " operations nothing explains: " << Describe(ops_[stuck_at]);
    return absl::FailedPreconditionError(text.str());
  }

  std::vector<RegisterOperation> ops_;
  std::vector<Event> events_;
  std::vector<std::size_t> next_;
  std::vector<std::size_t> previous_;
  std::vector<std::size_t> return_of_;  // node of an operation's return
  std::vector<std::uint64_t> done_;     // bit per operation: linearized
  // Of a write of unknown outcome: the one called last before it that is like it in all but time.
  std::vector<std::size_t> alike_before_;
  std::set<std::pair<std::vector<std::uint64_t>, std::uint64_t>> seen_;
  std::vector<Choice> chosen_;
  std::uint64_t value_ = 0;
  std::map<std::uint64_t, int> written_;  // how often, by writes that bring nothing back
  std::size_t open_known_ = 0;
};

}  // namespace

absl::Status CheckLinearizable(std::vector<RegisterOperation> history, std::int64_t steps_max) {
  if (!HasZones(history)) return SearchLinearization(std::move(history), steps_max);
  return CheckZones(Simplify(std::move(history)));
}

absl::Status SearchLinearization(std::vector<RegisterOperation> history, std::int64_t steps_max) {
  return Search(Simplify(std::move(history))).Run(steps_max);
}

}  // namespace dfs
