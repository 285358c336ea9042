// Which of a few nodes can send to which: what a partition leaves. Pure.
#ifndef DFS_TESTS_SUPPORT_LINK_SET_H_
#define DFS_TESTS_SUPPORT_LINK_SET_H_

#include <set>
#include <string>
#include <utility>

#include "common/random.h"

namespace dfs::testing {

// Nodes are numbered from 1 to `nodes`; a node always reaches itself. A link that works in one direction only carries no
// connection: neither end ever hears that its bytes have arrived.
class LinkSet {
 public:
  explicit LinkSet(int nodes) : nodes_(nodes) {}  // all links work

  // How many links stay is as likely to be none as all, and which, any. The others are cut, or, of RandomOneWay, carry one way
  // or nothing.
  static LinkSet RandomUndirected(int nodes, Random& random);
  static LinkSet RandomOneWay(int nodes, Random& random);

  void Cut(int a, int b) {
    CutOneWay(a, b);
    CutOneWay(b, a);
  }
  void CutOneWay(int from, int to) { cut_.insert({from, to}); }
  // The same links with the names of two nodes exchanged.
  [[nodiscard]] LinkSet WithExchanged(int a, int b) const;
  // `n` receives nothing, or nothing of it is received.
  void CutAllTo(int n);
  void CutAllFrom(int n);

  [[nodiscard]] bool Carries(int from, int to) const { return !cut_.contains({from, to}); }
  [[nodiscard]] bool AreConnected(int a, int b) const { return Carries(a, b) && Carries(b, a); }
  // Nodes connected with a majority of all, themselves included: those that can lead if every node votes.
  [[nodiscard]] std::set<int> Hubs() const;
  // Nodes where a client has no way to a hub, not even through one other node that takes its requests.
  [[nodiscard]] std::set<int> CutOff() const;

  [[nodiscard]] int nodes() const { return nodes_; }
  // (from, to)
  [[nodiscard]] const std::set<std::pair<int, int>>& cut() const { return cut_; }
  // "1-2 1>3 4<5": links that are connected, and those that carry one way.
  [[nodiscard]] std::string ToString() const;

 private:
  // One link after another, all as good as each other.
  template <class Break>
  static LinkSet RandomBroken(int nodes, Random& random, Break break_link);

  const int nodes_;
  std::set<std::pair<int, int>> cut_;
};

}  // namespace dfs::testing

#endif  // DFS_TESTS_SUPPORT_LINK_SET_H_
