#include "tests/bench/repair_speed.h"

#include <memory>
#include <string>
#include <vector>

#include "client/file_client.h"
#include "common/clock.h"
#include "common/status_macros.h"
#include "tests/bench/client_load.h"
#include "tests/bench/raw_limits.h"
#include "tests/support/file_checks.h"
#include "tests/support/process_cluster.h"

namespace dfs::bench {
namespace {

using testing::ProcessCluster;

constexpr std::size_t kRawBytes = 500'000'000;
constexpr int kRawRounds = 2;  // before, and again after
constexpr int kGetFiles = 50;  // of each client
constexpr int kAsked = 1;  // a node that is never lost
constexpr int kUnlimited = 1'000'000;
// For the repair of everything on a machine that does nothing else.
constexpr absl::Duration kRepairTimeout = absl::Minutes(10);

class RepairRun {
 public:
  explicit RepairRun(const RepairOptions& options) : options_(options) {}

  absl::StatusOr<RepairSpeed> Run() {
    DFS_RETURN_IF_ERROR(cluster_.Up(3));
    client_ = std::make_unique<client::FileClient>(cluster_.Endpoints());
    DFS_RETURN_IF_ERROR(PutAll());
    const absl::Duration raw_before = RawTime();
    DFS_RETURN_IF_ERROR(Lose(2, 4, {kAsked, 3, 4}));
    DFS_RETURN_IF_ERROR(MeasureAlone(2));
    const absl::Duration raw_after = RawTime();
    speed_.raw_bytes_per_s = 1.0 * kRawBytes * 2 * kRawRounds / absl::ToDoubleSeconds(raw_before + raw_after);
    ClientLoad gets({cluster_.EndpointOf(kAsked), cluster_.EndpointOf(4)}, options_.get_clients,
                    ClientLoad::Connections::kOwn);
    const client::LoadResult put = gets.Put(options_.get_bytes, kGetFiles, absl::ZeroDuration());
    if (put.errors > 0) return put.first_error;
    DFS_RETURN_IF_ERROR(cluster_.WaitFullyReplicated(kAsked));
    gets.Get(options_.get_bytes, kUnlimited, options_.get_time / 8);  // warms up
    speed_.gets_alone = gets.Get(options_.get_bytes, kUnlimited, options_.get_time);
    DFS_RETURN_IF_ERROR(Lose(3, 5, {kAsked, 4, 5}));
    DFS_RETURN_IF_ERROR(MeasureBeside(3, gets));
    return speed_;
  }

 private:
  absl::Status PutAll() {
    for (int i = 0; i < options_.files; ++i) {
      testing::SeededSource source(static_cast<std::uint64_t>(i), options_.file_bytes);
      DFS_RETURN_IF_ERROR(client_->Put("lost/" + std::to_string(i), source).status());
    }
    return cluster_.WaitFullyReplicated(kAsked, kRepairTimeout);
  }

  absl::Duration RawTime() {
    if (raw_content_.empty()) raw_content_ = testing::MakeBytes(42, kRawBytes);
    absl::Duration total;
    for (int i = 0; i < kRawRounds; ++i) total += ThreeDurableCopies(cluster_.folder().path(), raw_content_);
    return total;
  }

  // The node dies; an empty one joins. Nothing is repaired as long as the dead one may return.
  absl::Status Lose(int node, int empty, const std::vector<int>& left) {
    cluster_.Kill(node);
    cluster_.Start(empty);
    return cluster_.WaitReady(left);
  }
  absl::Status Forget(int node) {
    const auto result = cluster_.Cli({"forget", "--yes", "n" + std::to_string(node)});
    if (result.exit_code == 0) return absl::OkStatus();
    return absl::InternalError("forget: " + result.out + result.err);
  }
  absl::StatusOr<v1::RepairProgress> Progress() {
    DFS_ASSIGN_OR_RETURN(const v1::RepairResponse response, client_->Repair());
    return response.progress();
  }
  static bool IsComplete(const v1::RepairProgress& progress) {
    return !progress.is_counting() && progress.chunks_incomplete() == 0 && progress.copies_under_way() == 0;
  }

  absl::Status MeasureAlone(int lost) {
    const MonotonicTime start = SystemClock().Now();
    DFS_RETURN_IF_ERROR(Forget(lost));
    const MonotonicTime forgotten = SystemClock().Now();
    DFS_RETURN_IF_ERROR(ProcessCluster::Await("all copies", kRepairTimeout, [&] {
      const MonotonicTime asked = SystemClock().Now();
      const auto now = Progress();
      // By a look at all versions that began after the node was forgotten, or ended so soon after it that it saw nothing
      // missing: then it is not complete for long.
      if (!now.ok() || !IsComplete(*now) || absl::Milliseconds(now->age_ms()) >= asked - forgotten) return false;
      const auto status = cluster_.Status(kAsked);
      return status.ok() && status->under_replicated() == 0;
    }));
    speed_.elapsed = SystemClock().Now() - start;
    speed_.bytes_lost = options_.file_bytes * static_cast<std::uint64_t>(options_.files);
    return absl::OkStatus();
  }

  absl::Status MeasureBeside(int lost, ClientLoad& gets) {
    DFS_ASSIGN_OR_RETURN(const v1::RepairProgress before, Progress());
    DFS_RETURN_IF_ERROR(Forget(lost));
    DFS_RETURN_IF_ERROR(ProcessCluster::Await("repair under way", kRepairTimeout, [&] {
      const auto now = Progress();
      return now.ok() && now->bytes_made() > (now->leader() == before.leader() ? before.bytes_made() : 0);
    }));
    DFS_ASSIGN_OR_RETURN(const v1::RepairProgress start, Progress());
    speed_.gets_beside = gets.Get(options_.get_bytes, kUnlimited, options_.get_time);
    DFS_ASSIGN_OR_RETURN(const v1::RepairProgress end, Progress());
    const bool is_same_leader = start.leader() == end.leader();
    speed_.beside_bytes_per_s = is_same_leader ? static_cast<double>(end.bytes_made() - start.bytes_made()) /
                                                     absl::ToDoubleSeconds(speed_.gets_beside.elapsed)
                                               : 0;
    speed_.has_lasted = is_same_leader && !IsComplete(end);
    return absl::OkStatus();
  }

  const RepairOptions options_;
  // Only `forget` says that a node does not come back.
  ProcessCluster cluster_{{{"--out-after=1h"}, nullptr}};
  std::unique_ptr<client::FileClient> client_;
  std::string raw_content_;
  RepairSpeed speed_;
};

}  // namespace

absl::StatusOr<RepairSpeed> MeasureRepair(const RepairOptions& options) {
  return RepairRun(options).Run();
}

}  // namespace dfs::bench
