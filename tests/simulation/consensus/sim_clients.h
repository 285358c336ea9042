// Clients that write and read registers through any member, one operation at a time each, and the
// history of what they saw.
#ifndef DFS_TESTS_SIMULATION_CONSENSUS_SIM_CLIENTS_H_
#define DFS_TESTS_SIMULATION_CONSENSUS_SIM_CLIENTS_H_

#include <cstdint>
#include <functional>
#include <map>
#include <vector>

#include "absl/status/status.h"
#include "tests/simulation/consensus/sim_member.h"
#include "tests/simulation/consensus/sim_world.h"
#include "tests/support/linearizability.h"

namespace dfs::consensus {

class SimClients {
 public:
  struct Load {
    int clients = 5;
    std::uint64_t keys = 3;
    absl::Duration think_max = absl::Milliseconds(80);
    absl::Duration timeout = absl::Milliseconds(1200);
  };
  // `pick_member` gives the member that the next request goes to; null: none, try later.
  SimClients(SimWorld& world, const Load& load, std::function<SimMember*()> pick_member);

  void Start();
  // No new operations from now on.
  void Stop() { is_stopped_ = true; }
  [[nodiscard]] std::int64_t done_count() const { return done_count_; }
  // Judges everything so far; operations that still wait count as unknown. Returns the number of
  // operations checked in `checked`.
  absl::Status CheckHistory(std::int64_t* checked) const;

 private:
  struct Operation {
    RegisterOperation op;
    std::uint64_t key = 0;
    bool is_over = false;
    bool counts = false;  // belongs in the history
  };
  void Next(int client);
  void Finish(int client, std::size_t index, Outcome outcome, std::uint64_t value);

  SimWorld& world_;
  const Load load_;
  const std::function<SimMember*()> pick_member_;
  std::vector<Operation> operations_;
  std::uint64_t last_value_ = 0;
  std::int64_t done_count_ = 0;
  bool is_stopped_ = false;
};

}  // namespace dfs::consensus

#endif  // DFS_TESTS_SIMULATION_CONSENSUS_SIM_CLIENTS_H_
