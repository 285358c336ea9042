// Who belongs to the cluster (rules R1, R4, R7).
#include <string>

#include "server/metadata/bucket_table.h"
#include "common/mutant.h"
#include "server/metadata/commands.h"
#include "server/metadata/node_results.h"
#include "server/metadata/node_role.h"
#include "server/metadata/row_codec.h"
#include "server/metadata/session_table.h"

namespace dfs::metadata {
namespace {

bool HasShortLabels(const std::string& name, const std::string& zone, const std::string& client,
                    const std::string& peer) {
  return name.size() <= kLabelBytesMax && zone.size() <= kLabelBytesMax &&
         client.size() <= kLabelBytesMax && peer.size() <= kLabelBytesMax;
}

// Field by field: what a newer version may have added must not get into the rows of this one only.
rpc::NodeRow RowOf(const rpc::NodeRow& asked, rpc::NodeState state) {
  rpc::NodeRow row;
  row.set_node_id(asked.node_id());
  row.mutable_storage_uuid()->set_high(asked.storage_uuid().high());
  row.mutable_storage_uuid()->set_low(asked.storage_uuid().low());
  row.set_name(asked.name());
  row.set_zone(asked.zone());
  row.set_client_address(asked.client_address());
  row.set_peer_address(asked.peer_address());
  row.set_state(state);
  row.set_boot_epoch(asked.boot_epoch());
  row.set_role(asked.role());
  return row;
}

bool IsComplete(const rpc::NodeRow& node) {
  return !UuidFromWire<StorageUuid>(node.storage_uuid()).is_none() &&
         HasShortLabels(node.name(), node.zone(), node.client_address(), node.peer_address());
}

void PutNode(ApplyContext* context, const rpc::NodeRow& row) {
  context->rows->Put(NodeKey(NodeId(row.node_id())), EncodeRow(row));
  context->cache->nodes[NodeId(row.node_id())] = row;
}

void AddNodeRow(ApplyContext* context, const rpc::NodeRow& row) {
  PutNode(context, row);
  std::string id;
  AppendBigEndian32(&id, row.node_id());
  context->rows->Put(NodeUuidKey(UuidFromWire<StorageUuid>(row.storage_uuid())), id);
  context->cache->counters.set_next_node_id(row.node_id() + 1);
}

void AddDefaultBucket(ApplyContext* context) {
  rpc::BucketRow bucket;
  bucket.set_id(kDefaultBucket.value());
  bucket.set_name("default");
  bucket.set_replicas(3);
  bucket.set_write_quorum(2);
  bucket.set_read_quorum(2);
  AddBucket(context, bucket);
}

}  // namespace

rpc::CommandResult Apply(ApplyContext* context, const rpc::FormCluster& command) {
  if (context->cache->cluster) return InvalidNode(*context, "the cluster is formed already");
  const auto cluster = UuidFromWire<ClusterId>(command.cluster_id());
  if (cluster.is_none() || command.node().node_id() != 1 || !IsComplete(command.node()) ||
      command.node().role() != rpc::ORDINARY) {
    return InvalidNode(*context, "a cluster needs an id and node 1 with a storage uuid");
  }
  context->cache->cluster = cluster;
  context->rows->Put(TableKey(kClusterTable), EncodeRow(ToWire(cluster)));
  AddDefaultBucket(context);
  rpc::NodeRow node = RowOf(command.node(), rpc::ACTIVE);
  node.set_counted_epoch(node.boot_epoch());
  AddNodeRow(context, node);
  context->cache->counters.set_members(1);
  return NodeDone(*context, node);
}

rpc::CommandResult Apply(ApplyContext* context, const rpc::AddNode& command) {
  if (!context->cache->cluster) return InvalidNode(*context, "no cluster is formed");
  if (!IsComplete(command.node())) {
    return InvalidNode(*context, "a node needs a storage uuid, and labels of at most 256 bytes");
  }
  if (!rpc::NodeRole_IsValid(command.node().role())) return InvalidNode(*context, "no such role");
  const auto uuid = UuidFromWire<StorageUuid>(command.node().storage_uuid());
  if (const auto id = context->rows->Get(NodeUuidKey(uuid))) {
    const rpc::NodeRow* known = context->FindNode(ReadBigEndian32(*id, 0));
    CHECK(known != nullptr) << "a storage uuid without its node";
    if (known->state() == rpc::RETIRED) return InvalidNode(*context, "this data directory is retired");
    return NodeDone(*context, *known);
  }
  if (command.node().node_id() != context->cache->counters.next_node_id()) {
    return InvalidNode(*context, "the node id is not the next one");
  }
  const rpc::NodeRow node = RowOf(command.node(), rpc::JOINING);
  AddNodeRow(context, node);
  return NodeDone(*context, node);
}

rpc::CommandResult Apply(ApplyContext* context, const rpc::ActivateNode& command) {
  const rpc::NodeRow* known = context->FindNode(command.node_id());
  if (known == nullptr) return InvalidNode(*context, "no such node");
  if (known->state() == rpc::RETIRED) return InvalidNode(*context, "the node is retired");
  if (known->state() == rpc::ACTIVE) return NodeDone(*context, *known);
  rpc::NodeRow node = *known;
  node.set_state(rpc::ACTIVE);
  // No version names a copy there yet: there is nothing to compare.
  node.set_counted_epoch(node.boot_epoch());
  PutNode(context, node);
  if (HoldsReplicas(node) || DFS_MUTANT(1110, "a gateway counts as one that holds copies")) {
    rpc::CountersRow& counters = context->cache->counters;
    counters.set_members(counters.members() + 1);
  }
  return NodeDone(*context, node);
}

rpc::CommandResult Apply(ApplyContext* context, const rpc::NodeStarted& command) {
  const rpc::NodeRow* known = context->FindNode(command.node_id());
  if (known == nullptr ||
      HashFromWire(known->storage_uuid()) != HashFromWire(command.storage_uuid())) {
    return InvalidNode(*context, "no such node with this storage uuid");
  }
  if (known->state() == rpc::RETIRED) return InvalidNode(*context, "the node is retired");
  if (!HasShortLabels(command.name(), command.zone(), command.client_address(),
                      command.peer_address())) {
    return InvalidNode(*context, "labels have at most 256 bytes");
  }
  if (command.boot_epoch() < known->boot_epoch()) return NodeDone(*context, *known);
  rpc::NodeRow node = *known;
  node.set_boot_epoch(command.boot_epoch());
  if (!command.client_address().empty()) node.set_client_address(command.client_address());
  if (!command.peer_address().empty()) node.set_peer_address(command.peer_address());
  if (!command.zone().empty()) node.set_zone(command.zone());
  if (!command.name().empty()) node.set_name(command.name());
  if (EncodeRow(node) != EncodeRow(*known)) PutNode(context, node);
  return NodeDone(*context, node);
}

}  // namespace dfs::metadata
