#include "tests/unit/metadata/world.h"

#include <algorithm>
#include <map>
#include <set>
#include <sstream>

#include "server/metadata/row_keys.h"

namespace dfs::metadata {

rpc::NodeRow NodeOf(std::uint32_t id, std::uint64_t epoch) {
  rpc::NodeRow node;
  node.set_node_id(id);
  *node.mutable_storage_uuid() = ToWire(StorageUuid{7, id});
  node.set_name("node" + std::to_string(id));
  node.set_client_address("10.0.0." + std::to_string(id) + ":1");
  node.set_peer_address("10.0.0." + std::to_string(id) + ":2");
  node.set_boot_epoch(epoch);
  return node;
}

World::World(std::uint32_t nodes) : machine(std::make_unique<MetadataMachine>(&store)) {
  if (nodes == 0) return;
  rpc::Command form;
  *form.mutable_form_cluster()->mutable_cluster_id() = ToWire(ClusterId{1, 2});
  *form.mutable_form_cluster()->mutable_node() = NodeOf(1);
  Apply(form);
  for (std::uint32_t id = 2; id <= nodes; ++id) AddActiveNode();
}

rpc::CommandResult World::Apply(const rpc::Command& command) {
  rpc::Command timed = command;
  if (timed.time_us() == 0) timed.set_time_us(++time_us);
  return ApplyBytes(timed.SerializeAsString());
}

rpc::CommandResult World::ApplyBytes(std::string_view command) {
  log.emplace_back(command);
  log_terms.push_back(term);
  return machine->Apply(machine->applied_index().Next(), term, command);
}

std::uint32_t World::AddActiveNode() {
  const std::uint32_t id = machine->View()->next_node_id().value();
  rpc::Command add;
  *add.mutable_add_node()->mutable_node() = NodeOf(id);
  Apply(add);
  rpc::Command activate;
  activate.mutable_activate_node()->set_node_id(id);
  Apply(activate);
  return id;
}

api::RequestId World::Request(std::uint64_t session, std::uint64_t sequence,
                              std::uint64_t acked_below, std::uint64_t birth) {
  api::RequestId request;
  const SessionId id = Session(session);
  request.set_session(BytesOf(id.high, id.low));
  request.set_sequence(sequence);
  request.set_acked_below(acked_below);
  request.set_birth(birth);
  return request;
}

api::RequestId World::NextRequest(std::uint64_t session) {
  const std::uint64_t sequence = next_request_[session]++;
  return Request(session, sequence, sequence > 100 ? sequence - 100 : 0);
}

rpc::Ack World::Ack(std::uint32_t node) const {
  rpc::Ack ack;
  const auto row = machine->View()->FindNode(NodeId(node));
  ack.set_node_id(node);
  if (row) {
    *ack.mutable_storage_uuid() = row->storage_uuid();
    ack.set_boot_epoch(row->boot_epoch());
  }
  return ack;
}

rpc::CommitPut World::PutCommand(std::string_view name, const PutOptions& options) {
  rpc::CommitPut put;
  *put.mutable_request_id() = NextRequest();
  *put.mutable_txn() = ToWire(NextTxn());
  put.set_bucket_id(bucket.value());
  put.set_name(std::string(name));
  put.set_size(static_cast<std::uint64_t>(options.chunks) * options.chunk_size);
  put.set_crc32c(77);
  *put.mutable_content_hash() = ToWire(Hash128{3, last_sequence});
  for (int k = 0; k < options.chunks; ++k) {
    rpc::CommitChunk* chunk = put.add_chunks();
    chunk->set_size(options.chunk_size);
    *chunk->mutable_hash() = ToWire(Hash128{last_sequence, static_cast<std::uint64_t>(k)});
    for (const std::uint32_t node : options.acks) *chunk->add_acks() = Ack(node);
    for (const std::uint32_t node : options.set) chunk->add_set(node);
  }
  if (options.chunks == 0) {
    for (const std::uint32_t node : options.set) put.add_empty_set(node);
  }
  if (options.if_version) put.set_if_version(*options.if_version);
  put.set_if_absent(options.if_absent);
  put.set_writer(options.writer);
  put.set_conflict_window_s(options.window_s);
  put.set_ignore_conflict(options.ignores_conflict);
  return put;
}

rpc::CommandResult World::Put(const rpc::CommitPut& put) {
  rpc::Command command;
  *command.mutable_commit_put() = put;
  return Apply(command);
}

rpc::CommandResult World::Put(std::string_view name, const PutOptions& options) {
  return Put(PutCommand(name, options));
}

rpc::CommandResult World::Remove(std::string_view name, std::optional<std::uint64_t> if_version) {
  rpc::Command command;
  rpc::RemoveFile* remove = command.mutable_remove_file();
  *remove->mutable_request_id() = NextRequest();
  remove->set_bucket_id(bucket.value());
  remove->set_name(std::string(name));
  if (if_version) remove->set_if_version(*if_version);
  return Apply(command);
}

rpc::CommandResult World::RemoveOld(std::string_view name, std::uint64_t number) {
  rpc::Command command;
  rpc::RemoveFile* remove = command.mutable_remove_file();
  *remove->mutable_request_id() = NextRequest();
  remove->set_bucket_id(bucket.value());
  remove->set_name(std::string(name));
  remove->set_version(number);
  return Apply(command);
}

rpc::CommandResult World::Move(std::string_view source, std::string_view target,
                               const MoveOptions& options) {
  rpc::Command command;
  rpc::MoveFile* move = command.mutable_move_file();
  *move->mutable_request_id() = NextRequest();
  move->set_bucket_id(bucket.value());
  move->set_source(std::string(source));
  move->set_target(std::string(target));
  if (options.if_version) move->set_if_version(*options.if_version);
  move->set_if_absent(options.if_absent);
  move->set_writer(options.writer);
  return Apply(command);
}

rpc::CommandResult World::MakeBucket(std::string_view name, const api::BucketOptions& options) {
  rpc::Command command;
  rpc::MakeBucket* make = command.mutable_make_bucket();
  *make->mutable_request_id() = NextRequest();
  make->set_name(std::string(name));
  *make->mutable_options() = options;
  return Apply(command);
}

rpc::CommandResult World::RemoveBucket(BucketId id) {
  rpc::Command command;
  *command.mutable_remove_bucket()->mutable_request_id() = NextRequest();
  command.mutable_remove_bucket()->set_bucket_id(id.value());
  return Apply(command);
}

std::vector<std::uint64_t> World::Olds(std::string_view name) const {
  std::vector<std::uint64_t> numbers;
  for (const auto& old : machine->View()->FindOlds(bucket, name)) numbers.push_back(old.number());
  return numbers;
}

rpc::CommandResult World::Undelete(std::string_view name, const UndeleteOptions& options) {
  rpc::Command command;
  rpc::UndeleteFile* undelete = command.mutable_undelete_file();
  *undelete->mutable_request_id() = NextRequest();
  undelete->set_bucket_id(bucket.value());
  undelete->set_name(std::string(name));
  if (options.version) undelete->set_version(*options.version);
  undelete->set_replaces(options.replaces);
  return Apply(command);
}

rpc::CommandResult World::Settle(const api::RequestId& request) {
  rpc::Command command;
  *command.mutable_settle()->mutable_request_id() = request;
  return Apply(command);
}

rpc::CommandResult World::Clear(std::string_view prefix) {
  rpc::Command command;
  *command.mutable_clear_prefix()->mutable_request_id() = NextRequest();
  command.mutable_clear_prefix()->set_bucket_id(bucket.value());
  command.mutable_clear_prefix()->set_prefix(std::string(prefix));
  return Apply(command);
}

rpc::CommandResult World::ClearStep(std::uint32_t rows) {
  rpc::Command command;
  command.mutable_clear_step()->set_rows(rows);
  return Apply(command);
}

rpc::CommandResult World::Purge(const TxnId& txn, std::uint64_t trashed_index) {
  rpc::Command command;
  rpc::PurgeVersion* version = command.mutable_purge()->add_versions();
  *version->mutable_txn() = ToWire(txn);
  version->set_trashed_index(trashed_index);
  return Apply(command);
}

rpc::CommandResult World::Expire(std::uint64_t frontier, std::uint64_t unused_since) {
  rpc::Command command;
  command.mutable_expire_sessions()->set_frontier(frontier);
  command.mutable_expire_sessions()->set_unused_since(unused_since);
  return Apply(command);
}

rpc::ReplicaChange World::Change(const rpc::VersionRow& version, int chunk, std::uint32_t node,
                                 api::ReplicaState state, std::uint32_t replaces) const {
  rpc::ReplicaChange change;
  *change.mutable_chunk() =
      ToWire(ChunkId{FromWire(version.txn()), static_cast<std::uint32_t>(chunk)});
  if (chunk < version.chunks_size()) *change.mutable_hash() = version.chunks(chunk).hash();
  *change.mutable_ack() = Ack(node);
  change.set_state(state);
  change.set_replaces(replaces);
  return change;
}

rpc::CommandResult World::Change(const rpc::ReplicaChange& change) {
  rpc::Command command;
  *command.mutable_change_replicas()->add_changes() = change;
  return Apply(command);
}

std::vector<std::string> World::Names(std::string_view prefix, std::string_view after) const {
  std::vector<std::string> names;
  machine->View()->List(bucket, prefix, after, [&](const rpc::VersionRow& version) {
    names.push_back(version.name());
    return true;
  });
  return names;
}

std::string ReplicasOf(const rpc::ChunkRow& chunk) {
  std::string text;
  for (const rpc::Replica& replica : chunk.replicas()) {
    if (!text.empty()) text += " ";
    text += std::to_string(replica.node_id()) + ":" + api::ReplicaState_Name(replica.state());
  }
  return text;
}

namespace {

std::uint32_t OkCopies(const rpc::ChunkRow& chunk) {
  std::uint32_t copies = 0;
  for (const rpc::Replica& replica : chunk.replicas()) copies += replica.state() == api::OK ? 1 : 0;
  return copies;
}

class Checker {
 public:
  explicit Checker(const MetadataMachine& machine) : view_(machine.View()) {}

