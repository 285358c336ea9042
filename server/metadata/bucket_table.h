// The rows of buckets, and of what each holds.
#ifndef DFS_SERVER_METADATA_BUCKET_TABLE_H_
#define DFS_SERVER_METADATA_BUCKET_TABLE_H_

#include <cstdint>

#include "common/wire_ids.h"
#include "server/metadata/machine_cache.h"

namespace dfs::metadata {

// Adds a bucket under a name that no other has; its id is the next one. 2 rows.
void AddBucket(ApplyContext* context, const rpc::BucketRow& bucket);
// From now on nothing is found in it. Its row stays as long as something is in its trash. 2 rows.
void CloseBucket(ApplyContext* context, std::uint64_t id);
// Takes a removed bucket's rows away once its trash is empty and no clear of it is under way. 2
// rows.
void MaybeDropBucket(ApplyContext* context, std::uint64_t id);
// The last thing of an entry: a row for each bucket whose counts it changed.
void WriteChangedCounts(ApplyContext* context);

}  // namespace dfs::metadata

#endif  // DFS_SERVER_METADATA_BUCKET_TABLE_H_
