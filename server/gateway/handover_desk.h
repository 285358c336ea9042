// Chunk files that wait to be taken over by clients of this machine.
#ifndef DFS_SERVER_GATEWAY_HANDOVER_DESK_H_
#define DFS_SERVER_GATEWAY_HANDOVER_DESK_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "common/clock.h"
#include "common/sync.h"
#include "server/chunk/chunk_store.h"

namespace dfs::gateway {

// Whoever has a ticket gets the file, once and soon. A ticket is told to a client in answer to a get, so it proves that the get
// was permitted; 128 random bits cannot be guessed.
//
// Thread-safe.
class HandoverDesk {
 public:
  static constexpr std::size_t kTicketBytes = 16;
  static constexpr absl::Duration kValidFor = absl::Seconds(10);
  // Files that are kept open; beyond it gets are answered as ever.
  static constexpr std::size_t kTicketsMax = 512;

  // `clock` outlives the desk.
  explicit HandoverDesk(const Clock* clock) : clock_(*clock) {}

  // A ticket for the reader's file. nullopt: too many are out.
  [[nodiscard]] std::optional<std::string> Offer(std::shared_ptr<const chunk::ChunkReader> reader)
      ABSL_LOCKS_EXCLUDED(mutex_);
  // What the ticket is for; null if it is none, too old, or was used.
  [[nodiscard]] std::shared_ptr<const chunk::ChunkReader> Take(std::string_view ticket)
      ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  void DropOld(MonotonicTime now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const Clock& clock_;
  Mutex mutex_;
  std::map<std::string, std::shared_ptr<const chunk::ChunkReader>, std::less<>> readers_ ABSL_GUARDED_BY(mutex_);
  std::deque<std::pair<MonotonicTime, std::string>> ends_ ABSL_GUARDED_BY(mutex_);  // those taken among them
};

}  // namespace dfs::gateway

#endif  // DFS_SERVER_GATEWAY_HANDOVER_DESK_H_
