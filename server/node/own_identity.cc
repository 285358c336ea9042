#include "server/node/own_identity.h"

#include <glog/logging.h>

namespace dfs::node {

rpc::NodeRow RowOf(const replicated_log::Identity& identity, NodeId node, const Config& config) {
  rpc::NodeRow row;
  row.set_node_id(node.value());
  *row.mutable_storage_uuid() = ToWire(identity.storage_uuid);
  row.set_name(config.name);
  row.set_zone(config.zone);
  row.set_client_address(config.listen);
  row.set_peer_address(config.peer_listen);
  row.set_boot_epoch(identity.boot_epoch.value());
  row.set_role(config.role.value_or(rpc::ORDINARY));
  return row;
}

rpc::PeerHello HelloOf(const replicated_log::Identity& identity, RunId run, const Config& config) {
  CHECK(identity.cluster_id);
  rpc::PeerHello hello;
  *hello.mutable_cluster_id() = ToWire(*identity.cluster_id);
  hello.set_node_id(identity.node_id.value());
  *hello.mutable_storage_uuid() = ToWire(identity.storage_uuid);
  hello.set_boot_epoch(identity.boot_epoch.value());
  hello.set_run_id(run.value());
  hello.set_peer_address(config.peer_listen);
  hello.set_client_address(config.listen);
  return hello;
}

rpc::Ack AckOf(const replicated_log::Identity& identity) {
  rpc::Ack ack;
  ack.set_node_id(identity.node_id.value());
  *ack.mutable_storage_uuid() = ToWire(identity.storage_uuid);
  ack.set_boot_epoch(identity.boot_epoch.value());
  return ack;
}

rpc::JoinRequest JoinRequestOf(const replicated_log::Identity& identity, const Config& config) {
  const rpc::NodeRow row = RowOf(identity, identity.node_id, config);
  rpc::JoinRequest request;
  *request.mutable_storage_uuid() = row.storage_uuid();
  request.set_name(row.name());
  request.set_zone(row.zone());
  request.set_client_address(row.client_address());
  request.set_peer_address(row.peer_address());
  request.set_boot_epoch(row.boot_epoch());
  request.set_role(row.role());
  request.set_claimed_node_id(row.node_id());
  if (identity.cluster_id) *request.mutable_claimed_cluster_id() = ToWire(*identity.cluster_id);
  return request;
}

rpc::NodeStarted StartedOf(const rpc::NodeRow& row) {
  rpc::NodeStarted started;
  started.set_node_id(row.node_id());
  *started.mutable_storage_uuid() = row.storage_uuid();
  started.set_boot_epoch(row.boot_epoch());
  started.set_client_address(row.client_address());
  started.set_peer_address(row.peer_address());
  started.set_zone(row.zone());
  started.set_name(row.name());
  return started;
}

}  // namespace dfs::node
