// backup restore: files of a backup become files of a cluster, the one they came from or another.
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "client/cli/backup_actions.h"
#include "client/cli/backup_object.h"
#include "client/cli/bucket_sessions.h"
#include "client/cli/interrupt.h"
#include "client/cli/posix_backup_folder.h"
#include "client/cli/selected_backup.h"
#include "client/cli/simulation.h"
#include "client/cli/text.h"
#include "common/status_macros.h"
#include "proto/error_detail.h"

namespace dfs::client::cli {
namespace {

constexpr std::uint64_t kWorthALook = std::uint64_t{8} << 20;  // bytes; takes longer than the look

absl::Status Conflict(std::uint64_t version) {
  return ErrorWithReason(absl::StatusCode::kAlreadyExists,
                         "there is a file of this name with other bytes, version " + std::to_string(version) +
                             ": left as it is (--overwrite makes a new version)",
                         v1::ErrorDetail::PRECONDITION);
}

class Restorer {
 public:
  Restorer(Session& session, const BackupFlags& flags, const BackupFolder& folder, SelectedBackup& backup)
      : session_(session), flags_(flags), folder_(folder), backup_(backup), clients_(session) {}

  int Run();
  int Simulate();

 private:
  // What the cluster has under the name.
  enum class Found { kNothing, kSame, kOther };
  struct Look {
    Found found = Found::kNothing;
    v1::FileInfo file;
  };
  static absl::StatusOr<Look> LookAt(FileClient& client, const v1::FileInfo& wanted);

  // Which buckets are missing, with the settings they are to have.
  absl::Status FindBuckets();
  absl::Status MakeBuckets();
  [[nodiscard]] const std::string& TargetOf(const std::string& bucket) const { return flags_.into.empty() ? bucket : flags_.into; }
  [[nodiscard]] std::string Shown(const v1::FileInfo& file) const { return ShownName(file, backup_.shows_bucket()); }
  int ReportUnmatched();
  absl::Status SimulateOne(const v1::FileInfo& file, Simulation& simulation);
  TransferBoard::Sum RunBatch(const std::vector<v1::FileInfo>& batch);
  absl::StatusOr<FileDone> Restore(const v1::FileInfo& file, const OnProgress& on_progress);
  absl::StatusOr<v1::PutResponse> Put(FileClient& client, const v1::FileInfo& file, bool has_condition,
                                      const OnProgress& on_progress) const;
  [[nodiscard]] FileDone DoneWith(const v1::FileInfo& from, const v1::FileInfo& now, bool was_there) const;

