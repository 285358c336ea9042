// What a simulated process keeps: a small key-value machine, snapshots of it, and the disk that
// survives a crash.
#ifndef DFS_TESTS_SIMULATION_CONSENSUS_SIM_DISK_H_
#define DFS_TESTS_SIMULATION_CONSENSUS_SIM_DISK_H_

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>

#include "common/ids.h"
#include "server/consensus/input_output.h"
#include "server/consensus/raft_core.h"

namespace dfs::consensus {

// The replicated state machine: registers, and a hash over all that was ever applied.
struct SimMachine {
  std::map<std::uint64_t, std::uint64_t> values;
  LogIndex applied;
  std::uint64_t hash = 0;

  // The entry's index is applied + 1.
  void Apply(const Entry& entry);
};

// The command that sets a register.
std::shared_ptr<const std::string> EncodeWrite(std::uint64_t key, std::uint64_t value);

struct SimSnapshot {
  LogIndex index;
  Term term;
  Configuration configuration;
  SimMachine machine;
};

// What survives a crash. Each change is one synced write: wholly there, or not at all.
struct SimDisk {
  HardState hard_state;
  SimSnapshot base;
  std::deque<Entry> entries;  // from base.index + 1
  SimMachine machine;         // at base.index or later; never ahead of the entries

  // What a core finds when it starts.
  [[nodiscard]] InitialState Load() const;
  // Whether the entry is here, or a snapshot that covers it.
  [[nodiscard]] bool Holds(LogIndex index, Term term) const;
  // Hard state and entries of an output. Returns what is wrong with the batch, or nothing.
  [[nodiscard]] std::string Write(const Output& batch);
  // The log begins behind `snapshot`, which is of this machine.
  void Cut(const SimSnapshot& snapshot);
  // Takes over another's snapshot, as SnapshotInstalled says.
  void Install(const SimSnapshot& snapshot);

 private:
  void DropThrough(LogIndex index);
};

}  // namespace dfs::consensus

#endif  // DFS_TESTS_SIMULATION_CONSENSUS_SIM_DISK_H_
