// The rows of file versions and the counters that follow them: current, kept, trashed, incomplete.
//
// A version has one row: under its name while it is current, under its name and number while it is
// an older one that the bucket keeps, under (entry that trashed it, txn) afterwards; and one row
// that finds it by its txn. A trashed one has another that finds it by its name. It never changes
// but for the states of its replicas, and for its number, its times and its name when it is taken
// back from the trash or moved.
//
// Older versions are kept under a name that has a current one, and only then; what hides the
// current one hides them.
#ifndef DFS_SERVER_METADATA_VERSION_TABLE_H_
#define DFS_SERVER_METADATA_VERSION_TABLE_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

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
// The same, or nullopt if a pending clear hides it.
std::optional<rpc::VersionRow> IfVisible(const ApplyContext& context,
                                         std::optional<rpc::VersionRow> under_name);
// The version that readers find under this name.
std::optional<rpc::VersionRow> FindVisible(const ApplyContext& context, BucketId bucket,
                                           std::string_view name);

// Ok copies of the chunk that has fewest; of a file of 0 bytes: nodes in its set.
std::uint32_t PoorestCopies(const rpc::VersionRow& version);
// Without chunks and sets: for results.
rpc::VersionRow Summary(const rpc::VersionRow& version);

// Takes a current or kept version out of the counters of what readers find.
void CountOut(ApplyContext* context, const rpc::VersionRow& version);

// Makes it the current version of its name, above `version.old_versions()` kept ones. The caller
// made way. 3 rows.
void AddCurrent(ApplyContext* context, const rpc::VersionRow& version);
// Makes way for a new current version of a name. `under_name`: what ReadFile finds there. It becomes the newest of the older
// ones, of which the bucket keeps its number; those beyond it go to the trash, and all of them if a clear hides them. Returns
// how many older ones there are now. 6 rows, or 4 for each that is hidden.
std::uint32_t MakeWay(ApplyContext* context, const rpc::BucketRow& bucket,
                      std::optional<rpc::VersionRow> under_name);
// The version that MakeWay would send to the trash. `visible`: what FindVisible finds under the name; nullopt: none.
std::optional<rpc::VersionRow> FindToBeTrashed(const ApplyContext& context,
                                               const rpc::BucketRow& bucket,
                                               const std::optional<rpc::VersionRow>& visible);
// Why the bucket's quota forbids a new current version of `bytes` over `visible`; empty: it does not. What makes nothing worse
// is never forbidden.
[[nodiscard]] std::string WhatIsExceeded(const ApplyContext& context, const rpc::BucketRow& bucket,
                                         std::uint64_t bytes,
                                         const std::optional<rpc::VersionRow>& visible);
// The current version and the older ones of its name -> trashed, by this entry or by the clear that
// hid them. 4 rows each.
void TrashFile(ApplyContext* context, const rpc::VersionRow& current);
// One older version -> trashed. 5 rows.
void TrashOld(ApplyContext* context, const rpc::VersionRow& old);
// Takes the current version's row away from its name, for AddCurrent under another one. The older
// ones go to the trash. 4 rows for each of these and 1.
void Detach(ApplyContext* context, const rpc::VersionRow& current);
// The older version of this number that is kept, hidden by a pending clear or not.
std::optional<rpc::VersionRow> ReadOld(const RowReader& rows, BucketId bucket,
                                       std::string_view name, std::uint64_t number);
// All that are kept, newest first.
std::vector<rpc::VersionRow> ReadOlds(const RowReader& rows, BucketId bucket,
                                      std::string_view name);
// Takes the rows away that a version has while it is trashed, and only then. 2 rows.
void LeaveTrash(ApplyContext* context, const LocatedVersion& trashed);
// The newest trashed version of the name, or the one with this number. One that a pending clear
// hides is not looked at.
std::optional<LocatedVersion> FindTrashed(const RowReader& rows, BucketId bucket,
                                          std::string_view name,
                                          std::optional<std::uint64_t> number);
// Writes it back after replicas changed. 2 rows. `before`: as it was.
void Update(ApplyContext* context, const LocatedVersion& before, const rpc::VersionRow& after);

}  // namespace dfs::metadata

#endif  // DFS_SERVER_METADATA_VERSION_TABLE_H_
