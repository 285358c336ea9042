#include "server/metadata/bucket_table.h"

#include <algorithm>
#include <string>

#include "server/metadata/row_codec.h"

namespace dfs::metadata {

void AddBucket(ApplyContext* context, const rpc::BucketRow& bucket) {
  const BucketId id(bucket.id());
  context->rows->Put(BucketKey(id), EncodeRow(bucket));
  std::string id_bytes;
  AppendBigEndian64(&id_bytes, id.value());
  context->rows->Put(BucketNameKey(bucket.name()), id_bytes);
  context->cache->buckets[id] = bucket;
  context->cache->counts[id] = {};
  context->cache->changed_counts.insert(id);
  // Before there is another bucket: a "default" without a row of its own is counted from what is counted of all.
  context->cache->changed_counts.insert(kDefaultBucket);
  context->cache->counters.set_next_bucket_id(id.value() + 1);
}

void CloseBucket(ApplyContext* context, std::uint64_t id) {
  rpc::BucketRow& bucket = context->cache->buckets.at(BucketId(id));
  bucket.set_removed_index(context->index.value());
  context->rows->Put(BucketKey(BucketId(id)), EncodeRow(bucket));
  context->rows->Delete(BucketNameKey(bucket.name()));
  MaybeDropBucket(context, id);
}

void MaybeDropBucket(ApplyContext* context, std::uint64_t id) {
  MachineCache& cache = *context->cache;
  const rpc::BucketRow* bucket = context->FindBucket(id);
  if (bucket == nullptr || bucket->removed_index() == 0) return;
  if (cache.counts.at(BucketId(id)).trashed() > 0) return;
  const bool is_clearing =
      std::any_of(cache.clears.begin(), cache.clears.end(),
                  [&](const rpc::ClearRow& clear) { return clear.bucket_id() == id; });
  if (is_clearing) return;
  context->rows->Delete(BucketKey(BucketId(id)));
  cache.buckets.erase(BucketId(id));
  cache.counts.erase(BucketId(id));
  cache.changed_counts.insert(BucketId(id));
}

void WriteChangedCounts(ApplyContext* context) {
  for (const BucketId id : context->cache->changed_counts) {
    const auto counts = context->cache->counts.find(id);
    if (counts == context->cache->counts.end()) {
      context->rows->Delete(BucketCountsKey(id));
    } else {
      context->rows->Put(BucketCountsKey(id), EncodeRow(counts->second));
    }
  }
  context->cache->changed_counts.clear();
}

}  // namespace dfs::metadata
