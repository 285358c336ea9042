#include "tests/support/memory_log_store.h"

#include <glog/logging.h>

#include <algorithm>
#include <utility>

#include "server/replicated_log/rocksdb_snapshot.h"

namespace dfs::testing {

using replicated_log::PreparedState;
using replicated_log::SnapshotContent;
using replicated_log::SnapshotDescription;
using replicated_log::SnapshotFiles;
using replicated_log::SnapshotSink;

namespace {

class MapReader final : public metadata::RowReader {
 public:
  explicit MapReader(std::shared_ptr<const MemoryRows::Rows> rows) : rows_(std::move(rows)) {}
  [[nodiscard]] std::optional<std::string> Get(std::string_view key) const override {
    const auto found = rows_->find(std::string(key));
    if (found == rows_->end()) return std::nullopt;
    return found->second;
  }
  void Scan(std::string_view first, std::string_view end,
            const std::function<bool(std::string_view, std::string_view)>& visit) const override {
    for (auto at = rows_->lower_bound(std::string(first)); at != rows_->end(); ++at) {
      if (!end.empty() && at->first >= end) return;
      if (!visit(at->first, at->second)) return;
    }
  }

 private:
  const std::shared_ptr<const MemoryRows::Rows> rows_;
};

// One "file": length-prefixed keys and values.
void AppendPart(const std::string& part, std::string& out) {
  for (int i = 0; i < 4; ++i) out.push_back(static_cast<char>(part.size() >> (8 * i)));
  out += part;
}
bool TakePart(std::string_view& in, std::string* part) {
  if (in.size() < 4) return false;
  std::size_t length = 0;
  for (std::size_t i = 4; i-- > 0;) length = (length << 8) | static_cast<unsigned char>(in[i]);
  in.remove_prefix(4);
  if (in.size() < length) return false;
  *part = std::string(in.substr(0, length));
  in.remove_prefix(length);
  return true;
}

class Files final : public SnapshotFiles {
 public:
  Files(SnapshotContent content, std::string bytes) : content_(content), bytes_(std::move(bytes)) {}
  [[nodiscard]] const SnapshotContent& content() const override { return content_; }
  [[nodiscard]] std::size_t count() const override { return 1; }
  [[nodiscard]] absl::StatusOr<std::string> Read(std::size_t /*file*/, std::uint64_t offset,
                                                 std::size_t bytes_max) override {
    return offset >= bytes_.size() ? std::string() : bytes_.substr(offset, bytes_max);
  }

