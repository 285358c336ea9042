// A state machine over rows in memory, and short words for the commands that tests give it.
#ifndef DFS_TESTS_UNIT_METADATA_WORLD_H_
#define DFS_TESTS_UNIT_METADATA_WORLD_H_

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/ids.h"
#include "common/wire_ids.h"
#include "server/metadata/metadata_machine.h"
#include "tests/support/memory_key_value_store.h"

namespace dfs::metadata {

inline constexpr BucketId kBucket{1};

using Code = rpc::CommandResult;

struct PutOptions {
  std::vector<std::uint32_t> acks = {1, 2};
  std::vector<std::uint32_t> set = {1, 2, 3};
  int chunks = 1;
  std::uint64_t chunk_size = 10;
  std::optional<std::uint64_t> if_version;
  bool if_absent = false;
  std::string writer;
  std::uint32_t window_s = 0;
  bool ignores_conflict = false;
};

struct MoveOptions {
  std::optional<std::uint64_t> if_version;
  bool if_absent = false;
  std::string writer;
};

class World {
 public:
  // With so many ACTIVE nodes; 0: no cluster.
  explicit World(std::uint32_t nodes = 3);

  // Applies the command as the next entry, of term `term`.
  rpc::CommandResult Apply(const rpc::Command& command);
  rpc::CommandResult ApplyBytes(std::string_view command);
  void Restart() { machine = std::make_unique<MetadataMachine>(&store); }
  // An ACTIVE node more; its id.
  std::uint32_t AddActiveNode();

  // The next request of session `session`.
  api::RequestId NextRequest(std::uint64_t session = 1);
  static api::RequestId Request(std::uint64_t session, std::uint64_t sequence,
                                std::uint64_t acked_below = 0, std::uint64_t birth = 0);
  static SessionId Session(std::uint64_t session) { return {0x5e55, session}; }

  TxnId NextTxn() { return {term, ++last_sequence}; }
  rpc::Ack Ack(std::uint32_t node) const;
  rpc::CommitPut PutCommand(std::string_view name, const PutOptions& options = {});
  rpc::CommandResult Put(std::string_view name, const PutOptions& options = {});
  rpc::CommandResult Put(const rpc::CommitPut& put);
  rpc::CommandResult Remove(std::string_view name, std::optional<std::uint64_t> if_version = {});
  // Of one older version.
  rpc::CommandResult RemoveOld(std::string_view name, std::uint64_t number);
  rpc::CommandResult Move(std::string_view source, std::string_view target,
                          const MoveOptions& options = {});
  rpc::CommandResult MakeBucket(std::string_view name, const api::BucketOptions& options = {});
  rpc::CommandResult RemoveBucket(BucketId id);
  struct UndeleteOptions {
    std::optional<std::uint64_t> version;
    bool replaces = false;
  };
  rpc::CommandResult Undelete(std::string_view name, const UndeleteOptions& options);
  rpc::CommandResult Undelete(std::string_view name) { return Undelete(name, {}); }
  rpc::CommandResult Settle(const api::RequestId& request);
  rpc::CommandResult Clear(std::string_view prefix);
  rpc::CommandResult ClearStep(std::uint32_t rows);
  rpc::CommandResult Purge(const TxnId& txn, std::uint64_t trashed_index);
  rpc::CommandResult Expire(std::uint64_t frontier, std::uint64_t unused_since);
  rpc::ReplicaChange Change(const rpc::VersionRow& version, int chunk, std::uint32_t node,
                            api::ReplicaState state, std::uint32_t replaces = 0) const;
  rpc::CommandResult Change(const rpc::ReplicaChange& change);

  std::optional<rpc::VersionRow> Find(std::string_view name) const {
    return machine->View()->FindFile(bucket, name);
  }
  // Numbers of the older versions that are kept, newest first.
  std::vector<std::uint64_t> Olds(std::string_view name) const;
  std::vector<std::string> Names(std::string_view prefix = "", std::string_view after = "") const;

  MemoryKeyValueStore store;
  std::unique_ptr<MetadataMachine> machine;
  BucketId bucket = kBucket;  // of all of the above
  Term term{1};
  std::uint64_t time_us = 1'000;
  std::uint64_t last_sequence = 0;  // of transactions
  std::vector<std::string> log;     // every command that was applied
  std::vector<Term> log_terms;

 private:
  std::vector<std::uint64_t> next_request_ = std::vector<std::uint64_t>(100, 1);
};

rpc::NodeRow NodeOf(std::uint32_t id, std::uint64_t epoch = 1);
// "1:OK 2:OK 3:MISSING"
std::string ReplicasOf(const rpc::ChunkRow& chunk);
// What must hold of any state, recounted from its rows (invariants 1, 4, 7, 10 and 11 of the system, and the
// counters). Empty: all well.
std::vector<std::string> FindViolations(const MetadataMachine& machine, const MemoryKeyValueStore& store);

}  // namespace dfs::metadata

#endif  // DFS_TESTS_UNIT_METADATA_WORLD_H_
