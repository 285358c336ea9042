#include "tests/support/linearizability.h"

#include <algorithm>
#include <cstddef>
#include <limits>
#include <map>
#include <set>
#include <sstream>
#include <utility>

namespace dfs {
namespace {

using Kind = RegisterOperation::Kind;
constexpr std::int64_t kNever = std::numeric_limits<std::int64_t>::max();

// Makes the unknown writes as definite as the reads allow. One whose value nobody read may be taken as never
// done: whoever overwrote it might as well have overwritten what was there before. One whose
// value only it can have written was done before the first read of it returned.
std::vector<RegisterOperation> Simplify(std::vector<RegisterOperation> history) {
  std::map<std::uint64_t, std::int64_t> first_read_end;
  std::map<std::uint64_t, int> writers;
  for (const RegisterOperation& op : history) {
    if (op.kind == Kind::kWrite) {
      ++writers[op.value];
    } else {
      const auto [read, is_first] = first_read_end.emplace(op.value, op.end);
      if (!is_first) read->second = std::min(read->second, op.end);
    }
  }
  std::erase_if(history, [&](const RegisterOperation& op) {
    return op.is_outcome_unknown && !first_read_end.contains(op.value);
  });
  for (RegisterOperation& op : history) {
    if (!op.is_outcome_unknown) continue;
    const bool is_sole_writer = writers[op.value] == 1 && op.value != 0;
    op.end = is_sole_writer ? std::max(first_read_end[op.value], op.start + 1) : kNever;
    op.is_outcome_unknown = !is_sole_writer;
  }
  return history;
}

// One search. Events (calls and returns) hang in a list by time; linearizing an operation takes both of
// its events out, going back puts them in again.
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
  struct Choice {
    std::size_t node = 0;
    std::uint64_t value_before = 0;
  };

  bool TryLinearize(std::size_t node) {
    const std::size_t op = events_[node - 1].op;
    const RegisterOperation& o = ops_[op];
    if (o.kind == Kind::kRead && o.value != value_) return false;
    const std::uint64_t after = o.kind == Kind::kWrite ? o.value : value_;
    done_[op / 64] ^= std::uint64_t{1} << (op % 64);
    if (!seen_.emplace(done_, after).second) {
      done_[op / 64] ^= std::uint64_t{1} << (op % 64);
      return false;
    }
    chosen_.push_back({node, value_});
    value_ = after;
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
    const RegisterOperation& op = ops_[stuck_at];
    text << "not linearizable: after " << deepest << " of " << ops_.size()
         << " operations nothing explains the " << (op.kind == Kind::kRead ? "read" : "write")
         << " of " << op.value << " by client " << op.client << " in [" << op.start << ", "
         << op.end << "]; operations around it:";
    for (const RegisterOperation& o : ops_) {
      if (o.end < op.start - 2000 || o.start > op.end + 2000) continue;
      text << "\n  client " << o.client << (o.kind == Kind::kRead ? " read " : " wrote ") << o.value
           << " in [" << o.start << ", " << o.end << "]";
    }
    return absl::FailedPreconditionError(text.str());
  }

  std::vector<RegisterOperation> ops_;
  std::vector<Event> events_;
  std::vector<std::size_t> next_;
  std::vector<std::size_t> previous_;
  std::vector<std::size_t> return_of_;  // node of an operation's return
  std::vector<std::uint64_t> done_;     // bit per operation: linearized
  std::set<std::pair<std::vector<std::uint64_t>, std::uint64_t>> seen_;
  std::vector<Choice> chosen_;
  std::uint64_t value_ = 0;
  std::size_t open_known_ = 0;
};

}  // namespace

absl::Status CheckLinearizable(std::vector<RegisterOperation> history, std::int64_t steps_max) {
  return Search(Simplify(std::move(history))).Run(steps_max);
}

}  // namespace dfs
