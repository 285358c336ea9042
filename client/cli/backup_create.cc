// backup create: what has changed since the last one is read, and the manifest replaced when all of it is durable.
#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "client/cli/backup_actions.h"
#include "client/cli/backup_fetch.h"
#include "client/cli/backup_reader.h"
#include "client/cli/backup_writer.h"
#include "client/cli/bucket_sessions.h"
#include "client/cli/posix_backup_folder.h"
#include "client/cli/simulation.h"
#include "client/cli/text.h"
#include "common/clock.h"
#include "common/status_macros.h"
#include "proto/error_detail.h"

namespace dfs::client::cli {
namespace {

class BackupMaker {
 public:
  BackupMaker(Session& session, const BackupFlags& flags, BackupFolder& folder)
      : session_(session),
        flags_(flags),
        folder_(folder),
        clients_(session),
        fetch_(folder, {flags.reads_kept, flags.has_all_buckets, session.flags().is_human}) {}

  // Asks which buckets there are, and reads the manifest of the last one. Changes nothing.
  absl::Status Prepare();
  int Run();
  int Simulate();

 private:
  using TakeBatch = absl::FunctionRef<absl::Status(FileClient&, std::vector<BackupItem>&)>;
  absl::Status CheckLast() const;
  absl::Status ForEachBatch(TakeBatch take);
  absl::Status RunBatch(FileClient& client, std::vector<BackupItem>& batch);
  absl::Status WriteDown(std::vector<BackupItem>& batch);
  absl::Status Keep(const v1::FileInfo& file);
  absl::Status Finish();
  [[nodiscard]] int GiveUp(const absl::Status& status);
  void SaySum();

