// Members that are away, that are to be emptied, and that go for good (rules R1, R7).
#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/mutant.h"
#include "server/metadata/commands.h"
#include "server/metadata/node_results.h"
#include "server/metadata/node_role.h"
#include "server/metadata/row_codec.h"
#include "server/metadata/session_table.h"
#include "server/metadata/version_table.h"

namespace dfs::metadata {
namespace {

void UpdateNode(ApplyContext* context, const rpc::NodeRow& row) {
  const NodeId node(row.node_id());
  if (EncodeRow(row) == EncodeRow(context->cache->nodes[node])) return;
  context->rows->Put(NodeKey(node), EncodeRow(row));
  context->cache->nodes[node] = row;
}

std::uint64_t OutCount(const ApplyContext& context) {
  const auto& nodes = context.cache->nodes;
  return static_cast<std::uint64_t>(std::count_if(nodes.begin(), nodes.end(), [](const auto& e) {
    return e.second.state() == rpc::ACTIVE && e.second.is_out();
  }));
}

// Deletes what the node had to unlink, purged or released, as far as the entry has room. False:
// some are left.
bool DropUnlinkRows(ApplyContext* context, NodeId node, std::uint64_t* count) {
  std::vector<std::string> keys;
  bool is_last = true;
  for (const std::string& first : {PurgeKey(node), ReleasedKey(node)}) {
    context->rows->Scan(first, EndOfPrefix(first), [&](std::string_view key, std::string_view) {
      is_last = context->HasRoomFor(keys.size() + 1);
      if (is_last) keys.emplace_back(key);
      return is_last;
    });
    if (!is_last) break;
  }
  for (const std::string& key : keys) context->rows->Delete(key);
  *count += keys.size();
  return is_last;
}

// Takes the node out of the set. True: it was in it.
bool DropReplica(std::uint32_t node, rpc::ChunkRow* chunk) {
  auto* const replicas = chunk->mutable_replicas();
  for (int i = 0; i < replicas->size(); ++i) {
    rpc::Replica& replica = *replicas->Mutable(i);
    if (replica.node_id() != node) continue;
    const bool is_only = replicas->size() == 1 &&
                         !DFS_MUTANT(802, "the last replica of a chunk leaves an empty set");
    if (!is_only) {
      replicas->DeleteSubrange(i, 1);
      return true;
    }
    // Whoever asks why a file cannot be read is told where it was.
    const bool has_changed = replica.state() != api::MISSING;
    replica.set_state(api::MISSING);
    return has_changed;
  }
  return false;
}

// A file of 0 bytes has nothing to copy: the lowest member that is not in its set takes the place.
bool ReplaceInEmptySet(const ApplyContext& context, std::uint32_t node, rpc::VersionRow* version) {
  auto* const set = version->mutable_empty_set();
  const auto at = std::find(set->begin(), set->end(), node);
  if (at == set->end()) return false;
  for (const auto& [id, row] : context.cache->nodes) {
    if (!context.IsActive(row.node_id()) || std::find(set->begin(), set->end(), id.value()) != set->end()) {
      continue;
    }
    *at = id.value();
    return true;
  }
  if (set->size() == 1) return false;
  set->erase(at);
  return true;
}

bool TakeOut(const ApplyContext& context, std::uint32_t node, rpc::VersionRow* version) {
  bool has_changed = ReplaceInEmptySet(context, node, version);
  for (rpc::ChunkRow& chunk : *version->mutable_chunks()) {
    has_changed = DropReplica(node, &chunk) || has_changed;
  }
  return has_changed;
}

struct Sweep {
  std::vector<std::pair<LocatedVersion, rpc::VersionRow>> changed;  // before, after
  TxnId last;
  bool is_last = true;
};

Sweep SweepVersions(const ApplyContext& context, std::uint32_t node, const TxnId& after) {
  Sweep sweep;
  sweep.last = after;
  std::size_t seen = 0;
  const std::string first = TxnKey(after).append(1, '\0');
  context.rows->Scan(first, EndOfPrefix(TableKey(kTxnTable)),
                     [&](std::string_view key, std::string_view) {
                       if (++seen > kRetireScanMax ||
                           !context.HasRoomFor(2 * (sweep.changed.size() + 1))) {
                         sweep.is_last = false;
                         return false;
                       }
                       sweep.last = TxnAtEnd(key);
                       auto located = ReadVersion(*context.rows, sweep.last);
                       rpc::VersionRow row = located->row;
                       if (TakeOut(context, node, &row)) {
                         sweep.changed.emplace_back(*std::move(located), std::move(row));
                       }
                       return true;
                     });
  return sweep;
}

}  // namespace

rpc::CommandResult Apply(ApplyContext* context, const rpc::MarkNode& command) {
  const rpc::NodeRow* known = context->FindNode(command.node_id());
  if (known == nullptr || known->state() != rpc::ACTIVE) {
    return InvalidNode(*context, "the node is no active member");
  }
  if (command.boot_epoch() != 0 && command.boot_epoch() != known->boot_epoch()) {
    return InvalidNode(*context, "the node has started since");
  }
  rpc::NodeRow node = *known;
  if (command.has_is_out()) node.set_is_out(command.is_out());
  if (command.is_counted()) node.set_counted_epoch(command.boot_epoch());
  if (command.has_departure() && !rpc::Departure_IsValid(command.departure())) {
    return InvalidNode(*context, "no such departure");
  }
  if (command.has_departure()) {
    node.set_departure(command.departure());
    node.set_successor(command.departure() == rpc::FORGOTTEN ? command.successor() : 0);
  }
  const bool goes_out = node.is_out() && !known->is_out();
  if (goes_out && !HoldsReplicas(node)) return InvalidNode(*context, "a gateway holds no copies to be made anew");
  if (goes_out && (OutCount(*context) + 1) * 3 > context->cache->counters.members()) {
    return InvalidNode(*context, "no more than a third of the members may be OUT");
  }
  UpdateNode(context, node);
  return NodeDone(*context, node);
}

rpc::CommandResult Apply(ApplyContext* context, const rpc::RetireNode& command) {
  const rpc::NodeRow* known = context->FindNode(command.node_id());
  if (known == nullptr) return InvalidNode(*context, "no such node");
  if (known->state() == rpc::RETIRED) return NodeDone(*context, *known);
  rpc::CountersRow& counters = context->cache->counters;
  const std::uint32_t successor = known->successor();
  rpc::NodeRow node = *known;
  if (known->state() == rpc::ACTIVE && HoldsReplicas(*known)) {
    if (counters.members() <= 1) return InvalidNode(*context, "the last member cannot go");
    counters.set_members(counters.members() - 1);
    node.set_has_rows(true);
  }
  node.set_state(rpc::RETIRED);
  node.clear_is_out();
  node.clear_departure();
  node.clear_successor();
  UpdateNode(context, node);
  if (const rpc::NodeRow* heir = context->FindNode(successor);
      heir != nullptr && heir->state() != rpc::RETIRED) {
    rpc::NodeRow row = *heir;
    row.set_name(node.name());
    row.set_zone(node.zone());
    UpdateNode(context, row);
  }
  return NodeDone(*context, node);
}

rpc::CommandResult Apply(ApplyContext* context, const rpc::RetireStep& command) {
  const rpc::NodeRow* known = context->FindNode(command.node_id());
  if (known == nullptr || known->state() != rpc::RETIRED) {
    return InvalidNode(*context, "the node is not retired");
  }
  rpc::CommandResult result;
  result.set_code(rpc::CommandResult::DONE);
  result.set_applied_index(context->index.value());
  *result.mutable_next() = command.after();
  std::uint64_t count = 0;
  if (DropUnlinkRows(context, NodeId(command.node_id()), &count)) {
    const Sweep sweep = SweepVersions(*context, command.node_id(), FromWire(command.after()));
    for (const auto& [before, after] : sweep.changed) Update(context, before, after);
    count += sweep.changed.size();
    *result.mutable_next() = ToWire(sweep.last);
    result.set_is_last(sweep.is_last);
    if (sweep.is_last) {
      rpc::NodeRow node = *known;
      node.clear_has_rows();
      UpdateNode(context, node);
    }
  }
  result.set_count(count);
  return result;
}

}  // namespace dfs::metadata
