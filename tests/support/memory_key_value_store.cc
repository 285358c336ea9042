#include "tests/support/memory_key_value_store.h"

#include <utility>

namespace dfs::metadata {
namespace {

void ScanRows(const MemoryKeyValueStore::Rows& rows, std::string_view first, std::string_view end,
              const std::function<bool(std::string_view, std::string_view)>& visit) {
  for (auto it = rows.lower_bound(first); it != rows.end(); ++it) {
    if (!end.empty() && std::string_view(it->first) >= end) return;
    if (!visit(it->first, it->second)) return;
  }
}

std::optional<std::string> GetRow(const MemoryKeyValueStore::Rows& rows, std::string_view key) {
  const auto it = rows.find(key);
  if (it == rows.end()) return std::nullopt;
  return it->second;
}

}  // namespace

class MemoryKeyValueStore::View final : public RowReader {
 public:
  explicit View(std::shared_ptr<const Rows> rows) : rows_(std::move(rows)) {}
  std::optional<std::string> Get(std::string_view key) const override { return GetRow(*rows_, key); }
  void Scan(std::string_view first, std::string_view end,
            const std::function<bool(std::string_view, std::string_view)>& visit) const override {
    ScanRows(*rows_, first, end, visit);
  }

 private:
  const std::shared_ptr<const Rows> rows_;
};

MemoryKeyValueStore::MemoryKeyValueStore() : MemoryKeyValueStore(Rows()) {}
MemoryKeyValueStore::MemoryKeyValueStore(Rows rows)
    : rows_(std::make_shared<Rows>(std::move(rows))) {}
MemoryKeyValueStore::~MemoryKeyValueStore() = default;

std::optional<std::string> MemoryKeyValueStore::Get(std::string_view key) const {
  MutexLock lock(&mutex_);
  return GetRow(*rows_, key);
}

void MemoryKeyValueStore::Scan(
    std::string_view first, std::string_view end,
    const std::function<bool(std::string_view, std::string_view)>& visit) const {
  {
    // Most ranges that apply asks for are empty: no reason to pin (and then copy) everything.
    MutexLock lock(&mutex_);
    const auto it = rows_->lower_bound(first);
    if (it == rows_->end() || (!end.empty() && std::string_view(it->first) >= end)) return;
  }
  ScanRows(*Pin(), first, end, visit);
}

void MemoryKeyValueStore::Write(const RowBatch& batch) {
  MutexLock lock(&mutex_);
  ++writes_;
  if (writes_kept_) {
    if (*writes_kept_ == 0) return;
    --*writes_kept_;
  }
  if (is_pinned_) rows_ = std::make_shared<Rows>(*rows_);
  is_pinned_ = false;
  rows_changed_ += batch.changes.size();
  for (const auto& [key, value] : batch.changes) {
    if (value) {
      rows_->insert_or_assign(key, *value);
    } else {
      rows_->erase(key);
    }
  }
}

std::shared_ptr<const MemoryKeyValueStore::Rows> MemoryKeyValueStore::Pin() const {
  MutexLock lock(&mutex_);
  is_pinned_ = true;
  return rows_;
}

std::unique_ptr<RowReader> MemoryKeyValueStore::Snapshot() const {
  return std::make_unique<View>(Pin());
}

MemoryKeyValueStore::Rows MemoryKeyValueStore::rows() const { return *Pin(); }

void MemoryKeyValueStore::Replace(Rows rows) {
  MutexLock lock(&mutex_);
  rows_ = std::make_shared<Rows>(std::move(rows));
  is_pinned_ = false;
}

void MemoryKeyValueStore::LoseWritesAfter(std::size_t writes) {
  MutexLock lock(&mutex_);
  writes_kept_ = writes;
}

std::size_t MemoryKeyValueStore::writes() const {
  MutexLock lock(&mutex_);
  return writes_;
}

std::size_t MemoryKeyValueStore::rows_changed() const {
  MutexLock lock(&mutex_);
  return rows_changed_;
}

}  // namespace dfs::metadata
