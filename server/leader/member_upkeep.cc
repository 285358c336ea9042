#include "server/leader/member_upkeep.h"

#include <glog/logging.h>

#include <algorithm>
#include <optional>
#include <set>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/mutant.h"
#include "proto/error_detail.h"
#include "server/leader/voter_choice.h"
#include "server/metadata/node_role.h"

namespace dfs::leader {
namespace {

// Further behind than this, a voter would hold up what needs it.
constexpr std::uint64_t kVoterLagMax = 1'000;

rpc::ConfigurationRecord ToRecord(const consensus::Configuration& configuration) {
  rpc::ConfigurationRecord record;
  for (const auto& [node, member] : configuration.members) {
    rpc::MemberRecord& out = *record.add_members();
    out.set_node_id(node.value());
    *out.mutable_storage_uuid() = ToWire(member.storage_uuid);
    out.set_peer_address(member.peer_address);
    out.set_is_active(member.is_active);
    out.set_gets_no_commands(member.gets_no_commands);
  }
  for (const NodeId node : configuration.voters) record.add_voters(node.value());
  for (const NodeId node : configuration.old_voters) record.add_old_voters(node.value());
  return record;
}

absl::Status Refused(const std::string& why) {
  return ErrorWithReason(absl::StatusCode::kFailedPrecondition, why,
                         api::ErrorDetail::WRONG_CLUSTER);
}

absl::Status StatusOfResult(const absl::StatusOr<rpc::CommandResult>& result) {
  if (!result.ok()) return result.status();
  if (result->code() == rpc::CommandResult::DONE) return absl::OkStatus();
  return absl::FailedPreconditionError(result->message());
}

}  // namespace

bool MemberUpkeep::RunOrQueue(Step step) {
  {
    MutexLock lock(&mutex_);
    if (is_changing_) {
      if (waiting_.size() >= kWaitingMax) return false;
      waiting_.push_back(std::move(step));
      return true;
    }
    is_changing_ = true;
  }
  step();
  return true;
}

bool MemberUpkeep::TryBegin() {
  MutexLock lock(&mutex_);
  return !std::exchange(is_changing_, true);
}

void MemberUpkeep::EndStep() {
  std::optional<Step> next;
  {
    MutexLock lock(&mutex_);
    if (waiting_.empty()) {
      is_changing_ = false;
    } else {
      next = std::move(waiting_.front());
      waiting_.pop_front();
    }
  }
  if (next) state_->world.executor->Post(*std::move(next));
}

absl::StatusOr<rpc::JoinResponse> MemberUpkeep::FindJoined(const metadata::MetadataView& view,
                                                           const rpc::JoinRequest& request) {
  const auto cluster = view.cluster_id();
  if (!cluster) return absl::UnavailableError("the cluster is not formed yet");
  const auto claimed_cluster = UuidFromWire<ClusterId>(request.claimed_cluster_id());
  if (!claimed_cluster.is_none() && claimed_cluster != *cluster) {
    return Refused(absl::StrCat("the data directory belongs to cluster ", ToString(claimed_cluster),
                                ", this is ", ToString(*cluster), ": use an empty directory"));
  }
  const auto uuid = UuidFromWire<StorageUuid>(request.storage_uuid());
  const auto row = view.FindNode(uuid);
  if (request.claimed_node_id() != 0 && (!row || row->node_id() != request.claimed_node_id())) {
    return Refused(absl::StrCat(
        "node ", request.claimed_node_id(), " of this cluster is known with another data directory "
        "(storage uuid): wipe this directory or use a new one, and the node joins under a new id"));
  }
  if (!row) return absl::NotFoundError("new");
  if (row->state() == rpc::RETIRED) {
    return Refused(absl::StrCat("node ", row->node_id(), " was retired and its id is never used "
                                "again: wipe the data directory or use a new one"));
  }
  if (row->role() != request.role()) {
    return Refused(absl::StrCat("this data directory joined with --role=", std::string(metadata::NameOfRole(row->role())),
                                ": start it so, or use an empty one"));
  }
  rpc::JoinResponse response;
  *response.mutable_cluster_id() = ToWire(*cluster);
  response.set_node_id(row->node_id());
  *response.mutable_configuration() = ToRecord(state_->world.consensus->Status().configuration);
  return response;
}

void MemberUpkeep::Join(const rpc::JoinRequest& request, Answer<rpc::JoinResponse> done) {
  if (UuidFromWire<StorageUuid>(request.storage_uuid()).is_none() ||
      request.peer_address().empty() || request.client_address().empty()) {
    done(absl::InvalidArgumentError("a node needs a storage uuid and its two addresses"));
    return;
  }
  auto shared = std::make_shared<Answer<rpc::JoinResponse>>(std::move(done));
  const bool is_taken = RunOrQueue([self = shared_from_this(), request, shared] {
    self->AddNode(request, [self, shared](absl::StatusOr<rpc::JoinResponse> response) {
      (*shared)(std::move(response));
      self->EndStep();
    });
  });
  if (!is_taken) {
    (*shared)(ErrorWithReason(absl::StatusCode::kUnavailable, "too many nodes join at once",
                              api::ErrorDetail::OVERLOADED));
  }
}

void MemberUpkeep::AddNode(const rpc::JoinRequest& request, Answer<rpc::JoinResponse> done) {
  if (state_->HasEnded()) {
    done(NotLeaderError());
    return;
  }
  const auto view = state_->world.view();
  auto known = FindJoined(*view, request);
  if (absl::IsFailedPrecondition(known.status())) {
    // For good: a leader that was replaced unnoticed, whose state lacks the node, must not say so.
    WhenCurrent(state_, [self = shared_from_this(), request,
                         done = std::move(done)](absl::Status status) mutable {
      if (!status.ok()) {
        done(std::move(status));
      } else {
        done(self->FindJoined(*self->state_->world.view(), request));
      }
    });
    return;
  }
  if (!absl::IsNotFound(known.status())) {
    done(std::move(known));
    return;
  }
  const NodeId node = view->next_node_id();
  rpc::Command command;
  rpc::NodeRow& row = *command.mutable_add_node()->mutable_node();
  row.set_node_id(node.value());
  *row.mutable_storage_uuid() = request.storage_uuid();
  row.set_name(request.name());
  row.set_zone(request.zone());
  row.set_client_address(request.client_address());
  row.set_peer_address(request.peer_address());
  row.set_boot_epoch(request.boot_epoch());
  row.set_role(request.role());
  row.set_state(rpc::JOINING);
  consensus::MemberInfo member;
  member.storage_uuid = UuidFromWire<StorageUuid>(request.storage_uuid());
  member.peer_address = request.peer_address();
  member.gets_no_commands = request.role() == rpc::STORAGE_ONLY;
  state_->world.consensus->ProposeMembers(
      [node, member](consensus::Configuration configuration)
          -> absl::StatusOr<consensus::Configuration> {
        if (configuration.IsMember(node)) {
          return absl::UnavailableError("another node is joining; try again");
        }
        configuration.members[node] = member;
        return configuration;
      },
      std::move(command),
      [self = shared_from_this(), request,
       done = std::move(done)](absl::StatusOr<rpc::CommandResult> result) mutable {
        if (const absl::Status status = StatusOfResult(result); !status.ok()) {
          done(status);
          return;
        }
        LOG(INFO) << "a node joined, peer address " << request.peer_address();
        auto joined = self->FindJoined(*self->state_->world.view(), request);
        if (joined.status().code() == absl::StatusCode::kNotFound) {
          done(absl::InternalError("the node was added and is not in the node table"));
        } else {
          done(std::move(joined));
        }
      });
}

void MemberUpkeep::Register(const rpc::NodeStarted& node,
                            absl::AnyInvocable<void(absl::Status)> done) {
  if (const auto row = FindStarted(node); row.ok()) {
    RecordStarted(node, *row, std::move(done));
    return;
  }
  // As in AddNode: a refusal is for good.
  WhenCurrent(state_, [self = shared_from_this(), node,
                       done = std::move(done)](absl::Status status) mutable {
    if (!status.ok()) {
      done(std::move(status));
    } else if (const auto row = self->FindStarted(node); row.ok()) {
      self->RecordStarted(node, *row, std::move(done));
    } else {
      done(row.status());
    }
  });
}

absl::StatusOr<rpc::NodeRow> MemberUpkeep::FindStarted(const rpc::NodeStarted& node) const {
  auto row = state_->world.view()->FindNode(NodeId(node.node_id()));
  if (!row || UuidFromWire<StorageUuid>(row->storage_uuid()) !=
                  UuidFromWire<StorageUuid>(node.storage_uuid())) {
    return Refused(absl::StrCat("node ", node.node_id(),
                                " is not known with this data directory (storage uuid)"));
  }
  if (row->state() == rpc::RETIRED) {
    return Refused(absl::StrCat("node ", node.node_id(), " was retired"));
  }
  if (node.boot_epoch() < row->boot_epoch()) {
    return Refused(absl::StrCat("node ", node.node_id(), " comes with an old boot epoch"));
  }
  return *std::move(row);
}

void MemberUpkeep::RecordStarted(const rpc::NodeStarted& node, const rpc::NodeRow& row,
                                 absl::AnyInvocable<void(absl::Status)> done) {
  const auto configuration = state_->world.consensus->Status().configuration;
  const auto member = configuration.members.find(NodeId(node.node_id()));
  const bool moves = member != configuration.members.end() && !node.peer_address().empty() &&
                     member->second.peer_address != node.peer_address();
  const bool is_known =
      node.boot_epoch() == row.boot_epoch() && node.peer_address() == row.peer_address() &&
      node.client_address() == row.client_address() && node.zone() == row.zone() &&
      node.name() == row.name();
  if (is_known && !moves) {
    done(absl::OkStatus());
    return;
  }
  ProposeStarted(node, moves, std::move(done));
}

void MemberUpkeep::ProposeStarted(const rpc::NodeStarted& node, bool moves,
                                  absl::AnyInvocable<void(absl::Status)> done) {
  rpc::Command command;
  *command.mutable_node_started() = node;
  if (!moves) {
    state_->world.consensus->Propose(
        std::move(command), Term(),
        [done = std::move(done)](absl::StatusOr<rpc::CommandResult> result) mutable {
          done(StatusOfResult(result));
        });
    return;
  }
  auto shared = std::make_shared<absl::AnyInvocable<void(absl::Status)>>(std::move(done));
  const bool is_taken = RunOrQueue([self = shared_from_this(), node, command, shared] {
    self->state_->world.consensus->ProposeMembers(
        [node](consensus::Configuration configuration) -> absl::StatusOr<consensus::Configuration> {
          const auto member = configuration.members.find(NodeId(node.node_id()));
          if (member == configuration.members.end()) {
            return absl::FailedPreconditionError("no such member");
          }
          member->second.peer_address = node.peer_address();
          return configuration;
        },
        command, [self, shared](absl::StatusOr<rpc::CommandResult> result) {
          (*shared)(StatusOfResult(result));
          self->EndStep();
        });
  });
  if (!is_taken) (*shared)(absl::UnavailableError("too many changes of members wait"));
}

void MemberUpkeep::Tick() {
  const auto status = state_->world.consensus->Status();
  if (status.configuration.is_joint()) return;
  const auto view = state_->world.view();
  MaybeActivate(status, *view);
  MaybeChangeVoters(status, *view);
}

void MemberUpkeep::MaybeActivate(const replicated_log::RaftStatus& status,
                                 const metadata::MetadataView& view) {
  std::optional<NodeId> ready;
  bool keeps_log = true;
  std::map<NodeId, LogIndex> goals;
  for (const auto& row : view.Nodes()) {
    if (row.state() != rpc::JOINING) continue;
    const NodeId node(row.node_id());
    const auto goal = goals_.find(node);
    const bool holds_log = goal != goals_.end() && status.MatchOf(node) >= goal->second;
    if (holds_log && !ready) {
      ready = node;
      // In the configuration the others stay as they joined: what only they hold is not held, and they cannot vote.
      keeps_log = metadata::KeepsTheLog(row) || DFS_MUTANT(1112, "a storage node gets a vote");
    }
    goals[node] = status.commit_index;
  }
  goals_ = std::move(goals);
  if (!ready || !TryBegin()) return;
  rpc::Command command;
  command.mutable_activate_node()->set_node_id(ready->value());
  state_->world.consensus->ProposeMembers(
      [node = *ready, keeps_log](consensus::Configuration configuration)
          -> absl::StatusOr<consensus::Configuration> {
        const auto member = configuration.members.find(node);
        if (member == configuration.members.end()) {
          return absl::FailedPreconditionError("no such member");
        }
        member->second.is_active = keeps_log;
        return configuration;
      },
      std::move(command),
      [self = shared_from_this(), node = *ready](absl::StatusOr<rpc::CommandResult> result) {
        const absl::Status outcome = StatusOfResult(result);
        LOG(INFO) << "node " << node << " holds the log and becomes active: " << outcome;
        // The next put counts with it.
        self->directory_->Refresh();
        self->EndStep();
      });
}

void MemberUpkeep::HandLeadershipOver() {
  if (!TryBegin()) return;
  LOG(INFO) << "this node leaves and hands leadership over";
  state_->world.consensus->TransferLeadership(
      [self = shared_from_this()](const absl::Status& outcome) {
        if (!outcome.ok()) LOG(INFO) << "leadership is not handed over yet: " << outcome;
        self->EndStep();
      });
}

void MemberUpkeep::MaybeChangeVoters(const replicated_log::RaftStatus& status,
                                     const metadata::MetadataView& view) {
  std::map<NodeId, bool> is_usable;
  for (const auto& live : state_->world.liveness()) is_usable[live.node] = live.is_usable;
  std::vector<VoterCandidate> active;
  bool self_goes = false;
  for (const auto& row : view.Nodes()) {
    const NodeId node(row.node_id());
    const auto member = status.configuration.members.find(node);
    if (row.state() != rpc::ACTIVE || member == status.configuration.members.end()) continue;
    if (!member->second.is_active) continue;
    const bool is_near =
        status.MatchOf(node).value() + kVoterLagMax >= status.commit_index.value();
    const bool is_self = node == status.self;
    const bool goes = row.departure() == rpc::LEAVING || row.departure() == rpc::FORGOTTEN;
    active.push_back({node, row.zone(), is_self || (is_usable[node] && is_near), is_self,
                      row.is_out(), goes});
    self_goes = self_goes || (is_self && goes);
  }
  // Another leader takes this node's vote.
  if (self_goes && status.configuration.voters.size() > 1) {
    HandLeadershipOver();
    return;
  }
  const std::set<NodeId> voters = ChooseVoters(active, status.configuration.voters);
  if (voters == status.configuration.voters || !TryBegin()) return;
  state_->world.consensus->ProposeVoters(
      voters, [self = shared_from_this(), count = voters.size()](const absl::Status& outcome) {
        LOG(INFO) << "the cluster goes to " << count << " voters: " << outcome;
        self->EndStep();
      });
}

}  // namespace dfs::leader
