#include "server/replicated_log/rocksdb_log_store.h"

#include <glog/logging.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/damage.h"
#include "common/mutant.h"
#include "common/random.h"
#include "common/rocksdb_status.h"
#include "common/status_macros.h"
#include "common/wire_ids.h"
#include "server/replicated_log/posix_data_directory.h"
#include "server/replicated_log/raft_message_codec.h"

namespace dfs::replicated_log {
namespace {

constexpr char kScratch[] = "/snapshots";

class Prepared final : public PreparedState {
 public:
  explicit Prepared(std::shared_ptr<RocksdbGeneration> generation)
      : generation_(std::move(generation)) {}
  ~Prepared() override {
    if (generation_ != nullptr) generation_->Retire();
  }
  std::shared_ptr<RocksdbGeneration> Take() { return std::move(generation_); }
  [[nodiscard]] std::uint64_t number() const { return generation_->number(); }

 private:
  std::shared_ptr<RocksdbGeneration> generation_;
};

// A record that may be absent: false.
template <class Record>
absl::StatusOr<bool> ReadRecord(RocksdbDatabase& database, const std::string& key,
                                Record* record) {
  std::string value;
  const auto status = database.db()->Get({}, database.default_family(), key, &value);
  if (status.IsNotFound()) return false;
  DFS_RETURN_IF_ERROR(FromRocksdb(status, key));
  if (!record->ParseFromString(value)) {
    return DamageError(absl::StrCat("record ", key, " is unreadable"));
  }
  return true;
}

}  // namespace

RocksdbLogStore::RocksdbLogStore(Options options)
    : options_(std::move(options)),
      env_(options_.env != nullptr ? options_.env : rocksdb::Env::Default()) {}

RocksdbLogStore::~RocksdbLogStore() {
  state_.reset();
  database_.reset();
  mark_.reset();
}

absl::StatusOr<std::unique_ptr<RocksdbLogStore>> RocksdbLogStore::Open(Options options) {
  std::unique_ptr<RocksdbLogStore> store(new RocksdbLogStore(std::move(options)));
  DFS_RETURN_IF_ERROR(store->OpenAll());
  return store;
}

absl::Status RocksdbLogStore::OpenAll() {
  const std::string& folder = options_.data_dir;
  if (options_.env == nullptr) {
    DFS_RETURN_IF_ERROR(PrepareDataDirectory(folder));
  } else {
    DFS_RETURN_IF_ERROR(FromRocksdb(env_->CreateDirIfMissing(folder), folder));
    std::unique_ptr<rocksdb::Directory> parent;
    const std::string above = folder.substr(0, folder.rfind('/') + 1);
    DFS_RETURN_IF_ERROR(FromRocksdb(env_->NewDirectory(above, &parent), above));
    DFS_RETURN_IF_ERROR(FromRocksdb(parent->Fsync(), above));
  }
  DFS_ASSIGN_OR_RETURN(mark_,
                       RocksdbDurableMark::Open(env_, folder + "/durable_through", "log-mark"));
  DFS_ASSIGN_OR_RETURN(database_, RocksdbDatabase::Open(
                                      env_, folder, PositionFromWords(mark_->found()), mark_.get()));
  state_ = std::make_unique<RocksdbStateStore>(database_.get(), database_->TakeGeneration(),
                                               options_.on_failure);
  // What a transfer left when the process ended.
  const std::string scratch = folder + kScratch;
  std::vector<std::string> names;
  if (env_->GetChildren(scratch, &names).ok()) {
    for (const auto& name : names) {
      if (name != "." && name != "..") RemoveScratch(env_, scratch + "/" + name);
    }
  }
  DFS_RETURN_IF_ERROR(LoadIdentity());
  return LoadRecords();
}

absl::Status RocksdbLogStore::LoadIdentity() {
  rpc::IdentityRecord record;
  DFS_ASSIGN_OR_RETURN(const bool is_known, ReadRecord(*database_, kIdentityKey, &record));
  Identity identity;
  if (is_known) {
    identity.storage_uuid = UuidFromWire<StorageUuid>(record.storage_uuid());
    identity.boot_epoch = BootEpoch(record.boot_epoch());
    if (record.has_cluster_id()) identity.cluster_id = UuidFromWire<ClusterId>(record.cluster_id());
    identity.node_id = NodeId(record.node_id());
    identity.gets_no_commands = record.gets_no_commands();
  } else {
    identity.storage_uuid = {SystemRandom64(), SystemRandom64()};
  }
  identity.boot_epoch = identity.boot_epoch.Next();
  return WriteIdentity(identity);
}

absl::Status RocksdbLogStore::WriteIdentity(const Identity& identity) {
  rpc::IdentityRecord record;
  *record.mutable_storage_uuid() = ToWire(identity.storage_uuid);
  record.set_boot_epoch(identity.boot_epoch.value());
  if (identity.cluster_id) *record.mutable_cluster_id() = ToWire(*identity.cluster_id);
  record.set_node_id(identity.node_id.value());
  record.set_gets_no_commands(identity.gets_no_commands);
  rocksdb::WriteBatch batch;
  batch.Put(kIdentityKey, record.SerializeAsString());
  DFS_RETURN_IF_ERROR(database_->WriteSynced(&batch));
  identity_ = identity;
  return absl::OkStatus();
}

absl::Status RocksdbLogStore::SetMembership(ClusterId cluster, NodeId node, bool gets_no_commands) {
  CHECK(!cluster.is_none());
  CHECK(!node.is_none());
  CHECK(!identity_.cluster_id || *identity_.cluster_id == cluster);
  CHECK(identity_.node_id.is_none() || identity_.node_id == node);
  Identity identity = identity_;
  identity.cluster_id = cluster;
  identity.node_id = node;
  identity.gets_no_commands = gets_no_commands;
  return WriteIdentity(identity);
}

absl::Status RocksdbLogStore::LoadRecords() {
  rpc::HardStateRecord hard_state;
  DFS_RETURN_IF_ERROR(ReadRecord(*database_, kHardStateKey, &hard_state).status());
  hard_state_ = {Term(hard_state.term()), NodeId(hard_state.voted_for())};
  rpc::MarksRecord marks;
  DFS_RETURN_IF_ERROR(ReadRecord(*database_, kMarksKey, &marks).status());
  for (const auto& record : marks.marks()) {
    marks_.RecordTerm(NodeId(record.node_id()), Term(record.mark().term()));
    marks_.RecordEntry(NodeId(record.node_id()), Term(record.mark().entry_term()),
                       LogIndex(record.mark().entry_index()));
  }
  rpc::BaseRecord base;
  DFS_RETURN_IF_ERROR(ReadRecord(*database_, kBaseKey, &base).status());
  base_index_ = LogIndex(base.index());
  base_term_ = Term(base.term());
  auto configuration = DecodeConfiguration(base.configuration());
  if (!configuration.ok()) return DamageError("base record is unreadable");
  base_configuration_ = *std::move(configuration);
  DFS_ASSIGN_OR_RETURN(const DurablePosition position,
                       ReadPosition(database_->db(), database_->log_family()));
  last_index_ = position.last_index;
  last_term_ = position.last_term;
  return absl::OkStatus();
}

absl::StatusOr<std::vector<consensus::Entry>> RocksdbLogStore::LoadEntries() {
  std::vector<consensus::Entry> entries;
  // Cut entries are tombstones before this key: they are not walked over.
  const std::unique_ptr<rocksdb::Iterator> rows(
      database_->db()->NewIterator({}, database_->log_family()));
  LogIndex expected = base_index_.Next();
  Term term = base_term_;
  for (rows->Seek(LogKey(expected)); rows->Valid(); rows->Next()) {
    rpc::LogEntry record;
    const bool is_parsed =
        rows->key() == LogKey(expected) &&
        record.ParseFromArray(rows->value().data(), static_cast<int>(rows->value().size()));
    absl::StatusOr<consensus::Entry> entry =
        is_parsed ? DecodeEntry(&record) : absl::InvalidArgumentError("not an entry");
    if (!entry.ok() || entry->index != expected || entry->term < term) {
      return DamageError(absl::StrCat("log entry ", expected.value(), " is unreadable"));
    }
    term = entry->term;
    expected = expected.Next();
    entries.push_back(*std::move(entry));
  }
  DFS_RETURN_IF_ERROR(FromRocksdb(rows->status(), "reading the log"));
  return entries;
}

absl::StatusOr<consensus::InitialState> RocksdbLogStore::Load() {
  consensus::InitialState out;
  out.hard_state = hard_state_;
  out.base_index = base_index_;
  out.base_term = base_term_;
  out.base_configuration = base_configuration_;
  out.applied_index = base_index_;
  DFS_ASSIGN_OR_RETURN(out.entries, LoadEntries());
  return out;
}

DurablePosition RocksdbLogStore::Position() const {
  return {hard_state_.term, last_term_, last_index_};
}

absl::Status RocksdbLogStore::CommitBatch(rocksdb::WriteBatch& batch,
                                          const DurablePosition& after) {
  if (after.end() < Position().end()) DFS_RETURN_IF_ERROR(mark_->Lower(ToWords(after)));
  if (!marks_to_write_.empty()) batch.Put(kMarksKey, marks_to_write_);
  DFS_RETURN_IF_ERROR(database_->WriteSynced(&batch));
  marks_to_write_.clear();
  mark_->Note(ToWords(after));
  last_index_ = after.last_index;
  last_term_ = after.last_term;
  return absl::OkStatus();
}

void RocksdbLogStore::KeepMarks(const WitnessMarks& marks) {
  rpc::MarksRecord record;
  for (const auto& [node, mark] : marks.all()) {
    auto* out = record.add_marks();
    out->set_node_id(node.value());
    out->mutable_mark()->set_term(mark.term.value());
    out->mutable_mark()->set_entry_term(mark.entry_term.value());
    out->mutable_mark()->set_entry_index(mark.entry_index.value());
  }
  marks_ = marks;
  marks_to_write_ = record.SerializeAsString();
}

absl::Status RocksdbLogStore::FlushMarks() {
  if (marks_to_write_.empty()) return absl::OkStatus();
  rocksdb::WriteBatch batch;
  return CommitBatch(batch, Position());
}

absl::Status RocksdbLogStore::Append(const std::optional<consensus::HardState>& hard_state,
                                     const std::vector<consensus::Entry>& entries) {
  rocksdb::WriteBatch batch;
  DurablePosition after = Position();
  if (hard_state) {
    // Terms never go back, and a vote is never changed (two votes in one term elect two leaders).
    const bool is_unchecked = DFS_MUTANT(9, "an older hard state replaces a newer one");
    CHECK(is_unchecked || hard_state->term >= hard_state_.term)
        << "term " << hard_state->term << " after " << hard_state_.term;
    if (!is_unchecked && hard_state->term == hard_state_.term &&
        !hard_state_.voted_for.is_none()) {
      CHECK_EQ(hard_state->voted_for, hard_state_.voted_for);
    }
    rpc::HardStateRecord record;
    record.set_term(hard_state->term.value());
    record.set_voted_for(hard_state->voted_for.value());
    batch.Put(kHardStateKey, record.SerializeAsString());
    after.hard_state_term = hard_state->term;
  }
  if (!entries.empty()) {
    LogIndex index = entries.front().index;
    CHECK_GT(index, base_index_);
    CHECK_LE(index, last_index_.Next());
    std::string value;
    for (const auto& entry : entries) {
      CHECK_EQ(entry.index, index);
      rpc::LogEntry record;
      EncodeEntry(entry, &record);
      record.SerializeToString(&value);
      batch.Put(database_->log_family(), LogKey(index), value);
      index = index.Next();
    }
    for (; index <= last_index_; index = index.Next()) {
      batch.Delete(database_->log_family(), LogKey(index));
    }
    after.last_index = entries.back().index;
    after.last_term = entries.back().term;
  }
  if (DFS_MUTANT(108, "term, vote and entries are written without a sync")) {
    DFS_RETURN_IF_ERROR(database_->WriteUnsynced(&batch));
    last_index_ = after.last_index;
    last_term_ = after.last_term;
    if (hard_state) hard_state_ = *hard_state;
    return absl::OkStatus();
  }
  DFS_RETURN_IF_ERROR(CommitBatch(batch, after));
  if (hard_state) hard_state_ = *hard_state;
  return absl::OkStatus();
}

void RocksdbLogStore::PutBase(rocksdb::WriteBatch& batch, LogIndex index, Term term,
                              const consensus::Configuration& configuration) const {
  rpc::BaseRecord record;
  record.set_index(index.value());
  record.set_term(term.value());
  EncodeConfiguration(configuration, record.mutable_configuration());
  batch.Put(kBaseKey, record.SerializeAsString());
}

absl::Status RocksdbLogStore::Cut(LogIndex index, Term term,
                                  const consensus::Configuration& configuration) {
  CHECK_LE(index, last_index_);
  if (index <= base_index_) return absl::OkStatus();
  rocksdb::WriteBatch batch;
  PutBase(batch, index, term, configuration);
  for (LogIndex i = base_index_.Next(); i <= index; i = i.Next()) {
    batch.Delete(database_->log_family(), LogKey(i));
  }
  DFS_RETURN_IF_ERROR(CommitBatch(batch, Position()));
  base_index_ = index;
  base_term_ = term;
  base_configuration_ = configuration;
  return absl::OkStatus();
}

absl::Status RocksdbLogStore::SyncState() { return database_->SyncAll(); }

bool RocksdbLogStore::IsApplyAhead() {
  return database_->IsNearStall(state_->generation()->family());
}

absl::StatusOr<std::unique_ptr<SnapshotFiles>> RocksdbLogStore::WriteSnapshot(
    const metadata::RowReader& rows) {
  const std::string scratch = options_.data_dir + kScratch;
  DFS_RETURN_IF_ERROR(FromRocksdb(env_->CreateDirIfMissing(scratch), scratch));
  std::string path;
  {
    MutexLock lock(&scratch_mutex_);
    path = absl::StrCat(scratch, "/out-", next_scratch_++);
  }
  DFS_ASSIGN_OR_RETURN(auto folder, RocksdbScratchFolder::Make(env_, path));
  return WriteSnapshotFiles(std::move(folder), rows);
}

absl::StatusOr<std::unique_ptr<SnapshotSink>> RocksdbLogStore::NewSnapshotSink() {
  const std::string scratch = options_.data_dir + kScratch;
  DFS_RETURN_IF_ERROR(FromRocksdb(env_->CreateDirIfMissing(scratch), scratch));
  std::string path;
  {
    MutexLock lock(&scratch_mutex_);
    path = absl::StrCat(scratch, "/in-", next_scratch_++);
  }
  DFS_ASSIGN_OR_RETURN(auto folder, RocksdbScratchFolder::Make(env_, path));
  return std::make_unique<RocksdbSnapshotSink>(std::move(folder));
}

absl::StatusOr<std::unique_ptr<PreparedState>> RocksdbLogStore::PrepareState(
    std::unique_ptr<SnapshotSink> sink, const SnapshotContent& content, const StateCheck& check) {
  if (database_->is_poisoned()) return absl::DataLossError("the metadata database has failed before");
  DFS_ASSIGN_OR_RETURN(const std::vector<std::string> paths,
                       static_cast<RocksdbSnapshotSink*>(sink.get())->Paths());
  DFS_ASSIGN_OR_RETURN(auto generation,
                       database_->NewGeneration(state_->generation()->number() + 1));
  auto prepared = std::make_unique<Prepared>(generation);
  if (!paths.empty()) {
    rocksdb::IngestExternalFileOptions options;
    options.move_files = true;
    // Into an empty family nothing needs a number of its own; and a number without a record in
    // the write-ahead log would look like a gap at recovery.
    options.snapshot_consistency = false;
    options.allow_global_seqno = false;
    options.allow_blocking_flush = false;
    const auto status =
        database_->db()->IngestExternalFile(generation->family(), paths, options);
    if (!status.ok()) return FromRocksdb(status, "taking in a snapshot");
  }
  // What came over the network may be damaged: that is no failure of this disk.
  absl::Status failure;
  RocksdbStateStore rows(database_.get(), generation, [&failure](const absl::Status& status) {
    if (failure.ok()) failure = status;
  });
  const SnapshotContent found = ContentOf(rows);
  DFS_RETURN_IF_ERROR(failure);
  if (found != content) {
    return absl::DataLossError(absl::StrCat("snapshot arrived damaged: ", found.rows, " rows of ",
                                            content.rows));
  }
  if (check) DFS_RETURN_IF_ERROR(check(rows));
  DFS_RETURN_IF_ERROR(failure);
  return prepared;
}

absl::Status RocksdbLogStore::InstallState(std::unique_ptr<PreparedState> state,
                                           const SnapshotDescription& description,
                                           bool keep_tail) {
  CHECK_GT(description.index, base_index_);
  auto generation = static_cast<Prepared*>(state.get())->Take();
  rocksdb::WriteBatch batch;
  batch.Put(kGenerationKey, absl::StrCat(generation->number()));
  PutBase(batch, description.index, description.term, description.configuration);
  const bool has_tail = keep_tail && last_index_ > description.index;
  const LogIndex drop_to = has_tail ? description.index : last_index_;
  for (LogIndex i = base_index_.Next(); i <= drop_to; i = i.Next()) {
    batch.Delete(database_->log_family(), LogKey(i));
  }
  DurablePosition after = Position();
  if (!has_tail) {
    after.last_index = description.index;
    after.last_term = description.term;
  }
  if (const auto status = CommitBatch(batch, after); !status.ok()) {
    // Which of the two is in force is known at the next start.
    return status;
  }
  base_index_ = description.index;
  base_term_ = description.term;
  base_configuration_ = description.configuration;
  database_->SetCurrent(generation);
  const auto old = state_->generation();
  state_->Switch(std::move(generation));
  old->Retire();
  return absl::OkStatus();
}

}  // namespace dfs::replicated_log
