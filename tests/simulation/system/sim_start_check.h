// Asks the other members at the start whether this disk is what they know it for (rule R3): the twin of
// server/node/peer_finder over the simulated wire, around the same core.
#ifndef DFS_TESTS_SIMULATION_SYSTEM_SIM_START_CHECK_H_
#define DFS_TESTS_SIMULATION_SYSTEM_SIM_START_CHECK_H_

#include <functional>
#include <map>
#include <set>
#include <string>

#include "common/clock.h"
#include "common/executor.h"
#include "common/ids.h"
#include "server/replicated_log/start_check_core.h"
#include "tests/simulation/system/sim_transports.h"

namespace dfs::simulation {

// Who asks.
struct Asker {
  NodeId node;
  BootEpoch epoch;
  RunId run;
  std::string address;
};

class SimStartCheck {
 public:
  struct Parts {
    Asker self;
    const Dialer* dialer = nullptr;
    const Clock* clock = nullptr;
    std::function<replicated_log::LogPosition()> position;
    // On a fiber of its own executor, one after another.
    std::function<void()> on_released;
    std::function<void(std::string why)> on_rolled_back;
    std::function<void(const std::map<NodeId, consensus::MemberInfo>& members)> on_newer_members;
  };
  explicit SimStartCheck(Parts parts);

  void Start(replicated_log::LogPosition position, consensus::Configuration configuration,
             std::set<std::string> join);
  void Reconfigure(consensus::Configuration configuration);
  void AskedBy(const Asker& asker);
  void LeaderMissing();

 private:
  void Post(replicated_log::StartCheckInput input);
  void Step(replicated_log::StartCheckInput input);
  void Ask(const std::string& address);
  void Arm(MonotonicTime deadline);

  const Parts parts_;
  // The executor's own.
  replicated_log::StartCheckCore core_;
  MonotonicTime armed_for_ = absl::InfiniteFuture();
  bool is_over_ = false;
  ThreadExecutor executor_;
};

}  // namespace dfs::simulation

#endif  // DFS_TESTS_SIMULATION_SYSTEM_SIM_START_CHECK_H_
