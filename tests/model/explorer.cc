#include "tests/model/explorer.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <vector>

#include "common/checksum.h"

namespace dfs::model {
namespace {

using Order3 = std::array<std::size_t, kNodesMax>;  // new number -> old number

std::string_view BytesOf(const State& state) {
  return {reinterpret_cast<const char*>(&state), sizeof(State)};
}

Small Renamed(Small node_plus_one, const Order3& new_of) {
  return node_plus_one == 0 ? node_plus_one : ToSmall(new_of[node_plus_one - 1U] + 1);
}

State Permuted(const State& state, const Order3& old_of) {
  Order3 new_of{};
  for (std::size_t n = 0; n < kNodesMax; ++n) new_of[old_of[n]] = n;
  State out = state;
  for (std::size_t n = 0; n < kNodesMax; ++n) {
    out.disk_storage[n] = state.disk_storage[old_of[n]];
    out.table_storage[n] = state.table_storage[old_of[n]];
    out.is_out[n] = state.is_out[old_of[n]];
    for (std::size_t t = 0; t < kTxnsMax; ++t) {
      out.copies[t][n] = state.copies[t][old_of[n]];
      out.copies[t][n].replaces = Renamed(out.copies[t][n].replaces, new_of);
    }
  }
  for (std::size_t i = 0; i <= kLogMax; ++i) {
    Entry& entry = i < kLogMax ? out.log[i] : out.delayed;
    const bool names_node = entry.kind == EntryKind::kChangeReplica ||
                            entry.kind == EntryKind::kUnlinked ||
                            entry.kind == EntryKind::kReplace ||
                            entry.kind == EntryKind::kRetireStep || entry.kind == EntryKind::kMark;
    if (names_node) entry.node = ToSmall(new_of[entry.node]);
    entry.replaces = Renamed(entry.replaces, new_of);
  }
  return out;
}

// The least of all namings of the nodes, and how it was got.
State Canonical(const State& state, std::size_t nodes, Order3* chosen) {
  Order3 order{};
  for (std::size_t n = 0; n < kNodesMax; ++n) order[n] = n;
  *chosen = order;
  State best = state;
  while (std::next_permutation(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(nodes))) {
    const State other = Permuted(state, order);
    if (std::memcmp(&other, &best, sizeof(State)) < 0) {
      best = other;
      *chosen = order;
    }
  }
  return best;
}

// Hash and parent of every state, in the order of visiting; found again by open addressing.
class Visited {
 public:
  Visited() : slots_(std::size_t{1} << 16, 0) {}

  // False: it is known.
  bool Add(const State& state, std::uint32_t parent) {
    const std::string_view bytes = BytesOf(state);
    const Hash128 hash = Xxh3Of(bytes);
    if ((rows_.size() + 1) * 2 > slots_.size()) Grow();
    std::size_t at = hash.low & (slots_.size() - 1);
    while (slots_[at] != 0) {
      if (rows_[slots_[at] - 1].hash == hash) return false;
      at = (at + 1) & (slots_.size() - 1);
    }
    rows_.push_back({hash, parent});
    slots_[at] = static_cast<std::uint32_t>(rows_.size());
    return true;
  }
  [[nodiscard]] std::size_t size() const { return rows_.size(); }
  [[nodiscard]] std::uint32_t parent(std::size_t row) const { return rows_[row].parent; }
  [[nodiscard]] const Hash128& hash(std::size_t row) const { return rows_[row].hash; }
  [[nodiscard]] static Hash128 Xxh3Of(std::string_view bytes) {
    return Xxh3(bytes.data(), bytes.size());
  }

 private:
  struct Row {
    Hash128 hash;
    std::uint32_t parent = 0;
  };
  void Grow() {
    slots_.assign(slots_.size() * 2, 0);
    for (std::size_t row = 0; row < rows_.size(); ++row) {
      std::size_t at = rows_[row].hash.low & (slots_.size() - 1);
      while (slots_[at] != 0) at = (at + 1) & (slots_.size() - 1);
      slots_[at] = static_cast<std::uint32_t>(row + 1);
    }
  }
  std::vector<Row> rows_;
  std::vector<std::uint32_t> slots_;  // row + 1; 0: free
};

std::string InWords(const Label& label, const Order3& name_of) {
  std::string out;
  for (std::string_view text = label.text; !text.empty(); text.remove_prefix(1)) {
    if (text.front() != '$' || text.size() < 2) {
      out.push_back(text.front());
      continue;
    }
    text.remove_prefix(1);
    const std::string_view all = label.text;
    // "node $m" is a node's number; elsewhere $m is a plain one.
    const std::size_t at = static_cast<std::size_t>(text.data() - all.data());
    const bool is_node = at >= 6 && all.substr(at - 6, 5) == "node ";
    if (text.front() == 't') out += std::to_string(label.txn + 1);
    if (text.front() == 'n') out += std::string(1, static_cast<char>('A' + name_of[label.node]));
    if (text.front() == 'm') {
      out += is_node ? std::string(1, static_cast<char>('A' + name_of[label.other]))
                     : std::to_string(label.other + (all.find("txn $m") != all.npos ? 1 : 0));
    }
  }
  return out;
}

// Walks the way again, and tells each step with the names that the nodes had in the beginning.
class Retelling final : public Sink {
 public:
  Retelling(const Protocol& protocol, const Visited& visited)
      : protocol_(protocol), visited_(visited) {}

