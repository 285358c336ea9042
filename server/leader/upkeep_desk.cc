#include "server/leader/upkeep_desk.h"

#include <glog/logging.h>

#include <algorithm>
#include <map>
#include <set>
#include <string>

#include "absl/strings/str_cat.h"
#include "common/mutant.h"
#include "common/status_macros.h"
#include "server/leader/departure_upkeep.h"
#include "server/leader/repair_explain.h"
#include "server/leader/stop_check.h"
#include "server/metadata/bucket_rule.h"
#include "server/metadata/node_role.h"

namespace dfs::leader {
namespace {

constexpr char kDefaultBucket[] = "default";

// Why some of what a member has to hand over stays there, and what to do; empty if nothing does.
std::string StuckText(const Handover& left) {
  if (left.chunks_stuck == 0) return "";
  const auto text = [&](std::string_view why) {
    return absl::StrCat("; of ", left.chunks_stuck, " chunks no copy can be made now: ", std::string(why));
  };
  switch (left.obstacle) {
    case Obstacle::kNoLiveSource:
      return text("no live node has a good one (start the nodes that have one)");
    case Obstacle::kNodesAway:
      return text("nodes that are dead keep their places until they are back or OUT");
    case Obstacle::kNoSpace:
      return text("the other nodes are full (free space or add a node)");
    default:
      return text("every node that may take one has one (add a node)");
  }
}

}  // namespace

void UpkeepDesk::Answer(const rpc::ManageRequest& request,
                        leader::Answer<rpc::ManageResponse> done) {
  if (state_->HasEnded()) {
    done(NotLeaderError());
    return;
  }
  if (request.has_repair()) {
    rpc::ManageResponse response;
    *response.mutable_repair()->mutable_progress() = Progress();
    done(std::move(response));
    return;
  }
  auto shared = std::make_shared<leader::Answer<rpc::ManageResponse>>(std::move(done));
  state_->world.run_blocking([self = shared_from_this(), request, shared] {
    if (self->state_->HasEnded()) {
      (*shared)(NotLeaderError());
    } else {
      (*shared)(self->Decide(request));
    }
  });
}

absl::StatusOr<rpc::ManageResponse> UpkeepDesk::Decide(const rpc::ManageRequest& request) {
  rpc::ManageResponse response;
  switch (request.kind_case()) {
    case rpc::ManageRequest::kExplain: {
      DFS_ASSIGN_OR_RETURN(*response.mutable_explain(), Explain(request.explain()));
      return response;
    }
    case rpc::ManageRequest::kChangeMember: {
      DFS_ASSIGN_OR_RETURN(*response.mutable_change_member(), Change(request.change_member()));
      return response;
    }
    case rpc::ManageRequest::kOkToStop: {
      DFS_ASSIGN_OR_RETURN(*response.mutable_ok_to_stop(), OkToStop(request.ok_to_stop()));
      return response;
    }
    default:
      return absl::InvalidArgumentError("the question is of no known kind");
  }
}

RepairMembers UpkeepDesk::Members() {
  return RepairMembers(Candidates(*directory_->Refresh(), state_->world.liveness()));
}

std::vector<NamedNode> UpkeepDesk::Nodes() {
  std::map<NodeId, bool> is_usable;
  for (const auto& live : state_->world.liveness()) is_usable[live.node] = live.is_usable;
  std::vector<NamedNode> nodes;
  for (auto& row : state_->world.view()->Nodes()) {
    const bool is_alive = row.state() != rpc::RETIRED && is_usable[NodeId(row.node_id())];
    nodes.push_back({std::move(row), is_alive});
  }
  return nodes;
}

api::RepairProgress UpkeepDesk::Progress() const {
  api::RepairProgress progress = repair_->Progress();
  for (const auto& row : state_->world.view()->Nodes()) {
    const NodeId node(row.node_id());
    if (node == state_->world.self) progress.set_leader(NameOf(row));
    if (row.state() != rpc::ACTIVE || row.departure() == rpc::STAYS) continue;
    const auto left = repair_->HandoverOf(node);
    if (!left) continue;
    api::NodeHandover& handover = *progress.add_handovers();
    handover.set_node_id(row.node_id());
    handover.set_name(NameOf(row));
    handover.set_chunks_left(left->chunks);
    handover.set_bytes_left(left->bytes);
  }
  return progress;
}

// ---- explain ----

absl::StatusOr<api::ExplainResponse> UpkeepDesk::Explain(const api::ExplainRequest& request) {
  const auto view = state_->world.view();
  const std::string bucket_name = request.bucket().empty() ? kDefaultBucket : request.bucket();
  const auto bucket = view->FindBucket(bucket_name);
  if (!bucket) return absl::NotFoundError(absl::StrCat("no bucket ", bucket_name));
  if (metadata::IsGossipBucket(*bucket)) {
    return absl::FailedPreconditionError(absl::StrCat(
        "bucket ", bucket_name, " is of mode gossip: each member holds its files by itself, and no leader knows of them; dfs-cli "
        "locate says who has a file"));
  }
  const auto version = view->FindFile(BucketId(bucket->id()), request.name());
  if (!version) return absl::NotFoundError(absl::StrCat("no file \"", request.name(), "\""));
  const RepairMembers members = Members();
  ExplainFacts facts;
  facts.members = &members;
  facts.is_yielding = repair_->Progress().is_yielding();
  for (const auto& row : view->Nodes()) {
    const NodeId node(row.node_id());
    facts.names[node] = NameOf(row);
    const MonotonicTime due = nodes_->OutAt(node);
    if (!row.is_out() && due != absl::InfiniteFuture()) facts.out_in[node] = due - state_->Now();
  }
  api::ExplainResponse response;
  response.set_name(version->name());
  response.set_version(version->number());
  response.set_replicas_wanted(bucket->replicas());
  for (int k = 0; k < version->chunks_size(); ++k) {
    const ChunkId id{FromWire(version->txn()), static_cast<std::uint32_t>(k)};
    {
      MutexLock lock(&state_->mutex);
      facts.is_copying = state_->orders.HasRepair(id);
    }
    *response.add_chunks() =
        ExplainChunk(ToIncompleteChunk(*version, k, bucket->replicas()), facts);
    response.mutable_chunks(k)->set_chunk(static_cast<std::uint32_t>(k));
  }
  return response;
}

// ---- members ----

void UpkeepDesk::CountLastCopies(const rpc::NodeRow& node, ChangeFacts& facts) {
  const RepairMembers members = Members();
  state_->world.view()->ListVersions(TxnId(), [&](const rpc::VersionRow& version) {
    const bool has_lost = std::any_of(
        version.chunks().begin(), version.chunks().end(), [&](const rpc::ChunkRow& chunk) {
          return std::none_of(chunk.replicas().begin(), chunk.replicas().end(), [&](const auto& r) {
            return r.node_id() != node.node_id() && r.state() == api::OK &&
                   members.IsUsable(NodeId(r.node_id()));
          });
        });
    if (has_lost && version.trashed_index() != 0) {
      ++facts.last_trashed;
    } else if (has_lost && ++facts.last_copies == 1) {
      facts.last_copy_name = version.name();
    }
    return !state_->HasEnded();
  });
}

ChangeFacts UpkeepDesk::FactsOf(const rpc::NodeRow& node, const std::vector<NamedNode>& nodes,
                                const api::ChangeMemberRequest& request) {
  ChangeFacts facts;
  facts.node = node;
  facts.is_forced = request.is_forced();
  for (const auto& other : nodes) {
    if (other.row.state() != rpc::ACTIVE) continue;
    const bool holds_replicas = metadata::HoldsReplicas(other.row);
    if (holds_replicas) ++facts.members;
    if (other.row.node_id() == node.node_id()) {
      facts.is_usable = other.is_usable;
    } else if (!holds_replicas) {
      continue;
    } else if (!other.row.is_out() && other.row.departure() == rpc::STAYS) {
      ++facts.staying;
      if (other.is_usable) ++facts.live_staying;
    }
  }
  // A bucket with a copy on all members has as many as there are. One that holds nothing has nothing to lose.
  const auto view = state_->world.view();
  for (const auto& bucket : view->Buckets()) {
    const bool matters = bucket.name() == kDefaultBucket ||
                         view->CountsOf(BucketId(bucket.id())).files() > 0;
    if (matters && !bucket.all_members()) {
      facts.replicas = std::max(facts.replicas, bucket.replicas());
    }
  }
  if (request.change() == ChangeMemberRequest::FORGET ||
      request.change() == ChangeMemberRequest::REPLACE) {
    facts.successor = FindSuccessor(nodes, node);
    if (!facts.is_usable) CountLastCopies(node, facts);
  }
  return facts;
}

std::uint64_t UpkeepDesk::GossipAlone(NodeId node) const {
  for (const auto& live : state_->world.liveness()) {
    if (live.node == node) return live.gossip_alone;
  }
  return 0;
}

api::ChangeMemberResponse UpkeepDesk::Outcome(const rpc::NodeRow& row) {
  api::ChangeMemberResponse response;
  const std::string name = NameOf(row);
  response.set_node_id(row.node_id());
  response.set_node(name);
  if (row.state() == rpc::RETIRED) {
    response.set_is_done(true);
    response.set_text(absl::StrCat(name, " (id ", row.node_id(), ") is a member no longer"));
    return response;
  }
  if (row.departure() == rpc::STAYS) {
    response.set_is_done(true);
    response.set_text(absl::StrCat(name, " is a member that stays"));
    return response;
  }
  if (row.departure() == rpc::FORGOTTEN) {
    const auto buckets = state_->world.view()->Buckets();
    const bool has_gossip = std::any_of(buckets.begin(), buckets.end(), &metadata::IsGossipBucket);
    std::string text = absl::StrCat(name, " is being forgotten: the voters change first");
    if (const std::uint64_t alone = GossipAlone(NodeId(row.node_id())); alone > 0) {
      absl::StrAppend(&text, "; it said last that no other member was known to have ", alone,
                      " name(s) of gossip buckets that were written there: what did not reach one is lost with it");
    } else if (has_gossip) {
      text += "; what was put into gossip buckets there and had reached no other member is lost with it";
    }
    response.set_text(std::move(text));
    return response;
  }
  DescribeHandover(row, &response);
  return response;
}

void UpkeepDesk::DescribeHandover(const rpc::NodeRow& row, api::ChangeMemberResponse* response) {
  const std::string name = NameOf(row);
  const NodeId node(row.node_id());
  const auto left = repair_->HandoverOf(node);
  if (!left) {
    response->set_text(absl::StrCat("what ", name, " has to hand over is being counted"));
    return;
  }
  const std::string dead =
      state_->IsUsable(node) ? "" : absl::StrCat(name, " is dead: start it, or use dfs-cli forget ", name, "; ");
  response->set_chunks_left(left->chunks);
  response->set_bytes_left(left->bytes);
  if (left->chunks > 0) {
    response->set_text(absl::StrCat(dead, dead.empty() ? absl::StrCat(name, " hands over: ") : "to be copied from others: ",
                                    left->chunks, " chunks, ", left->bytes, " bytes left", StuckText(*left)));
  } else if (!IsGossipHandedOver(*state_, node)) {
    response->set_text(absl::StrCat(dead, dead.empty() ? "another member takes over what " : "nobody is known to have all that ",
                                    name, " has of gossip buckets"));
  } else if (row.departure() == rpc::DRAINING) {
    response->set_is_done(true);
    response->set_text(absl::StrCat(name, " is drained: no file needs it any more"));
  } else {
    response->set_text(absl::StrCat(name, " has handed over its copies; its vote and its membership end now"));
  }
}

absl::StatusOr<api::ChangeMemberResponse> UpkeepDesk::ForgetJoiner(const NamedNode& node) {
  if (node.is_usable) {
    return absl::FailedPreconditionError(
        absl::StrCat(NameOf(node.row), " is joining: stop it first, or wait until it is a member"));
  }
  struct Outcome {
    Event event;
    absl::Status status;
  };
  auto outcome = std::make_shared<Outcome>();
  rpc::Command command;
  command.mutable_retire_node()->set_node_id(node.row.node_id());
  state_->world.consensus->ProposeMembers(
      [id = NodeId(node.row.node_id())](consensus::Configuration configuration)
          -> absl::StatusOr<consensus::Configuration> {
        configuration.members.erase(id);
        return configuration;
      },
      std::move(command), [outcome](const absl::StatusOr<rpc::CommandResult>& result) {
        outcome->status = result.status();
        outcome->event.Set();
      });
  if (!outcome->event.WaitFor(absl::Seconds(10))) {
    return absl::DeadlineExceededError("no quorum answers; ask again");
  }
  DFS_RETURN_IF_ERROR(outcome->status);
  const auto row = state_->world.view()->FindNode(NodeId(node.row.node_id()));
  return this->Outcome(row.value_or(node.row));
}

absl::StatusOr<api::ChangeMemberResponse> UpkeepDesk::Change(
    const api::ChangeMemberRequest& request) {
  const bool is_for_dead = request.change() == ChangeMemberRequest::FORGET ||
                           request.change() == ChangeMemberRequest::REPLACE;
  const std::vector<NamedNode> nodes = Nodes();
  DFS_ASSIGN_OR_RETURN(const rpc::NodeRow node, FindNamed(nodes, request.node(), is_for_dead));
  if (node.state() == rpc::RETIRED) {
    if (is_for_dead || request.change() == ChangeMemberRequest::LEAVE) return Outcome(node);
    return absl::FailedPreconditionError(absl::StrCat(NameOf(node), " is a member no longer"));
  }
  if (node.state() == rpc::JOINING) {
    const auto joiner = std::find_if(nodes.begin(), nodes.end(), [&](const NamedNode& other) {
      return other.row.node_id() == node.node_id();
    });
    if (is_for_dead) return ForgetJoiner(*joiner);
    return absl::FailedPreconditionError(absl::StrCat(NameOf(node), " is no member yet: it is joining"));
  }
  const ChangeFacts facts = FactsOf(node, nodes, request);
  const auto outcome = [&](const rpc::NodeRow& row) {
    api::ChangeMemberResponse response = Outcome(row);
    response.mutable_text()->append(TrashLossText(facts));
    return response;
  };
  DFS_ASSIGN_OR_RETURN(const auto plan, PlanChange(request.change(), facts));
  if (!plan) return outcome(node);
  rpc::Command command;
  rpc::MarkNode& mark = *command.mutable_mark_node();
  mark.set_node_id(node.node_id());
  // A dead one that has started since is not forgotten.
  mark.set_boot_epoch(node.boot_epoch());
  mark.set_departure(plan->departure);
  mark.set_successor(plan->successor);
  DFS_ASSIGN_OR_RETURN(const rpc::CommandResult result, ProposeAndWait(*state_, std::move(command)));
  if (result.code() != rpc::CommandResult::DONE) {
    return absl::FailedPreconditionError(result.message());
  }
  LOG(INFO) << NameOf(node) << " is marked " << rpc::Departure_Name(plan->departure);
  return outcome(result.node());
}

// ---- ok-to-stop ----

absl::StatusOr<api::OkToStopResponse> UpkeepDesk::OkToStop(const api::OkToStopRequest& request) {
  if (request.nodes_size() < 1 || request.nodes_size() > kStoppedMax) {
    return absl::InvalidArgumentError("1 to 100 nodes");
  }
  const std::vector<NamedNode> nodes = Nodes();
  std::set<NodeId> stopping;
  for (const auto& name : request.nodes()) {
    DFS_ASSIGN_OR_RETURN(const rpc::NodeRow node, FindNamed(nodes, name, false));
    stopping.insert(NodeId(node.node_id()));
  }
  const RepairMembers members = Members();
  const StopCheck check(members, stopping,
                        state_->world.consensus->Status().configuration.voters);
  const auto view = state_->world.view();
  api::OkToStopResponse response;
  for (auto& reason : check.ClusterReasons(view->Buckets())) {
    response.add_reasons(std::move(reason));
  }
  for (const auto& node : nodes) {
    const NodeId id(node.row.node_id());
    const std::uint64_t alone = stopping.contains(id) && node.is_usable ? GossipAlone(id) : 0;
    if (alone == 0 || DFS_MUTANT(1255, "a node may stop that alone has files of gossip buckets")) continue;
    response.add_reasons(absl::StrCat(NameOf(node.row), " has ", alone, " name(s) of gossip buckets, written there, that no other "
                                      "member is known to have; if others can be reached they have them in seconds: ask again"));
  }
  view->ListVersions(TxnId(), [&](const rpc::VersionRow& version) {
    const auto bucket = directory_->FindBucket(BucketId(version.bucket_id()));
    if (!bucket || version.trashed_index() != 0) return true;
    std::string reason = check.WhatIsLost(version, *bucket);
    if (reason.empty()) return true;
    response.set_files_endangered(response.files_endangered() + 1);
    if (response.files_size() < kEndangeredShownMax) {
      api::EndangeredFile& file = *response.add_files();
      file.set_bucket(bucket->name());
      file.set_name(version.name());
      file.set_reason(std::move(reason));
    }
    return !state_->HasEnded();
  });
  if (state_->HasEnded()) return NotLeaderError();
  response.set_is_ok(response.reasons_size() == 0 && response.files_endangered() == 0);
  return response;
}

}  // namespace dfs::leader
