#include "server/metadata/metadata_machine.h"

#include <algorithm>
#include <utility>

#include "common/checksum.h"
#include "common/mutant.h"
#include "common/sync.h"
#include "glog/logging.h"
#include "server/metadata/bucket_table.h"
#include "server/metadata/commands.h"
#include "server/metadata/limits.h"
#include "server/metadata/machine_cache.h"
#include "server/metadata/metadata_view.h"
#include "server/metadata/row_codec.h"
#include "server/metadata/row_keys.h"
#include "server/metadata/row_overlay.h"
#include "server/metadata/session_table.h"

namespace dfs::metadata {
namespace {

// The rolling hash after this entry: XXH3-128 over the hash before, the index, the log time and every
// changed row in key order. Lengths make it unambiguous; all integers are big-endian.
Hash128 NextHash(const Hash128& before, LogIndex index, std::uint64_t log_time_us,
                 const RowOverlay::Changes& changes) {
  std::string head;
  AppendBigEndian64(&head, before.high);
  AppendBigEndian64(&head, before.low);
  AppendBigEndian64(&head, index.value());
  AppendBigEndian64(&head, log_time_us);
  Xxh3Stream hash;
  hash.Update(head.data(), head.size());
  for (const auto& [key, value] : changes) {
    std::string row;
    AppendBigEndian32(&row, static_cast<std::uint32_t>(key.size()));
    row += key;
    row.push_back(value ? '\1' : '\0');
    AppendBigEndian32(&row, static_cast<std::uint32_t>(value ? value->size() : 0));
    hash.Update(row.data(), row.size());
    if (value) hash.Update(value->data(), value->size());
  }
  return hash.Digest();
}

rpc::CommandResult Dispatch(ApplyContext* context, const rpc::Command& command) {
  switch (command.kind_case()) {
    case rpc::Command::kFormCluster:
      return Apply(context, command.form_cluster());
    case rpc::Command::kAddNode:
      return Apply(context, command.add_node());
    case rpc::Command::kActivateNode:
      return Apply(context, command.activate_node());
    case rpc::Command::kNodeStarted:
      return Apply(context, command.node_started());
    case rpc::Command::kCommitPut:
      return Apply(context, command.commit_put());
    case rpc::Command::kRemoveFile:
      return Apply(context, command.remove_file());
    case rpc::Command::kSettle:
      return Apply(context, command.settle());
    case rpc::Command::kChangeReplicas:
      return Apply(context, command.change_replicas());
    case rpc::Command::kPurge:
      return Apply(context, command.purge());
    case rpc::Command::kUnlinked:
      return Apply(context, command.unlinked());
    case rpc::Command::kClearPrefix:
      return Apply(context, command.clear_prefix());
    case rpc::Command::kClearStep:
      return Apply(context, command.clear_step());
    case rpc::Command::kExpireSessions:
      return Apply(context, command.expire_sessions());
    case rpc::Command::kMarkNode:
      return Apply(context, command.mark_node());
    case rpc::Command::kRetireNode:
      return Apply(context, command.retire_node());
    case rpc::Command::kRetireStep:
      return Apply(context, command.retire_step());
    case rpc::Command::kUndeleteFile:
      return Apply(context, command.undelete_file());
    case rpc::Command::kMoveFile:
      return Apply(context, command.move_file());
    case rpc::Command::kMakeBucket:
      return Apply(context, command.make_bucket());
    case rpc::Command::kRemoveBucket:
      return Apply(context, command.remove_bucket());
    case rpc::Command::KIND_NOT_SET:
      break;
  }
  return Refusal(*context, rpc::CommandResult::INVALID, "the command is of no known kind");
}

}  // namespace

struct MetadataMachine::State {
  State(KeyValueStore* the_store, Keeps what) : store(the_store), keeps(what) {}

  rpc::CommandResult ApplyOne(RowOverlay* batch, const Item& item);
  void Write(const RowOverlay& batch);
  void Publish(std::optional<StateHash> new_checkpoint);

  KeyValueStore* const store;
  const Keeps keeps;
  MachineCache cache;            // of the applying thread
  std::string counters_encoded;  // as in the store

