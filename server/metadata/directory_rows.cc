#include "server/metadata/directory_rows.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string_view>

#include "glog/logging.h"
#include "server/metadata/machine_cache.h"
#include "server/metadata/row_keys.h"

namespace dfs::metadata {
namespace {

// The tables of the directory, by their letters, rising.
constexpr std::array kTables = {kBucketTable,  kCountersTable, kSettingsTable,   kClusterTable, kBucketCountsTable,
                                kNodeTable,    kBucketNameTable, kNodeUuidTable};
static_assert(std::is_sorted(kTables.begin(), kTables.end()));

bool IsOfDirectory(std::string_view key) {
  return !key.empty() && std::binary_search(kTables.begin(), kTables.end(), key[0]);
}

std::string EncodeIndex(LogIndex index) {
  std::string value;
  AppendBigEndian64(&value, index.value());
  return value;
}

// Rows of the directory, in order of their keys.
void ScanDirectory(const RowReader& rows,
                   const std::function<bool(std::string_view key, std::string_view value)>& visit) {
  bool goes_on = true;
  for (const char table : kTables) {
    const std::string first = TableKey(table);
    rows.Scan(first, EndOfPrefix(first),
              [&](std::string_view key, std::string_view value) { return goes_on = visit(key, value); });
    if (!goes_on) return;
  }
}

class DirectoryReader final : public RowReader {
 public:
  explicit DirectoryReader(std::unique_ptr<RowReader> rows) {
    const std::string applied = TableKey(kAppliedTable);
    if (auto value = rows->Get(applied)) rows_[applied] = *std::move(value);
    rows_[TableKey(kDirectoryTable)] = EncodeIndex(LoadApplied(*rows).index);
    ScanDirectory(*rows, [this](std::string_view key, std::string_view value) {
      rows_[std::string(key)] = value;
      return true;
    });
  }

  std::optional<std::string> Get(std::string_view key) const override {
    const auto found = rows_.find(key);
    return found == rows_.end() ? std::nullopt : std::optional(found->second);
  }
  void Scan(std::string_view first, std::string_view end,
            const std::function<bool(std::string_view key, std::string_view value)>& visit) const override {
    for (auto at = rows_.lower_bound(first); at != rows_.end(); ++at) {
      if (!end.empty() && std::string_view(at->first) >= end) return;
      if (!visit(at->first, at->second)) return;
    }
  }

 private:
  std::map<std::string, std::string, std::less<>> rows_;
};

}  // namespace

DirectoryRows ReadDirectory(const RowReader& rows) {
  DirectoryRows out{LoadApplied(rows).index, {}};
  ScanDirectory(rows, [&](std::string_view key, std::string_view value) {
    out.rows.emplace_back(key, value);
    return true;
  });
  return out;
}

LogIndex LoadDirectoryIndex(const RowReader& rows) {
  const auto value = rows.Get(TableKey(kDirectoryTable));
  if (!value) return {};
  LOG_IF(FATAL, value->size() != sizeof(std::uint64_t))
      << "the row of the directory's index cannot be read: the store is damaged";
  return LogIndex(ReadBigEndian64(*value, 0));
}

absl::Status AdoptDirectory(const DirectoryRows& directory, KeyValueStore* store) {
  for (std::size_t i = 0; i < directory.rows.size(); ++i) {
    const std::string& key = directory.rows[i].first;
    if (!IsOfDirectory(key)) return absl::InvalidArgumentError("a row that is not of the directory");
    if (i > 0 && directory.rows[i - 1].first >= key) return absl::InvalidArgumentError("rows of the directory out of order");
  }
  const std::unique_ptr<RowReader> present = store->Snapshot();
  if (directory.index <= LoadDirectoryIndex(*present)) return absl::OkStatus();
  RowBatch batch;
  auto next = directory.rows.begin();
  ScanDirectory(*present, [&](std::string_view key, std::string_view value) {
    for (; next != directory.rows.end() && next->first < key; ++next) batch.changes.emplace_back(next->first, next->second);
    if (next == directory.rows.end() || next->first != key) {
      batch.changes.emplace_back(key, std::nullopt);
    } else {
      if (next->second != value) batch.changes.emplace_back(next->first, next->second);
      ++next;
    }
    return true;
  });
  for (; next != directory.rows.end(); ++next) batch.changes.emplace_back(next->first, next->second);
  batch.changes.emplace_back(TableKey(kDirectoryTable), EncodeIndex(directory.index));
  store->Write(batch);
  return absl::OkStatus();
}

std::unique_ptr<RowReader> DirectoryOf(std::unique_ptr<RowReader> rows) {
  return std::make_unique<DirectoryReader>(std::move(rows));
}

}  // namespace dfs::metadata
