// GossipTable in a RocksDB of its own.
#ifndef DFS_SERVER_GOSSIP_STORE_ROCKSDB_GOSSIP_TABLE_H_
#define DFS_SERVER_GOSSIP_STORE_ROCKSDB_GOSSIP_TABLE_H_

#include <memory>
#include <string>
#include <vector>

#include <rocksdb/db.h>
#include <rocksdb/env.h>
#include <rocksdb/write_batch.h>

#include "common/rocksdb_durable_mark.h"
#include "common/rocksdb_recovery.h"
#include "server/gossip_store/gossip_table.h"

namespace dfs::gossip_store {

// In <folder>/records (rule R22), with a durable-through mark beside it. A database of its own and no family of the chunk
// index, so that neither's damage, rebuilding or syncs are the other's.
//
// What has been damaged, or ends before what was durable, is set aside as <folder>/records.lost-<us> (one is kept), and an
// empty one begins with GossipState::has_begun_anew: the other members hold it all but for what was written here last.
class RocksdbGossipTable final : public GossipTable {
 public:
  // Makes `folder` (of an existing one). `env` null: the default. kFailedPrecondition: another process has it open.
  // kDataLoss: the disk failed.
  static absl::StatusOr<std::unique_ptr<RocksdbGossipTable>> Open(const std::string& folder,
                                                                  rocksdb::Env* env = nullptr);
  ~RocksdbGossipTable() override;

  [[nodiscard]] absl::StatusOr<StoredGossip> Load() override;
  [[nodiscard]] absl::Status Write(const std::vector<Change>& changes,
                                   const std::optional<GossipState>& state) override;
  [[nodiscard]] absl::Status BeginAnew(const BegunAnew& anew) override;

 private:
  RocksdbGossipTable() = default;
  static absl::StatusOr<std::unique_ptr<RocksdbGossipTable>> OpenOnce(const std::string& folder,
                                                                      rocksdb::Env* env,
                                                                      bool is_anew = false);
  absl::Status Commit(rocksdb::WriteBatch* batch);

  absl::Status failure_;
  std::unique_ptr<RocksdbGapFilter> filter_;
  std::unique_ptr<RocksdbDurableMark> mark_;
  RocksdbFamilies families_;
};

}  // namespace dfs::gossip_store

#endif  // DFS_SERVER_GOSSIP_STORE_ROCKSDB_GOSSIP_TABLE_H_
