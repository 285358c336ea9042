#include "server/gateway/handover_desk.h"

#include <functional>

#include "common/random.h"

namespace dfs::gateway {

std::optional<std::string> HandoverDesk::Offer(std::shared_ptr<const chunk::ChunkReader> reader) {
  std::string ticket;
  for (const std::uint64_t half : {SystemRandom64(), SystemRandom64()}) {
    for (int i = 0; i < 8; ++i) ticket += static_cast<char>(half >> (8 * i) & 255U);
  }
  MutexLock lock(&mutex_);
  const MonotonicTime now = clock_.Now();
  DropOld(now);
  if (ends_.size() >= kTicketsMax) return std::nullopt;
  readers_[ticket] = std::move(reader);
  ends_.emplace_back(now + kValidFor, ticket);
  return ticket;
}

std::shared_ptr<const chunk::ChunkReader> HandoverDesk::Take(std::string_view ticket) {
  MutexLock lock(&mutex_);
  DropOld(clock_.Now());
  const auto found = readers_.find(ticket);
  if (found == readers_.end()) return nullptr;
  auto reader = std::move(found->second);
  readers_.erase(found);
  return reader;
}

void HandoverDesk::DropOld(MonotonicTime now) {
  while (!ends_.empty() && (ends_.front().first <= now || !readers_.contains(ends_.front().second))) {
    readers_.erase(ends_.front().second);
    ends_.pop_front();
  }
}

}  // namespace dfs::gateway
