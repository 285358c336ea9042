// A client as the client library behaves: other nodes when one fails, the same request id for every attempt, and Settle
// before it reports a failure after an attempt of unknown end (rule R15).
#ifndef DFS_TESTS_SIMULATION_SYSTEM_SIM_CLIENT_H_
#define DFS_TESTS_SIMULATION_SYSTEM_SIM_CLIENT_H_

#include <cstdint>
#include <functional>
#include <string>

#include "absl/status/statusor.h"
#include "common/random.h"
#include "common/wire_ids.h"
#include "dfs/v1/files.pb.h"
#include "tests/simulation/system/sim_history.h"
#include "tests/simulation/system/sim_wire.h"

namespace dfs::simulation {

struct ClientCounts {
  std::uint64_t puts_done = 0;
  std::uint64_t puts_failed = 0;   // for good
  std::uint64_t puts_unknown = 0;
  std::uint64_t gets_done = 0;
  std::uint64_t gets_failed = 0;
  std::uint64_t removes_done = 0;
  std::uint64_t undeletes_done = 0;
  std::uint64_t moves_done = 0;
};

class SimClient {
 public:
  // `next_value` is shared by all clients of a run.
  SimClient(int number, int machines, FiberScheduler* scheduler, SimWire* wire, SimHistory* history,
            std::uint64_t* next_value, ClientCounts* counts);

  void Put(const std::string& name, std::size_t size);
  void Remove(const std::string& name);
  // Brings the newest back, or one that was heard of; over what is there, or only if nothing is.
  void Undelete(const std::string& name);
  // To a name that nobody uses, and in half of the cases back again, over what may be there by then.
  void Move(const std::string& name);
  // False if there was no answer.
  bool Get(const std::string& name, int machine);
  // Of the last Get that failed.
  [[nodiscard]] const absl::Status& last_failure() const { return last_failure_; }
  int AnyMachine();

 private:
  // True if it was done. `is_back`: what is moved was put under the target's name.
  bool MoveOnce(const std::string& source, const std::string& target, bool is_back);
  enum class Fate { kDone, kNothing, kUnknown };
  bool OpenSession();
  api::RequestId NextId();
  // Tries a change at one node after the other, and settles it with so many tries.
  absl::StatusOr<rpc::CommandResult> Decide(
      const api::RequestId& id, int settles_max, Fate* fate,
      const std::function<absl::StatusOr<rpc::CommandResult>(int machine)>& attempt);

  const int number_;
  const int machines_;
  FiberScheduler* const scheduler_;
  SimWire* const wire_;
  SimHistory* const history_;
  std::uint64_t* const next_value_;
  ClientCounts* const counts_;
  Random random_;
  std::string session_;
  std::uint64_t birth_ = 0;
  std::uint64_t sequence_ = 0;
  std::uint64_t moves_ = 0;
  absl::Status last_failure_;
};

}  // namespace dfs::simulation

#endif  // DFS_TESTS_SIMULATION_SYSTEM_SIM_CLIENT_H_