 private:
  const SnapshotContent content_;
  const std::string bytes_;
};

class Sink final : public SnapshotSink {
 public:
  [[nodiscard]] absl::Status Append(std::uint32_t /*file*/, std::string_view data,
                                    bool /*is_last_of_file*/) override {
    bytes.append(data);
    return absl::OkStatus();
  }
  std::string bytes;
};

class Prepared final : public PreparedState {
 public:
  explicit Prepared(std::shared_ptr<const MemoryRows::Rows> r) : rows(std::move(r)) {}
  const std::shared_ptr<const MemoryRows::Rows> rows;
};

}  // namespace

std::shared_ptr<const MemoryRows::Rows> MemoryRows::rows() const {
  MutexLock lock(&mutex_);
  return rows_;
}
void MemoryRows::Replace(std::shared_ptr<const Rows> rows) {
  MutexLock lock(&mutex_);
  rows_ = std::move(rows);
}
std::optional<std::string> MemoryRows::Get(std::string_view key) const {
  return MapReader(rows()).Get(key);
}
void MemoryRows::Scan(
    std::string_view first, std::string_view end,
    const std::function<bool(std::string_view, std::string_view)>& visit) const {
  MapReader(rows()).Scan(first, end, visit);
}
void MemoryRows::Write(const metadata::RowBatch& batch) {
  auto next = std::make_shared<Rows>(*rows());
  for (const auto& [key, value] : batch.changes) {
    if (value) {
      (*next)[key] = *value;
    } else {
      next->erase(key);
    }
  }
  Replace(std::move(next));
}
std::unique_ptr<metadata::RowReader> MemoryRows::Snapshot() const {
  return std::make_unique<MapReader>(rows());
}

MemoryLogStore::MemoryLogStore(StorageUuid uuid) {
  identity_.storage_uuid = uuid;
  identity_.boot_epoch = BootEpoch(1);
}

absl::Status MemoryLogStore::SetMembership(ClusterId cluster, NodeId node, bool gets_no_commands) {
  identity_.cluster_id = cluster;
  identity_.node_id = node;
  identity_.gets_no_commands = gets_no_commands;
  return absl::OkStatus();
}

absl::StatusOr<consensus::InitialState> MemoryLogStore::Load() {
  MutexLock lock(&mutex_);
  consensus::InitialState out = log_;
  out.applied_index = out.base_index;
  return out;
}

absl::Status MemoryLogStore::Append(const std::optional<consensus::HardState>& hard_state,
                                    const std::vector<consensus::Entry>& entries) {
  std::function<void()> hook;
  {
    MutexLock lock(&mutex_);
    if (fails_) return absl::DataLossError("the disk failed");
    ++appends_;
    hook = hook_;
  }
  if (hook) hook();
  MutexLock lock(&mutex_);
  if (hard_state) {
    CHECK_GE(hard_state->term, log_.hard_state.term);
    log_.hard_state = *hard_state;
  }
  if (entries.empty()) return absl::OkStatus();
  CHECK_GT(entries.front().index, log_.base_index);
  const std::size_t keep = entries.front().index.value() - log_.base_index.value() - 1;
  CHECK_LE(keep, log_.entries.size());
  log_.entries.resize(keep);
  log_.entries.insert(log_.entries.end(), entries.begin(), entries.end());
  return absl::OkStatus();
}

replicated_log::WitnessMarks MemoryLogStore::LoadMarks() {
  MutexLock lock(&mutex_);
  return marks_;
}

void MemoryLogStore::KeepMarks(const replicated_log::WitnessMarks& marks) {
  MutexLock lock(&mutex_);
  marks_ = marks;
}

absl::Status MemoryLogStore::Cut(LogIndex index, Term term,
                                 const consensus::Configuration& configuration) {
  MutexLock lock(&mutex_);
  if (index <= log_.base_index) return absl::OkStatus();
  const auto count = static_cast<std::ptrdiff_t>(index.value() - log_.base_index.value());
  log_.entries.erase(log_.entries.begin(), log_.entries.begin() + count);
  log_.base_index = index;
  log_.base_term = term;
  log_.base_configuration = configuration;
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<SnapshotFiles>> MemoryLogStore::WriteSnapshot(
    const metadata::RowReader& rows) {
  std::string bytes;
  rows.Scan("", "", [&](std::string_view key, std::string_view value) {
    AppendPart(std::string(key), bytes);
    AppendPart(std::string(value), bytes);
    return true;
  });
  return std::make_unique<Files>(replicated_log::ContentOf(rows), std::move(bytes));
}

absl::StatusOr<std::unique_ptr<SnapshotSink>> MemoryLogStore::NewSnapshotSink() {
  return std::make_unique<Sink>();
}

absl::StatusOr<std::unique_ptr<PreparedState>> MemoryLogStore::PrepareState(
    std::unique_ptr<SnapshotSink> sink, const SnapshotContent& content, const StateCheck& check) {
  auto rows = std::make_shared<MemoryRows::Rows>();
  std::string_view in = static_cast<Sink*>(sink.get())->bytes;
  std::string key;
  std::string value;
  while (!in.empty()) {
    if (!TakePart(in, &key) || !TakePart(in, &value)) return absl::DataLossError("cut short");
    (*rows)[key] = value;
  }
  MemoryRows prepared;
  prepared.Replace(rows);
  if (replicated_log::ContentOf(prepared) != content) return absl::DataLossError("other rows");
  if (auto status = check(prepared); !status.ok()) return status;
  return std::make_unique<Prepared>(std::move(rows));
}

absl::Status MemoryLogStore::InstallState(std::unique_ptr<PreparedState> prepared,
                                          const SnapshotDescription& description,
                                          bool keep_tail) {
  rows_.Replace(static_cast<Prepared*>(prepared.get())->rows);
  MutexLock lock(&mutex_);
  CHECK_GT(description.index, log_.base_index);
  const std::uint64_t ahead = description.index.value() - log_.base_index.value();
  if (keep_tail && ahead <= log_.entries.size()) {
    log_.entries.erase(log_.entries.begin(),
                       log_.entries.begin() + static_cast<std::ptrdiff_t>(ahead));
  } else {
    log_.entries.clear();
  }
  log_.base_index = description.index;
  log_.base_term = description.term;
  log_.base_configuration = description.configuration;
  return absl::OkStatus();
}

int MemoryLogStore::appends() const {
  MutexLock lock(&mutex_);
  return appends_;
}
void MemoryLogStore::FailAppends() {
  MutexLock lock(&mutex_);
  fails_ = true;
}
void MemoryLogStore::SetAppendHook(std::function<void()> hook) {
  MutexLock lock(&mutex_);
  hook_ = std::move(hook);
}
std::vector<consensus::Entry> MemoryLogStore::entries() const {
  MutexLock lock(&mutex_);
  return log_.entries;
}

}  // namespace dfs::testing
