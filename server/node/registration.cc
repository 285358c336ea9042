#include "server/node/registration.h"

#include <glog/logging.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/wire_ids.h"
#include "server/metadata/node_role.h"
#include "server/node/own_identity.h"

namespace dfs::node {

bool Registration::Check(const rpc::NodeRow& own, const metadata::MetadataView& view) {
  const auto known = view.FindNode(NodeId(own.node_id()));
  const bool is_known = known && known->boot_epoch() == own.boot_epoch() &&
                        known->client_address() == own.client_address() &&
                        known->peer_address() == own.peer_address();
  if (is_known || is_registering_.exchange(true)) return is_known;
  parts_.pool->Post([this, own] {
    const absl::Status status = Register(StartedOf(own));
    if (!status.ok()) LOG(INFO) << "not registered with the leader yet: " << status;
    is_registering_ = false;
  });
  return false;
}

// A node that has moved is not found by the leader before this: any member passes it on.
absl::Status Registration::Register(const rpc::NodeStarted& started) {
  if (!parts_.raft->Status().leader.is_none()) {
    return parts_.leader->Register(started, absl::Seconds(5));
  }
  rpc::RegisterRequest request;
  *request.mutable_node() = started;
  return RegisterThrough(parts_.others(), request);
}

absl::Status CheckNotRetired(const metadata::MetadataView& view, NodeId self) {
  const auto own = view.FindNode(self);
  if (!own || own->state() != rpc::RETIRED) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat(
      "node ", self.value(), " has left its cluster, and its id is never used again: use an empty "
      "--data-dir, and it joins under a new one"));
}

absl::Status CheckMayStart(const metadata::MetadataView& view, NodeId self,
                           std::optional<rpc::NodeRole> role) {
  if (absl::Status status = CheckNotRetired(view, self); !status.ok()) return status;
  const auto own = view.FindNode(self);
  if (!own || !role || *role == own->role()) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      "this data directory joined with --role=", std::string(metadata::NameOfRole(own->role())),
      ": start it so, or without --role; for another role use an empty --data-dir"));
}

void LearnEpochs(const metadata::MetadataView& view, NodeId self, PeerRegistry* registry) {
  for (const auto& row : view.Nodes()) {
    const NodeId node(row.node_id());
    if (node == self) continue;
    if (row.state() == rpc::RETIRED) {
      registry->Forget(node);
    } else {
      registry->RaiseEpoch(node, UuidFromWire<StorageUuid>(row.storage_uuid()), BootEpoch(row.boot_epoch()));
    }
  }
}

}  // namespace dfs::node