  Session& session_;
  const BackupFlags& flags_;
  const BackupFolder& folder_;
  SelectedBackup& backup_;
  BucketSessions clients_;
  std::map<std::string, v1::BucketOptions> missing_;
  std::set<std::string> gossip_;  // target buckets of this mode
};

absl::StatusOr<Restorer::Look> Restorer::LookAt(FileClient& client, const v1::FileInfo& wanted) {
  Look out;
  auto now = client.Stat(wanted.name());
  if (absl::IsNotFound(now.status())) return out;
  DFS_RETURN_IF_ERROR(now.status());
  out.found = HasSameBytes(*now, wanted) ? Found::kSame : Found::kOther;
  out.file = *std::move(now);
  return out;
}

absl::Status Restorer::FindBuckets() {
  if (!flags_.into.empty() && backup_.buckets().size() > 1) {
    return absl::InvalidArgumentError("--into is one bucket, and these are files of " + std::to_string(backup_.buckets().size()) +
                                      ": say with --bucket which one is meant");
  }
  DFS_ASSIGN_OR_RETURN(const v1::ListBucketsResponse there, session_.client().Buckets());
  for (const std::string& bucket : backup_.buckets()) {
    v1::BucketOptions options = backup_.header().Find(bucket)->options;
    bool is_there = false;
    for (const v1::BucketInfo& one : there.buckets()) {
      if (one.name() != TargetOf(bucket)) continue;
      is_there = true;
      options = one.options();
    }
    if (options.mode() == v1::GOSSIP) gossip_.insert(TargetOf(bucket));
    if (!is_there) missing_[TargetOf(bucket)] = options;
  }
  return absl::OkStatus();
}

absl::Status Restorer::MakeBuckets() {
  for (const auto& [name, options] : missing_) {
    absl::StatusOr<v1::BucketInfo> made;
    {
      const ChangeInProgress change;
      made = session_.client().MakeBucket(name, options);
    }
    // By somebody else, just now.
    if (absl::IsAlreadyExists(made.status())) continue;
    DFS_RETURN_IF_ERROR(made.status());
    if (session_.is_json()) session_.PrintJson(JsonOf(*made));
    session_.Say("made bucket " + name + " with the settings it had");
  }
  return absl::OkStatus();
}

absl::StatusOr<v1::PutResponse> Restorer::Put(FileClient& client, const v1::FileInfo& file, bool has_condition,
                                              const OnProgress& on_progress) const {
  DFS_ASSIGN_OR_RETURN(const auto source, OpenObject(folder_.PathOf(file), file));
  PutOptions options;
  options.if_absent = has_condition;
  options.ignores_conflict = !has_condition;
  options.on_progress = on_progress;
  const ChangeInProgress change;
  return client.Put(file.name(), *source, options);
}

FileDone Restorer::DoneWith(const v1::FileInfo& from, const v1::FileInfo& now, bool was_there) const {
  FileDone done;
  done.line = Shown(from) + (flags_.into.empty() ? "" : " -> " + flags_.into) + "  " +
              FormatBytes(from.size(), session_.flags().is_human) + " bytes  version " + std::to_string(now.version()) +
              (was_there ? "  was there already" : "") + FormatFreshness(now);
  done.json = JsonOf(now);
  if (was_there) done.json["was_there"] = true;
  done.json["restored_version"] = from.version();
  done.bytes = from.size();
  done.was_there = was_there;
  return done;
}

// By several threads at once.
absl::StatusOr<FileDone> Restorer::Restore(const v1::FileInfo& file, const OnProgress& on_progress) {
  DFS_ASSIGN_OR_RETURN(const auto client, clients_.ClientOf(TargetOf(file.bucket())));
  const bool is_gossip = gossip_.contains(TargetOf(file.bucket()));
  // A bucket of mode gossip knows no conditions.
  const bool has_condition = !flags_.overwrites && !is_gossip;
  if (!has_condition || file.size() >= kWorthALook) {
    DFS_ASSIGN_OR_RETURN(const Look look, LookAt(*client, file));
    if (look.found == Found::kSame) return DoneWith(file, look.file, /*was_there=*/true);
    if (look.found == Found::kOther && !flags_.overwrites) return Conflict(look.file.version());
  }
  auto put = Put(*client, file, has_condition, on_progress);
  if (put.ok()) return DoneWith(file, put->info(), /*was_there=*/false);
  const bool is_refused = absl::IsAlreadyExists(put.status()) || ReasonOf(put.status()) == v1::ErrorDetail::PRECONDITION;
  if (!has_condition || !is_refused) return put.status();
  DFS_ASSIGN_OR_RETURN(const Look look, LookAt(*client, file));
  if (look.found == Found::kSame) return DoneWith(file, look.file, /*was_there=*/true);
  return look.found == Found::kOther ? Conflict(look.file.version()) : put.status();
}

TransferBoard::Sum Restorer::RunBatch(const std::vector<v1::FileInfo>& batch) {
  std::uint64_t bytes = 0;
  for (const v1::FileInfo& file : batch) bytes += file.size();
  TransferBoard board(session_, "restored", batch.size(), bytes);
  board.Run(
      flags_.jobs, [&](std::size_t index, const OnProgress& on_progress) { return Restore(batch[index], on_progress); },
      [&](std::size_t index) { return Shown(batch[index]); });
  return board.sum();
}

int Restorer::ReportUnmatched() {
  int code = kExitOk;
  for (const auto& [word, status] : backup_.selection().Unmatched()) code = session_.Fail(status, word);
  return code;
}

int Restorer::Run() {
  if (const absl::Status status = FindBuckets(); !status.ok()) return session_.Fail(status);
  TransferBoard::Sum sum;
  sum.first_failure = ReportUnmatched();
  if (const absl::Status status = MakeBuckets(); !status.ok()) return session_.Fail(status);
  std::vector<v1::FileInfo> batch;
  while (sum.untried == 0) {
    if (const absl::Status status = backup_.NextBatch(&batch); !status.ok()) return session_.Fail(status);
    if (batch.empty()) break;
    sum.Add(RunBatch(batch));
  }
  // Those of the batches that were not begun, too.
  sum.untried = backup_.sum().files - sum.done - sum.failed;
  session_.Say(sum.Text("restored", session_.flags().is_human));
  return sum.ExitCode();
}

absl::Status Restorer::SimulateOne(const v1::FileInfo& file, Simulation& simulation) {
  const std::string& target = TargetOf(file.bucket());
  if (!folder_.Has(file)) {
    return ErrorWithReason(absl::StatusCode::kDataLoss, folder_.PathOf(file) + " is missing or has another length",
                           v1::ErrorDetail::BAD_CHECKSUM);
  }
  Look look;
  if (!missing_.contains(target)) {
    DFS_ASSIGN_OR_RETURN(const auto client, clients_.ClientOf(target));
    DFS_ASSIGN_OR_RETURN(look, LookAt(*client, file));
  }
  if (look.found == Found::kSame) return absl::OkStatus();
  if (look.found == Found::kOther && !flags_.overwrites) return Conflict(look.file.version());
  const std::string replaced = look.found == Found::kNothing ? "" : ", in place of version " + std::to_string(look.file.version());
  simulation.Would("restore",
                   Shown(file) + (flags_.into.empty() ? "" : " -> " + flags_.into) + "  " +
                       FormatBytes(file.size(), session_.flags().is_human) + " bytes" + replaced,
                   Json{{"name", file.name()}, {"bucket", target}, {"size", file.size()}, {"replaces", look.file.version()}}, file.size());
  return absl::OkStatus();
}

int Restorer::Simulate() {
  if (const absl::Status status = FindBuckets(); !status.ok()) return session_.Fail(status);
  TransferBoard::Sum sum;
  sum.first_failure = ReportUnmatched();
  Simulation simulation(session_);
  for (const auto& [name, options] : missing_) {
    simulation.Would("mb", name + " with the settings it had", Json{{"bucket", name}});
  }
  std::vector<v1::FileInfo> batch;
  do {
    if (const absl::Status status = backup_.NextBatch(&batch); !status.ok()) return session_.Fail(status);
    for (const v1::FileInfo& file : batch) {
      const absl::Status status = SimulateOne(file, simulation);
      const int code = status.ok() ? kExitOk : session_.Fail(status, Shown(file));
      if (code == kExitUnreachable) return code;
      if (status.ok()) ++sum.done;
      if (sum.first_failure == kExitOk) sum.first_failure = code;
    }
  } while (!batch.empty());
  return simulation.Finish(sum.ExitCode());
}

}  // namespace

int RestoreBackup(Session& session, const BackupFlags& flags) {
  BackupFolder folder(flags.folder);
  if (const absl::Status status = folder.LockToRead(); !status.ok()) return session.Fail(status);
  auto backup = SelectedBackup::Open(folder, flags, session.flags().bucket);
  if (!backup.ok()) return session.Fail(backup.status());
  Restorer restorer(session, flags, folder, **backup);
  return flags.is_dry_run ? restorer.Simulate() : restorer.Run();
}

}  // namespace dfs::client::cli
