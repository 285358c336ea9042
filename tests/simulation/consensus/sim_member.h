// One simulated process: a RaftCore with a disk that forgets what was not synced, a state machine
// (sim_disk.h) and its driver. Does what input_output.h asks of a driver, in an order that chance
// decides where the contract leaves it open.
#ifndef DFS_TESTS_SIMULATION_CONSENSUS_SIM_MEMBER_H_
#define DFS_TESTS_SIMULATION_CONSENSUS_SIM_MEMBER_H_

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "common/ids.h"
#include "server/consensus/input_output.h"
#include "server/consensus/raft_core.h"
#include "tests/simulation/consensus/fault_odds.h"
#include "tests/simulation/consensus/sim_disk.h"
#include "tests/simulation/consensus/sim_network.h"
#include "tests/simulation/consensus/sim_world.h"

namespace dfs::consensus {

enum class Outcome { kDone, kNothingDone, kUnknown };
using WriteDone = std::function<void(Outcome)>;
using ReadDone = std::function<void(Outcome, std::uint64_t value)>;

class SimMember;

// What a member needs of the world around it.
class SimGroup {
 public:
  virtual ~SimGroup() = default;
  // Null if there never was such a member.
  virtual SimMember* Find(NodeId id) = 0;
  virtual void CheckAfterStep(SimMember& member) = 0;
  virtual void CheckApplied(const SimMember& member) = 0;
  // Chance wants the member to die now, in the middle of a write.
  virtual void CrashInWrite(SimMember& member) = 0;
  virtual void CheckAcknowledged(const SimMember& leader, LogIndex index, Term term) = 0;
};

class SimMember {
 public:
  SimMember(SimWorld& world, SimNetwork& network, const FaultOdds& odds, SimGroup& group,
            const Options& options, std::int64_t drift_per_mille, SimDisk disk);

  void Start();
  // Loses memory and unsynced writes; a write under way is lost or not by chance.
  void Crash();
  // Nothing runs until `until`; what arrives waits.
  void Pause(MonotonicTime until);
  [[nodiscard]] bool is_up() const { return core_ != nullptr; }
  [[nodiscard]] bool is_paused() const { return is_paused_; }
  [[nodiscard]] bool is_leader() const { return core_ && core_->role() == Role::kLeader; }
  [[nodiscard]] NodeId id() const { return options_.self; }
  [[nodiscard]] const RaftCore& core() const { return *core_; }
  [[nodiscard]] const SimDisk& disk() const { return disk_; }
  [[nodiscard]] const SimMachine& machine() const { return machine_; }

  // Each of these waits if the process is paused and is lost if it is down.
  void Step(Input input);
  void Write(std::uint64_t key, std::uint64_t value, WriteDone done);
  // Asks the leader that this member knows for a read index, and answers from its own machine.
  void Read(std::uint64_t key, ReadDone done);

 private:
  struct WriteItem {
    enum class Kind { kBatch, kCut, kMachine, kInstall } kind = Kind::kBatch;
    Output batch;
    SimSnapshot snapshot;  // kCut, kInstall; kMachine uses its machine
  };
  struct WaitingWrite {
    Term term;
    WriteDone done;
    bool is_applied = false;
  };
  struct WaitingRead {
    LogIndex index;
    std::uint64_t key = 0;
    ReadDone done;
  };
  struct Install {
    SimSnapshot snapshot;
    NodeId from;
    std::uint64_t attempt = 0;
  };

  void Run(absl::AnyInvocable<void()> what);
  void StepNow(Input input);
  void CarryOutOrGather(Output output);
  void CarryOut(Output output);
  void SendAll(std::vector<Message>& messages);
  // A promise that leaves must be on this disk.
  void CheckPromise(const Message& m);
  void Enqueue(Output output);
  void StartNextWrite();
  void FinishWrite();
  void ApplyToDisk(const WriteItem& item);
  void ApplyCommitted();
  void ApplyEntry(const Entry& entry);
  void AnswerWaiting();
  void MaybeCut();
  void ArmTimer(MonotonicTime local_deadline);
  void TimerFired();
  void SendSnapshot(NodeId to);
  void ReceiveSnapshot(Install install);
  void ReceiveReadIndexRequest(NodeId from, std::uint64_t request);
  void ReceiveReadIndexAnswer(std::uint64_t request, std::optional<LogIndex> index);
  void RecordOutput(const Output& output);
  [[nodiscard]] MonotonicTime LocalNow() const;
  [[nodiscard]] MonotonicTime ToWorld(MonotonicTime local) const;
  // Runs `what` later unless this process has ended by then.
  void AfterInThisBoot(absl::Duration delay, std::function<void()> what);
  void SendTo(NodeId to, std::function<void(SimMember&)> what);

  SimWorld& world_;
  SimNetwork& network_;
  const FaultOdds& odds_;
  SimGroup& group_;
  Options options_;
  const std::int64_t drift_per_mille_;

  SimDisk disk_;
  std::uint64_t boot_ = 0;

  // Memory: gone with a crash.
  std::unique_ptr<RaftCore> core_;
  SimMachine machine_;
  bool is_paused_ = false;
  std::deque<absl::AnyInvocable<void()>> deferred_;
  std::deque<WriteItem> writes_;    // front: under way if is_writing_
  std::optional<Output> gathered_;  // stepped and not carried out yet
  bool is_writing_ = false;
  bool is_finish_waiting_ = false;  // the write under way ended while the process was paused
  std::optional<Install> install_;
  bool is_installing_ = false;
  bool is_cut_queued_ = false;
  MonotonicTime deadline_;  // of the core, in local time
  MonotonicTime armed_for_ = absl::InfiniteFuture();
  std::uint64_t last_token_ = 0;
  std::map<std::uint64_t, WriteDone> proposing_;  // within one step
  std::map<LogIndex, WaitingWrite> waiting_writes_;
  std::map<std::uint64_t, std::pair<NodeId, std::uint64_t>> reading_;  // context: who asked
  std::map<std::uint64_t, WaitingRead> asked_reads_;                   // no index yet
  std::multimap<LogIndex, WaitingRead> waiting_reads_;                 // until applied
  std::map<NodeId, std::uint64_t> snapshot_attempts_;
};

}  // namespace dfs::consensus

#endif  // DFS_TESTS_SIMULATION_CONSENSUS_SIM_MEMBER_H_
