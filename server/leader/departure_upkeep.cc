#include "server/leader/departure_upkeep.h"

#include <glog/logging.h>

#include <algorithm>
#include <utility>

#include "common/mutant.h"
#include "server/leader/node_directory.h"
#include "server/leader/repair_survey.h"
#include "server/metadata/bucket_rule.h"
#include "server/metadata/node_role.h"

namespace dfs::leader {

bool IsGossipHandedOver(const TermState& state, NodeId node) {
  if (DFS_MUTANT(1162, "a node leaves with what only it has of gossip buckets")) return true;
  const auto buckets = state.world.view()->Buckets();
  if (std::none_of(buckets.begin(), buckets.end(), &metadata::IsGossipBucket)) return true;
  const auto live = state.world.liveness();
  return std::any_of(live.begin(), live.end(), [&](const NodeLiveness& other) {
    return other.node == node && other.has_handed_gossip_over;
  });
}

void DepartureUpkeep::Tick() {
  if (is_busy_ || state_->HasEnded()) return;
  const auto status = state_->world.consensus->Status();
  if (status.configuration.is_joint()) return;
  for (const auto& row : state_->world.view()->Nodes()) {
    if (is_busy_) return;
    const NodeId node(row.node_id());
    if (row.state() == rpc::ACTIVE) {
      MaybeRetire(row, status);
    } else if (row.state() == rpc::RETIRED) {
      MaybeRemove(row, status);
      if (!is_busy_ && row.has_rows()) StepOn(node);
    }
  }
}

void DepartureUpkeep::MaybeRetire(const rpc::NodeRow& row,
                                  const replicated_log::RaftStatus& status) {
  const NodeId node(row.node_id());
  if (row.departure() != rpc::LEAVING && row.departure() != rpc::FORGOTTEN) return;
  if (status.configuration.IsVoter(node)) return;
  if (row.departure() == rpc::LEAVING && !IsGossipHandedOver(*state_, node)) return;
  if (row.departure() == rpc::FORGOTTEN || !metadata::HoldsReplicas(row)) {
    is_busy_ = true;
    Retire(node);
    return;
  }
  const auto left = repair_->HandoverOf(node);
  if (!left || left->chunks > 0 || state_->Now() < next_check_) return;
  next_check_ = state_->Now() + kCheckEvery;
  is_busy_ = true;
  state_->world.run_blocking([self = shared_from_this(), row] { self->CheckHandover(row); });
}

// Repair's last look is older than the puts since.
void DepartureUpkeep::CheckHandover(const rpc::NodeRow& row) {
  if (state_->HasEnded()) return;
  NodeDirectory directory(state_->world);
  const RepairMembers members(Candidates(*directory.Refresh(), state_->world.liveness()));
  const NodeId node(row.node_id());
  const bool is_any_returning =
      std::any_of(members.all().begin(), members.all().end(), [&](const auto& other) {
        return other.first != node && other.second.is_usable && other.second.is_returning;
      });
  if (is_any_returning) {
    // It may hold less than the sets say.
    EndStep();
    return;
  }
  RepairSurvey survey;
  state_->world.view()->ListVersions(TxnId(), [&](const rpc::VersionRow& version) {
    const auto bucket = directory.FindBucket(BucketId(version.bucket_id()));
    for (int k = 0; bucket && k < version.chunks_size(); ++k) {
      survey.Add(ToIncompleteChunk(version, k, bucket->replicas()), members, true);
    }
    return !state_->HasEnded() && !survey.totals().handovers.contains(node);
  });
  if (state_->HasEnded()) return;
  if (survey.totals().handovers.contains(node)) {
    EndStep();
  } else {
    Retire(node);
  }
}

void DepartureUpkeep::Retire(NodeId node) {
  rpc::Command command;
  command.mutable_retire_node()->set_node_id(node.value());
  state_->world.consensus->ProposeMembers(
      [node](consensus::Configuration configuration) -> absl::StatusOr<consensus::Configuration> {
        const auto member = configuration.members.find(node);
        if (configuration.IsVoter(node)) return absl::FailedPreconditionError("it votes");
        // It goes on to get the log, so that it learns of its end, and counts for nothing.
        if (member != configuration.members.end()) member->second.is_active = false;
        return configuration;
      },
      std::move(command),
      [self = shared_from_this(), node](const absl::StatusOr<rpc::CommandResult>& result) {
        LOG(INFO) << "node " << node << " is a member no longer: "
                  << (result.ok() ? result->message() : result.status().ToString());
        if (result.ok() && result->code() == rpc::CommandResult::DONE) {
          self->state_->world.executor->Post([self, node, index = LogIndex(result->applied_index())] {
            self->farewells_[node] = {self->state_->Now(), index};
          });
        }
        self->EndStep();
      });
}

void DepartureUpkeep::MaybeRemove(const rpc::NodeRow& row,
                                  const replicated_log::RaftStatus& status) {
  const NodeId node(row.node_id());
  if (!status.configuration.IsMember(node) || node == status.self) return;
  const auto [farewell, is_new] =
      farewells_.try_emplace(node, Farewell{state_->Now(), status.commit_index});
  const bool is_alive = state_->IsUsable(node);
  const bool knows = status.MatchOf(node) >= farewell->second.index;
  if (is_alive && !knows && state_->Now() - farewell->second.since < kFarewell) return;
  is_busy_ = true;
  rpc::Command command;
  command.mutable_retire_step()->set_node_id(row.node_id());
  state_->world.consensus->ProposeMembers(
      [node](consensus::Configuration configuration) -> absl::StatusOr<consensus::Configuration> {
        if (configuration.IsVoter(node)) return absl::FailedPreconditionError("it votes");
        configuration.members.erase(node);
        return configuration;
      },
      std::move(command),
      [self = shared_from_this(), node](const absl::StatusOr<rpc::CommandResult>& result) {
        if (!result.ok()) LOG(INFO) << "node " << node << " is not cut off: " << result.status();
        self->EndStep();
      });
}

void DepartureUpkeep::StepOn(NodeId node) {
  is_busy_ = true;
  rpc::Command command;
  command.mutable_retire_step()->set_node_id(node.value());
  *command.mutable_retire_step()->mutable_after() = ToWire(cursors_[node]);
  state_->world.consensus->Propose(
      std::move(command), state_->term,
      [self = shared_from_this(), node](const absl::StatusOr<rpc::CommandResult>& result) {
        if (result.ok() && result->code() == rpc::CommandResult::DONE) {
          self->state_->world.executor->Post([self, node, next = FromWire(result->next()),
                                              is_last = result->is_last()] {
            if (is_last) {
              self->cursors_.erase(node);
            } else {
              self->cursors_[node] = next;
            }
            self->is_busy_ = false;
            self->Tick();
          });
        } else {
          self->EndStep();
        }
      });
}

void DepartureUpkeep::EndStep() {
  state_->world.executor->Post([self = shared_from_this()] {
    self->is_busy_ = false;
  });
}

}  // namespace dfs::leader
