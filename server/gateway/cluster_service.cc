#include "server/gateway/cluster_service.h"

#include <algorithm>
#include <cstdlib>
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "proto/wire_status.h"
#include "server/chunk/replica_service.h"
#include "server/metadata/node_role.h"
#include "server/placement/placement_policy.h"

namespace dfs::gateway {
namespace {

constexpr absl::Duration kScrubTimeout = absl::Seconds(3);  // of each node
constexpr absl::Duration kProgressTimeout = absl::Milliseconds(300);
constexpr absl::Duration kCertificateWarnsFor = absl::Hours(24 * 30);
// Rules R24 and R23 (server/gossip_store).
constexpr std::int64_t kGossipClockMax = 60'000;           // ms
constexpr std::uint64_t kTombstoneWarnsAfter = 24 * 3'600;  // s

std::string TextOf(membership::LivenessState state) {
  switch (state) {
    case membership::LivenessState::kAlive:
      return "alive";
    case membership::LivenessState::kSuspect:
      return "suspect";
    case membership::LivenessState::kDead:
      return "dead";
    case membership::LivenessState::kUnknown:
      break;
  }
  return "unknown";
}

std::string TextOf(rpc::Departure departure) {
  switch (departure) {
    case rpc::DRAINING:
      return "draining";
    case rpc::LEAVING:
      return "leaving";
    case rpc::FORGOTTEN:
      return "forgotten";
    default:
      return "";
  }
}

// The words of placement's watermarks.
std::string SpaceOf(const api::NodeStatus& node) {
  if (node.total_bytes() == 0) return "";
  switch (placement::FullnessOf(node.free_bytes(), node.total_bytes())) {
    case placement::Fullness::kRoomy:
      return "ok";
    case placement::Fullness::kNearlyFull:
      return "low";
    case placement::Fullness::kFull:
      break;
  }
  return "full";
}

std::string RoleOf(const rpc::NodeRow& row, const replicated_log::RaftStatus& raft) {
  if (row.role() != rpc::ORDINARY) return std::string(metadata::NameOfRole(row.role()));
  const NodeId node(row.node_id());
  if (node == raft.leader) return "leader";
  return raft.configuration.IsVoter(node) ? "voter" : "learner";
}

}  // namespace

std::vector<api::NodeStatus> ClusterService::NodeRows(const metadata::MetadataView& view) const {
  const auto raft = parts_.raft->Status();
  std::map<NodeId, membership::MemberView> known;
  for (auto& member : parts_.membership->Members()) known[member.node] = std::move(member);
  std::map<NodeId, std::string> names;
  const auto nodes = view.Nodes();
  for (const auto& node : nodes) names[NodeId(node.node_id())] = node.name();

  std::vector<api::NodeStatus> rows;
  for (const auto& node : nodes) {
    if (node.state() == rpc::RETIRED) continue;
    const NodeId id(node.node_id());
    api::NodeStatus& row = rows.emplace_back();
    row.set_node_id(node.node_id());
    row.set_name(node.name());
    row.set_address(node.client_address());
    row.set_peer_address(node.peer_address());
    row.set_zone(node.zone());
    row.set_boot_epoch(node.boot_epoch());
    row.set_storage_uuid(ToString(UuidFromWire<StorageUuid>(node.storage_uuid())));
    row.set_role(RoleOf(node, raft));
    const membership::MemberView& member = known[id];
    row.set_state(node.state() == rpc::JOINING ? "joining"
                  : id == parts_.self          ? "alive"
                                               : TextOf(member.state));
    row.set_is_out(node.is_out());
    row.set_is_returning(node.state() == rpc::ACTIVE && node.counted_epoch() != node.boot_epoch());
    if (node.is_out()) row.set_state("out");
    row.set_departure(TextOf(node.departure()));
    row.set_free_bytes(member.health.free_bytes);
    row.set_total_bytes(member.health.total_bytes);
    row.set_applied_index(member.health.applied_index);
    row.set_fsync_p99_us(
        static_cast<std::uint32_t>(absl::ToInt64Microseconds(member.health.fsync_p99)));
    row.set_corrupt_chunks(member.health.corrupt_chunks);
    row.set_quarantined_objects(member.health.quarantined_objects);
    row.set_withheld_bytes(member.health.withheld_bytes);
    row.set_certificate_not_after_s(id == parts_.self ? parts_.certificate_not_after_s
                                                      : member.health.certificate_not_after_s);
    row.set_gossip_clock_ms(member.health.gossip_clock_ms);
    row.set_gossip_tombstone_s(member.health.gossip_tombstone_s);
    row.set_incarnation(member.incarnation);
    if (id == parts_.self) {
      const chunk::Space space = parts_.store->GetSpace();
      row.set_free_bytes(space.free_bytes);
      row.set_total_bytes(space.total_bytes);
      row.set_applied_index(raft.applied_index.value());
      const chunk::ScrubStatus scrub =
          parts_.scrubber != nullptr ? parts_.scrubber->GetStatus() : chunk::ScrubStatus();
      row.set_corrupt_chunks(scrub.bad_chunks);
      row.set_quarantined_objects(scrub.quarantined_objects);
      if (parts_.collect) row.set_withheld_bytes(parts_.collect({}).withheld_bytes());
    } else if (member.last_heard != absl::InfinitePast()) {
      row.set_state_age_ms(static_cast<std::uint64_t>(
          std::max<std::int64_t>(0, absl::ToInt64Milliseconds(parts_.clock->Now() - member.last_heard))));
    }
    row.set_space(SpaceOf(row));
    for (const NodeId next : member.successors) row.add_successors(names[next]);
    for (const NodeId previous : member.predecessors) row.add_predecessors(names[previous]);
  }
  return rows;
}

grpc::Status ClusterService::Hello(grpc::ServerContext* /*context*/,
                                   const api::HelloRequest* request,
                                   api::HelloResponse* response) {
  const auto view = parts_.machine->View();
  const auto cluster = view->cluster_id();
  const std::string cluster_text = cluster ? ToString(*cluster) : "";
  if (!request->cluster_id().empty() && request->cluster_id() != cluster_text) {
    return ToGrpc(ErrorWithReason(
        absl::StatusCode::kFailedPrecondition,
        absl::StrCat("this is cluster ", cluster_text, ", not ", request->cluster_id()),
        api::ErrorDetail::WRONG_CLUSTER));
  }
  response->set_cluster_id(cluster_text);
  response->set_applied_index(parts_.machine->applied_index().value());
  response->set_node_id(parts_.self.value());
  response->set_leader_id(parts_.raft->Status().leader.value());
  response->set_server_version(parts_.server_version);
  for (const auto& node : view->Nodes()) {
    if (node.state() != rpc::ACTIVE) continue;
    if (node.node_id() == parts_.self.value()) response->set_node(node.name());
    api::Endpoint& endpoint = *response->add_endpoints();
    endpoint.set_node_id(node.node_id());
    endpoint.set_node(node.name());
    endpoint.set_address(node.client_address());
    endpoint.set_is_alive(parts_.membership->IsUsable(NodeId(node.node_id())));
  }
  return grpc::Status::OK;
}

grpc::Status ClusterService::Status(grpc::ServerContext* /*context*/,
                                    const api::StatusRequest* /*request*/,
                                    api::StatusResponse* response) {
  const auto view = parts_.machine->View();
  const auto raft = parts_.raft->Status();
  if (const auto cluster = view->cluster_id()) response->set_cluster_id(ToString(*cluster));
  for (auto& row : NodeRows(*view)) {
    if (row.node_id() == raft.leader.value()) response->set_leader(row.name());
    if (row.node_id() == parts_.self.value()) response->set_answered_by(row.name());
    *response->add_nodes() = std::move(row);
  }
  response->set_leader_id(raft.leader.value());
  response->set_term(raft.term.value());
  response->set_commit_index(raft.commit_index.value());
  response->set_applied_index(raft.applied_index.value());
  const metadata::Totals totals = view->GetTotals();
  response->set_files(totals.files);
  response->set_bytes(totals.bytes);
  response->set_under_replicated(totals.under_replicated);
  response->set_trashed(totals.trashed);
  const absl::Duration silence = std::min(raft.leader_silence, absl::Hours(24 * 365));
  response->set_age_ms(static_cast<std::uint64_t>(absl::ToInt64Milliseconds(silence)));
  if (parts_.machine->has_files()) {
    const metadata::StateHash hash = view->GetStateHash();
    response->set_state_hash(ToString(hash.hash));
    response->set_state_hash_index(hash.index.value());
  }
  response->set_server_version(parts_.server_version);
  if (parts_.gossip) *response->mutable_gossip() = parts_.gossip();
  // Status answers whether there is a leader or not.
  if (!raft.leader.is_none()) {
    rpc::ManageRequest ask;
    ask.mutable_repair();
    auto progress = parts_.leader->Manage(ask, kProgressTimeout);
    if (progress.ok()) *response->mutable_repair() = progress->repair().progress();
    // This node's rows count copies on nodes that are OUT; the leader's look does not.
    response->set_under_replicated(
        std::max(response->under_replicated(), response->repair().files_short()));
  }
  response->set_health(api::HEALTH_OK);
  for (auto& reason : Diagnose(*response, parts_.store->Health(), parts_.clock->WallNow(),
                              parts_.test_faults ? parts_.test_faults() : "")) {
    response->set_health(std::max(response->health(), reason.severity()));
    *response->add_reasons() = std::move(reason);
  }
  return grpc::Status::OK;
}

grpc::Status ClusterService::Members(grpc::ServerContext* /*context*/,
                                     const api::MembersRequest* /*request*/,
                                     api::MembersResponse* response) {
  const auto view = parts_.machine->View();
  for (auto& row : NodeRows(*view)) {
    if (row.node_id() == parts_.self.value()) response->set_answered_by(row.name());
    // A joiner is no member before it holds the log (rule R7).
    if (row.state() != "joining") *response->add_nodes() = std::move(row);
  }
  response->set_applied_index(view->applied_index().value());
  return grpc::Status::OK;
}

grpc::Status ClusterService::Scrub(grpc::ServerContext* /*context*/,
                                   const api::ScrubRequest* request,
                                   api::ScrubResponse* response) {
  const auto view = parts_.machine->View();
  for (const auto& node : view->Nodes()) {
    if (node.state() != rpc::ACTIVE) continue;
    const std::string number = absl::StrCat(node.node_id());
    if (!request->node().empty() && request->node() != node.name() && request->node() != number) {
      continue;
    }
    api::ScrubStatus& row = *response->add_nodes();
    const NodeId id(node.node_id());
    if (id == parts_.self) {
      if (request->start()) parts_.scrubber->StartPass();
      row = chunk::ToWire(parts_.scrubber->GetStatus());
    } else {
      auto answer = parts_.peers->Scrub(id, request->start(), kScrubTimeout);
      if (answer.ok()) {
        row = *std::move(answer);
      } else {
        row.set_error(std::string(answer.status().message()));
      }
    }
    row.set_node_id(node.node_id());
    row.set_node(node.name());
  }
  if (response->nodes().empty()) {
    return ToGrpc(absl::NotFoundError("there is no node " + request->node()));
  }
  return grpc::Status::OK;
}

std::vector<api::HealthReason> Diagnose(const api::StatusResponse& status, const absl::Status& store_health,
                                        absl::Time now, std::string_view test_faults) {
  std::vector<api::HealthReason> reasons;
  const auto add = [&](std::string code, api::Health severity, std::string text,
                       std::string advice) {
    api::HealthReason& reason = reasons.emplace_back();
    reason.set_code(std::move(code));
    reason.set_severity(severity);
    reason.set_text(std::move(text));
    reason.set_advice(std::move(advice));
  };
  if (!test_faults.empty()) {
    add("TEST_FAULTS", api::HEALTH_WARN,
        absl::StrCat(status.answered_by(), " was started for a test and ON PURPOSE ", std::string(test_faults)),
        "start it again without --allow-test-faults");
  }
  if (!store_health.ok()) {
    add("DISK_FAILED", api::HEALTH_ERR,
        absl::StrCat(status.answered_by(), " refuses writes: ", std::string(store_health.message())),
        "check the disk, then start this node again");
  }
  if (status.leader_id() == 0) {
    add("NO_LEADER", api::HEALTH_ERR, "no leader is known to this node; changes and strong reads wait",
        "start the nodes that are down; a majority of the voters must be up");
  }
  int members = 0;
  int logs = 0;  // that count (rule R7)
  for (const auto& node : status.nodes()) {
    if (node.state() != "joining" && node.role() != "gateway") ++members;
    if (node.state() != "joining" && node.role() != "gateway" && node.role() != "storage") ++logs;
    if (node.state() == "dead" || node.state() == "suspect") {
      add("NODE_DOWN", api::HEALTH_WARN,
          absl::StrCat(node.name(), " (", node.address(), ") is ", node.state(), ", last heard ",
                       node.state_age_ms(), " ms ago"),
          node.role() == "gateway" ? absl::StrCat("start it again, or dfs-cli forget ", node.name()) : "start it again");
    } else if (node.state() == "out") {
      add("NODE_OUT", api::HEALTH_WARN,
          absl::StrCat(node.name(), " (", node.address(), ") is away, last heard ", node.state_age_ms(),
                       " ms ago; its copies are made anew elsewhere"),
          absl::StrCat("start it again, or dfs-cli forget ", node.name()));
    }
    if (!node.departure().empty()) {
      add("NODE_DEPARTING", api::HEALTH_WARN,
          absl::StrCat(node.name(), " (", node.address(), ") is ", node.departure()),
          node.departure() == "draining" ? absl::StrCat("dfs-cli drain --undo ", node.name())
                                         : "nothing to do: it goes on by itself");
    }
    if (node.space() == "low" || node.space() == "full") {
      const bool is_full = node.space() == "full";
      add(is_full ? "DISK_FULL" : "DISK_NEARLY_FULL", api::HEALTH_WARN,
          absl::StrCat(node.name(), " (", node.address(), ") has room for ", node.free_bytes(),
                       " bytes more; new files go elsewhere, and removed ones are freed after minutes",
                       is_full ? ". It gets no copies" : ""),
          "free space on its disk, remove files, or add a node; it recovers by itself");
    }
    if (node.withheld_bytes() > 0) {
      add("GC_STOPPED", api::HEALTH_WARN,
          absl::StrCat(
              node.name(), " found ", node.withheld_bytes(),
              " bytes to delete at once and has stopped; removed files are freed all the same"),
          absl::StrCat("moves and repairs are not the reason, they need no word. If it is right "
                       "all the same (many puts broke off while the leader changed, say): "
                       "dfs-cli gc --confirm ",
                       node.name(), "; else keep it as it is and ask"));
    }
    if (std::abs(node.gossip_clock_ms()) > kGossipClockMax) {
      add("CLOCK_OFF", api::HEALTH_ERR,
          absl::StrCat("the clock of ", node.name(), " (", node.address(), ") is ", std::abs(node.gossip_clock_ms()) / 1'000,
                       " s ", node.gossip_clock_ms() > 0 ? "behind" : "ahead of",
                       " the others; it takes no writes to gossip buckets"),
          "set its clock (NTP); nothing needs to be started again. If it is right by now: what was written there while it was "
          "cut off and wrong is ahead; write through other nodes until then, or dfs-cli replace it");
    }
    if (node.gossip_tombstone_s() > kTombstoneWarnsAfter) {
      add("TOMBSTONES_KEPT", api::HEALTH_WARN,
          absl::StrCat(node.name(), " still remembers names that were removed from gossip buckets ",
                       node.gossip_tombstone_s() / 3'600, " h ago, because a member is away"),
          "start the members that are down; one that is gone for good: dfs-cli forget NODE");
    }
    const absl::Time end = absl::FromUnixSeconds(node.certificate_not_after_s());
    if (node.certificate_not_after_s() != 0 && end - now < kCertificateWarnsFor) {
      const bool is_over = end <= now;
      add(is_over ? "CERTIFICATE_EXPIRED" : "CERTIFICATE_EXPIRES", is_over ? api::HEALTH_ERR : api::HEALTH_WARN,
          absl::StrCat("the certificate of ", node.name(), " (", node.address(), is_over ? ") ended on " : ") ends on ",
                       absl::FormatTime("%Y-%m-%d %H:%M UTC", end, absl::UTCTimeZone()),
                       is_over ? "; no new connection to or from it works" : ""),
          "issue a new one (dfs-cli cert issue) and start that node again with it");
    }
    if (node.corrupt_chunks() > 0) {
      add("CORRUPT", api::HEALTH_WARN,
          absl::StrCat(node.corrupt_chunks(), " chunks of ", node.name(),
                       " are damaged or gone; they are not served and are made again from good copies"),
          "if it stays, look at that node's disk and its log; dfs-cli scrub shows the progress");
    }
  }
  if (members == 1) {
    add("SINGLE_NODE", api::HEALTH_WARN,
        "one member: each file has ONE copy, and losing this disk loses everything",
        "start two more nodes with --join=<this node's peer address>");
  } else if (members == 2) {
    add("TWO_NODES", api::HEALTH_WARN,
        "two members, one of them votes: files survive the loss of one disk, but if either node is down nothing can be "
        "changed",
        "start a third node with --join=<a node's peer address>");
  }
  if (logs < members && logs < 3) {
    add("FEW_VOTERS", api::HEALTH_WARN,
        absl::StrCat("only ", logs, " of the members keep the names of the files: gateways and storage nodes do not vote"),
        "have three nodes without --role");
  }
  if (status.under_replicated() > 0) {
    add("UNDER_REPLICATED", api::HEALTH_WARN,
        absl::StrCat(status.under_replicated(), status.under_replicated() == 1 ? " file has" : " files have",
                     " fewer copies than wanted"),
        "nothing to do while three nodes are up: missing copies are made by themselves");
  }
  std::stable_sort(reasons.begin(), reasons.end(), [](const auto& a, const auto& b) {
    return a.severity() > b.severity();
  });
  return reasons;
}

}  // namespace dfs::gateway
