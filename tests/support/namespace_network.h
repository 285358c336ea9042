// A network whose links can be cut: each node in a network namespace of its own, joined by a switch that drops what it is told
// to.
//
// Needs Linux, the packages iproute2 and nftables, and the right to make network namespaces (root, or user namespaces).
#ifndef DFS_TESTS_SUPPORT_NAMESPACE_NETWORK_H_
#define DFS_TESTS_SUPPORT_NAMESPACE_NETWORK_H_

#include <string>
#include <vector>

#include "tests/support/link_set.h"

namespace dfs::testing {

// Moves this process, once and for good, into a network namespace that holds the switch and nothing else; what it starts
// later is there too. Call on the main thread before any other thread runs: each thread belongs to a namespace.
// Returns why it cannot be done, in a sentence, or nothing. Nothing is left behind however the process ends: its
// namespaces have no names and go with their last process, and the links with them.
std::string EnterOwnNetwork();

// Hosts 1 to `hosts`, and the test itself, host 0, at the switch. Packets of a cut link are dropped without a word, those of
// connections that stand already, too. Only one of these at a time. Not thread-safe; each change is one transaction of the
// kernel's: all of it happens at the same moment, before the call returns.
//
// CHECK-fails if a tool fails: EnterOwnNetwork has found that they work.
class NamespaceNetwork {
 public:
  static constexpr int kHostsMax = 9;

  explicit NamespaceNetwork(int hosts);
  ~NamespaceNetwork();
  NamespaceNetwork(const NamespaceNetwork&) = delete;
  NamespaceNetwork& operator=(const NamespaceNetwork&) = delete;

  // The address of a host, without port.
  [[nodiscard]] static std::string AddressOf(int host);
  // To be put before a command that is to run at that host (1 or more).
  [[nodiscard]] std::vector<std::string> RunnerAt(int host) const;

  // From now on links between hosts 1 to `links.nodes()` are as given. Those of host 0 stay as they are.
  void SetLinks(const LinkSet& links);
  // Cuts a link, or one direction of it; host 0 is the test.
  void Cut(int a, int b);
  void CutOneWay(int from, int to);
  // All links work again. Loss stays.
  void Heal();
  // Each packet, also of host 0, is lost with these odds.
  void SetLossPerMille(int per_mille);

 private:
  // Tells the kernel.
  void Apply();

  const int hosts_;
  std::vector<int> namespaces_;  // descriptors, of hosts 1, 2, ...
  std::set<std::pair<int, int>> cut_;
  int loss_per_mille_ = 0;
};

}  // namespace dfs::testing

#endif  // DFS_TESTS_SUPPORT_NAMESPACE_NETWORK_H_