  std::vector<std::string> Run(const MemoryKeyValueStore::Rows& rows) {
    for (const rpc::BucketRow& bucket : view_->Buckets()) CheckBucket(bucket);
    view_->ListTrashed([&](const rpc::VersionRow& version) {
      CheckVersion(version);
      ++totals_.trashed;
      ++trashed_[version.bucket_id()];
      if (version.trashed_index() == 0) Fail("a trashed version is current", version);
      return true;
    });
    for (const rpc::BucketRow& bucket : view_->Buckets()) CheckTrashList(BucketId(bucket.id()));
    CheckTotals();
    CheckRows(rows);
    CheckUnlinkRows(rows);
    return failures_;
  }

 private:
  void Fail(const std::string& what, const rpc::VersionRow& version) {
    failures_.push_back(what + ": " + version.ShortDebugString());
  }

  void CheckBucket(const rpc::BucketRow& bucket) {
    rpc::BucketCountsRow& counts = counts_[bucket.id()];
    const BucketId id(bucket.id());
    view_->List(id, "", "", [&](const rpc::VersionRow& version) {
      CheckVersion(version);
      AddToTotals(bucket, version);
      counts.set_files(counts.files() + 1);
      counts.set_bytes(counts.bytes() + version.size());
      if (version.trashed_index() != 0 || version.is_old()) Fail("a listed version is not current", version);
      const auto olds = view_->FindOlds(id, version.name());
      if (olds.size() != version.old_versions()) Fail("older versions are not as told", version);
      if (olds.size() >= std::max(1u, bucket.versions_kept())) Fail("too many are kept", version);
      std::uint64_t above = version.number();
      for (const rpc::VersionRow& old : olds) {
        CheckVersion(old);
        counts.set_old_versions(counts.old_versions() + 1);
        counts.set_old_bytes(counts.old_bytes() + old.size());
        CountUnderReplicated(bucket, old);
        if (!old.is_old() || old.number() >= above) Fail("an older version is out of order", old);
        above = old.number();
      }
      return true;
    });
  }