  mutable Mutex mutex;
  LogIndex applied ABSL_GUARDED_BY(mutex);
  StateHash checkpoint ABSL_GUARDED_BY(mutex);
};

rpc::CommandResult MetadataMachine::State::ApplyOne(RowOverlay* batch, const Item& item) {
  CHECK_EQ(item.index.value(), cache.applied.index.value() + 1) << "entries are applied in order";
  RowOverlay entry(batch);
  ApplyContext context{.rows = &entry, .cache = &cache, .index = item.index, .term = item.term};
  rpc::CommandResult result;
  rpc::Command command;
  if (item.command.empty() || keeps == Keeps::kDirectory) {
    result.set_code(rpc::CommandResult::DONE);
    result.set_applied_index(item.index.value());
  } else if (!command.ParseFromArray(item.command.data(), static_cast<int>(item.command.size()))) {
    result = Refusal(context, rpc::CommandResult::INVALID, "the command cannot be read");
  } else {
    cache.applied.log_time_us = std::max(cache.applied.log_time_us, command.time_us());
    result = Dispatch(&context, command);
  }
  WriteChangedCounts(&context);
  if (std::string encoded = EncodeRow(cache.counters); encoded != counters_encoded) {
    entry.Put(TableKey(kCountersTable), encoded);
    counters_encoded = std::move(encoded);
  }
  DCHECK_LE(entry.changes().size(), kRowsPerEntryMax) << "one entry changes too many rows";
  cache.applied.index = item.index;
  cache.applied.hash =
      NextHash(cache.applied.hash, item.index, cache.applied.log_time_us, entry.changes());
  for (const auto& [key, value] : entry.changes()) {
    if (value) {
      batch->Put(key, *value);
    } else {
      batch->Delete(key);
    }
  }
  return result;
}

void MetadataMachine::State::Write(const RowOverlay& batch) {
  RowBatch rows;
  rows.changes.reserve(batch.changes().size() + 1);
  for (const auto& [key, value] : batch.changes()) rows.changes.emplace_back(key, value);
  if (DFS_MUTANT(115, "the applied index is written apart from its state")) {
    store->Write(rows);
    rows.changes.clear();
  }
  rows.changes.emplace_back(TableKey(kAppliedTable), EncodeApplied(cache.applied));
  store->Write(rows);
}

void MetadataMachine::State::Publish(std::optional<StateHash> new_checkpoint) {
  MutexLock lock(&mutex);
  applied = cache.applied.index;
  if (new_checkpoint) checkpoint = *new_checkpoint;
}

MetadataMachine::MetadataMachine(KeyValueStore* store, Keeps keeps) : state_(std::make_unique<State>(store, keeps)) {
  Reload();
}

MetadataMachine::~MetadataMachine() = default;

void MetadataMachine::Reload() {
  state_->cache = LoadCache(*state_->store);
  state_->counters_encoded = EncodeRow(state_->cache.counters);
  state_->Publish(StateHash{});
}

bool MetadataMachine::has_files() const { return state_->keeps == Keeps::kEverything; }

LogIndex MetadataMachine::applied_index() const {
  MutexLock lock(&state_->mutex);
  return state_->applied;
}

StateHash MetadataMachine::LastCheckpoint() const {
  MutexLock lock(&state_->mutex);
  return state_->checkpoint;
}

rpc::CommandResult MetadataMachine::Apply(LogIndex index, Term term, std::string_view command) {
  return ApplyAll({{index, term, command}}).front();
}

std::vector<rpc::CommandResult> MetadataMachine::ApplyAll(const std::vector<Item>& items) {
  std::vector<rpc::CommandResult> results;
  if (items.empty()) return results;
  results.reserve(items.size());
  RowOverlay batch(state_->store);
  std::optional<StateHash> checkpoint;
  for (const Item& item : items) {
    results.push_back(state_->ApplyOne(&batch, item));
    if (item.index.value() % kCheckpointInterval == 0 && state_->keeps == Keeps::kEverything) {
      checkpoint = StateHash{item.index, state_->cache.applied.hash};
    }
  }
  state_->Write(batch);
  state_->Publish(checkpoint);
  return results;
}

std::unique_ptr<MetadataView> MetadataMachine::View() const {
  return MakeView(state_->store->Snapshot(), state_->keeps);
}

DirectoryRows MetadataMachine::Directory() const { return ReadDirectory(*state_->store->Snapshot()); }

LogIndex MetadataMachine::directory_index() const { return LoadDirectoryIndex(*state_->store->Snapshot()); }

}  // namespace dfs::metadata
