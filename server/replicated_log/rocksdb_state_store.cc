#include "server/replicated_log/rocksdb_state_store.h"

#include <glog/logging.h>

#include <utility>

#include "common/rocksdb_status.h"

namespace dfs::replicated_log {
namespace {

rocksdb::Slice ToSlice(std::string_view text) { return {text.data(), text.size()}; }
std::string_view ToView(const rocksdb::Slice& slice) { return {slice.data(), slice.size()}; }

absl::Status GetRow(const RocksdbGeneration& generation, const rocksdb::ReadOptions& options,
                    std::string_view key, std::optional<std::string>* value) {
  std::string found;
  const auto status =
      generation.db()->Get(options, generation.family(), ToSlice(key), &found);
  if (status.ok()) *value = std::move(found);
  if (status.ok() || status.IsNotFound()) return absl::OkStatus();
  return FromRocksdb(status, "reading a row");
}

absl::Status ScanRows(const RocksdbGeneration& generation, rocksdb::ReadOptions options,
                      std::string_view first, std::string_view end,
                      const std::function<bool(std::string_view, std::string_view)>& visit) {
  const rocksdb::Slice bound = ToSlice(end);
  if (!end.empty()) options.iterate_upper_bound = &bound;
  const std::unique_ptr<rocksdb::Iterator> rows(
      generation.db()->NewIterator(options, generation.family()));
  for (rows->Seek(ToSlice(first)); rows->Valid(); rows->Next()) {
    if (!visit(ToView(rows->key()), ToView(rows->value()))) return absl::OkStatus();
  }
  return FromRocksdb(rows->status(), "reading rows");
}

}  // namespace

class RocksdbStateStore::View final : public metadata::RowReader {
 public:
  View(const RocksdbStateStore* store, std::shared_ptr<RocksdbGeneration> generation)
      : store_(store),
        generation_(std::move(generation)),
        snapshot_(generation_->db()->GetSnapshot()) {
    options_.snapshot = snapshot_;
  }
  ~View() override { generation_->db()->ReleaseSnapshot(snapshot_); }
  View(const View&) = delete;
  View& operator=(const View&) = delete;

  [[nodiscard]] std::optional<std::string> Get(std::string_view key) const override {
    std::optional<std::string> value;
    const auto status = GetRow(*generation_, options_, key, &value);
    if (!status.ok()) store_->Fail(status);
    return value;
  }
  void Scan(std::string_view first, std::string_view end,
            const std::function<bool(std::string_view, std::string_view)>& visit) const override {
    const auto status = ScanRows(*generation_, options_, first, end, visit);
    if (!status.ok()) store_->Fail(status);
  }

 private:
  const RocksdbStateStore* const store_;
  const std::shared_ptr<RocksdbGeneration> generation_;
  const rocksdb::Snapshot* const snapshot_;
  rocksdb::ReadOptions options_;
};

RocksdbStateStore::RocksdbStateStore(RocksdbDatabase* database,
                                     std::shared_ptr<RocksdbGeneration> generation,
                                     OnFailure on_failure)
    : database_(database), on_failure_(std::move(on_failure)), generation_(std::move(generation)) {}

std::shared_ptr<RocksdbGeneration> RocksdbStateStore::generation() const {
  MutexLock lock(&mutex_);
  return generation_;
}

void RocksdbStateStore::Switch(std::shared_ptr<RocksdbGeneration> generation) {
  MutexLock lock(&mutex_);
  generation_.swap(generation);
  // The old one goes with the argument, after the lock.
}

void RocksdbStateStore::Fail(const absl::Status& status) const {
  if (!on_failure_) LOG(FATAL) << "the state machine's rows: " << status;
  on_failure_(status);
}

std::optional<std::string> RocksdbStateStore::Get(std::string_view key) const {
  std::optional<std::string> value;
  const auto status = GetRow(*generation(), {}, key, &value);
  if (!status.ok()) Fail(status);
  return value;
}

void RocksdbStateStore::Scan(
    std::string_view first, std::string_view end,
    const std::function<bool(std::string_view, std::string_view)>& visit) const {
  const auto status = ScanRows(*generation(), {}, first, end, visit);
  if (!status.ok()) Fail(status);
}

void RocksdbStateStore::Write(const metadata::RowBatch& batch) {
  const auto current = generation();
  rocksdb::WriteBatch changes;
  for (const auto& [key, value] : batch.changes) {
    if (value) {
      changes.Put(current->family(), key, *value);
    } else {
      changes.Delete(current->family(), key);
    }
  }
  const auto status = database_->WriteUnsynced(&changes);
  if (!status.ok()) Fail(status);
}

std::unique_ptr<metadata::RowReader> RocksdbStateStore::Snapshot() const {
  return std::make_unique<View>(this, generation());
}

}  // namespace dfs::replicated_log
