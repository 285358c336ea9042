// Whether the MANIFEST of a database still is what it was known to be (rule R22).
//
// A MANIFEST that rot has cut between two whole records, or zeroed from one on, opens as an older one: without tables whose
// write-ahead log is gone, though not without what was written since. No checksum shows it; the mark does.
#ifndef DFS_COMMON_ROCKSDB_MANIFEST_THROUGH_H_
#define DFS_COMMON_ROCKSDB_MANIFEST_THROUGH_H_

#include <memory>
#include <string>

#include <rocksdb/db.h>
#include <rocksdb/env.h>
#include <rocksdb/listener.h>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/rocksdb_durable_mark.h"

namespace dfs {

// `path`: of the database, which is closed. kDataLoss: its MANIFEST is an older one than `through`, or not whole up to there;
// says which. OK also if there is none, or it cannot be read: opening the database says that. Blocks on disk.
[[nodiscard]] absl::Status CheckManifest(rocksdb::Env* env, const std::string& path,
                                         const ManifestPosition& through);

// What is durable of the open database's MANIFEST. Thread-safe. Errors: it does not say; nothing is known then.
[[nodiscard]] absl::StatusOr<ManifestPosition> DurableManifest(rocksdb::DB* db);

// Raises the mark whenever tables have come or gone: after a flush or a compaction, which delete logs and tables, and when a
// snapshot was taken in. `mark` outlives the database.
[[nodiscard]] std::shared_ptr<rocksdb::EventListener> ManifestListener(RocksdbDurableMark* mark);

}  // namespace dfs

#endif  // DFS_COMMON_ROCKSDB_MANIFEST_THROUGH_H_
