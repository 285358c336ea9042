#include "common/peer_registry.h"

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/mutant.h"

namespace dfs {

PeerRegistry::PeerRegistry(rpc::PeerHello own) : own_(std::move(own)) {}

rpc::PeerHello PeerRegistry::own() const {
  MutexLock lock(&mutex_);
  return own_;
}

void PeerRegistry::SetOwn(rpc::PeerHello own) {
  MutexLock lock(&mutex_);
  own_ = std::move(own);
}

void PeerRegistry::SetKnownAll(const std::map<NodeId, StorageUuid>& members) {
  MutexLock lock(&mutex_);
  are_members_known_ = true;
  std::erase_if(peers_, [&](const auto& known) {
    return !members.contains(known.first) && !known.second.is_only_named;
  });
  for (const auto& [node, uuid] : members) {
    Peer& peer = peers_[node];
    peer.storage_uuid = uuid;
    peer.is_only_named = false;
  }
}

void PeerRegistry::SetKnown(NodeId node, StorageUuid uuid, BootEpoch epoch) {
  MutexLock lock(&mutex_);
  const auto [at, is_new] = peers_.try_emplace(node);
  if (is_new) at->second.is_only_named = true;
  at->second.storage_uuid = uuid;
  RaiseEpoch(at->second, epoch);
}

void PeerRegistry::RaiseEpoch(NodeId node, StorageUuid uuid, BootEpoch epoch) {
  MutexLock lock(&mutex_);
  const auto found = peers_.find(node);
  if (found != peers_.end() && found->second.storage_uuid == uuid) RaiseEpoch(found->second, epoch);
}

void PeerRegistry::RaiseEpoch(Peer& peer, BootEpoch epoch) {
  if (epoch <= peer.epoch) return;
  peer.epoch = epoch;
  peer.run = RunId();
}

void PeerRegistry::Forget(NodeId node) {
  MutexLock lock(&mutex_);
  peers_.erase(node);
}

std::pair<PeerRegistry::Verdict, absl::Status> PeerRegistry::JudgeLocked(
    const rpc::PeerHello& hello) const {
  const NodeId node(hello.node_id());
  if (node.is_none() || hello.run_id() == 0 || hello.boot_epoch() == 0) {
    return {Verdict::kStranger,
            absl::InvalidArgumentError("peer hello lacks node id, run id or boot epoch")};
  }
  if (UuidFromWire<ClusterId>(hello.cluster_id()) != UuidFromWire<ClusterId>(own_.cluster_id())) {
    return {Verdict::kOtherCluster,
            absl::FailedPreconditionError(absl::StrCat(
                "node ", node.value(), " at ", hello.peer_address(),
                " belongs to another cluster; check its --join addresses and data directory"))};
  }
  const auto found = peers_.find(node);
  if (found == peers_.end()) {
    if (!are_members_known_) return {Verdict::kAccepted, absl::OkStatus()};
    return {Verdict::kStranger,
            absl::FailedPreconditionError(
                absl::StrCat("node ", node.value(), " is not a member of this cluster"))};
  }
  const Peer& peer = found->second;
  if (UuidFromWire<StorageUuid>(hello.storage_uuid()) != peer.storage_uuid &&
      !DFS_MUTANT(401, "the storage uuid of a peer is not checked (rule R1)")) {
    return {Verdict::kStranger,
            absl::FailedPreconditionError(absl::StrCat(
                "node ", node.value(),
                " claims its id with another data directory (storage uuid); a wiped "
                "node must join under a new id"))};
  }
  const BootEpoch epoch(hello.boot_epoch());
  if (epoch < peer.epoch && !DFS_MUTANT(402, "an old boot epoch is accepted (rule R1)")) {
    return {Verdict::kOldEpoch,
            absl::FailedPreconditionError(absl::StrCat(
                "node ", node.value(), " comes with an old boot epoch (", epoch.value(), " below ",
                peer.epoch.value(), "): a copy or an old state of its data directory"))};
  }
  if (epoch == peer.epoch && !peer.run.is_none() && RunId(hello.run_id()) != peer.run &&
      !DFS_MUTANT(404, "a second run of one epoch is accepted (rule R1)")) {
    return {Verdict::kOldEpoch,
            absl::FailedPreconditionError(
                absl::StrCat("node ", node.value(), " runs twice with one data directory"))};
  }
  return {Verdict::kAccepted, absl::OkStatus()};
}

std::pair<PeerRegistry::Verdict, absl::Status> PeerRegistry::Judge(
    const rpc::PeerHello& hello) const {
  MutexLock lock(&mutex_);
  return JudgeLocked(hello);
}

absl::Status PeerRegistry::CheckLocked(const rpc::PeerHello& hello) {
  if (absl::Status status = JudgeLocked(hello).second; !status.ok()) return status;
  Peer& peer = peers_[NodeId(hello.node_id())];
  peer.storage_uuid = UuidFromWire<StorageUuid>(hello.storage_uuid());
  peer.epoch = BootEpoch(hello.boot_epoch());
  peer.run = RunId(hello.run_id());
  return absl::OkStatus();
}

absl::Status PeerRegistry::CheckInbound(const rpc::PeerHello& hello) {
  MutexLock lock(&mutex_);
  return CheckLocked(hello);
}

absl::Status PeerRegistry::CheckOutbound(NodeId expected, const rpc::PeerHello& hello) {
  MutexLock lock(&mutex_);
  if (NodeId(hello.node_id()) != expected) {
    return absl::FailedPreconditionError(absl::StrCat("expected node ", expected.value(), " at ",
                                                      hello.peer_address(), " but node ",
                                                      hello.node_id(), " answered"));
  }
  if (auto status = CheckLocked(hello); !status.ok()) return status;
  peers_[expected].confirmed_run = RunId(hello.run_id());
  return absl::OkStatus();
}

bool PeerRegistry::IsConfirmed(NodeId node, RunId run) const {
  MutexLock lock(&mutex_);
  const auto found = peers_.find(node);
  if (DFS_MUTANT(405, "who dials in need not answer at its address (rule R2)")) return true;
  return found != peers_.end() && !run.is_none() && found->second.confirmed_run == run;
}

BootEpoch PeerRegistry::GreatestEpoch(NodeId node) const {
  MutexLock lock(&mutex_);
  const auto found = peers_.find(node);
  return found == peers_.end() ? BootEpoch() : found->second.epoch;
}

}  // namespace dfs