  std::string Tell(std::size_t last) {
    std::vector<std::size_t> way;
    for (std::size_t row = last; row != 0; row = visited_.parent(row)) way.push_back(row);
    std::reverse(way.begin(), way.end());
    at_ = Canonical(protocol_.configuration().initial, protocol_.configuration().nodes, &name_of_);
    for (const std::size_t row : way) {
      wanted_ = visited_.hash(row);
      is_found_ = false;
      const State from = at_;
      protocol_.Expand(from, this);
    }
    return out_;
  }

  void Take(const State& next, const Label& label) override {
    if (is_found_) return;
    Order3 order{};
    const State canonical = Canonical(next, protocol_.configuration().nodes, &order);
    if (!(Visited::Xxh3Of(BytesOf(canonical)) == wanted_)) return;
    is_found_ = true;
    out_ += "  " + std::to_string(++steps_) + ". " + InWords(label, name_of_) + "\n";
    at_ = canonical;
    Order3 names{};
    for (std::size_t n = 0; n < kNodesMax; ++n) names[n] = name_of_[order[n]];
    name_of_ = names;
  }

 private:
  const Protocol& protocol_;
  const Visited& visited_;
  State at_;
  Order3 name_of_{};
  Hash128 wanted_;
  bool is_found_ = false;
  int steps_ = 0;
  std::string out_;
};

class Search final : public Sink {
 public:
  Search(const Protocol& protocol, std::uint64_t states_max)
      : protocol_(protocol), states_max_(states_max) {}

  Exploration Run() {
    Order3 order{};
    Visit(Canonical(protocol_.configuration().initial, protocol_.configuration().nodes, &order));
    bool is_cut = false;
    const std::size_t depth_max = protocol_.configuration().depth_max;
    while (!next_.empty() && out_.violation.empty() && !is_cut) {
      if (depth_max != 0 && out_.depth == depth_max) break;
      const std::vector<std::pair<State, std::uint32_t>> layer = std::exchange(next_, {});
      ++out_.depth;
      for (const auto& [state, row] : layer) {
        parent_ = row;
        protocol_.Expand(state, this);
        is_cut = visited_.size() >= states_max_;
        if (!out_.violation.empty() || is_cut) break;
      }
    }
    out_.states = visited_.size();
    out_.is_complete = out_.violation.empty() && !is_cut;
    if (!out_.violation.empty()) out_.transcript = Retelling(protocol_, visited_).Tell(violating_);
    return std::move(out_);
  }

  void Take(const State& next, const Label& label) override {
    ++out_.transitions;
    if (texts_.insert(label.text).second) out_.steps.insert(label.text);
    if (!out_.violation.empty()) return;
    Order3 order{};
    Visit(Canonical(next, protocol_.configuration().nodes, &order));
  }

 private:
  void Visit(const State& state) {
    if (!visited_.Add(state, parent_)) return;
    const auto row = static_cast<std::uint32_t>(visited_.size() - 1);
    const char* wrong = protocol_.Check(state);
    if (wrong == nullptr) wrong = protocol_.CheckRest(state);
    if (wrong != nullptr) {
      out_.violation = wrong;
      violating_ = row;
      return;
    }
    next_.emplace_back(state, row);
  }

  const Protocol& protocol_;
  const std::uint64_t states_max_;
  Visited visited_;
  std::vector<std::pair<State, std::uint32_t>> next_;
  std::uint32_t parent_ = 0;
  std::size_t violating_ = 0;
  std::unordered_set<const char*> texts_;  // by address: most are seen millions of times
  Exploration out_;
};

}  // namespace

Exploration Explore(const Protocol& protocol, std::uint64_t states_max) {
  return Search(protocol, states_max).Run();
}

}  // namespace dfs::model
