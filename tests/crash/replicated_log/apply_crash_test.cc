// The state machine over the real store: after any crash its rows are exactly those of its applied index
// (row 15 in tests/README.md), proved by putting the mistake back.
#include <gtest/gtest.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "common/mutant.h"
#include "server/metadata/metadata_machine.h"
#include "server/replicated_log/rocksdb_log_store.h"
#include "server/replicated_log/rocksdb_snapshot.h"
#include "tests/support/fault_file_system.h"
#include "tests/support/memory_log_store.h"

namespace dfs::replicated_log {
namespace {

using testing::FaultFileSystem;

constexpr std::uint64_t kEntries = 40;
constexpr int kAppliedApartMutant = 115;

std::string CommandAt(std::uint64_t index) {
  rpc::Command command;
  command.set_time_us(index);
  rpc::NodeRow* node = nullptr;
  if (index == 1) {
    *command.mutable_form_cluster()->mutable_cluster_id() = ToWire(ClusterId{5, 5});
    node = command.mutable_form_cluster()->mutable_node();
    node->set_node_id(1);
  } else {
    node = command.mutable_add_node()->mutable_node();
  }
  *node->mutable_storage_uuid() = ToWire(StorageUuid{7, index});
  node->set_peer_address("host:" + std::to_string(index));
  return command.SerializeAsString();
}

// What the rows are at each index.
std::map<std::uint64_t, SnapshotContent> References() {
  std::map<std::uint64_t, SnapshotContent> out;
  testing::MemoryRows rows;
  metadata::MetadataMachine machine(&rows);
  out[0] = ContentOf(rows);
  for (std::uint64_t i = 1; i <= kEntries; ++i) {
    machine.Apply(LogIndex(i), Term(1), CommandAt(i));
    out[i] = ContentOf(rows);
  }
  return out;
}

// Runs until `stop_at`; counts the crashes after which rows and applied index disagree.
int Disagreements(std::uint64_t stop_at, FaultFileSystem::Loss loss, bool* is_through) {
  static const auto references = References();
  FaultFileSystem disk;
  disk.StopAt(stop_at);
  bool has_failed = false;
  const auto open = [&] {
    return RocksdbLogStore::Open(
        {"/data", disk.env(), [&has_failed](const absl::Status&) { has_failed = true; }});
  };
  if (auto store = open(); store.ok()) {
    metadata::MetadataMachine machine((*store)->state());
    for (std::uint64_t i = 1; i <= kEntries && !has_failed; ++i) {
      machine.Apply(LogIndex(i), Term(1), CommandAt(i));
      if (i % 10 == 0) (void)(*store)->SyncState();
    }
  }
  *is_through = !disk.is_stopped();
  disk.Crash(loss, stop_at);
  has_failed = false;
  auto store = open();
  EXPECT_TRUE(store.ok()) << store.status();
  if (!store.ok()) return 0;
  metadata::MetadataMachine machine((*store)->state());
  const auto found = references.find(machine.applied_index().value());
  return found == references.end() || ContentOf(*(*store)->state()) != found->second ? 1 : 0;
}

int DisagreementsOverAllStops() {
  int count = 0;
  bool is_through = false;
  for (std::uint64_t stop = 1; !is_through; ++stop) {
    for (const auto loss : {FaultFileSystem::Loss::kTear, FaultFileSystem::Loss::kNone}) {
      count += Disagreements(stop, loss, &is_through);
    }
  }
  return count;
}

TEST(ApplyCrash, RowsAndAppliedIndexAgree) { EXPECT_EQ(DisagreementsOverAllStops(), 0); }

TEST(ApplyCrash, AnAppliedIndexWrittenApartIsCaught) {
  SetActiveMutant(kAppliedApartMutant);
  const int count = DisagreementsOverAllStops();
  SetActiveMutant(0);
  EXPECT_GT(count, 0);
}

}  // namespace
}  // namespace dfs::replicated_log
