// Purge and Unlinked: how bytes of trashed versions become free; UndeleteFile: how they do not (rule R17).
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "common/mutant.h"
#include "server/metadata/bucket_table.h"
#include "server/metadata/clear_range.h"
#include "server/metadata/commands.h"
#include "server/metadata/metadata_machine.h"
#include "server/metadata/purge_bitmap.h"
#include "server/metadata/released_table.h"
#include "server/metadata/session_table.h"
#include "server/metadata/version_table.h"

namespace dfs::metadata {
namespace {

struct Unlinks {
  std::map<std::uint32_t, std::string> chunks_by_node;
  std::vector<std::string> released_keys;  // rows that these take the place of
};

bool IsMember(const ApplyContext& context, std::uint32_t id) {
  const rpc::NodeRow* node = context.FindNode(id);
  return node != nullptr && node->state() != rpc::RETIRED;
}

// What each node that may hold bytes of the version has to unlink. Nodes whose replica is missing
// are asked as well: a late copy may lie there. So are those that have left a set, `releasing`
// among them.
Unlinks UnlinksOf(const ApplyContext& context, const rpc::VersionRow& version,
                  const std::vector<NodeId>& releasing) {
  Unlinks unlinks;
  for (int k = 0; k < version.chunks_size(); ++k) {
    for (const rpc::Replica& replica : version.chunks(k).replicas()) {
      if (!IsMember(context, replica.node_id())) continue;
      AddChunk(&unlinks.chunks_by_node[replica.node_id()], static_cast<std::uint32_t>(k));
    }
  }
  if (DFS_MUTANT(1001, "Purge leaves the rows of copies that were let go before")) return unlinks;
  for (const NodeId node : releasing) {
    std::string key = ReleasedKey(node, FromWire(version.txn()));
    const auto bitmap = context.rows->Get(key);
    if (!bitmap) continue;
    if (IsMember(context, node.value())) {
      AddChunks(&unlinks.chunks_by_node[node.value()], *bitmap);
    }
    unlinks.released_keys.push_back(std::move(key));
  }
  return unlinks;
}

// False: not trashed by exactly that entry, or no room in this one.
bool PurgeOne(ApplyContext* context, const rpc::PurgeVersion& purge,
              const std::vector<NodeId>& releasing) {
  const TxnId txn = FromWire(purge.txn());
  const auto located = ReadVersion(*context->rows, txn);
  if (!located || located->place.trashed.is_none()) return false;
  const bool is_same_stay = located->place.trashed.value() == purge.trashed_index() ||
                            DFS_MUTANT(217, "Purge does not look at its index (rule R17)");
  if (!is_same_stay) return false;
  const Unlinks unlinks = UnlinksOf(*context, located->row, releasing);
  // Those of the bucket too, if it is one that no other version of the entry is of.
  const BucketId bucket(located->row.bucket_id());
  const rpc::BucketRow* const row = context->FindBucket(bucket.value());
  const std::size_t of_bucket = (context->cache->changed_counts.contains(bucket) ? 0 : 1) +
                                (row != nullptr && row->removed_index() != 0 ? 1 : 0);
  // The first one always fits: a version names few nodes.
  if (!context->HasRoomFor(unlinks.chunks_by_node.size() + unlinks.released_keys.size() +
                           of_bucket + 4) &&
      !context->rows->changes().empty()) {
    return false;
  }
  for (const auto& [node, bitmap] : unlinks.chunks_by_node) {
    context->rows->Put(PurgeKey(NodeId(node), txn), bitmap);
  }
  for (const std::string& key : unlinks.released_keys) context->rows->Delete(key);
  LeaveTrash(context, *located);
  context->rows->Delete(TxnKey(txn));
  context->rows->Delete(IncompleteKey(txn));
  return true;
}

// The version that is meant. `hidden`: the one that a clear has hidden under the name; it counts as trashed wherever
// its row still is, and is the newest of its name.
std::optional<TxnId> FindRemoved(const ApplyContext& context, const rpc::UndeleteFile& command,
                                 const std::optional<rpc::VersionRow>& hidden) {
  const bool is_any = !command.has_version();
  if (hidden && (is_any || command.version() == hidden->number())) return FromWire(hidden->txn());
  if (hidden) {
    const auto old = ReadOld(*context.rows, BucketId(command.bucket_id()), command.name(),
                             command.version());
    if (old) return FromWire(old->txn());
  }
  const auto trashed =
      FindTrashed(*context.rows, BucketId(command.bucket_id()), command.name(),
                  is_any ? std::nullopt : std::optional(command.version()));
  return trashed ? std::optional(FromWire(trashed->row.txn())) : std::nullopt;
}

// From the trash to its name, where way was made for it above `old_versions` kept ones.
rpc::VersionRow TakeBack(ApplyContext* context, const TxnId& txn, std::uint32_t old_versions) {
  const auto trashed = ReadVersion(*context->rows, txn);
  LeaveTrash(context, *trashed);
  rpc::VersionRow version = trashed->row;
  rpc::CountersRow& counters = context->cache->counters;
  counters.set_last_version(counters.last_version() + 1);
  // A change of the file like any other: numbers only increase, and no earlier clear hides it.
  version.set_number(counters.last_version());
  const bool keeps_index = DFS_MUTANT(820, "Undelete leaves the version as old as it was (rule R17)");
  if (!keeps_index) version.set_commit_index(context->index.value());
  version.set_time_us(context->log_time_us());
  version.clear_trashed_index();
  version.clear_trashed_time_us();
  version.set_old_versions(old_versions);
  AddCurrent(context, version);
  return version;
}

rpc::CommandResult Counted(const ApplyContext& context, std::uint64_t count) {
  rpc::CommandResult result;
  result.set_code(rpc::CommandResult::DONE);
  result.set_count(count);
  result.set_applied_index(context.index.value());
  return result;
}

}  // namespace

rpc::CommandResult Apply(ApplyContext* context, const rpc::Purge& command) {
  std::uint64_t count = 0;
  const std::vector<NodeId> releasing = NodesWithReleased(*context);
  for (const rpc::PurgeVersion& purge : command.versions()) {
    if (!context->HasRoomFor(4)) break;
    if (PurgeOne(context, purge, releasing)) ++count;
  }
  return Counted(*context, count);
}

rpc::CommandResult Apply(ApplyContext* context, const rpc::Unlinked& command) {
  std::uint64_t count = 0;
  for (const rpc::ChunkId& wire : command.chunks()) {
    if (!context->HasRoomFor(1)) break;
    const ChunkId chunk = FromWire(wire);
    const NodeId node(command.node_id());
    // Never both: a purged version does not exist any more.
    if (DropFromBitmapRow(context, PurgeKey(node, chunk.txn), chunk.index) ||
        DropReleased(context, node, chunk)) {
      ++count;
    }
  }
  return Counted(*context, count);
}

rpc::CommandResult Apply(ApplyContext* context, const rpc::UndeleteFile& command) {
  constexpr std::uint32_t kKind = rpc::Command::kUndeleteFile;
  const api::RequestId& request = command.request_id();
  if (auto answer = Admit(*context, request, kKind)) return *std::move(answer);
  if (const absl::Status name = CheckName(command.name()); !name.ok()) {
    return Refusal(*context, rpc::CommandResult::INVALID,
                   std::string(name.message().data(), name.message().size()));
  }
  const rpc::BucketRow* const bucket = context->FindQuorumBucket(command.bucket_id());
  if (bucket == nullptr) {
    return Refusal(*context, rpc::CommandResult::NO_BUCKET, "no such bucket");
  }
  const auto fail = [&](rpc::CommandResult::Code code, const std::string& message) {
    rpc::CommandResult result;
    result.set_code(code);
    result.set_message(message);
    return StoreResult(context, request, kKind, std::move(result));
  };
  const auto under_name =
      ReadFile(*context->rows, BucketId(command.bucket_id()), command.name());
  const bool is_visible =
      under_name && FirstHiding(context->cache->clears, *under_name) == nullptr;
  if (is_visible && !command.replaces()) {
    return fail(rpc::CommandResult::PRECONDITION_FAILED, "there is a file of this name");
  }
  const auto txn = FindRemoved(*context, command, is_visible ? std::nullopt : under_name);
  if (!txn) return fail(rpc::CommandResult::NOT_FOUND, "not in the trash (any more)");

  const auto removed = ReadVersion(*context->rows, *txn);
  const std::string over = WhatIsExceeded(*context, *bucket, removed->row.size(),
                                          is_visible ? under_name : std::nullopt);
  if (!over.empty()) return fail(rpc::CommandResult::OVER_QUOTA, over);
  const std::uint32_t old_versions = MakeWay(context, *bucket, under_name);
  const rpc::VersionRow version = TakeBack(context, *txn, old_versions);
  rpc::CommandResult result;
  result.set_code(rpc::CommandResult::DONE);
  *result.mutable_version() = Summary(version);
  result.set_replicas(PoorestCopies(version));
  result.set_count(static_cast<std::uint64_t>(version.chunks_size()));
  return StoreResult(context, request, kKind, std::move(result));
}

}  // namespace dfs::metadata
