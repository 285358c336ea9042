#include "tests/simulation/system/system_simulation.h"

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/sync.h"
#include "tests/simulation/system/fiber_scheduler.h"
#include "tests/simulation/system/sim_audit.h"
#include "tests/simulation/system/sim_cluster.h"
#include "tests/simulation/system/sim_faults.h"
#include "tests/simulation/system/sim_history.h"
#include "tests/simulation/system/sim_operator.h"

namespace dfs::simulation {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;
constexpr int kFormSeconds = 60;       // for all machines to be members
constexpr int kConvergeSeconds = 180;  // for all to be well again, garbage included
constexpr std::int64_t kAuditEvery = kSecond / 2;
constexpr int kSpares = 2;             // machines that may join later
constexpr int kClients = 5;
constexpr int kNames = 10;

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
  }

  absl::Status Run() {
    const std::int64_t began = scheduler_->now_ns();
    for (int machine = 1; machine <= cluster_.machines(); ++machine) cluster_.Start(machine);
    absl::Status status = AwaitConverged(kFormSeconds);
    if (!status.ok()) return Failed("the cluster does not form", status);
    const std::int64_t end = scheduler_->now_ns() + options_.seconds * kSecond;
    StartClients(end);
    StartMonitor();
    // Half of the runs keep the members that they began with.
    if (options_.has_faults && scheduler_->random().OneIn(1, 2)) operator_.Start(end);
    if (options_.has_faults) faults_.Run(end);
    while (!operator_.is_idle()) scheduler_->SleepFor(kSecond / 10);
    faults_.HealAll();
    while (clients_running_ > 0) scheduler_->SleepFor(kSecond / 10);
    status = AwaitConverged(kConvergeSeconds);
    if (!status.ok()) return Failed("the cluster does not recover", status);
    status = ReadAll();
    report_->simulated_seconds =
        static_cast<double>(scheduler_->now_ns() - began) / static_cast<double>(kSecond);
    if (!status.ok()) return status;
    if (!operator_.failure().ok()) return operator_.failure();
    if (!monitored_.ok()) return monitored_;
    if (!audited_.ok()) return audited_;
    if (!cluster_.failure().ok()) return cluster_.failure();
    return history_.Check();
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
    if (random.OneIn(1, 2)) return times;
    times.trash_time = absl::Milliseconds(random.Between(20, 2'000));
    times.purge_quiet = absl::Milliseconds(random.Between(20, 2'000));
    times.question_age = absl::Milliseconds(random.Between(5, 500));
    times.collect_every = absl::Milliseconds(random.Between(10, 500));
    return times;
  }
  static std::string NameOf(std::uint64_t number) { return absl::StrCat("file", number); }

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
      auto client = std::make_shared<SimClient>(number, cluster_.machines(), scheduler_,
                                                &cluster_.wire(), &history_, &next_value_, &counts_);
      ++clients_running_;
      scheduler_->Spawn(nullptr, [this, client, end] {
        Random random(scheduler_->random().Next());
        while (scheduler_->now_ns() < end) {
          OneOperation(*client, random);
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

  static void OneOperation(SimClient& client, Random& random) {
    const std::string name = NameOf(random.Below(kNames));
    const std::uint64_t kind = random.Below(20);
    if (kind < 7) {
      // Mostly small ones; some that are files on the disk.
      const bool is_file = random.OneIn(1, 12);
      client.Put(name, is_file ? static_cast<std::size_t>(random.Between(262'145, 600'000))
                               : 8 + static_cast<std::size_t>(random.Below(3'000)));
    } else if (kind == 7 && random.OneIn(1, 2)) {
      client.Move(name);
    } else if (kind < 9) {
      client.Remove(name);
    } else if (kind < 11) {
      client.Undelete(name);
    } else {
      client.Get(name, client.AnyMachine());
    }
  }

  absl::Status ReadAll() {
    SimClient client(kClients + 1, cluster_.machines(), scheduler_, &cluster_.wire(), &history_,
                     &next_value_, &counts_);
    std::vector<std::string> names = history_.names();
    for (std::uint64_t number = 0; number < kNames; ++number) names.push_back(NameOf(number));
    for (const std::string& name : names) {
      for (int machine = 1; machine <= cluster_.machines(); ++machine) {
        if (cluster_.IsAway(machine)) continue;
        if (!client.Get(name, machine)) {
          return absl::DataLossError(absl::StrCat(name, " cannot be read at machine ", machine, ": ",
                                                 client.last_failure().ToString()));
        }
      }
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
  SimHistory history_;
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
