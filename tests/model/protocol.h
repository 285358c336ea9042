// The protocol of puts, replicas and garbage as a relation between states: rules R13 to R20.
#ifndef DFS_TESTS_MODEL_PROTOCOL_H_
#define DFS_TESTS_MODEL_PROTOCOL_H_

#include <cstddef>
#include <string>

#include "tests/model/rules.h"
#include "tests/model/state.h"

namespace dfs::model {

// What one exploration is about; and its bounds.
struct Configuration {
  std::string name;
  std::string about;
  std::size_t nodes = 3;
  std::size_t replicas = 3;
  std::size_t write_quorum = 2;
  std::size_t txns = 2;
  std::size_t terms = 1;
  std::size_t coordinators = 1;
  bool is_retry =
      false;  // the second coordinator is asked for the same request, after an unknown outcome
  bool has_late_acks =
      false;  // an acknowledgement is on its way by itself; else it comes with the write
  bool has_crashes = false;  // of coordinators
  bool has_settle = false;
  bool has_repair = false;
  bool has_collection = false;
  bool has_purge = false;
  std::size_t questions_max = kTxnsMax * kNodesMax;  // open at a time
  std::size_t depth_max = 0;  // steps from the initial state that are explored; 0: all
  State initial;
};

// One step in words: $t, $n and $m stand for transaction, node and other node.
struct Label {
  const char* text = "";
  std::size_t txn = 0;
  std::size_t node = 0;
  std::size_t other = 0;
};

// Takes the successors of a state, always in the same order.
class Sink {
 public:
  virtual ~Sink() = default;
  virtual void Take(const State& next, const Label& label) = 0;
};

// Not thread-safe. Deterministic.
class Protocol {
 public:
  Protocol(const Configuration& configuration, Mutant mutant)
      : configuration_(configuration), mutant_(mutant) {}

  [[nodiscard]] const Configuration& configuration() const { return configuration_; }

  void Expand(const State& state, Sink* sink) const;
  // Null if all is well; else what is wrong. Looks at one state.
  [[nodiscard]] const char* Check(const State& state) const;
  // Null if from here, with no further fault or client, everything comes to rest with nothing left
  // behind: no chunk that nobody names, no purge row, and full replica sets wherever a copy is left
  // to make them from.
  [[nodiscard]] const char* CheckRest(State state) const;

 private:
  friend class Draining;
  [[nodiscard]] bool Is(Mutant mutant) const { return mutant_ == mutant; }

  // put_steps.cc
  void BeginPut(const State& state, std::size_t c, Sink* sink) const;
  void DeliverWrites(const State& state, std::size_t t, Sink* sink) const;
  void SendCommit(const State& state, std::size_t c, Sink* sink) const;
  void DeliverCommit(const State& state, std::size_t t, Sink* sink) const;
  void Expire(const State& state, std::size_t t, Sink* sink) const;
  void AnswerFromOldLeader(const State& state, std::size_t t, Sink* sink) const;
  void BeginAgain(const State& state, std::size_t c, Sink* sink) const;
  void EndCoordinator(const State& state, std::size_t c, Sink* sink) const;
  void SettleSteps(const State& state, std::size_t q, Sink* sink) const;
  void Store(State* state, std::size_t t, std::size_t n) const;
  [[nodiscard]] std::size_t RelinkSource(const State& state, std::size_t t, std::size_t n) const;
  [[nodiscard]] std::size_t RequestOf(const State& state, std::size_t t) const;
  [[nodiscard]] std::size_t CurrentAcks(const State& state, std::size_t t) const;
  [[nodiscard]] bool IsPending(const State& state, std::size_t request) const;

  // log_steps.cc
  void CommitHead(const State& state, Sink* sink) const;
  void AppendDelayed(const State& state, Sink* sink) const;
  void NewTerm(const State& state, Sink* sink) const;
  void ClientChanges(const State& state, Sink* sink) const;
  void Apply(State* state, const Entry& entry, bool is_leader_here) const;
  void ApplyCommitPut(State* state, const Entry& entry, bool is_leader_here) const;
  void ApplyChangeReplica(State* state, const Entry& entry, bool is_leader_here) const;
  void ApplyPurge(State* state, const Entry& entry, bool is_leader_here) const;
  void MakeVersion(State* state, std::size_t t, bool is_leader_here) const;
  void Trash(State* state, std::size_t t) const;

  // copy_steps.cc
  void RepairSteps(const State& state, std::size_t t, std::size_t n, Sink* sink) const;
  void Faults(const State& state, Sink* sink) const;
  void OrderCopies(const State& state, std::size_t t, std::size_t n, Sink* sink) const;
  [[nodiscard]] bool CanMake(const State& state, std::size_t t, std::size_t n) const;
  void NodeChanges(const State& state, std::size_t n, Sink* sink) const;
  [[nodiscard]] bool HasRetiredRows(const State& state, std::size_t n) const;
  [[nodiscard]] bool MayLose(const State& state, std::size_t t, std::size_t n) const;
  void MakeCopy(State* state, std::size_t t, std::size_t n) const;
  void EndOrder(State* state, std::size_t t, std::size_t n) const;
  [[nodiscard]] bool MayOrder(const State& state, std::size_t t, std::size_t n,
                              std::size_t replaces) const;

  // garbage_steps.cc
  void Questions(const State& state, std::size_t t, std::size_t n, Sink* sink) const;
  void Act(const State& state, std::size_t t, std::size_t n, Question answer, bool is_late,
           Sink* sink) const;
  void Unlink(State* state, std::size_t t, std::size_t n) const;
  // The last word of a leader that was replaced while questions were with it.
  void AnswerByLeaderThatEnds(const State& before, State* state) const;
  struct Facts {
    bool has_order = false;
    bool is_closed = false;
  };
  [[nodiscard]] Facts FactsOf(const State& state, std::size_t t, std::size_t n) const;
  // kNone: LIVE or PENDING.
  [[nodiscard]] Question Decide(const State& state, std::size_t t, std::size_t n, Facts facts,
                                std::size_t leader_term) const;
  void VoidQuestion(Copy* copy) const;

  [[nodiscard]] bool Append(State* state, const Entry& entry) const;
  [[nodiscard]] bool HasEntry(const State& state, EntryKind kind, std::size_t t,
                              std::size_t n) const;
  [[nodiscard]] std::size_t SetSize(const State& state, std::size_t t) const;
  [[nodiscard]] std::size_t OkCopies(const State& state, std::size_t t) const;
  [[nodiscard]] std::size_t WantedCopies() const;
  [[nodiscard]] bool MayReplace(const State& state, std::size_t t, std::size_t member) const;
  [[nodiscard]] bool IsFull(const State& state, std::size_t t) const;

  const Configuration configuration_;
  const Mutant mutant_;
};

[[nodiscard]] inline bool IsNamed(const Txn& txn) {
  return txn.version == Version::kCurrent || txn.version == Version::kTrashed;
}
[[nodiscard]] inline bool IsMember(Row row) { return row != Row::kNone && row != Row::kRetired; }
[[nodiscard]] inline Small ToSmall(std::size_t value) { return static_cast<Small>(value); }

}  // namespace dfs::model

#endif  // DFS_TESTS_MODEL_PROTOCOL_H_