  // All of its trash by name, in pages of different lengths; what a clear hides is in it at once.
  void CheckTrashList(BucketId bucket) {
    using Place = std::pair<std::string, std::uint64_t>;
    std::vector<std::pair<Place, std::string>> expected;
    view_->ListVersions({}, [&](const rpc::VersionRow& version) {
      if (version.trashed_index() == 0 || BucketId(version.bucket_id()) != bucket) return true;
      rpc::VersionRow row = version;
      row.clear_is_old();
      row.clear_old_versions();
      expected.emplace_back(Place(row.name(), ~row.number()), row.SerializeAsString());
      return true;
    });
    std::sort(expected.begin(), expected.end());
    std::vector<std::pair<Place, std::string>> listed;
    for (std::size_t before = 1; before != listed.size();) {
      before = listed.size();
      const Place after = listed.empty() ? Place() : listed.back().first;
      const std::size_t page = 1 + listed.size() % 7;
      view_->ListTrash(
          bucket, "", {after.first, listed.empty() ? 0 : ~after.second},
          [&](std::string_view, std::uint64_t) {
            return listed.size() - before == page ? MetadataView::Choice::kStop : MetadataView::Choice::kVisit;
          },
          [&](const rpc::VersionRow& row) {
            listed.emplace_back(Place(row.name(), ~row.number()), row.SerializeAsString());
            return true;
          });
    }
    if (listed == expected) return;
    failures_.push_back("the trash of bucket " + std::to_string(bucket.value()) + " lists " +
                        std::to_string(listed.size()) + " versions, not " + std::to_string(expected.size()) +
                        ", or others");
  }

