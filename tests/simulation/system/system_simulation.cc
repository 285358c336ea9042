#include "tests/simulation/system/system_simulation.h"

#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "common/sync.h"
#include "tests/simulation/system/fiber_scheduler.h"
#include "tests/simulation/system/sim_audit.h"
#include "tests/simulation/system/sim_cluster.h"
#include "tests/simulation/system/sim_faults.h"
#include "tests/simulation/system/sim_history.h"
#include "tests/simulation/system/sim_operator.h"
#include "tests/simulation/system/sim_workload.h"

namespace dfs::simulation {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;
constexpr int kFormSeconds = 60;       // for all machines to be members
constexpr int kConvergeSeconds = 180;  // for all to be well again, garbage included
constexpr std::int64_t kAuditEvery = kSecond / 2;
constexpr int kSpares = 2;             // machines that may join later
constexpr int kClients = 5;
constexpr std::uint64_t kMembersLeast = 3;
constexpr testing::BucketPromise kDefaultPromise{.copies_least = 2};

class SystemRun {
 public:
  SystemRun(const RunOptions& options, FiberScheduler* scheduler, RunReport* report)
      : options_(options),
        scheduler_(scheduler),
        report_(report),
        cluster_(scheduler,
                 options.machines != 0 ? options.machines : 3 + static_cast<int>(options.seed % 5),
                 options.has_faults ? kSpares : 0),
        audit_(&cluster_),
        faults_(&cluster_),
        operator_(&cluster_, &faults_) {
    cluster_.times = TimesOf(scheduler->random());
    // Half of the runs keep the members that they began with. Of the others two in three lose
    // disks, too.
    has_operator_ = options.has_faults && scheduler->random().OneIn(1, 2);
    may_lose_disks_ = has_operator_ && scheduler->random().OneIn(2, 3);
  }

  absl::Status Run() {
    const std::int64_t began = scheduler_->now_ns();
    for (int machine = 1; machine <= cluster_.machines(); ++machine) cluster_.Start(machine);
    absl::Status status = AwaitConverged(kFormSeconds);
    if (!status.ok()) return Failed("the cluster does not form", status);
    const std::int64_t end = scheduler_->now_ns() + options_.seconds * kSecond;
    StartClients(end);
    StartMonitor();
    if (has_operator_) operator_.Start(end, may_lose_disks_);
    if (options_.has_faults) faults_.Run(end);
    while (!operator_.is_idle()) scheduler_->SleepFor(kSecond / 10);
    faults_.HealAll();
    while (clients_running_ > 0) scheduler_->SleepFor(kSecond / 10);
    status = AwaitConverged(kConvergeSeconds);
    if (!status.ok()) return Failed("the cluster does not recover", status);
    status = SettleAndReadAll();
    report_->simulated_seconds =
        static_cast<double>(scheduler_->now_ns() - began) / static_cast<double>(kSecond);
    if (!status.ok()) return status;
    if (!operator_.failure().ok()) return operator_.failure();
    if (!monitored_.ok()) return monitored_;
    if (!audited_.ok()) return audited_;
    if (!cluster_.failure().ok()) return cluster_.failure();
    return history_.Check(last_);
  }

  void Fill() {
    report_->operations = history_.count();
    report_->clients = counts_;
    report_->wire = cluster_.wire().counts();
    report_->faults = faults_.counts();
    report_->faults.insert(operator_.counts().begin(), operator_.counts().end());
    report_->faults["moves of copies"] = cluster_.moves();
    report_->faults["copies looked for"] = audit_.copies_seen();
  }

