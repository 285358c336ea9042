// One command that works on several buckets: a client speaks for one bucket only.
#ifndef DFS_CLIENT_CLI_BUCKET_SESSIONS_H_
#define DFS_CLIENT_CLI_BUCKET_SESSIONS_H_

#include <map>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "client/cli/session.h"
#include "common/sync.h"

namespace dfs::client::cli {

// Clients by bucket, made when they are asked for; that of the session's own bucket is the session's. Of the others those live that
// are in use, and the one that was asked for last: whoever goes through the buckets in their order has few at a time.
//
// Thread-safe. `session` outlives this.
class BucketSessions {
 public:
  explicit BucketSessions(Session& session) : session_(session), flags_(session.flags()) {}

  // Points to a client that lives at least as long as the pointer.
  absl::StatusOr<std::shared_ptr<FileClient>> ClientOf(const std::string& bucket) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  Session& session_;
  const GlobalFlags flags_;

  Mutex mutex_;
  std::map<std::string, std::weak_ptr<Session>> sessions_ ABSL_GUARDED_BY(mutex_);
  std::shared_ptr<Session> last_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace dfs::client::cli

#endif  // DFS_CLIENT_CLI_BUCKET_SESSIONS_H_