  void CountUnderReplicated(const rpc::BucketRow& bucket, const rpc::VersionRow& version) {
    std::uint32_t poorest = 1'000;
    for (const rpc::ChunkRow& chunk : version.chunks()) poorest = std::min(poorest, OkCopies(chunk));
    if (poorest < std::min<std::uint64_t>(bucket.replicas(), view_->member_count())) {
      ++totals_.under_replicated;
    }
  }

  void CheckVersion(const rpc::VersionRow& version) {
    if (!numbers_.insert(version.number()).second) Fail("a version number twice", version);
    std::uint64_t bytes = 0;
    for (const rpc::ChunkRow& chunk : version.chunks()) {
      bytes += chunk.size();
      std::set<std::uint32_t> nodes;
      for (const rpc::Replica& replica : chunk.replicas()) {
        if (!nodes.insert(replica.node_id()).second) Fail("a node twice in a set", version);
        const auto node = view_->FindNode(NodeId(replica.node_id()));
        if (!node || node->state() == rpc::JOINING) Fail("a set names no member", version);
      }
    }
    if (bytes != version.size()) Fail("chunks are missing", version);
    const auto found = view_->FindVersion(FromWire(version.txn()));
    if (!found || found->number() != version.number()) Fail("not found by its txn", version);
  }

  void AddToTotals(const rpc::BucketRow& bucket, const rpc::VersionRow& version) {
    ++totals_.files;
    totals_.bytes += version.size();
    CountUnderReplicated(bucket, version);
  }

  void CheckTotals() {
    for (const rpc::NodeRow& node : view_->Nodes()) totals_.members += node.state() == rpc::ACTIVE;
    const Totals kept = view_->GetTotals();
    std::ostringstream difference;
    const auto compare = [&](const char* what, std::uint64_t is, std::uint64_t counted) {
      if (is != counted) difference << what << " " << is << ", counted " << counted << "; ";
    };
    compare("files", kept.files, totals_.files);
    compare("bytes", kept.bytes, totals_.bytes);
    compare("under-replicated", kept.under_replicated, totals_.under_replicated);
    compare("trashed", kept.trashed, totals_.trashed);
    compare("members", kept.members, totals_.members);
    for (const auto& [id, counted] : counts_) {
      rpc::BucketCountsRow expected = counted;
      expected.set_trashed(trashed_[id]);
      const rpc::BucketCountsRow is = view_->CountsOf(BucketId(id));
      if (is.SerializeAsString() == expected.SerializeAsString()) continue;
      difference << "bucket " << id << " {" << is.ShortDebugString() << "}, counted {"
                 << expected.ShortDebugString() << "}";
    }
    if (!difference.str().empty()) failures_.push_back("totals: " + difference.str());
  }

