// Answers the questions of nodes that want to delete chunks (rules R18, R19).
#ifndef DFS_SERVER_LEADER_VERDICT_DESK_H_
#define DFS_SERVER_LEADER_VERDICT_DESK_H_

#include <memory>
#include <utility>

#include "server/leader/garbage_verdict.h"
#include "server/leader/leader_operations.h"
#include "server/leader/node_directory.h"
#include "server/leader/term_state.h"

namespace dfs::leader {

// Thread-safe, never blocks. Held by shared_ptr: callbacks keep it.
class VerdictDesk : public std::enable_shared_from_this<VerdictDesk> {
 public:
  VerdictDesk(std::shared_ptr<TermState> state, std::shared_ptr<NodeDirectory> directory)
      : state_(std::move(state)), directory_(std::move(directory)) {}

  // After a read-index round, so that a leader that has been replaced gives no verdict.
  // kFailedPrecondition: the node's identity is not current; kUnavailable: ask again.
  void Answer(const rpc::VerdictsRequest& request, leader::Answer<rpc::VerdictsResponse> done);
  // Chunks that a node has unlinked: their rows, purged or released, go.
  void ReportUnlinked(const rpc::ReportUnlinkedRequest& request,
                      leader::Answer<rpc::ReportUnlinkedResponse> done);

 private:
  [[nodiscard]] rpc::VerdictsResponse Decide(const rpc::VerdictsRequest& request);

  const std::shared_ptr<TermState> state_;
  const std::shared_ptr<NodeDirectory> directory_;
};

}  // namespace dfs::leader

#endif  // DFS_SERVER_LEADER_VERDICT_DESK_H_
