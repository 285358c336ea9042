#include "common/rocksdb_salvage.h"

#include <glog/logging.h>

#include <algorithm>
#include <cstdint>
#include <utility>

#include <rocksdb/db.h>
#include <rocksdb/options.h>
#include <rocksdb/sst_file_reader.h>
#include <rocksdb/write_batch.h>

#include "common/rocksdb_manifest_tail.h"
#include "common/rocksdb_manifest_through.h"
#include "common/rocksdb_status.h"

namespace dfs {
namespace {

// Damaged parts passed over in one family or table.
constexpr int kSkipsMax = 10'000;

std::string_view View(const rocksdb::Slice& slice) { return {slice.data(), slice.size()}; }

rocksdb::ReadOptions CheckedReads() {
  rocksdb::ReadOptions options;
  options.verify_checksums = true;
  options.fill_cache = false;
  options.total_order_seek = true;
  return options;
}

// `key` + 2^bit as a big-endian number; the greatest one if that overflows.
std::string AddPower(const std::string& key, int bit) {
  std::string out = key;
  unsigned carry = 1U << (bit % 8);
  for (std::size_t i = out.size() - static_cast<std::size_t>(bit) / 8; i-- > 0 && carry != 0;) {
    const unsigned sum = static_cast<unsigned char>(out[i]) + carry;
    out[i] = static_cast<char>(sum);
    carry = sum >> 8;
  }
  return carry == 0 ? out : std::string(out.size(), '\xff');
}

// Visits all that can be stood on. False: the way was lost before the end.
bool WalkAround(const std::function<std::unique_ptr<rocksdb::Iterator>()>& make,
                std::size_t key_bytes, const RocksdbSalvage::Visit& visit) {
  auto at = make();
  std::string last;
  at->SeekToFirst();
  for (int skips = 0;; at->Next()) {
    if (!at->Valid() && !at->status().ok()) {
      if (skips++ == kSkipsMax) return false;
      LOG(WARNING) << "salvage: " << at->status().ToString();
      at = IteratorBehindDamage(make, last, key_bytes);
      if (at == nullptr) return false;
    }
    if (!at->Valid()) return true;
    last = at->key().ToString();
    // Steps over damage count in keys of one length.
    if (last.size() == key_bytes) visit(last, View(at->value()));
  }
}

// What write-ahead logs say, in the order of writing.
class Collector final : public rocksdb::WriteBatch::Handler {
 public:
  explicit Collector(
      std::map<std::uint32_t, std::map<std::string, std::optional<std::string>>>* rows)
      : rows_(*rows) {}
  rocksdb::Status PutCF(std::uint32_t family, const rocksdb::Slice& key,
                        const rocksdb::Slice& value) override {
    rows_[family][key.ToString()] = value.ToString();
    return rocksdb::Status::OK();
  }
  rocksdb::Status DeleteCF(std::uint32_t family, const rocksdb::Slice& key) override {
    rows_[family][key.ToString()] = std::nullopt;
    return rocksdb::Status::OK();
  }

  // Nothing of ours writes these, but another database's log may lie here; and some builds of RocksDB abort over an error.
  rocksdb::Status SingleDeleteCF(std::uint32_t family, const rocksdb::Slice& key) override {
    return DeleteCF(family, key);
  }
  rocksdb::Status DeleteRangeCF(std::uint32_t /*family*/, const rocksdb::Slice& /*begin*/,
                                const rocksdb::Slice& /*end*/) override {
    return rocksdb::Status::OK();
  }
  rocksdb::Status MergeCF(std::uint32_t /*family*/, const rocksdb::Slice& /*key*/,
                          const rocksdb::Slice& /*value*/) override {
    return rocksdb::Status::OK();
  }
  rocksdb::Status PutBlobIndexCF(std::uint32_t /*family*/, const rocksdb::Slice& /*key*/,
                                 const rocksdb::Slice& /*value*/) override {
    return rocksdb::Status::OK();
  }
  rocksdb::Status PutEntityCF(std::uint32_t /*family*/, const rocksdb::Slice& /*key*/,
                              const rocksdb::Slice& /*entity*/) override {
    return rocksdb::Status::OK();
  }
  rocksdb::Status MarkBeginPrepare(bool /*unprepare*/) override { return rocksdb::Status::OK(); }
  rocksdb::Status MarkEndPrepare(const rocksdb::Slice& /*xid*/) override {
    return rocksdb::Status::OK();
  }
  rocksdb::Status MarkNoop(bool /*empty_batch*/) override { return rocksdb::Status::OK(); }
  rocksdb::Status MarkRollback(const rocksdb::Slice& /*xid*/) override {
    return rocksdb::Status::OK();
  }
  rocksdb::Status MarkCommit(const rocksdb::Slice& /*xid*/) override {
    return rocksdb::Status::OK();
  }

