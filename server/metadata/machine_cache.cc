#include "server/metadata/machine_cache.h"

#include <string_view>

#include "server/metadata/row_codec.h"

namespace dfs::metadata {
namespace {

// Calls `visit` with each row of a table.
template <class Row, class Visit>
void ForEachRow(const RowReader& rows, char table, Visit visit) {
  const std::string first = TableKey(table);
  rows.Scan(first, EndOfPrefix(first), [&](std::string_view key, std::string_view value) {
    visit(ParseRow<Row>(key, value));
    return true;
  });
}

template <class Row>
Row LoadSingle(const RowReader& rows, char table) {
  const std::string key = TableKey(table);
  const auto value = rows.Get(key);
  return value ? ParseRow<Row>(key, *value) : Row();
}

}  // namespace

AppliedRow LoadApplied(const RowReader& rows) {
  const auto value = rows.Get(TableKey(kAppliedTable));
  if (!value) return {};
  const auto row = DecodeApplied(*value);
  LOG_IF(FATAL, !row) << "the row of the applied index cannot be read: the store is damaged";
  return *row;
}

rpc::CountersRow LoadCounters(const RowReader& rows) {
  return LoadSingle<rpc::CountersRow>(rows, kCountersTable);
}

rpc::BucketCountsRow LoadCounts(const RowReader& rows, BucketId bucket,
                                const rpc::CountersRow& counters) {
  const std::string key = BucketCountsKey(bucket);
  if (const auto value = rows.Get(key)) return ParseRow<rpc::BucketCountsRow>(key, *value);
  rpc::BucketCountsRow counts;
  if (bucket != kDefaultBucket) return counts;
  counts.set_files(counters.files());
  counts.set_bytes(counters.bytes());
  counts.set_trashed(counters.trashed());
  return counts;
}

std::vector<rpc::ClearRow> LoadClears(const RowReader& rows) {
  std::vector<rpc::ClearRow> clears;
  ForEachRow<rpc::ClearRow>(rows, kClearTable,
                            [&](rpc::ClearRow row) { clears.push_back(std::move(row)); });
  return clears;
}

std::optional<ClusterId> LoadCluster(const RowReader& rows) {
  const std::string key = TableKey(kClusterTable);
  const auto value = rows.Get(key);
  if (!value) return std::nullopt;
  return UuidFromWire<ClusterId>(ParseRow<rpc::Hash128>(key, *value));
}

MachineCache LoadCache(const RowReader& rows) {
  MachineCache cache;
  cache.applied = LoadApplied(rows);
  cache.cluster = LoadCluster(rows);
  cache.counters = LoadCounters(rows);
  cache.settings = LoadSingle<rpc::SettingsRow>(rows, kSettingsTable);
  ForEachRow<rpc::BucketRow>(rows, kBucketTable, [&](rpc::BucketRow row) {
    cache.buckets.emplace(BucketId(row.id()), std::move(row));
  });
  for (const auto& [id, bucket] : cache.buckets) {
    cache.counts[id] = LoadCounts(rows, id, cache.counters);
  }
  ForEachRow<rpc::NodeRow>(rows, kNodeTable, [&](rpc::NodeRow row) {
    cache.nodes.emplace(NodeId(row.node_id()), std::move(row));
  });
  cache.clears = LoadClears(rows);
  return cache;
}

}  // namespace dfs::metadata
