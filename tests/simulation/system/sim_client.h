// A client as the client library behaves: other nodes when one fails, the same request id for every
// attempt, and Settle before it reports a failure after an attempt of unknown end (rule R15).
#ifndef DFS_TESTS_SIMULATION_SYSTEM_SIM_CLIENT_H_
#define DFS_TESTS_SIMULATION_SYSTEM_SIM_CLIENT_H_

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "common/random.h"
#include "common/wire_ids.h"
#include "dfs/v1/files.pb.h"
#include "tests/simulation/system/sim_history.h"
#include "tests/simulation/system/sim_wire.h"

namespace dfs::simulation {

// Operations by kind, and what became of them.
using ClientCounts = std::map<std::string, std::uint64_t>;

class SimClient {
 public:
  // `next_value` is shared by all clients of a run. `members_least`: so many the cluster has at any
  // time.
  SimClient(int number, int machines, std::uint64_t members_least, FiberScheduler* scheduler,
            SimWire* wire, SimHistory* history, std::uint64_t* next_value, ClientCounts* counts);

  // Each of these makes one change, or tries to. Bucket, names and conditions of `change` are the
  // caller's, the rest is filled in here. True: the entry of the log said done.
  bool Put(DecidedChange change, std::size_t size);
  bool Remove(DecidedChange change);
  bool Undelete(DecidedChange change);
  bool Move(DecidedChange change);
  bool Clear(DecidedChange change);
  // Also with options that must be refused.
  bool MakeBucket(DecidedChange change, const api::BucketOptions& options);
  bool RemoveBucket(DecidedChange change);

  // False if there was no answer.
  bool Get(const std::string& bucket, const std::string& name, api::Consistency consistency,
           std::optional<std::uint64_t> version, int machine);
  bool List(const std::string& bucket, const std::string& prefix, api::Consistency consistency,
            int machine);
  // Of the last read that failed.
  [[nodiscard]] const absl::Status& last_failure() const { return last_failure_; }
  // What became of all changes of unknown outcome: for when all is well again. False: one cannot be
  // settled.
  bool SettleAll();

  int AnyMachine();
  // One that was heard of lately, perhaps replaced meanwhile; nullopt: none was.
  std::optional<std::uint64_t> KnownVersion(const std::string& bucket, const std::string& name,
                                            std::uint64_t back);

 private:
  using Attempt = std::function<absl::StatusOr<rpc::CommandResult>(int machine)>;
  bool OpenSession();
  api::RequestId NextId();
  // Tries a change at one node after the other, settles it if need be, and records what became of
  // it.
  bool Decide(const api::RequestId& id, DecidedChange change, const Attempt& attempt);
  absl::StatusOr<rpc::CommandResult> Settle(const api::RequestId& id);
  bool SubmitTo(const api::RequestId& id, DecidedChange change, const rpc::Command& command);
  void RecordAbsence(const DecidedChange& change);
  void Count(const DecidedChange& change, const char* fate);

  const int number_;
  const int machines_;
  const std::uint64_t members_least_;
  FiberScheduler* const scheduler_;
  SimWire* const wire_;
  SimHistory* const history_;
  std::uint64_t* const next_value_;
  ClientCounts* const counts_;
  Random random_;
  std::string session_;
  std::uint64_t birth_ = 0;
  std::uint64_t sequence_ = 0;
  absl::Status last_failure_;
};

}  // namespace dfs::simulation

#endif  // DFS_TESTS_SIMULATION_SYSTEM_SIM_CLIENT_H_
