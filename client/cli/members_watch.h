// `members --watch`: changes of members as they are seen.
#ifndef DFS_CLIENT_CLI_MEMBERS_WATCH_H_
#define DFS_CLIENT_CLI_MEMBERS_WATCH_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "client/cli/session.h"
#include "dfs/v1/cluster.pb.h"

namespace dfs::client::cli {

struct MemberEvent {
  v1::NodeStatus node;
  std::string from;  // state, role or departure before; empty: none
  std::string to;
  // Of a change of state: how long before it was seen the node was last heard of, by the node that
  // tells; for one that died, the time from cause to sight. 0: not known.
  std::uint64_t last_heard_ms = 0;
};

// Compares one answer with the one before. Pure; not thread-safe.
class MembersWatch {
 public:
  // The first answer is no event.
  [[nodiscard]] std::vector<MemberEvent> Compare(const v1::MembersResponse& members);

 private:
  std::map<std::uint32_t, v1::NodeStatus> nodes_;
  bool has_begun_ = false;
};

// Prints events until interrupted, or until standard output cannot be written.
int WatchMembers(Session& session);

}  // namespace dfs::client::cli

#endif  // DFS_CLIENT_CLI_MEMBERS_WATCH_H_
