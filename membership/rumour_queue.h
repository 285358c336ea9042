// News that is still worth telling.
#ifndef DFS_MEMBERSHIP_RUMOUR_QUEUE_H_
#define DFS_MEMBERSHIP_RUMOUR_QUEUE_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <vector>

#include "common/ids.h"
#include "membership/message.h"

namespace dfs::membership {

// At most one rumour about each member (the newest), each told a limited number of times: 4 * ceil(log10(N + 1)),
// which reaches everybody with high probability (memberlist). Bounded by the number of members. Pure.
class RumourQueue {
 public:
  // Replaces what was said of the same member and is told anew.
  void Put(Rumour rumour);
  void Forget(NodeId node) { entries_.erase(node); }
  // The least told ones, at most `count`; counts them as told once more and drops the worn-out ones. What
  // concerns `receiver` is counted but left out: a message to an accused carries that apart.
  [[nodiscard]] std::vector<Rumour> Take(std::size_t count, std::size_t members, NodeId receiver);
  [[nodiscard]] bool empty() const { return entries_.empty(); }
  // Something has not been told to anybody yet.
  [[nodiscard]] bool HasUntold() const;

  static std::size_t TellLimit(std::size_t members);

 private:
  struct Entry {
    Rumour rumour;
    std::size_t told = 0;
  };
  std::map<NodeId, Entry> entries_;
};

}  // namespace dfs::membership

#endif  // DFS_MEMBERSHIP_RUMOUR_QUEUE_H_
