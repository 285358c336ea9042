#include "tests/simulation/system/sim_cluster.h"

#include <glog/logging.h>

#include <algorithm>
#include <optional>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"

namespace dfs::simulation {
namespace {

// What the bucket's options promise, counted here without the product's own rule. nullopt: it is
// gone.
std::optional<std::size_t> CopiesWanted(const metadata::MetadataView& view, std::uint64_t bucket,
                                        std::size_t members) {
  const auto row = view.FindBucket(BucketId(bucket));
  if (!row) return std::nullopt;
  return row->all_members() ? members : std::min<std::size_t>(row->replicas(), members);
}

}  // namespace

SimCluster::SimCluster(FiberScheduler* scheduler, int machines, int spares)
    : scheduler_(scheduler),
      wire_(scheduler),
      members_at_first_(static_cast<std::size_t>(machines)) {
  for (int machine = 1; machine <= machines + spares; ++machine) {
    machines_[machine].is_away = machine > machines;
    machines_[machine].disk =
        std::make_unique<SimDisk>(scheduler, absl::StrCat("/m", machine));
  }
}

void SimCluster::Start(int machine) {
  Machine& m = machines_.at(machine);
  if (m.node != nullptr || m.is_starting || m.is_away || m.is_held) return;
  m.process = std::make_shared<SimProcess>();
  m.process->name = absl::StrCat("m", machine);
  m.process->drift_ppm = m.drift_ppm;
  m.process->wall_offset_ns = m.wall_offset_ns;
  m.is_starting = true;
  SimNode::Parts parts;
  parts.machine = machine;
  parts.scheduler = scheduler_;
  parts.wire = &wire_;
  parts.disk = m.disk.get();
  parts.is_bootstrap = machine == 1 && !m.was_wiped;
  for (const auto& [other, ignored] : machines_) {
    if (other != machine) parts.join.push_back(other);
  }
  parts.times = times;
  parts.on_moment = [this, machine](Moment moment) {
    if (on_moment) on_moment(moment, machine);
  };
  parts.on_proposal = [this](const rpc::Command& command) { OnProposal(command); };
  const SimProcess* const process = m.process.get();
  parts.on_fatal = [this, machine, process](const absl::Status& status) {
    OnFatal(machine, process, status);
  };
  parts.on_disk_refused = [this, machine, process](const std::string& why) {
    OnDiskRefused(machine, process, why);
  };
  scheduler_->Spawn(m.process, [this, machine, process, parts = std::move(parts)] {
    auto* const node = new SimNode(parts);  // for ever
    const absl::Status status = node->Start([this, machine, node] {
      Machine& self = machines_.at(machine);
      self.node = node;
      self.is_starting = false;
      wire_.SetNode(machine, node, self.process);
    });
    if (absl::IsFailedPrecondition(status)) {
      OnDiskRefused(machine, process, std::string(status.message()));  // its Join was
    } else if (!status.ok()) {
      OnFatal(machine, process, status);
    }
  });
}

void SimCluster::Crash(int machine, bool power_cut) {
  Machine& m = machines_.at(machine);
  if (m.process == nullptr || m.process->is_dead) return;
  scheduler_->Kill(m.process);
  wire_.SetNode(machine, nullptr, nullptr);
  wire_.Break(m.process.get());
  m.disk->Crash(power_cut);
  m.node = nullptr;
  m.is_starting = false;
}

void SimCluster::Wipe(int machine) {
  Machine& m = machines_.at(machine);
  CHECK(m.node == nullptr && !m.is_starting);
  m.disk->Wipe();
  m.was_wiped = true;
}

void SimCluster::SetLeaving(int machine) {
  machines_.at(machine).is_leaving = true;
  machines_.at(machine).may_be_refused = true;
}

void SimCluster::TakeAway(int machine) {
  Crash(machine, false);
  Wipe(machine);
  Machine& m = machines_.at(machine);
  m.is_leaving = false;
  m.may_be_refused = false;
  m.is_away = true;
}

std::size_t SimCluster::members() const {
  return static_cast<std::size_t>(
      std::count_if(machines_.begin(), machines_.end(),
                    [](const auto& machine) { return !machine.second.is_away; }));
}

void SimCluster::OnProposal(const rpc::Command& command) {
  if (command.has_commit_put() && on_commit) on_commit(command);
  for (const auto& change : command.change_replicas().changes()) {
    if (change.is_move()) ++moves_;
  }
}

// The process sets its data directory aside and begins anew (rule R3), or has left for good.
void SimCluster::OnDiskRefused(int machine, const SimProcess* process, const std::string& why) {
  LOG(INFO) << "machine " << machine << ", disk refused: " << why;
  ++refusals_;
  Machine& m = machines_.at(machine);
  if (!m.may_be_refused && failure_.ok()) {
    failure_ = absl::DataLossError(absl::StrCat("machine ", machine, " refuses its disk: ", why));
  }
  m.may_be_refused = false;
  scheduler_->CallAfter(0, [this, machine, process] {
    if (machines_.at(machine).process.get() != process) return;
    if (machines_.at(machine).is_leaving) return TakeAway(machine);
    Crash(machine, false);
    Wipe(machine);
    scheduler_->CallAfter(500'000'000, [this, machine] { Start(machine); });
  });
}

// The process ends; who runs the machine starts it again.
void SimCluster::OnFatal(int machine, const SimProcess* process, const absl::Status& status) {
  LOG(INFO) << "machine " << machine << " stops: " << status;
  if (absl::IsFailedPrecondition(status)) return;  // its disk was refused
  if (!absl::IsDataLoss(status) || status.message() != "the disk failed to sync") {
    if (failure_.ok()) {
      failure_ = absl::Status(status.code(), absl::StrCat("machine ", machine, " stopped: ",
                                                          std::string(status.message())));
    }
  }
  scheduler_->CallAfter(0, [this, machine, process] {
    if (machines_.at(machine).process.get() != process) return;
    Crash(machine, true);
    scheduler_->CallAfter(1'000'000'000, [this, machine] { Start(machine); });
  });
}

void SimCluster::SetWallClock(int machine, std::int64_t offset_ns) {
  Machine& m = machines_.at(machine);
  m.wall_offset_ns = offset_ns;
  if (m.process != nullptr) m.process->wall_offset_ns = m.wall_offset_ns;
}

absl::Status SimCluster::CheckConverged() {
  std::optional<metadata::StateHash> hash;
  for (auto& [machine, m] : machines_) {
    if (m.is_away) continue;
    if (m.node == nullptr) return absl::UnavailableError(absl::StrCat("machine ", machine, " is down"));
    const auto view = m.node->machine_state()->View();
    const auto totals = view->GetTotals();
    const std::string who = absl::StrCat("machine ", machine, " (node ", m.node->self().value(), ")");
    if (totals.members != members()) {
      std::string rows;
      for (const auto& row : view->Nodes()) {
        if (row.state() != rpc::RETIRED) absl::StrAppend(&rows, "; ", row.ShortDebugString());
      }
      return absl::UnavailableError(absl::StrCat(who, " knows ", totals.members, " members instead of ", members(), rows));
    }
    const auto own = view->FindNode(m.node->self());
    if (!own || own->state() != rpc::ACTIVE || own->is_out() || own->departure() != rpc::STAYS ||
        own->boot_epoch() != m.node->boot_epoch().value()) {
      return absl::UnavailableError(absl::StrCat(who, " is not registered, or is not a member in full"));
    }
    if (totals.under_replicated != 0) {
      std::string rows;
      view->ListVersions(TxnId(), [&](const rpc::VersionRow& version) {
        const auto wanted = CopiesWanted(*view, version.bucket_id(), totals.members);
        for (const auto& chunk : version.chunks()) {
          const auto good = std::count_if(chunk.replicas().begin(), chunk.replicas().end(),
                                          [](const rpc::Replica& replica) { return replica.state() == api::OK; });
          if (wanted && static_cast<std::size_t>(good) < *wanted) {
            absl::StrAppend(&rows, "; ", version.name(), " of bucket ", version.bucket_id(), " wants ", *wanted, ": ",
                            chunk.ShortDebugString());
          }
        }
        return true;
      });
      return absl::UnavailableError(
          absl::StrCat(who, " sees ", totals.under_replicated, " files with too few copies", rows));
    }
    if (totals.trashed != 0) {
      return absl::UnavailableError(absl::StrCat(who, " sees ", totals.trashed, " in the trash"));
    }
    const auto own_hash = view->GetStateHash();
    if (hash && hash->index != own_hash.index) {
      return absl::UnavailableError(absl::StrCat(who, " has applied ", own_hash.index.value(),
                                                 ", another ", hash->index.value()));
    }
    if (hash && hash->hash != own_hash.hash) {
      return absl::DataLossError(absl::StrCat(who, " has another state"));
    }
    hash = own_hash;
    if (m.disk->HasRot()) return absl::UnavailableError(absl::StrCat(who, " has rotten chunks"));
    DFS_RETURN_IF_ERROR(CheckCopies(*view));
    DFS_RETURN_IF_ERROR(CheckChunksOf(machine));
  }
  return absl::OkStatus();
}

absl::Status SimCluster::CheckSets() {
  absl::Status status;
  for (auto& [machine, m] : machines_) {
    if (m.node == nullptr) continue;
    const auto view = m.node->machine_state()->View();
    // A node that is retired leaves the sets before repair has found another in its stead.
    const std::vector<rpc::NodeRow> nodes_known = view->Nodes();
    if (std::any_of(nodes_known.begin(), nodes_known.end(),
                    [](const auto& node) { return node.state() == rpc::RETIRED; })) {
      continue;
    }
    // A set is as large as members allowed when it was made: only more have come since.
    const std::size_t members = view->GetTotals().members;
    const std::size_t members_least = std::min(members_at_first_, members);
    view->ListVersions(TxnId(), [&, who = machine](const rpc::VersionRow& version) {
      const auto least = CopiesWanted(*view, version.bucket_id(), members_least);
      const auto most = CopiesWanted(*view, version.bucket_id(), members);
      for (int i = 0; least && version.trashed_index() == 0 && i < version.chunks_size(); ++i) {
        std::set<std::uint32_t> nodes;
        for (const auto& replica : version.chunks(i).replicas()) nodes.insert(replica.node_id());
        if (nodes.size() < *least || nodes.size() > *most ||
            nodes.size() != static_cast<std::size_t>(version.chunks(i).replicas_size())) {
          status = absl::DataLossError(
              absl::StrCat("machine ", who, ": version ", version.number(), " of ", version.name(),
                           " in bucket ", version.bucket_id(), ", chunk ", i, ": its set names ",
                           nodes.size(), " nodes, must be ", *least, " to ", *most));
        }
      }
      return status.ok();
    });
  }
  return status;
}

absl::Status SimCluster::CheckCopiesLeft() {
  absl::Status status;
  for (auto& [machine, m] : machines_) {
    if (m.node == nullptr) continue;
    const auto view = m.node->machine_state()->View();
    std::set<std::uint32_t> members;
    for (const auto& node : view->Nodes()) {
      if (node.state() == rpc::ACTIVE) members.insert(node.node_id());
    }
    view->ListVersions(TxnId(), [&, who = machine](const rpc::VersionRow& version) {
      for (const auto& chunk : version.chunks()) {
        const bool is_left = std::any_of(
            chunk.replicas().begin(), chunk.replicas().end(), [&](const rpc::Replica& replica) {
              return replica.state() == api::OK && members.contains(replica.node_id());
            });
        if (is_left) continue;
        status = absl::DataLossError(absl::StrCat(
            "machine ", who, ": version ", version.number(), " of ", version.name(), " in bucket ",
            version.bucket_id(), version.trashed_index() != 0 ? ", removed," : "",
            " has no copy left: ", chunk.ShortDebugString()));
      }
      return status.ok();
    });
  }
  return status;
}

absl::Status SimCluster::CheckCopies(const metadata::MetadataView& view) {
  absl::Status status;
  view.ListVersions(TxnId(), [&](const rpc::VersionRow& version) {
    const auto wanted = CopiesWanted(view, version.bucket_id(), view.member_count());
    for (const auto& chunk : version.chunks()) {
      const auto ok = static_cast<std::size_t>(
          std::count_if(chunk.replicas().begin(), chunk.replicas().end(),
                        [](const rpc::Replica& replica) { return replica.state() == api::OK; }));
      if (version.trashed_index() != 0 || !wanted || ok == *wanted) continue;
      status = absl::UnavailableError(
          absl::StrCat("version ", version.number(), " of ", version.name(), " in bucket ",
                       version.bucket_id(), " has ", ok, " copies, must have ", *wanted));
    }
    return status.ok();
  });
  return status;
}

absl::Status SimCluster::CheckChunksOf(int machine) {
  SimNode& node = *machines_.at(machine).node;
  const auto view = node.machine_state()->View();
  absl::Status status;
  node.store()->ForEach(std::nullopt, [&](const chunk::HeldChunk& held) {
    const auto version = view->FindVersion(held.info.id.txn);
    bool is_named = false;
    if (version && held.info.id.index < static_cast<std::uint32_t>(version->chunks_size())) {
      for (const auto& replica : version->chunks(static_cast<int>(held.info.id.index)).replicas()) {
        is_named = is_named || NodeId(replica.node_id()) == node.self();
      }
    }
    if (!is_named) {
      status = absl::UnavailableError(absl::StrCat("machine ", machine, " holds chunk ",
                                                   ToString(held.info.id), " that nothing names",
                                                   held.is_trashed ? " (in its trash)" : ""));
    }
    return is_named;
  });
  if (!status.ok()) return status;
  // What it has deleted it has told: no row in the log waits for that (rules R17, R20).
  const auto waits = [&](const ChunkId& chunk) {
    status = absl::UnavailableError(absl::StrCat("machine ", machine, " has not told that chunk ",
                                                 ToString(chunk), " is gone"));
    return false;
  };
  view->ListPurged(node.self(), waits);
  view->ListReleased(node.self(), waits);
  if (!status.ok()) return status;
  // And what is named as ok here is here.
  view->ListVersions(TxnId(), [&](const rpc::VersionRow& version) {
    for (int i = 0; i < version.chunks_size(); ++i) {
      for (const auto& replica : version.chunks(i).replicas()) {
        if (NodeId(replica.node_id()) != node.self() || replica.state() != api::OK) continue;
        const ChunkId id{FromWire(version.txn()), static_cast<std::uint32_t>(i)};
        const auto found = node.store()->Find(id);
        if (!found || found->hash != HashFromWire(version.chunks(i).hash())) {
          status = absl::DataLossError(absl::StrCat("machine ", machine, " lacks chunk ",
                                                    ToString(id), " of ", version.name()));
        }
      }
    }
    return status.ok();
  });
  return status;
}

}  // namespace dfs::simulation