  // Every version has exactly one row, one X row, a U row exactly if it is incomplete, and a D row exactly if it is trashed.
  void CheckRows(const MemoryKeyValueStore::Rows& rows) {
    std::set<TxnId> txns;
    std::set<TxnId> incomplete;
    std::set<TxnId> should_be_incomplete;
    std::map<std::string, std::uint64_t> results;
    std::map<std::string, TxnId> by_name;
    std::map<std::string, TxnId> should_be_by_name;
    for (const auto& [key, value] : rows) {
      if (key[0] == kTxnTable) txns.insert(TxnAtEnd(key));
      if (key[0] == kTrashedNameTable) by_name[key] = TxnAtEnd(value);
      if (key[0] == kIncompleteTable) incomplete.insert(TxnAtEnd(key));
      if (key[0] == kResultTable && ++results[key.substr(1, 16)] > 256) {
        failures_.push_back("more than 256 results of a session");
      }
      if (key[0] == kBucketTable) CheckBucketRow(value);
      if (key[0] != kFileTable && key[0] != kTrashTable && key[0] != kOldVersionTable) continue;
      rpc::VersionRow version;
      version.ParseFromString(value);
      const auto bucket = view_->FindBucket(BucketId(version.bucket_id()));
      if (!bucket) {
        Fail("a version without its bucket", version);
        continue;
      }
      if (key[0] == kTrashTable) {
        should_be_by_name[TrashedNameKey(BucketId(version.bucket_id()), version.name(),
                                         version.number())] = FromWire(version.txn());
      }
      for (const rpc::ChunkRow& chunk : version.chunks()) {
        if (OkCopies(chunk) < bucket->replicas()) should_be_incomplete.insert(FromWire(version.txn()));
      }
      if (txns_of_versions_.insert(FromWire(version.txn())).second) continue;
      Fail("a version has two rows", version);
    }
    if (txns != txns_of_versions_) failures_.push_back("X rows and versions differ");
    if (by_name != should_be_by_name) failures_.push_back("D rows and trashed versions differ");
    if (incomplete != should_be_incomplete) failures_.push_back("U rows are wrong");
  }

  // One that was removed is there only as long as there is something in its trash.
  void CheckBucketRow(const std::string& value) {
    rpc::BucketRow bucket;
    bucket.ParseFromString(value);
    if (bucket.removed_index() == 0 || trashed_[bucket.id()] > 0 || view_->HasPendingClear()) return;
    failures_.push_back("a removed bucket stays: " + bucket.ShortDebugString());
  }

  // P rows are of versions that are gone; L rows of versions that exist, for nodes that are not in
  // the chunk's set. Both name nodes that are members, or that RetireStep has yet to sweep.
  void CheckUnlinkRows(const MemoryKeyValueStore::Rows& rows) {
    for (const auto& [key, value] : rows) {
      if (key[0] != kPurgeTable && key[0] != kReleasedTable) continue;
      const TxnId txn = TxnAtEnd(key);
      const NodeId node(ReadBigEndian32(key, 1));
      const auto row = view_->FindNode(node);
      if (!row || row->state() == rpc::JOINING ||
          (row->state() == rpc::RETIRED && !row->has_rows())) {
        failures_.push_back("a row of what is to be unlinked names no member");
      }
      if (value.empty() || value.back() == '\0')
        failures_.push_back("a bitmap is longer than it should be");
      const auto version = view_->FindVersion(txn);
      if (version.has_value() != (key[0] == kReleasedTable)) {
        failures_.push_back("a P row of a version that exists, or an L row of one that does not");
        continue;
      }
      if (version) CheckReleased(node, *version);
    }
  }

  void CheckReleased(NodeId node, const rpc::VersionRow& version) {
    const TxnId txn = FromWire(version.txn());
    view_->ListReleased(node, [&](const ChunkId& chunk) {
      if (chunk.txn != txn) return true;
      if (chunk.index >= static_cast<std::uint32_t>(version.chunks_size())) {
        Fail("released is what is not there", version);
        return true;
      }
      for (const rpc::Replica& replica : version.chunks(static_cast<int>(chunk.index)).replicas()) {
        if (replica.node_id() == node.value())
          Fail("a node of the set counts as released", version);
      }
      return true;
    });
  }

  const std::unique_ptr<MetadataView> view_;
  Totals totals_;
  std::map<std::uint64_t, rpc::BucketCountsRow> counts_;
  std::map<std::uint64_t, std::uint64_t> trashed_;
  std::set<std::uint64_t> numbers_;
  std::set<TxnId> txns_of_versions_;
  std::vector<std::string> failures_;
};

}  // namespace

std::vector<std::string> FindViolations(const MetadataMachine& machine,
                                        const MemoryKeyValueStore& store) {
  return Checker(machine).Run(store.rows());
}

}  // namespace dfs::metadata
