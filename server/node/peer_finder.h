// Finds the other members: asks those of the configuration and those of --join, again and again
// until they answer (rules R2, R3). Drives StartCheckCore.
#ifndef DFS_SERVER_NODE_PEER_FINDER_H_
#define DFS_SERVER_NODE_PEER_FINDER_H_

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "common/clock.h"
#include "common/executor.h"
#include "common/grpc_credentials.h"
#include "common/ids.h"
#include "common/peer_registry.h"
#include "server/leader/grpc_leader_peer.h"
#include "server/replicated_log/start_check_core.h"

namespace dfs::node {

// Thread-safe. All callbacks come on its own thread, one after another.
class PeerFinder {
 public:
  struct Parts {
    replicated_log::StartCheckOptions options;
    const Clock* clock = nullptr;
    PeerRegistry* registry = nullptr;  // outlives this
    Dialer dialer;
    // How far the own stores reach now.
    std::function<replicated_log::LogPosition()> position;
    std::function<void()> on_released;
    std::function<void(std::string why)> on_rolled_back;
    // The members of `configuration` with the addresses where they are; `elsewhere` are those that
    // are not where the configuration says, and members that it does not hold yet.
    std::function<void(const consensus::Configuration& configuration,
                       const std::map<NodeId, std::string>& elsewhere)>
        on_members;
  };
  explicit PeerFinder(Parts parts);
  ~PeerFinder();  // Stop()

  void Start(replicated_log::LogPosition position, consensus::Configuration configuration,
             std::set<std::string> join);
  // Ends what it asks; no callback comes afterwards. Idempotent.
  void Stop();

  void Reconfigure(consensus::Configuration configuration);
  // Another member asked this node.
  void AskedBy(const rpc::PeerHello& asker);
  // That member refused this node's Hello: asks it why.
  void RefusedBy(NodeId node);
  // No leader has been heard of for a while.
  void LeaderMissing();

 private:
  void Post(replicated_log::StartCheckInput input);
  void Step(replicated_log::StartCheckInput input);
  void Ask(const std::string& address);
  void OnAnswer(const std::string& address, const grpc::Status& status,
                const rpc::GreetResponse& response);
  void Arm(MonotonicTime deadline);
  void TellMembers();

  const Parts parts_;
  const std::shared_ptr<leader::OpenCalls> calls_;

  // The executor's own.
  replicated_log::StartCheckCore core_;
  consensus::Configuration configuration_;
  std::map<NodeId, std::string> moved_;
  std::map<NodeId, consensus::MemberInfo> newer_;
  std::map<std::string, std::string> complaints_;  // by address: what was last logged
  MonotonicTime armed_for_ = absl::InfiniteFuture();
  bool is_over_ = false;

  ThreadExecutor executor_;
};

}  // namespace dfs::node

#endif  // DFS_SERVER_NODE_PEER_FINDER_H_
