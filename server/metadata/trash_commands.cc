// Purge and Unlinked: how bytes of trashed versions become free (rule R17).
#include <cstdint>
#include <map>
#include <string>

#include "common/mutant.h"
#include "server/metadata/commands.h"
#include "server/metadata/purge_bitmap.h"
#include "server/metadata/version_table.h"

namespace dfs::metadata {
namespace {

// What each node that may hold bytes of the version has to unlink. Nodes whose replica is missing
// are asked as well: a late copy may lie there.
std::map<std::uint32_t, std::string> UnlinksOf(const ApplyContext& context,
                                               const rpc::VersionRow& version) {
  std::map<std::uint32_t, std::string> chunks_by_node;
  for (int k = 0; k < version.chunks_size(); ++k) {
    for (const rpc::Replica& replica : version.chunks(k).replicas()) {
      const rpc::NodeRow* node = context.FindNode(replica.node_id());
      if (node == nullptr || node->state() == rpc::RETIRED) continue;
      AddChunk(&chunks_by_node[replica.node_id()], static_cast<std::uint32_t>(k));
    }
  }
  return chunks_by_node;
}

// False: not trashed by exactly that entry, or no room in this one.
bool PurgeOne(ApplyContext* context, const rpc::PurgeVersion& purge) {
  const TxnId txn = FromWire(purge.txn());
  const auto located = ReadVersion(*context->rows, txn);
  if (!located || located->place.trashed.is_none()) return false;
  const bool is_same_stay = located->place.trashed.value() == purge.trashed_index() ||
                            DFS_MUTANT(217, "Purge does not look at its index (rule R17)");
  if (!is_same_stay) return false;
  const auto unlinks = UnlinksOf(*context, located->row);
  // The first one always fits: a version names few nodes.
  if (!context->HasRoomFor(unlinks.size() + 3) && !context->rows->changes().empty()) return false;
  for (const auto& [node, bitmap] : unlinks) {
    context->rows->Put(PurgeKey(NodeId(node), txn), bitmap);
  }
  context->rows->Delete(TrashKey(located->place.trashed, txn));
  context->rows->Delete(TxnKey(txn));
  context->rows->Delete(IncompleteKey(txn));
  rpc::CountersRow& counters = context->cache->counters;
  counters.set_trashed(counters.trashed() - 1);
  return true;
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
  for (const rpc::PurgeVersion& purge : command.versions()) {
    if (!context->HasRoomFor(3)) break;
    if (PurgeOne(context, purge)) ++count;
  }
  return Counted(*context, count);
}

rpc::CommandResult Apply(ApplyContext* context, const rpc::Unlinked& command) {
  std::uint64_t count = 0;
  for (const rpc::ChunkId& wire : command.chunks()) {
    if (!context->HasRoomFor(1)) break;
    const ChunkId chunk = FromWire(wire);
    const std::string key = PurgeKey(NodeId(command.node_id()), chunk.txn);
    auto bitmap = context->rows->Get(key);
    if (!bitmap || !DropChunk(&*bitmap, chunk.index)) continue;
    if (bitmap->empty()) {
      context->rows->Delete(key);
    } else {
      context->rows->Put(key, *bitmap);
    }
    ++count;
  }
  return Counted(*context, count);
}

}  // namespace dfs::metadata
