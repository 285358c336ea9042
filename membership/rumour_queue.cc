#include "membership/rumour_queue.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace dfs::membership {

std::size_t RumourQueue::TellLimit(std::size_t members) {
  return 4 * static_cast<std::size_t>(
                 std::max(1.0, std::ceil(std::log10(static_cast<double>(members) + 1))));
}

void RumourQueue::Put(Rumour rumour) {
  const NodeId node = rumour.node;
  entries_[node] = Entry{std::move(rumour), 0};
}

std::vector<Rumour> RumourQueue::Take(std::size_t count, std::size_t members, NodeId receiver) {
  std::vector<std::pair<std::size_t, NodeId>> order;
  for (const auto& [node, entry] : entries_) {
    order.emplace_back(entry.told, node);
  }
  std::sort(order.begin(), order.end());
  if (order.size() > count) order.resize(count);
  std::vector<Rumour> out;
  out.reserve(order.size());
  const std::size_t limit = TellLimit(members);
  for (const auto& [told, node] : order) {
    const auto entry = entries_.find(node);
    if (node != receiver) out.push_back(entry->second.rumour);
    if (++entry->second.told >= limit) entries_.erase(entry);
  }
  return out;
}

bool RumourQueue::HasUntold() const {
  return std::any_of(entries_.begin(), entries_.end(),
                     [](const auto& item) { return item.second.told == 0; });
}

}  // namespace dfs::membership
