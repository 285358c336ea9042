#include "common/rocksdb_manifest_through.h"

#include <charconv>
#include <cstddef>
#include <optional>
#include <string_view>
#include <system_error>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/mutant.h"
#include "common/rocksdb_manifest_tail.h"
#include "common/rocksdb_status.h"
#include "common/status_macros.h"

namespace dfs {
namespace {

constexpr std::string_view kPrefix = "MANIFEST-";

// "MANIFEST-000012", with what surrounds it in CURRENT and in lists of files -> 12.
std::optional<std::uint64_t> ManifestNumber(std::string_view name) {
  const std::size_t at = name.find(kPrefix);
  if (at == std::string_view::npos) return std::nullopt;
  name.remove_prefix(at + kPrefix.size());
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), number);
  if (error != std::errc()) return std::nullopt;
  return number;
}

class Listener final : public rocksdb::EventListener {
 public:
  explicit Listener(RocksdbDurableMark* mark) : mark_(mark) {}
  void OnFlushCompleted(rocksdb::DB* db, const rocksdb::FlushJobInfo& /*info*/) override {
    Raise(db);
  }
  void OnCompactionCompleted(rocksdb::DB* db,
                             const rocksdb::CompactionJobInfo& /*info*/) override {
    Raise(db);
  }
  void OnExternalFileIngested(rocksdb::DB* db,
                              const rocksdb::ExternalFileIngestionInfo& /*info*/) override {
    Raise(db);
  }

 private:
  // Without an answer the mark lags, which it may.
  void Raise(rocksdb::DB* db) {
    if (const auto position = DurableManifest(db); position.ok()) mark_->RaiseManifest(*position);
  }

  RocksdbDurableMark* const mark_;
};

}  // namespace

absl::Status CheckManifest(rocksdb::Env* env, const std::string& path,
                           const ManifestPosition& through) {
  std::string current;
  std::string bytes;
  if (!rocksdb::ReadFileToString(env, path + "/CURRENT", &current).ok()) return absl::OkStatus();
  const auto number = ManifestNumber(current);
  if (!number || *number > through.number) return absl::OkStatus();
  if (DFS_MUTANT(1241, "a MANIFEST that lost its end is taken as it is (rule R22)")) {
    return absl::OkStatus();
  }
  if (*number < through.number) {
    return absl::DataLossError(absl::StrCat("its MANIFEST is number ", *number, ", but number ",
                                            through.number, " was durable here"));
  }
  while (!current.empty() && current.back() == '\n') current.pop_back();
  if (!rocksdb::ReadFileToString(env, path + "/" + current, &bytes).ok()) return absl::OkStatus();
  const std::size_t whole = WholeLogBytes(bytes);
  if (whole >= through.bytes) return absl::OkStatus();
  return absl::DataLossError(absl::StrCat(current, " is whole up to byte ", whole, ", but ",
                                          through.bytes, " were durable here"));
}

absl::StatusOr<ManifestPosition> DurableManifest(rocksdb::DB* db) {
  ManifestPosition position;
  std::vector<std::string> files;
  DFS_RETURN_IF_ERROR(
      FromRocksdb(db->GetLiveFiles(files, &position.bytes, /*flush_memtable=*/false), "its MANIFEST"));
  for (const std::string& file : files) {
    if (const auto number = ManifestNumber(file)) position.number = *number;
  }
  if (position.number == 0) return absl::InternalError("its files have no MANIFEST among them");
  return position;
}

std::shared_ptr<rocksdb::EventListener> ManifestListener(RocksdbDurableMark* mark) {
  return std::make_shared<Listener>(mark);
}

}  // namespace dfs
