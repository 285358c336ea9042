// Keeps the directory of a storage-only node (server/metadata/directory_rows.h) up to date.
#ifndef DFS_SERVER_GATEWAY_DIRECTORY_FEED_H_
#define DFS_SERVER_GATEWAY_DIRECTORY_FEED_H_

#include <cstddef>
#include <functional>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "common/clock.h"
#include "common/executor.h"
#include "common/ids.h"
#include "common/peer_channels.h"
#include "common/progress_guard.h"
#include "server/metadata/directory_rows.h"

namespace dfs::gateway {

// Asks dfs.internal.v1.Catalog of a node that has metadata of files every kInterval, and when it is told to. Thread-safe but for Start
// and Stop.
class DirectoryFeed {
 public:
  static constexpr absl::Duration kInterval = absl::Milliseconds(250);
  static constexpr std::size_t kRowsMax = 1'000'000;  // of one directory

  // All outlive the feed.
  struct Parts {
    const Clock* clock = nullptr;
    PeerChannels* channels = nullptr;
    std::function<std::vector<NodeId>()> holders;  // coordinator::Parts::file_holders
    // What is here: a snapshot of the log may have put an older one in its place.
    std::function<LogIndex()> known;
    // metadata::AdoptDirectory; may block, for as long as it is told at most.
    std::function<absl::Status(metadata::DirectoryRows, absl::Duration)> adopt;
  };
  explicit DirectoryFeed(Parts parts) : parts_(std::move(parts)) {}
  ~DirectoryFeed();  // Stop()

  void Start();
  void Stop();

  // Brings the directory to at least what was answered to anybody before this call. Blocks, no longer than `timeout`.
  // kUnavailable NO_QUORUM: no leader was found; kUnavailable: nobody answers.
  [[nodiscard]] absl::Status Refresh(absl::Duration timeout) { return Fetch(true, timeout); }

 private:
  [[nodiscard]] absl::Status Fetch(bool as_of_now, absl::Duration timeout);
  void Loop();

  const Parts parts_;
  ProgressGuard guard_;
  std::unique_ptr<ThreadExecutor> executor_;
};

}  // namespace dfs::gateway

#endif  // DFS_SERVER_GATEWAY_DIRECTORY_FEED_H_