 private:
  std::map<std::uint32_t, std::map<std::string, std::optional<std::string>>>& rows_;
};

}  // namespace

std::unique_ptr<rocksdb::Iterator> IteratorBehindDamage(
    const std::function<std::unique_ptr<rocksdb::Iterator>()>& make, const std::string& last,
    std::size_t key_bytes) {
  // Keys are taken as numbers. Steps double until one lands behind the damage, then the gap is halved.
  std::unique_ptr<rocksdb::Iterator> found;
  const auto stands = [&](const std::string& key) {
    auto at = make();
    at->Seek(key);
    if (!at->status().ok()) return false;
    found = std::move(at);
    return true;
  };
  const std::string base = last.size() == key_bytes ? last : std::string(key_bytes, '\0');
  const int bits = static_cast<int>(key_bytes) * 8;
  int step = 0;
  while (step < bits && !stands(AddPower(base, step))) ++step;
  if (step == bits) return nullptr;
  // `low` is in the damage: it grows bit by bit as long as it stays there.
  std::string low = step == 0 ? base : AddPower(base, step - 1);
  for (int bit = step - 2; bit >= 0; --bit) {
    const std::string middle = AddPower(low, bit);
    if (!stands(middle)) low = middle;
  }
  return found;
}

RocksdbSalvage::RocksdbSalvage(const RocksdbPlan& plan)
    : plan_(plan), scratch_(PathOf(plan) + ".salvage") {
  RemoveScratch();
  ReadLogs();
  const absl::Status manifest = plan_.mark == nullptr ? absl::OkStatus()
                                                      : CheckManifest(plan_.env, PathOf(plan_),
                                                                      plan_.mark->found_manifest());
  if (!manifest.ok()) {
    // It would open without the tables that the lost records named.
    LOG(WARNING) << "salvage: " << PathOf(plan_) << ": " << manifest;
    return;
  }
  const rocksdb::Status status = OpenDamagedForReading(plan_, PathOf(plan_), &opened_);
  if (status.ok()) return;
  LOG(WARNING) << "salvage: " << PathOf(plan_) << " does not open: " << status.ToString();
  opened_.handles.clear();
  opened_.db.reset();
}

RocksdbSalvage::~RocksdbSalvage() {
  if (opened_.db != nullptr) opened_.Close();
  if (repaired_.db != nullptr) repaired_.Close();
  RemoveScratch();
}

void RocksdbSalvage::RemoveScratch() {
  for (const auto& folder : {scratch_ + "/lost", scratch_}) {
    const absl::Status status = RemoveFolder(plan_.env, folder);
    LOG_IF(WARNING, !status.ok()) << status;
  }
}

std::vector<std::string> RocksdbSalvage::FilesOf(const std::string& folder,
                                                 std::string_view ending) const {
  std::vector<std::string> names;
  std::vector<std::string> out;
  if (!plan_.env->GetChildren(folder, &names).ok()) return out;
  for (const auto& name : names) {
    if (name.ends_with(ending)) out.push_back(folder + "/" + name);
  }
  std::sort(out.begin(), out.end());
  return out;
}

std::vector<std::string> RocksdbSalvage::BlobFiles() const {
  return FilesOf(PathOf(plan_), ".blob");
}

void RocksdbSalvage::ReadLogs() {
  for (const auto& path : FilesOf(PathOf(plan_), ".log")) {
    std::string bytes;
    if (!rocksdb::ReadFileToString(plan_.env, path, &bytes).ok()) continue;
    for (auto& record : WholeLogRecords(bytes)) {
      Collector collector(&logged_);
      // Whatever its last row, what came before it counts: the records' own checksums are right.
      rocksdb::WriteBatch(std::move(record)).Iterate(&collector).PermitUncheckedError();
    }
  }
}

void RocksdbSalvage::RepairTables() {
  if (std::exchange(is_repaired_, true)) return;
  const auto tables = FilesOf(PathOf(plan_), ".sst");
  if (tables.empty() || !plan_.env->CreateDirIfMissing(scratch_).ok()) return;
  for (const auto& path : tables) {
    const std::string to = scratch_ + path.substr(path.rfind('/'));
    const rocksdb::Status status = plan_.env->LinkFile(path, to);
    LOG_IF(WARNING, !status.ok()) << "salvage: " << path << ": " << status.ToString();
  }
  rocksdb::DBOptions options = plan_.options;
  options.env = plan_.env;
  options.create_if_missing = true;
  std::vector<rocksdb::ColumnFamilyDescriptor> families;
  families.emplace_back(rocksdb::kDefaultColumnFamilyName,
                        plan_.family_options(rocksdb::kDefaultColumnFamilyName));
  for (const auto& name : plan_.families) {
    if (name != rocksdb::kDefaultColumnFamilyName) {
      families.emplace_back(name, plan_.family_options(name));
    }
  }
  rocksdb::Status status = rocksdb::RepairDB(scratch_, options, families);
  if (status.ok()) status = OpenDamagedForReading(plan_, scratch_, &repaired_);
  if (status.ok()) return;
  LOG(WARNING) << "salvage: " << scratch_ << ": " << status.ToString();
  repaired_.handles.clear();
  repaired_.db.reset();
}

bool RocksdbSalvage::Walk(RocksdbFamilies& source, const std::string& family,
                          std::size_t key_bytes, const Visit& visit) {
  if (source.db == nullptr) return false;
  auto* const handle = source.Find(family);
  if (handle == nullptr) return false;
  return WalkAround(
      [&] {
        return std::unique_ptr<rocksdb::Iterator>(
            source.db->NewIterator(CheckedReads(), handle));
      },
      key_bytes, visit);
}

void RocksdbSalvage::WalkLostTables(const std::string& family, std::size_t key_bytes,
                                    const Visit& visit) {
  for (const auto& path : FilesOf(scratch_ + "/lost", ".sst")) {
    rocksdb::Options options(plan_.options, plan_.family_options(family));
    options.env = plan_.env;
    rocksdb::SstFileReader reader(options);
    if (!reader.Open(path).ok()) continue;
    const auto properties = reader.GetTableProperties();
    if (properties == nullptr || properties->column_family_name != family) continue;
    (void)WalkAround(
        [&] { return std::unique_ptr<rocksdb::Iterator>(reader.NewIterator(CheckedReads())); },
        key_bytes, visit);
  }
}

void RocksdbSalvage::ForEach(const std::string& family, std::size_t key_bytes,
                             const Visit& visit) {
  // Families are numbered in the order in which they were made.
  const auto number = static_cast<std::uint32_t>(
      std::find(plan_.families.begin(), plan_.families.end(), family) - plan_.families.begin());
  const auto& logged = logged_[number];
  for (const auto& [key, value] : logged) {
    if (value && key.size() == key_bytes) visit(key, *value);
  }
  const auto unless_logged = [&](std::string_view key, std::string_view value) {
    if (!logged.contains(std::string(key))) visit(key, value);
  };
  if (Walk(opened_, family, key_bytes, unless_logged)) return;
  RepairTables();
  (void)Walk(repaired_, family, key_bytes, unless_logged);
  WalkLostTables(family, key_bytes, unless_logged);
}

std::optional<std::string> RocksdbSalvage::Get(const std::string& family,
                                               const std::string& key) {
  const auto number = static_cast<std::uint32_t>(
      std::find(plan_.families.begin(), plan_.families.end(), family) - plan_.families.begin());
  if (const auto logged = logged_[number].find(key); logged != logged_[number].end()) {
    return logged->second;
  }
  for (RocksdbFamilies* source : {&opened_, &repaired_}) {
    if (source == &repaired_) RepairTables();
    if (source->db == nullptr) continue;
    auto* const handle = source->Find(family);
    std::string value;
    if (handle != nullptr && source->db->Get(CheckedReads(), handle, key, &value).ok()) {
      return value;
    }
  }
  return std::nullopt;
}

}  // namespace dfs
