#include "server/metadata/version_table.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "glog/logging.h"
#include "server/metadata/clear_range.h"
#include "server/metadata/row_codec.h"

namespace dfs::metadata {
namespace {

std::uint32_t OkCopies(const rpc::ChunkRow& chunk) {
  return static_cast<std::uint32_t>(
      std::count_if(chunk.replicas().begin(), chunk.replicas().end(),
                    [](const rpc::Replica& r) { return r.state() == api::OK; }));
}

std::uint32_t WantedReplicas(const ApplyContext& context, const rpc::VersionRow& version) {
  const rpc::BucketRow* bucket = context.FindBucket(version.bucket_id());
  CHECK(bucket != nullptr) << "version in a bucket that does not exist";
  return bucket->replicas();
}

// Adds to the number of files with so many copies; keeps the list ordered and without zeros.
void AddCopies(rpc::CountersRow* counters, std::uint32_t replicas, std::uint32_t copies, bool is_up) {
  auto* list = counters->mutable_by_copies();
  int at = 0;
  while (at < list->size() && std::pair((*list)[at].replicas(), (*list)[at].copies()) <
                                  std::pair(replicas, copies)) {
    ++at;
  }
  const bool is_there =
      at < list->size() && (*list)[at].replicas() == replicas && (*list)[at].copies() == copies;
  if (!is_there) {
    CHECK(is_up) << "counters lost files with " << copies << " copies";
    rpc::CopiesCount* added = list->Add();
    added->set_replicas(replicas);
    added->set_copies(copies);
    for (int i = list->size() - 1; i > at; --i) list->SwapElements(i, i - 1);
  }
  rpc::CopiesCount* count = list->Mutable(at);
  count->set_files(is_up ? count->files() + 1 : count->files() - 1);
  if (count->files() == 0) list->DeleteSubrange(at, 1);
}

bool IsIncomplete(const rpc::VersionRow& version, std::uint32_t replicas) {
  return version.chunks_size() > 0 && PoorestCopies(version) < replicas;
}

std::string RowKey(const VersionPlace& place, const rpc::VersionRow& row) {
  if (place.trashed.is_none()) return FileKey(place.bucket, place.name);
  return TrashKey(place.trashed, FromWire(row.txn()));
}

void MarkIncomplete(ApplyContext* context, const rpc::VersionRow& version, bool is_incomplete) {
  const std::string key = IncompleteKey(FromWire(version.txn()));
  if (is_incomplete) {
    context->rows->Put(key, "");
  } else {
    context->rows->Delete(key);
  }
}

}  // namespace

std::optional<rpc::VersionRow> ReadFile(const RowReader& rows, BucketId bucket,
                                        std::string_view name) {
  const std::string key = FileKey(bucket, name);
  const auto value = rows.Get(key);
  if (!value) return std::nullopt;
  return ParseRow<rpc::VersionRow>(key, *value);
}

std::optional<LocatedVersion> ReadVersion(const RowReader& rows, const TxnId& txn) {
  const auto value = rows.Get(TxnKey(txn));
  if (!value) return std::nullopt;
  auto place = DecodePlace(*value);
  LOG_IF(FATAL, !place) << "row of transaction " << txn << " cannot be read: the store is damaged";
  const std::string key = place->trashed.is_none() ? FileKey(place->bucket, place->name)
                                                   : TrashKey(place->trashed, txn);
  const auto row = rows.Get(key);
  LOG_IF(FATAL, !row) << "version of transaction " << txn << " has no row: the store is damaged";
  return LocatedVersion{*std::move(place), ParseRow<rpc::VersionRow>(key, *row)};
}

std::optional<rpc::VersionRow> FindVisible(const ApplyContext& context, BucketId bucket,
                                           std::string_view name) {
  auto version = ReadFile(*context.rows, bucket, name);
  if (version && FirstHiding(context.cache->clears, *version) != nullptr) return std::nullopt;
  return version;
}

std::uint32_t PoorestCopies(const rpc::VersionRow& version) {
  if (version.chunks_size() == 0) return static_cast<std::uint32_t>(version.empty_set_size());
  std::uint32_t poorest = std::numeric_limits<std::uint32_t>::max();
  for (const rpc::ChunkRow& chunk : version.chunks()) poorest = std::min(poorest, OkCopies(chunk));
  return poorest;
}

rpc::VersionRow Summary(const rpc::VersionRow& version) {
  rpc::VersionRow out;
  out.set_number(version.number());
  out.set_commit_index(version.commit_index());
  out.set_time_us(version.time_us());
  out.set_size(version.size());
  out.set_crc32c(version.crc32c());
  *out.mutable_content_hash() = version.content_hash();
  *out.mutable_txn() = version.txn();
  out.set_bucket_id(version.bucket_id());
  out.set_name(version.name());
  return out;
}

void CountIn(ApplyContext* context, const rpc::VersionRow& version) {
  rpc::CountersRow& counters = context->cache->counters;
  counters.set_files(counters.files() + 1);
  counters.set_bytes(counters.bytes() + version.size());
  if (version.chunks_size() > 0) {
    AddCopies(&counters, WantedReplicas(*context, version), PoorestCopies(version), true);
  }
}

void CountOut(ApplyContext* context, const rpc::VersionRow& version) {
  rpc::CountersRow& counters = context->cache->counters;
  counters.set_files(counters.files() - 1);
  counters.set_bytes(counters.bytes() - version.size());
  if (version.chunks_size() > 0) {
    AddCopies(&counters, WantedReplicas(*context, version), PoorestCopies(version), false);
  }
}

void AddCurrent(ApplyContext* context, const rpc::VersionRow& version) {
  const BucketId bucket(version.bucket_id());
  context->rows->Put(FileKey(bucket, version.name()), EncodeRow(version));
  context->rows->Put(TxnKey(FromWire(version.txn())), EncodePlace({{}, bucket, version.name()}));
  if (IsIncomplete(version, WantedReplicas(*context, version))) {
    MarkIncomplete(context, version, true);
  }
  CountIn(context, version);
}

void TrashCurrent(ApplyContext* context, rpc::VersionRow version) {
  const rpc::ClearRow* hiding = FirstHiding(context->cache->clears, version);
  if (IsCounted(hiding, version)) CountOut(context, version);
  const TxnId txn = FromWire(version.txn());
  const LogIndex trashed = hiding == nullptr ? context->index : LogIndex(hiding->index());
  version.set_trashed_index(trashed.value());
  version.set_trashed_time_us(hiding == nullptr ? context->log_time_us() : hiding->time_us());
  context->rows->Delete(FileKey(BucketId(version.bucket_id()), version.name()));
  context->rows->Put(TrashKey(trashed, txn), EncodeRow(version));
  context->rows->Put(TxnKey(txn), EncodePlace({trashed, {}, {}}));
  context->rows->Put(
      TrashedNameKey(BucketId(version.bucket_id()), version.name(), version.number()),
      EncodeTxn(txn));
  rpc::CountersRow& counters = context->cache->counters;
  counters.set_trashed(counters.trashed() + 1);
}

void LeaveTrash(ApplyContext* context, const LocatedVersion& trashed) {
  const rpc::VersionRow& row = trashed.row;
  context->rows->Delete(TrashKey(trashed.place.trashed, FromWire(row.txn())));
  context->rows->Delete(TrashedNameKey(BucketId(row.bucket_id()), row.name(), row.number()));
  rpc::CountersRow& counters = context->cache->counters;
  counters.set_trashed(counters.trashed() - 1);
}

std::optional<LocatedVersion> FindTrashed(const RowReader& rows, BucketId bucket,
                                          std::string_view name,
                                          std::optional<std::uint64_t> number) {
  std::optional<TxnId> found;
  const std::string first = number ? TrashedNameKey(bucket, name, *number) : TrashedNameKey(bucket, name);
  rows.Scan(first, EndOfPrefix(first), [&](std::string_view, std::string_view value) {
    found = TxnAtEnd(value);
    return false;
  });
  if (!found) return std::nullopt;
  return ReadVersion(rows, *found);
}

void Update(ApplyContext* context, const LocatedVersion& before, const rpc::VersionRow& after) {
  context->rows->Put(RowKey(before.place, after), EncodeRow(after));
  const std::uint32_t replicas = WantedReplicas(*context, after);
  const bool is_incomplete = IsIncomplete(after, replicas);
  if (is_incomplete != IsIncomplete(before.row, replicas)) {
    MarkIncomplete(context, after, is_incomplete);
  }
  if (!before.place.trashed.is_none()) return;
  if (!IsCounted(FirstHiding(context->cache->clears, after), after)) return;
  CountOut(context, before.row);
  CountIn(context, after);
}

}  // namespace dfs::metadata
