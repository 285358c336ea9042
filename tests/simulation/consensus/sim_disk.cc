#include "tests/simulation/consensus/sim_disk.h"

#include <cstring>
#include <utility>

namespace dfs::consensus {
namespace {

constexpr std::uint64_t kHashPrime = 0x100000001B3ULL;
constexpr std::size_t kCommandBytes = 16;

}  // namespace

std::shared_ptr<const std::string> EncodeWrite(std::uint64_t key, std::uint64_t value) {
  std::string bytes(kCommandBytes, '\0');
  std::memcpy(bytes.data(), &key, 8);
  std::memcpy(bytes.data() + 8, &value, 8);
  return std::make_shared<const std::string>(std::move(bytes));
}

void SimMachine::Apply(const Entry& entry) {
  applied = entry.index;
  std::uint64_t next = hash * kHashPrime ^ entry.term.value();
  if (entry.command && entry.command->size() == kCommandBytes) {
    std::uint64_t key = 0;
    std::uint64_t value = 0;
    std::memcpy(&key, entry.command->data(), 8);
    std::memcpy(&value, entry.command->data() + 8, 8);
    values[key] = value;
    next = next * kHashPrime ^ value;
  }
  hash = next;
}

InitialState SimDisk::Load() const {
  InitialState initial;
  initial.hard_state = hard_state;
  initial.base_index = base.index;
  initial.base_term = base.term;
  initial.base_configuration = base.configuration;
  initial.entries.assign(entries.begin(), entries.end());
  initial.applied_index = machine.applied;
  return initial;
}

bool SimDisk::Holds(LogIndex index, Term term) const {
  if (index <= base.index) return true;
  const std::uint64_t at = index.value() - base.index.value() - 1;
  return at < entries.size() && entries[at].term == term;
}

std::string SimDisk::Write(const Output& batch) {
  if (batch.hard_state) {
    if (batch.hard_state->term < hard_state.term) return "hard state goes back on disk";
    hard_state = *batch.hard_state;
  }
  for (const Entry& entry : batch.entries) {
    if (entry.index <= base.index) continue;
    while (!entries.empty() && entries.back().index >= entry.index) entries.pop_back();
    if (entry.index.value() != base.index.value() + entries.size() + 1) {
      return "entries for the disk leave a gap";
    }
    entries.push_back(entry);
  }
  return "";
}

void SimDisk::DropThrough(LogIndex index) {
  while (!entries.empty() && entries.front().index <= index) entries.pop_front();
}

void SimDisk::Cut(const SimSnapshot& snapshot) {
  DropThrough(snapshot.index);
  base = snapshot;
  machine = snapshot.machine;
}

void SimDisk::Install(const SimSnapshot& snapshot) {
  const bool is_held = snapshot.index > base.index && Holds(snapshot.index, snapshot.term);
  if (is_held) {
    DropThrough(snapshot.index);
  } else {
    entries.clear();
  }
  base = snapshot;
  machine = snapshot.machine;
}

}  // namespace dfs::consensus