 private:
  // Whoever runs the cluster lets it have three at least; but who loses a disk is forgotten before it is a member again.
  [[nodiscard]] std::uint64_t MembersLeast() const {
    if (!has_operator_) return cluster_.members();
    return may_lose_disks_ ? kMembersLeast - 1 : kMembersLeast;
  }
  static absl::Status Failed(const std::string& what, const absl::Status& status) {
    return absl::Status(status.code(), absl::StrCat(what, ": ", std::string(status.message())));
  }
  // In half of the runs collection is so eager that it meets everything that is still under way (rules R17 to R19).
  static NodeTimes TimesOf(Random& random) {
    NodeTimes times;
    times.scrub_period = absl::Seconds(random.Between(10, 60));
    times.out_after = absl::Seconds(random.Between(8, 40));
    times.chunk_bytes = (16 + random.Below(145)) << 10;
    // Copies move whenever nothing is missing, in half of the runs.
    if (random.OneIn(1, 2)) {
      times.rebalance_slack_bytes = 0;
      times.rebalance_every = absl::Milliseconds(random.Between(500, 5'000));
    }
    if (random.OneIn(1, 2)) {
      // Long enough for whoever has something in the trash to leave meanwhile.
      times.trash_time = absl::Seconds(random.Between(8, 20));
      return times;
    }
    times.trash_time = absl::Milliseconds(random.Between(20, 2'000));
    times.purge_quiet = absl::Milliseconds(random.Between(20, 2'000));
    times.question_age = absl::Milliseconds(random.Between(5, 500));
    times.collect_every = absl::Milliseconds(random.Between(10, 500));
    return times;
  }
  absl::Status AwaitConverged(int seconds) {
    absl::Status status;
    for (int i = 0; i < seconds * 4; ++i) {
      scheduler_->SleepFor(kSecond / 4);
      status = cluster_.CheckConverged();
      if (status.ok() || absl::IsDataLoss(status)) return status;
    }
    return status;
  }

  void StartClients(std::int64_t end) {
    for (int number = 1; number <= kClients; ++number) {
      auto client =
          std::make_shared<SimClient>(number, cluster_.machines(), MembersLeast(), scheduler_,
                                      &cluster_.wire(), &history_, &next_value_, &counts_);
      ++clients_running_;
      scheduler_->Spawn(nullptr, [this, client, end, number] {
        Random random(scheduler_->random().Next());
        SimWorkload workload(client.get(), may_lose_disks_, random.Next());
        if (number == 1) workload.MakeBuckets();
        while (scheduler_->now_ns() < end) {
          workload.ActOnce();
          scheduler_->SleepFor(random.Between(5, 300) * (kSecond / 1000));
        }
        --clients_running_;
      });
    }
  }

  void StartMonitor() {
    scheduler_->Spawn(nullptr, [this] {
      while (monitored_.ok()) {
        monitored_ = cluster_.CheckSets();
        if (monitored_.ok() && !may_lose_disks_) monitored_ = cluster_.CheckCopiesLeft();
        scheduler_->SleepFor(kSecond / 2);
      }
    });
    scheduler_->Spawn(nullptr, [this] {
      while (audited_.ok()) {
        audited_ = audit_.LookOnce();
        scheduler_->SleepFor(kAuditEvery);
      }
    });
  }

  SeenState StateOf(const metadata::MetadataView& view) {
    const auto version_of = [this](const rpc::VersionRow& row) {
      return history_.VersionOf(row.number(), row.size(), row.crc32c());
    };
    SeenState state;
    for (const rpc::BucketRow& row : view.Buckets()) {
      const BucketId id(row.id());
      SeenState::Bucket& bucket = state.buckets[row.name()];
      bucket.id = row.id();
      view.List(id, "", "", [&](const rpc::VersionRow& version) {
        auto& held = bucket.files[version.name()];
        held.push_back(version_of(version));
        for (const auto& old : view.FindOlds(id, version.name())) held.push_back(version_of(old));
        return true;
      });
      const rpc::BucketCountsRow counts = view.CountsOf(id);
      bucket.files_counted = counts.files();
      bucket.bytes_counted = counts.bytes();
      bucket.old_versions_counted = counts.old_versions();
      bucket.old_bytes_counted = counts.old_bytes();
    }
    return state;
  }

  absl::Status SettleAndReadAll() {
    SimClient client(kClients + 1, cluster_.machines(), MembersLeast(), scheduler_,
                     &cluster_.wire(), &history_, &next_value_, &counts_);
    if (!client.SettleAll()) return absl::DataLossError("a change cannot be settled");
    SimNode* asked = nullptr;
    for (int machine = 1; machine <= cluster_.machines(); ++machine) {
      if (!cluster_.IsAway(machine)) asked = cluster_.node(machine);
    }
    if (asked == nullptr) return absl::DataLossError("nobody is there at the end");
    last_ = StateOf(*asked->machine_state()->View());
    for (const std::string& bucket : SimWorkload::Buckets()) {
      std::set<std::string> names;
      for (const std::string& name : SimWorkload::NamesIn(bucket)) names.insert(name);
      const auto seen = last_.buckets.find(bucket);
      if (seen != last_.buckets.end()) {
        for (const auto& file : seen->second.files) names.insert(file.first);
      }
      for (const std::string& name : names) {
        testing::HeldVersions held;
        if (seen != last_.buckets.end() && seen->second.files.contains(name)) {
          held = seen->second.files.at(name);
        }
        DFS_RETURN_IF_ERROR(ReadEverywhere(client, bucket, name, held));
      }
    }
    return absl::OkStatus();
  }

  // The file at every machine, and each kept version at one.
  absl::Status ReadEverywhere(SimClient& client, const std::string& bucket, const std::string& name,
                              const testing::HeldVersions& held) {
    const auto read = [&](int machine, std::optional<std::uint64_t> version) {
      if (client.Get(bucket, name, api::STRONG, version, machine)) return absl::OkStatus();
      return absl::DataLossError(absl::StrCat(bucket, ":", name, " cannot be read at machine ",
                                              machine, ": ", client.last_failure().ToString()));
    };
    std::vector<int> machines;
    for (int machine = 1; machine <= cluster_.machines(); ++machine) {
      if (!cluster_.IsAway(machine)) machines.push_back(machine);
    }
    for (const int machine : machines) DFS_RETURN_IF_ERROR(read(machine, std::nullopt));
    for (std::size_t i = 1; i < held.size(); ++i) {
      DFS_RETURN_IF_ERROR(read(machines[i % machines.size()], held[i].number));
    }
    return absl::OkStatus();
  }

  const RunOptions options_;
  FiberScheduler* const scheduler_;
  RunReport* const report_;
  SimCluster cluster_;
  SimAudit audit_;
  SimFaults faults_;
  SimOperator operator_;
  bool has_operator_ = false;
  bool may_lose_disks_ = false;
  SimHistory history_{kDefaultPromise};
  SeenState last_;  // when all was well again
  std::uint64_t next_value_ = 0;
  ClientCounts counts_;
  int clients_running_ = 0;
  absl::Status monitored_;
  absl::Status audited_;
};

}  // namespace

RunReport RunSystem(const RunOptions& options) {
  FiberScheduler::Options scheduler_options;
  scheduler_options.seed = options.seed;
  scheduler_options.is_tracing = options.is_tracing;
  FiberScheduler scheduler(scheduler_options);
  RunReport report;
  scheduler.Run([&] {
    auto* const run = new SystemRun(options, &scheduler, &report);  // fibers use it until the end
    report.status = run->Run();
    run->Fill();
  });
  report.trace_hash = scheduler.trace_hash();
  report.steps = scheduler.steps();
  return report;
}

}  // namespace dfs::simulation
