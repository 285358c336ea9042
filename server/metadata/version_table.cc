#include "server/metadata/version_table.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/mutant.h"
#include "glog/logging.h"
#include "server/metadata/bucket_rule.h"
#include "server/metadata/bucket_table.h"
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
void AddCopies(rpc::CountersRow* counters, std::uint32_t replicas, std::uint32_t copies,
               bool is_up) {
  auto* list = counters->mutable_by_copies();
  int at = 0;
  while (at < list->size() &&
         std::pair((*list)[at].replicas(), (*list)[at].copies()) < std::pair(replicas, copies)) {
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

std::string RowKey(const VersionPlace& place, const TxnId& txn) {
  if (!place.trashed.is_none()) return TrashKey(place.trashed, txn);
  return place.old_number == 0 ? FileKey(place.bucket, place.name)
                               : OldVersionKey(place.bucket, place.name, place.old_number);
}

void MarkIncomplete(ApplyContext* context, const rpc::VersionRow& version, bool is_incomplete) {
  const std::string key = IncompleteKey(FromWire(version.txn()));
  if (is_incomplete) {
    context->rows->Put(key, "");
  } else {
    context->rows->Delete(key);
  }
}

// Into, or out of, the numbers and bytes of files and older versions.
void CountHeld(ApplyContext* context, const rpc::VersionRow& version, bool is_in) {
  const auto change = [is_in](std::uint64_t number, std::uint64_t by) {
    return is_in ? number + by : number - by;
  };
  rpc::BucketCountsRow& counts = context->CountsOf(version.bucket_id());
  if (version.is_old()) {
    counts.set_old_versions(change(counts.old_versions(), 1));
    counts.set_old_bytes(change(counts.old_bytes(), version.size()));
    return;
  }
  counts.set_files(change(counts.files(), 1));
  counts.set_bytes(change(counts.bytes(), version.size()));
  rpc::CountersRow& counters = context->cache->counters;
  counters.set_files(change(counters.files(), 1));
  counters.set_bytes(change(counters.bytes(), version.size()));
}

// Into, or out of, the numbers of versions by their copies.
void CountCopies(ApplyContext* context, const rpc::VersionRow& version, bool is_in) {
  if (version.chunks_size() == 0) return;
  AddCopies(&context->cache->counters, WantedReplicas(*context, version), PoorestCopies(version),
            is_in);
}

// Current or kept -> trashed, by this entry or by the clear that hid it. 4 rows.
void Trash(ApplyContext* context, rpc::VersionRow version) {
  const BucketId bucket(version.bucket_id());
  const rpc::ClearRow* hiding = FirstHiding(context->cache->clears, version);
  if (IsCounted(hiding, version)) CountOut(context, version);
  const TxnId txn = FromWire(version.txn());
  const LogIndex trashed = hiding == nullptr ? context->index : LogIndex(hiding->index());
  context->rows->Delete(version.is_old() ? OldVersionKey(bucket, version.name(), version.number())
                                         : FileKey(bucket, version.name()));
  version.set_trashed_index(trashed.value());
  version.set_trashed_time_us(hiding == nullptr ? context->log_time_us() : hiding->time_us());
  version.clear_old_versions();
  version.clear_is_old();
  context->rows->Put(TrashKey(trashed, txn), EncodeRow(version));
  context->rows->Put(TxnKey(txn), EncodePlace({trashed, {}, {}}));
  context->rows->Put(TrashedNameKey(bucket, version.name(), version.number()), EncodeTxn(txn));
  rpc::CountersRow& counters = context->cache->counters;
  counters.set_trashed(counters.trashed() + 1);
  rpc::BucketCountsRow& counts = context->CountsOf(version.bucket_id());
  counts.set_trashed(counts.trashed() + 1);
}

void TrashOlds(ApplyContext* context, const rpc::VersionRow& current) {
  if (current.old_versions() == 0) return;
  if (DFS_MUTANT(1032, "older versions stay behind when their name goes")) return;
  for (rpc::VersionRow& old :
       ReadOlds(*context->rows, BucketId(current.bucket_id()), current.name())) {
    Trash(context, std::move(old));
  }
}

// Current -> the newest of the older ones. 2 rows, and that of the name, which the caller writes.
void Keep(ApplyContext* context, rpc::VersionRow version) {
  CountHeld(context, version, false);
  version.clear_old_versions();
  version.set_is_old(true);
  CountHeld(context, version, true);
  const BucketId bucket(version.bucket_id());
  context->rows->Put(OldVersionKey(bucket, version.name(), version.number()), EncodeRow(version));
  context->rows->Put(TxnKey(FromWire(version.txn())),
                     EncodePlace({{}, bucket, version.name(), version.number()}));
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
  const std::string key = RowKey(*place, txn);
  const auto row = rows.Get(key);
  LOG_IF(FATAL, !row) << "version of transaction " << txn << " has no row: the store is damaged";
  return LocatedVersion{*std::move(place), ParseRow<rpc::VersionRow>(key, *row)};
}

std::optional<rpc::VersionRow> IfVisible(const ApplyContext& context,
                                         std::optional<rpc::VersionRow> under_name) {
  if (under_name && FirstHiding(context.cache->clears, *under_name) != nullptr) return std::nullopt;
  return under_name;
}

std::optional<rpc::VersionRow> FindVisible(const ApplyContext& context, BucketId bucket,
                                           std::string_view name) {
  return IfVisible(context, ReadFile(*context.rows, bucket, name));
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
  out.set_writer(version.writer());
  return out;
}

void CountOut(ApplyContext* context, const rpc::VersionRow& version) {
  CountHeld(context, version, false);
  CountCopies(context, version, false);
}

void AddCurrent(ApplyContext* context, const rpc::VersionRow& version) {
  const BucketId bucket(version.bucket_id());
  context->rows->Put(FileKey(bucket, version.name()), EncodeRow(version));
  context->rows->Put(TxnKey(FromWire(version.txn())), EncodePlace({{}, bucket, version.name()}));
  if (IsIncomplete(version, WantedReplicas(*context, version))) {
    MarkIncomplete(context, version, true);
  }
  CountHeld(context, version, true);
  CountCopies(context, version, true);
}

std::uint32_t MakeWay(ApplyContext* context, const rpc::BucketRow& bucket,
                      std::optional<rpc::VersionRow> under_name) {
  if (!under_name) return 0;
  const bool is_hidden = FirstHiding(context->cache->clears, *under_name) != nullptr;
  const std::uint32_t kept_max = OldVersionsKept(bucket);
  if (is_hidden || kept_max == 0) {
    TrashFile(context, *under_name);
    return 0;
  }
  std::uint32_t olds = under_name->old_versions();
  if (olds >= kept_max && !DFS_MUTANT(1031, "more versions are kept than the bucket says")) {
    // One at most: the number of the bucket never changes.
    Trash(context, ReadOlds(*context->rows, BucketId(bucket.id()), under_name->name()).back());
    --olds;
  }
  Keep(context, *std::move(under_name));
  return olds + 1;
}

std::optional<rpc::VersionRow> FindToBeTrashed(const ApplyContext& context,
                                               const rpc::BucketRow& bucket,
                                               const std::optional<rpc::VersionRow>& visible) {
  const std::uint32_t kept_max = OldVersionsKept(bucket);
  if (!visible || kept_max == 0) return visible;
  if (visible->old_versions() < kept_max) return std::nullopt;
  return ReadOlds(*context.rows, BucketId(bucket.id()), visible->name()).back();
}

std::string WhatIsExceeded(const ApplyContext& context, const rpc::BucketRow& bucket,
                           std::uint64_t bytes, const std::optional<rpc::VersionRow>& visible) {
  const bool has_quota = bucket.quota_bytes() > 0 || bucket.quota_files() > 0;
  if (!has_quota || DFS_MUTANT(1034, "the quota is not looked at by the entry")) return "";
  const rpc::BucketCountsRow& counts = context.cache->counts.at(BucketId(bucket.id()));
  if (bucket.quota_files() > 0 && !visible && counts.files() >= bucket.quota_files()) {
    return absl::StrCat("bucket \"", bucket.name(), "\" may hold ", bucket.quota_files(),
                        " files, and holds ", counts.files());
  }
  const auto trashed = FindToBeTrashed(context, bucket, visible);
  const bool frees = trashed && !DFS_MUTANT(1203, "what makes way does not free its bytes");
  const std::uint64_t freed = frees ? trashed->size() : 0;
  const std::uint64_t held = counts.bytes() + counts.old_bytes();
  if (bucket.quota_bytes() > 0 && bytes > freed &&
      bytes - freed > bucket.quota_bytes() - std::min(bucket.quota_bytes(), held)) {
    return absl::StrCat("bucket \"", bucket.name(), "\" may hold ", bucket.quota_bytes(),
                        " bytes, and holds ", held, "; this needs ", bytes - freed, " more");
  }
  return "";
}

void TrashFile(ApplyContext* context, const rpc::VersionRow& current) {
  TrashOlds(context, current);
  Trash(context, current);
}

void TrashOld(ApplyContext* context, const rpc::VersionRow& old) {
  const BucketId bucket(old.bucket_id());
  auto current = ReadFile(*context->rows, bucket, old.name());
  CHECK(current && current->old_versions() > 0) << "an older version is kept under no current one";
  current->set_old_versions(current->old_versions() - 1);
  context->rows->Put(FileKey(bucket, old.name()), EncodeRow(*current));
  Trash(context, old);
}

void Detach(ApplyContext* context, const rpc::VersionRow& current) {
  TrashOlds(context, current);
  CountOut(context, current);
  context->rows->Delete(FileKey(BucketId(current.bucket_id()), current.name()));
}

std::optional<rpc::VersionRow> ReadOld(const RowReader& rows, BucketId bucket,
                                       std::string_view name, std::uint64_t number) {
  const std::string key = OldVersionKey(bucket, name, number);
  const auto value = rows.Get(key);
  if (!value) return std::nullopt;
  return ParseRow<rpc::VersionRow>(key, *value);
}

std::vector<rpc::VersionRow> ReadOlds(const RowReader& rows, BucketId bucket,
                                      std::string_view name) {
  std::vector<rpc::VersionRow> olds;
  const std::string first = OldVersionKey(bucket, name);
  rows.Scan(first, EndOfPrefix(first), [&](std::string_view key, std::string_view value) {
    olds.push_back(ParseRow<rpc::VersionRow>(key, value));
    return true;
  });
  return olds;
}

void LeaveTrash(ApplyContext* context, const LocatedVersion& trashed) {
  const rpc::VersionRow& row = trashed.row;
  context->rows->Delete(TrashKey(trashed.place.trashed, FromWire(row.txn())));
  context->rows->Delete(TrashedNameKey(BucketId(row.bucket_id()), row.name(), row.number()));
  rpc::CountersRow& counters = context->cache->counters;
  counters.set_trashed(counters.trashed() - 1);
  rpc::BucketCountsRow& counts = context->CountsOf(row.bucket_id());
  counts.set_trashed(counts.trashed() - 1);
  MaybeDropBucket(context, row.bucket_id());
}

std::optional<LocatedVersion> FindTrashed(const RowReader& rows, BucketId bucket,
                                          std::string_view name,
                                          std::optional<std::uint64_t> number) {
  std::optional<TxnId> found;
  const std::string first =
      number ? TrashedNameKey(bucket, name, *number) : TrashedNameKey(bucket, name);
  rows.Scan(first, EndOfPrefix(first), [&](std::string_view, std::string_view value) {
    found = TxnAtEnd(value);
    return false;
  });
  if (!found) return std::nullopt;
  return ReadVersion(rows, *found);
}

void Update(ApplyContext* context, const LocatedVersion& before, const rpc::VersionRow& after) {
  context->rows->Put(RowKey(before.place, FromWire(after.txn())), EncodeRow(after));
  const std::uint32_t replicas = WantedReplicas(*context, after);
  const bool is_incomplete = IsIncomplete(after, replicas);
  if (is_incomplete != IsIncomplete(before.row, replicas)) {
    MarkIncomplete(context, after, is_incomplete);
  }
  if (!before.place.trashed.is_none()) return;
  if (!IsCounted(FirstHiding(context->cache->clears, after), after)) return;
  CountCopies(context, before.row, false);
  CountCopies(context, after, true);
}

}  // namespace dfs::metadata
