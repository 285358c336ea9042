// Compares the rolling state hashes of this node with those that its leader sends (rule R8: apply is
// deterministic, so equal logs must give equal states).
//
// Pure; not thread-safe.
#ifndef DFS_SERVER_REPLICATED_LOG_STATE_HASH_CHECK_H_
#define DFS_SERVER_REPLICATED_LOG_STATE_HASH_CHECK_H_

#include <cstddef>
#include <map>

#include "absl/status/status.h"
#include "server/metadata/metadata_machine.h"

namespace dfs::replicated_log {

class StateHashCheck {
 public:
  // kDataLoss: the same index has two hashes.
  [[nodiscard]] absl::Status AddOwn(const metadata::StateHash& hash) {
    return Add(hash, own_, theirs_);
  }
  [[nodiscard]] absl::Status AddTheirs(const metadata::StateHash& hash) {
    return Add(hash, theirs_, own_);
  }

 private:
  // More than the leader can be ahead of a follower that it does not send a snapshot.
  static constexpr std::size_t kKeptMax = 128;
  using Hashes = std::map<LogIndex, Hash128>;
  static absl::Status Add(const metadata::StateHash& hash, Hashes& into, const Hashes& other);

  Hashes own_;
  Hashes theirs_;
};

}  // namespace dfs::replicated_log

#endif  // DFS_SERVER_REPLICATED_LOG_STATE_HASH_CHECK_H_
