#include "tests/simulation/system/sim_operator.h"

#include <glog/logging.h>

#include <memory>
#include <optional>

#include "absl/strings/str_cat.h"

namespace dfs::simulation {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;
constexpr std::size_t kMembersMin = 3;
constexpr absl::Duration kOperatorTimeout = absl::Seconds(5);

}  // namespace

SimOperator::SimOperator(SimCluster* cluster, SimFaults* faults)
    : cluster_(cluster),
      faults_(faults),
      scheduler_(cluster->scheduler()),
      random_(cluster->scheduler()->random().Next()) {}

std::int64_t SimOperator::Between(std::int64_t low_ms, std::int64_t high_ms) {
  return random_.Between(low_ms, high_ms) * (kSecond / 1000);
}

void SimOperator::Start(std::int64_t end_ns, bool may_lose_disks) {
  may_lose_disks_ = may_lose_disks;
  is_busy_ = true;
  scheduler_->Spawn(nullptr, [this, end_ns] {
    while (true) {
      scheduler_->SleepFor(Between(1'000, 12'000));
      if (scheduler_->now_ns() >= end_ns) break;
      ActOnce();
    }
    drained_.clear();
    is_busy_ = false;
  });
  scheduler_->Spawn(nullptr, [this] {
    while (true) {
      scheduler_->SleepFor(kSecond);
      TidyUp();
    }
  });
}

void SimOperator::ActOnce() {
  const std::uint64_t act = random_.Below(may_lose_disks_ ? 11 : 7);
  // What a node leaves behind it shows best where nothing else is lost.
  if (!may_lose_disks_ && act >= 5) return Leave();
  switch (act) {
    case 0:
    case 1:
      return Grow();
    case 2:
      return Leave();
    case 3:
      return Drain();
    case 4:
      return StayAway();
    case 5:
      return Wipe();
    case 6:
      return RollBack();
    case 7:
      return LoseChunks();
    default:
      return Rot();
  }
}

int SimOperator::UpMachine() {
  std::vector<int> up;
  for (int machine = 1; machine <= cluster_->machines(); ++machine) {
    if (cluster_->IsUp(machine)) up.push_back(machine);
  }
  return up.empty() ? 0 : up[static_cast<std::size_t>(random_.Below(up.size()))];
}

int SimOperator::MachineWith(const rpc::NodeRow& row) {
  for (int machine = 1; machine <= cluster_->machines(); ++machine) {
    if (cluster_->disk(machine)->identity.storage_uuid ==
        UuidFromWire<StorageUuid>(row.storage_uuid())) {
      return machine;
    }
  }
  return 0;
}

bool SimOperator::IsWhole() {
  for (int machine = 1; machine <= cluster_->machines(); ++machine) {
    if (cluster_->disk(machine)->HasRot()) return false;
  }
  const int machine = UpMachine();
  if (machine == 0) return false;
  const auto whole = cluster_->wire().Ask<bool>(
      kClientsMachine, machine, NodeId(), kOperatorTimeout, [this](SimNode& node) -> absl::StatusOr<bool> {
        const auto view = node.ReadState();
        if (!view.ok()) return view.status();
        if (uncounted_) {
          const auto row = (*view)->FindNode(NodeId(uncounted_->first));
          if (row && row->state() == rpc::ACTIVE && row->counted_epoch() <= uncounted_->second) {
            return false;
          }
          uncounted_.reset();
        }
        const auto totals = (*view)->GetTotals();
        if (totals.under_replicated != 0 || totals.members != cluster_->members()) return false;
        for (const auto& row : (*view)->Nodes()) {
          if (row.state() == rpc::RETIRED) continue;
          if (row.state() != rpc::ACTIVE || row.departure() != rpc::STAYS || MachineWith(row) == 0) {
            return false;
          }
        }
        const auto configuration = node.raft()->Status().configuration;
        return configuration.voters.size() >= kMembersMin && !configuration.is_joint();
      });
  return whole.ok() && *whole;
}

bool SimOperator::AwaitWhole(std::int64_t seconds) {
  for (std::int64_t i = 0; i < seconds; ++i) {
    if (IsWhole()) return true;
    scheduler_->SleepFor(kSecond);
  }
  return false;
}

absl::StatusOr<v1::ChangeMemberResponse> SimOperator::Change(
    v1::ChangeMemberRequest::Change change, std::uint32_t node) {
  const int machine = UpMachine();
  if (machine == 0) return absl::UnavailableError("nobody is up");
  rpc::ManageRequest request;
  request.mutable_change_member()->set_change(change);
  request.mutable_change_member()->set_node(absl::StrCat(node));
  const auto response = cluster_->wire().Ask<rpc::ManageResponse>(
      kClientsMachine, machine, NodeId(), kOperatorTimeout,
      [request](SimNode& at) { return at.Manage(request); });
  if (!response.ok()) return response.status();
  return response->change_member();
}

void SimOperator::Grow() {
  for (int machine = 1; machine <= cluster_->machines(); ++machine) {
    if (!cluster_->IsAway(machine)) continue;
    ++counts_["late joins"];
    cluster_->SetAway(machine, false);
    cluster_->Start(machine);
    return;
  }
}