  Session& session_;
  const BackupFlags& flags_;
  BackupFolder& folder_;
  BucketSessions clients_;
  BackupFetch fetch_;
  BackupHeader header_;
  std::unique_ptr<BackupReader> last_;    // null: this is the first
  std::unique_ptr<BackupWriter> writer_;
  KeptObjects kept_;
  TransferBoard::Sum sum_;
  std::uint64_t removed_ = 0;  // files, meanwhile
  std::uint64_t older_ = 0;    // files that could not be read, of which the last backup has a version
  BackupFolder::Removed swept_;
  bool is_replaced_ = false;  // the manifest
};

absl::Status BackupMaker::Prepare() {
  DFS_ASSIGN_OR_RETURN(const v1::HelloResponse cluster, session_.client().Hello());
  DFS_ASSIGN_OR_RETURN(const v1::ListBucketsResponse buckets, session_.client().Buckets());
  header_.cluster_id = cluster.cluster_id();
  header_.time_us = static_cast<std::uint64_t>(absl::ToUnixMicros(SystemClock().WallNow()));
  header_.has_all_buckets = flags_.has_all_buckets;
  for (const v1::BucketInfo& bucket : buckets.buckets()) {
    if (flags_.has_all_buckets || bucket.name() == session_.bucket()) header_.buckets.push_back({bucket.name(), bucket.options()});
  }
  if (header_.buckets.empty()) return absl::NotFoundError("there is no bucket " + session_.bucket());
  // The order of the manifest.
  std::sort(header_.buckets.begin(), header_.buckets.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  const absl::Status has_last = folder_.CheckHasManifest();
  if (absl::IsNotFound(has_last)) return absl::OkStatus();
  DFS_RETURN_IF_ERROR(has_last);
  DFS_ASSIGN_OR_RETURN(last_, BackupReader::Open(folder_.ManifestPath()));
  return CheckLast();
}

// A backup of something else is not to be replaced by this one.
absl::Status BackupMaker::CheckLast() const {
  if (last_->header().cluster_id != header_.cluster_id) {
    return ErrorWithReason(absl::StatusCode::kFailedPrecondition,
                           folder_.path() + " is a backup of another cluster, " + last_->header().cluster_id + ": name another folder",
                           v1::ErrorDetail::WRONG_CLUSTER);
  }
  if (header_.has_all_buckets) return absl::OkStatus();
  const bool is_same = !last_->header().has_all_buckets && last_->header().Find(header_.buckets[0].name) != nullptr;
  if (is_same) return absl::OkStatus();
  return ErrorWithReason(absl::StatusCode::kFailedPrecondition,
                         folder_.path() + " is a backup of " +
                             (last_->header().has_all_buckets ? "all buckets" : "bucket " + last_->header().buckets[0].name) +
                             ", which this one would take the place of: name another folder, or say " +
                             (last_->header().has_all_buckets ? "--all-buckets" : "--bucket or --all-buckets"),
                         v1::ErrorDetail::PRECONDITION);
}

// Lists strongly, a batch in one state of the cluster.
absl::Status BackupMaker::ForEachBatch(TakeBatch take) {
  for (const BackupBucket& bucket : header_.buckets) {
    DFS_ASSIGN_OR_RETURN(const auto client, clients_.ClientOf(bucket.name));
    ListOptions options;
    options.limit = kBackupBatch;
    bool has_more = true;
    while (has_more) {
      std::vector<BackupItem> batch;
      const absl::Status listed = client->List(options, [&](const v1::FileInfo& file) {
        BackupItem& item = batch.emplace_back();
        item.file = file;
        item.file.set_bucket(bucket.name);
      });
      DFS_RETURN_IF_ERROR(listed);
      has_more = batch.size() >= kBackupBatch;
      if (has_more) options.after = batch.back().file.name();
      if (!batch.empty()) DFS_RETURN_IF_ERROR(take(*client, batch));
    }
  }
  return absl::OkStatus();
}

absl::Status BackupMaker::RunBatch(FileClient& client, std::vector<BackupItem>& batch) {
  std::uint64_t bytes = 0;
  for (const BackupItem& item : batch) bytes += item.file.size();
  TransferBoard board(session_, "read", batch.size(), bytes);
  // A disk that is full is so for the next file as well.
  board.GiveUpAt(kExitLocal);
  board.Run(
      flags_.jobs,
      [&](std::size_t index, const OnProgress& on_progress) { return fetch_.Fetch(client, batch[index], on_progress); },
      [&](std::size_t index) { return ShownName(batch[index].file, flags_.has_all_buckets); });
  const TransferBoard::Sum sum = board.sum();
  sum_.Add(sum);
  // The failure of a file is that file's alone; without the disk or the cluster there is no backup.
  if (sum.untried > 0 || fetch_.has_local_failure()) return absl::CancelledError();
  return WriteDown(batch);
}

absl::Status BackupMaker::Keep(const v1::FileInfo& file) {
  kept_.Add(ObjectNameOf(file));
  return writer_->Add(file);
}

absl::Status BackupMaker::WriteDown(std::vector<BackupItem>& batch) {
  for (BackupItem& item : batch) {
    switch (item.state) {
      case BackupItem::State::kHeld:
        DFS_RETURN_IF_ERROR(Keep(item.file));
        break;
      case BackupItem::State::kRemoved:
        ++removed_;
        break;
      case BackupItem::State::kFailed: {
        kept_.Add(ObjectNameOf(item.file));  // what there is of it, for the next run
        v1::FileInfo older;
        bool has_older = false;
        if (last_ != nullptr) {
          DFS_ASSIGN_OR_RETURN(has_older, last_->Find(item.file, &older));
        }
        if (!has_older || !folder_.Has(older)) break;
        ++older_;
        DFS_RETURN_IF_ERROR(Keep(older));
      }
    }
  }
  return absl::OkStatus();
}

// Objects, then the manifest, then what no manifest names: a crash between two of them leaves a whole backup.
absl::Status BackupMaker::Finish() {
  DFS_RETURN_IF_ERROR(folder_.Sync());
  DFS_RETURN_IF_ERROR(writer_->Commit());
  is_replaced_ = true;
  DFS_RETURN_IF_ERROR(folder_.Sync());
  kept_.Sort();
  auto swept = folder_.RemoveObjectsBut(kept_);
  if (swept.ok()) {
    swept_ = *swept;
  } else {
    session_.Say("what is of no use any more could not be removed: " + std::string(swept.status().message()));
  }
  return absl::OkStatus();
}

int BackupMaker::GiveUp(const absl::Status& status) {
  // The failure of a file has been reported.
  const bool is_reported = absl::IsCancelled(status) && sum_.first_failure != kExitOk;
  const int of_files = fetch_.has_local_failure() ? kExitLocal : sum_.first_failure;
  const int code = is_reported ? of_files : session_.Fail(status);
  if (is_replaced_) {
    session_.Say("the new backup is there; whether it will be after a power failure is not known");
    return code;
  }
  session_.Say(std::string(last_ == nullptr ? "there is no backup yet" : "the backup that was there is as it was") +
               "; what has been read so far is kept, and the same command goes on there");
  return code;
}

void BackupMaker::SaySum() {
  const bool is_human = session_.flags().is_human;
  const BackupSum& all = writer_->sum();
  const std::uint64_t read = sum_.done - sum_.were_there;
  const std::uint64_t kept = sum_.were_there - removed_;
  if (session_.is_json()) {
    Json json = {{"status", "success"}, {"folder", folder_.path()}, {"cluster_id", header_.cluster_id}};
    json["time"] = FormatTime(header_.time_us);
    json["files"] = all.files;
    json["bytes"] = all.bytes;
    json["read"] = read;
    json["read_bytes"] = sum_.bytes_moved;
    json["kept"] = kept;
    json["left_out"] = removed_;
    json["failed"] = sum_.failed;
    json["older"] = older_;
    json["objects_removed"] = swept_.objects;
    json["bytes_removed"] = swept_.bytes;
    session_.PrintJson(json);
    return;
  }
  std::string text = folder_.path() + ": " + std::to_string(all.files) + " files, " + FormatBytes(all.bytes, is_human) + " bytes; read " +
                     std::to_string(read) + " files, " + FormatBytes(sum_.bytes_moved, is_human) + " bytes; " + std::to_string(kept) +
                     " were there already";
  if (removed_ > 0) text += "; " + std::to_string(removed_) + " removed meanwhile";
  if (sum_.failed > 0) text += "; " + std::to_string(sum_.failed) + " failed";
  if (older_ > 0) text += " (the last backup had " + std::to_string(older_) + " of them: that version is kept)";
  session_.Say(text);
}

int BackupMaker::Run() {
  auto writer = BackupWriter::Begin(folder_.ManifestPath(), header_);
  if (!writer.ok()) return GiveUp(writer.status());
  writer_ = *std::move(writer);
  absl::Status status =
      ForEachBatch([this](FileClient& client, std::vector<BackupItem>& batch) { return RunBatch(client, batch); });
  // A backup of nothing is none.
  if (status.ok() && sum_.failed > 0 && sum_.done == 0) status = absl::CancelledError();
  if (status.ok()) status = Finish();
  if (!status.ok()) return GiveUp(status);
  SaySum();
  return sum_.failed > 0 ? kExitPartly : kExitOk;
}

int BackupMaker::Simulate() {
  Simulation simulation(session_);
  const absl::Status status = ForEachBatch([&](FileClient&, std::vector<BackupItem>& batch) {
    for (const BackupItem& item : batch) {
      if (fetch_.IsHeld(item.file, nullptr)) continue;
      simulation.Would("read", ShownName(item.file, flags_.has_all_buckets) + "  " +
                                   FormatBytes(item.file.size(), session_.flags().is_human) + " bytes  version " +
                                   std::to_string(item.file.version()),
                       Json{{"name", item.file.name()},
                            {"bucket", item.file.bucket()},
                            {"size", item.file.size()},
                            {"version", item.file.version()}},
                       item.file.size());
    }
    return absl::OkStatus();
  });
  if (!status.ok()) return session_.Fail(status);
  return simulation.Finish();
}

}  // namespace

int CreateBackup(Session& session, const BackupFlags& flags) {
  if (flags.has_all_buckets && !session.flags().bucket.empty()) {
    return session.Fail(absl::InvalidArgumentError("--all-buckets and --bucket (or DFS_BUCKET) do not go together"));
  }
  BackupFolder folder(flags.folder);
  if (!flags.is_dry_run) {
    if (const absl::Status status = folder.LockToWrite(); !status.ok()) return session.Fail(status);
  }
  BackupMaker maker(session, flags, folder);
  if (const absl::Status status = maker.Prepare(); !status.ok()) return session.Fail(status);
  return flags.is_dry_run ? maker.Simulate() : maker.Run();
}

}  // namespace dfs::client::cli
