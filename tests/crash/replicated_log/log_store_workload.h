// A life of the log store, and what must be left of it after a crash.
#ifndef DFS_TESTS_CRASH_REPLICATED_LOG_LOG_STORE_WORKLOAD_H_
#define DFS_TESTS_CRASH_REPLICATED_LOG_LOG_STORE_WORKLOAD_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/random.h"
#include "server/replicated_log/rocksdb_log_store.h"
#include "tests/support/fault_file_system.h"

namespace dfs::replicated_log {

// What a store holds, as far as its promises go.
struct LogModel {
  consensus::HardState hard_state;
  LogIndex base_index;
  Term base_term;
  std::vector<consensus::Entry> entries;
  std::uint64_t applied = 0;   // the state is that of this many entries …
  std::uint64_t lineage = 0;   // … under this snapshot (0: none was ever installed)
  [[nodiscard]] LogIndex last_index() const {
    return LogIndex(base_index.value() + entries.size());
  }
  [[nodiscard]] Term TermAt(LogIndex index) const {
    return index == base_index ? base_term : entries[index.value() - base_index.value() - 1].term;
  }
};

// Runs random operations from one seed until they are through or the disk stops, and keeps two models: what is
// certainly durable, and what the operation under way would make of it.
class LogStoreWorkload {
 public:
  // `row_bytes`: size of the rows; large ones make RocksDB switch its write-ahead log.
  LogStoreWorkload(testing::FaultFileSystem* disk, std::uint64_t seed, std::size_t row_bytes)
      : disk_(disk), random_(seed), row_bytes_(row_bytes) {}

  // Opens the store. False if the disk stopped meanwhile. Any other error is a failure of the test.
  bool Open();
  // `steps` operations.
  void Run(int steps);
  void Close() { store_.reset(); }
  // After a crash and Open: compares everything with the models, and goes on from what was found.
  void Check();

 private:
  void Step();
  void AppendSome();
  void TruncateAndAppend();
  void Vote();
  void ApplySome();
  void CutSome();
  void InstallSnapshot();
  void Write(const std::optional<consensus::HardState>& hard_state,
             std::vector<consensus::Entry> entries);
  // Carries a snapshot into the store; its rows are the state of `lineage` at `index`.
  std::unique_ptr<PreparedState> Prepare(std::uint64_t lineage, std::uint64_t index,
                                         SnapshotContent* content);
  void CheckState(const LogModel& before, const LogModel& after);
  void Succeed();
  [[nodiscard]] std::vector<std::pair<std::string, std::string>> RowsOf(std::uint64_t lineage,
                                                                        std::uint64_t applied) const;
  [[nodiscard]] std::string ValueOf(std::uint64_t lineage, std::uint64_t applied) const;
  consensus::Entry MakeEntry(LogIndex index, Term term);

  testing::FaultFileSystem* const disk_;
  Random random_;
  const std::size_t row_bytes_;
  std::unique_ptr<RocksdbLogStore> store_;
  bool rows_failed_ = false;

  LogModel durable_;   // certainly there after a crash; `applied` is a lower bound
  LogModel current_;   // what the running store holds
  std::uint64_t next_lineage_ = 1;
  std::optional<StorageUuid> uuid_;
  BootEpoch epoch_;
};

}  // namespace dfs::replicated_log

#endif  // DFS_TESTS_CRASH_REPLICATED_LOG_LOG_STORE_WORKLOAD_H_