void SimOperator::Wipe() {
  if (!AwaitWhole(10)) return;
  const int machine = UpMachine();
  if (machine == 0) return;
  ++counts_["wiped disks"];
  LOG(INFO) << "the disk of machine " << machine << " is lost";
  cluster_->Crash(machine, false);
  cluster_->Wipe(machine);
  scheduler_->SleepFor(Between(0, 5'000));
  cluster_->Start(machine);
}

void SimOperator::Leave() {
  if (cluster_->members() <= kMembersMin || !AwaitWhole(10)) return;
  const int machine = UpMachine();
  if (machine == 0 || cluster_->IsLeaving(machine)) return;
  const std::uint32_t node = cluster_->disk(machine)->identity.node_id.value();
  // An answer that is lost may have been a yes.
  cluster_->SetLeaving(machine);
  if (Change(v1::ChangeMemberRequest::LEAVE, node).ok()) ++counts_["leaves"];
}

void SimOperator::Drain() {
  if (cluster_->members() <= kMembersMin || !AwaitWhole(10)) return;
  const int machine = UpMachine();
  if (machine == 0) return;
  const std::uint32_t node = cluster_->disk(machine)->identity.node_id.value();
  drained_.insert(node);
  if (Change(v1::ChangeMemberRequest::DRAIN, node).ok()) ++counts_["drains"];
  scheduler_->SleepFor(Between(1'000, 20'000));
  drained_.erase(node);
}

void SimOperator::StayAway() {
  const int machine = UpMachine();
  if (machine == 0) return;
  ++counts_["long absences"];
  cluster_->SetHeld(machine, true);
  cluster_->Crash(machine, random_.OneIn(1, 2));
  scheduler_->SleepFor(Between(5'000, 45'000));
  cluster_->SetHeld(machine, false);
  cluster_->Start(machine);
}

void SimOperator::Rot() {
  if (!AwaitWhole(10)) return;
  const int machine = 1 + static_cast<int>(
                              random_.Below(static_cast<std::uint64_t>(cluster_->machines())));
  const int objects = cluster_->disk(machine)->Rot(1 + static_cast<int>(random_.Below(4)));
  counts_["rotten objects"] += static_cast<std::uint64_t>(objects);
}

// The index of the chunks falls back (as a database does whose newest log is cut off, rule R22), the
// log of the cluster does not.
void SimOperator::LoseChunks() {
  const int machine = UpMachine();
  if (machine == 0) return;
  SimDisk* const disk = cluster_->disk(machine);
  const auto uuid = disk->identity.storage_uuid;
  const auto image = disk->TakeImage();
  scheduler_->SleepFor(Between(500, 15'000));
  if (!AwaitWhole(10) || !cluster_->IsUp(machine) || disk->identity.storage_uuid != uuid) return;
  if (!disk->LacksChunks(*image)) return;
  ++counts_["chunk stores that fell back"];
  LOG(INFO) << "the chunks of machine " << machine << " fall back";
  cluster_->Crash(machine, false);
  uncounted_ = {disk->identity.node_id.value(), disk->identity.boot_epoch.value()};
  disk->PutBackChunks(*image);
  cluster_->Start(machine);
}

// Rule R3 leaves a rollback open while every witness is away: all others are here and hear each other meanwhile.
void SimOperator::RollBack() {
  const int machine = UpMachine();
  if (machine == 0) return;
  SimDisk* const disk = cluster_->disk(machine);
  const auto uuid = disk->identity.storage_uuid;
  if (!disk->identity.cluster_id) return;
  const auto image = disk->TakeImage();
  scheduler_->SleepFor(Between(20, 10'000));
  faults_->SetQuiet(true);
  const bool was_whole =
      AwaitWhole(20) && cluster_->IsUp(machine) && disk->identity.storage_uuid == uuid;
  // A start of which nobody has heard yet is no loss.
  const BootEpoch epoch = disk->identity.boot_epoch;
  if (was_whole) scheduler_->SleepFor(3 * kSecond);
  if (was_whole && IsWhole() && cluster_->IsUp(machine) && disk->identity.storage_uuid == uuid &&
      disk->identity.boot_epoch == epoch) {
    ++counts_["rolled-back disks"];
    LOG(INFO) << "the disk of machine " << machine << " is rolled back";
    const std::uint64_t before = cluster_->refusals();
    cluster_->ExpectRefusal(machine);
    cluster_->Crash(machine, false);
    const bool is_ahead = disk->IsAheadOf(*image);
    disk->PutBack(*image);
    cluster_->Start(machine);
    scheduler_->SleepFor(6 * kSecond);
    if (cluster_->refusals() != before) {
      ++counts_["rolled-back disks that were refused"];
    } else if (is_ahead && failure_.ok()) {
      failure_ = absl::DataLossError(
          absl::StrCat("machine ", machine, " goes on with a disk that was rolled back (rule R3)"));
    }
  }
  faults_->SetQuiet(false);
}

void SimOperator::TidyUp() {
  const int machine = UpMachine();
  if (machine == 0) return;
  using Rows = std::vector<rpc::NodeRow>;
  const auto rows = cluster_->wire().Ask<Rows>(
      kClientsMachine, machine, NodeId(), kOperatorTimeout, [](SimNode& node) -> absl::StatusOr<Rows> {
        const auto view = node.ReadState();
        if (!view.ok()) return view.status();
        return (*view)->Nodes();
      });
  if (!rows.ok()) return;
  for (const auto& row : *rows) {
    const int at = MachineWith(row);
    if (row.state() == rpc::RETIRED) {
      // It may have been cut off before it heard of it.
      if (at != 0 && cluster_->IsLeaving(at)) cluster_->TakeAway(at);
    } else if (at == 0) {
      const auto change = random_.OneIn(1, 2) ? v1::ChangeMemberRequest::FORGET
                                              : v1::ChangeMemberRequest::REPLACE;
      const auto response = Change(change, row.node_id());
      if (response.ok() && !response->is_done()) ++counts_["forgets under way"];
    } else if (row.departure() == rpc::DRAINING && !drained_.contains(row.node_id())) {
      (void)Change(v1::ChangeMemberRequest::UNDRAIN, row.node_id());
    }
  }
}

}  // namespace dfs::simulation
