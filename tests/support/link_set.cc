#include "tests/support/link_set.h"

#include <cstddef>
#include <vector>

namespace dfs::testing {

template <class Break>
LinkSet LinkSet::RandomBroken(int nodes, Random& random, Break break_link) {
  std::vector<std::pair<int, int>> whole;
  for (int a = 1; a <= nodes; ++a) {
    for (int b = a + 1; b <= nodes; ++b) whole.emplace_back(a, b);
  }
  LinkSet links(nodes);
  for (std::uint64_t left = random.Below(whole.size() + 1); left > 0; --left) {
    const auto at = whole.begin() + static_cast<std::ptrdiff_t>(random.Below(whole.size()));
    break_link(links, at->first, at->second);
    whole.erase(at);
  }
  return links;
}

LinkSet LinkSet::RandomUndirected(int nodes, Random& random) {
  return RandomBroken(nodes, random, [](LinkSet& links, int a, int b) { links.Cut(a, b); });
}

LinkSet LinkSet::RandomOneWay(int nodes, Random& random) {
  return RandomBroken(nodes, random, [&random](LinkSet& links, int a, int b) {
    switch (random.Below(3)) {
      case 0:
        return links.CutOneWay(a, b);
      case 1:
        return links.CutOneWay(b, a);
      default:
        return links.Cut(a, b);
    }
  });
}

LinkSet LinkSet::WithExchanged(int a, int b) const {
  const auto renamed = [a, b](int n) { return n == a ? b : n == b ? a : n; };
  LinkSet links(nodes_);
  for (const auto& [from, to] : cut_) links.CutOneWay(renamed(from), renamed(to));
  return links;
}

void LinkSet::CutAllTo(int n) {
  for (int other = 1; other <= nodes_; ++other) {
    if (other != n) CutOneWay(other, n);
  }
}

void LinkSet::CutAllFrom(int n) {
  for (int other = 1; other <= nodes_; ++other) {
    if (other != n) CutOneWay(n, other);
  }
}

std::set<int> LinkSet::Hubs() const {
  std::set<int> hubs;
  for (int n = 1; n <= nodes_; ++n) {
    int reached = 0;
    for (int other = 1; other <= nodes_; ++other) reached += AreConnected(n, other) ? 1 : 0;
    if (2 * reached > nodes_) hubs.insert(n);
  }
  return hubs;
}

std::set<int> LinkSet::CutOff() const {
  const std::set<int> hubs = Hubs();
  std::set<int> out;
  for (int n = 1; n <= nodes_; ++n) {
    bool has_way = false;
    for (int door = 1; door <= nodes_; ++door) {
      if (!AreConnected(n, door)) continue;
      for (const int hub : hubs) has_way = has_way || AreConnected(door, hub);
    }
    if (!has_way) out.insert(n);
  }
  return out;
}

std::string LinkSet::ToString() const {
  std::string out;
  for (int a = 1; a <= nodes_; ++a) {
    for (int b = a + 1; b <= nodes_; ++b) {
      const char* link = AreConnected(a, b) ? "-" : Carries(a, b) ? ">" : Carries(b, a) ? "<" : "";
      if (*link == 0) continue;
      if (!out.empty()) out += " ";
      out += std::to_string(a) + link + std::to_string(b);
    }
  }
  return out.empty() ? "no link" : out;
}

}  // namespace dfs::testing
