// backup verify and backup ls: what a folder holds, and whether all of it is whole. Asks no server.
#include <atomic>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "client/cli/backup_actions.h"
#include "client/cli/backup_object.h"
#include "client/cli/posix_backup_folder.h"
#include "client/cli/selected_backup.h"
#include "client/cli/text.h"
#include "common/status_macros.h"

namespace dfs::client::cli {
namespace {

constexpr char kRepair[] = "`dfs-cli backup create --check` with this folder reads them anew as far as the cluster has them";

Json SummaryOf(const BackupFolder& folder, const BackupHeader& header, const BackupSum& sum) {
  Json json = {{"status", "success"}, {"folder", folder.path()}, {"cluster_id", header.cluster_id}};
  json["time"] = FormatTime(header.time_us);
  json["time_us"] = header.time_us;
  json["buckets"] = Json::array();
  for (const BackupBucket& bucket : header.buckets) json["buckets"].push_back(bucket.name);
  json["files"] = sum.files;
  json["bytes"] = sum.bytes;
  return json;
}

// One batch at a time; `has_damage` is set if there is any.
TransferBoard::Sum VerifyBatch(Session& session, const BackupFlags& flags, const BackupFolder& folder,
                               const std::vector<v1::FileInfo>& batch, bool shows_bucket, std::atomic<bool>* has_damage) {
  std::uint64_t bytes = 0;
  for (const v1::FileInfo& file : batch) bytes += file.size();
  TransferBoard board(session, "verified", batch.size(), bytes);
  board.Run(
      flags.jobs,
      [&](std::size_t index, const OnProgress& on_progress) -> absl::StatusOr<FileDone> {
        const absl::Status status = CheckObject(folder.PathOf(batch[index]), batch[index], on_progress);
        if (absl::IsDataLoss(status)) *has_damage = true;
        DFS_RETURN_IF_ERROR(status);
        FileDone done;
        done.bytes = batch[index].size();
        done.is_silent = true;
        return done;
      },
      [&](std::size_t index) { return ShownName(batch[index], shows_bucket); });
  return board.sum();
}

}  // namespace

int VerifyBackup(Session& session, const BackupFlags& flags) {
  BackupFolder folder(flags.folder);
  if (const absl::Status status = folder.LockToRead(); !status.ok()) return session.Fail(status);
  auto backup = SelectedBackup::Open(folder, flags, session.flags().bucket);
  if (!backup.ok()) return session.Fail(backup.status());
  int failure = kExitOk;
  for (const auto& [word, status] : (*backup)->selection().Unmatched()) failure = session.Fail(status, word);
  TransferBoard::Sum sum;
  std::atomic<bool> has_damage = false;
  std::vector<v1::FileInfo> batch;
  for (;;) {
    const absl::Status status = (*backup)->NextBatch(&batch);
    if (!status.ok()) return session.Fail(status);
    if (batch.empty()) break;
    sum.Add(VerifyBatch(session, flags, folder, batch, (*backup)->shows_bucket(), &has_damage));
  }
  const BackupSum all = (*backup)->sum();
  const std::string text = "verified " + std::to_string(all.files) + " files, " + FormatBytes(all.bytes, session.flags().is_human) + " bytes: ";
  if (session.is_json()) {
    Json json = SummaryOf(folder, (*backup)->header(), all);
    if (sum.failed > 0) json["status"] = "error";
    json["damaged"] = sum.failed;
    session.PrintJson(json);
  } else if (sum.failed > 0) {
    session.Say(text + std::to_string(sum.failed) + " damaged or missing; " + kRepair);
  } else {
    session.Say(text + "all are whole");
  }
  if (has_damage) return kExitBadData;
  if (sum.failed > 0) return sum.first_failure;
  return failure != kExitOk && sum.done > 0 ? kExitPartly : failure;
}

int ListBackup(Session& session, const BackupFlags& flags) {
  BackupFolder folder(flags.folder);
  if (const absl::Status status = folder.CheckHasManifest(); !status.ok()) return session.Fail(status);
  auto backup = SelectedBackup::Open(folder, flags, session.flags().bucket);
  if (!backup.ok()) return session.Fail(backup.status());
  const BackupSum sum = (*backup)->sum();
  if (session.is_json()) {
    session.PrintJson(SummaryOf(folder, (*backup)->header(), sum));
  } else {
    std::string buckets;
    for (const BackupBucket& bucket : (*backup)->header().buckets) buckets += (buckets.empty() ? "" : ", ") + bucket.name;
    session.Say("of cluster " + (*backup)->header().cluster_id + " at " + FormatTime((*backup)->header().time_us) + ", buckets " + buckets +
                ": " + std::to_string(sum.files) + " files, " + FormatBytes(sum.bytes, session.flags().is_human) + " bytes");
  }
  int failure = kExitOk;
  for (const auto& [word, status] : (*backup)->selection().Unmatched()) failure = session.Fail(status, word);
  std::vector<v1::FileInfo> batch;
  do {
    const absl::Status status = (*backup)->NextBatch(&batch);
    if (!status.ok()) return session.Fail(status);
    std::vector<std::vector<std::string>> rows;
    for (const v1::FileInfo& file : batch) {
      if (session.is_json()) {
        session.PrintJson(JsonOfBackedUp(file));
      } else if (flags.is_long) {
        rows.push_back({FormatBytes(file.size(), session.flags().is_human), std::to_string(file.version()), FormatTime(file.time_us()),
                        file.bucket(), file.name()});
      } else {
        session.Print(ShownName(file, (*backup)->shows_bucket()) + "\n");
      }
    }
    if (!rows.empty()) session.Print(FormatTable(rows, ">><<<"));
  } while (!batch.empty() && Session::CanPrint());
  return failure != kExitOk && sum.files > 0 ? kExitPartly : failure;
}

}  // namespace dfs::client::cli
