// The rows of file versions and the counters that follow them: current, trashed, incomplete.
//
// A version has one row, under its name while it is current and under (entry that trashed it, txn) afterwards, and
// one row that finds it by its txn; a trashed one has another that finds it by its name. It never changes but for the
// states of its replicas, and for its number and its times when it is taken back from the trash.
#ifndef DFS_SERVER_METADATA_VERSION_TABLE_H_
#define DFS_SERVER_METADATA_VERSION_TABLE_H_

#include <cstdint>
#include <optional>
#include <string_view>

#include "common/ids.h"
#include "common/wire_ids.h"
#include "server/metadata/key_value_store.h"
#include "server/metadata/machine_cache.h"

namespace dfs::metadata {

struct LocatedVersion {
  VersionPlace place;
  rpc::VersionRow row;
};

// The row under this name, hidden by a pending clear or not.
std::optional<rpc::VersionRow> ReadFile(const RowReader& rows, BucketId bucket,
                                        std::string_view name);
// Current or trashed.
std::optional<LocatedVersion> ReadVersion(const RowReader& rows, const TxnId& txn);
// The version that readers find under this name.
std::optional<rpc::VersionRow> FindVisible(const ApplyContext& context, BucketId bucket,
                                           std::string_view name);

// Ok copies of the chunk that has fewest; of a file of 0 bytes: nodes in its set.
std::uint32_t PoorestCopies(const rpc::VersionRow& version);
// Without chunks and sets: for results.
rpc::VersionRow Summary(const rpc::VersionRow& version);

// Takes it into, or out of, the counters of current versions.
void CountIn(ApplyContext* context, const rpc::VersionRow& version);
void CountOut(ApplyContext* context, const rpc::VersionRow& version);

// Makes it the current version of its name. The caller trashed the one before. 3 rows.
void AddCurrent(ApplyContext* context, const rpc::VersionRow& version);
// Current -> trashed, by this entry or by the clear that hid it. 4 rows.
void TrashCurrent(ApplyContext* context, rpc::VersionRow version);
// Takes the rows away that a version has while it is trashed, and only then. 2 rows.
void LeaveTrash(ApplyContext* context, const LocatedVersion& trashed);
// The newest trashed version of the name, or the one with this number. One that a pending clear hides is not looked at.
std::optional<LocatedVersion> FindTrashed(const RowReader& rows, BucketId bucket,
                                          std::string_view name,
                                          std::optional<std::uint64_t> number);
// Writes it back after replicas changed. 2 rows. `before`: as it was.
void Update(ApplyContext* context, const LocatedVersion& before, const rpc::VersionRow& after);

}  // namespace dfs::metadata

#endif  // DFS_SERVER_METADATA_VERSION_TABLE_H_
