#include "client/cli/bucket_sessions.h"

#include <utility>

#include "common/status_macros.h"

namespace dfs::client::cli {

absl::StatusOr<std::shared_ptr<FileClient>> BucketSessions::ClientOf(const std::string& bucket) {
  if (bucket == session_.bucket()) return std::shared_ptr<FileClient>(std::shared_ptr<void>(), &session_.client());
  std::shared_ptr<Session> one;
  std::shared_ptr<Session> before;  // destroyed without the lock: that takes time
  MutexLock lock(&mutex_);
  one = sessions_[bucket].lock();
  if (one == nullptr) {
    GlobalFlags flags = flags_;
    flags.bucket = bucket;
    DFS_ASSIGN_OR_RETURN(one, Session::Make(flags));
    sessions_[bucket] = one;
  }
  before = std::exchange(last_, one);
  return std::shared_ptr<FileClient>(one, &one->client());
}

}  // namespace dfs::client::cli
