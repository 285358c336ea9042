// What happens when a store is opened: what its folder and its index hold is made to agree.
#include <glog/logging.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/mutant.h"
#include "common/posix_disk.h"
#include "common/status_macros.h"
#include "server/chunk/local_chunk_store.h"
#include "server/chunk/lost_object.h"

namespace dfs::chunk {

absl::StatusOr<std::unique_ptr<LocalChunkStore>> LocalChunkStore::Open(const Options& options) {
  bool is_index_damaged = false;
  auto store = OpenOnce(options, &is_index_damaged);
  if (store.ok() || !is_index_damaged) return store;
  LOG(ERROR) << "chunk store: " << store.status();
  DFS_RETURN_IF_ERROR(OrderRebuild(options.disk != nullptr ? *options.disk : PosixDisk(),
                                   options.data_dir + "/chunks"));
  return OpenOnce(options, &is_index_damaged);
}

absl::StatusOr<std::unique_ptr<LocalChunkStore>> LocalChunkStore::OpenOnce(
    const Options& options, bool* is_index_damaged) {
  Disk& disk = options.disk != nullptr ? *options.disk : PosixDisk();
  const std::string root = options.data_dir + "/chunks";
  DFS_RETURN_IF_ERROR(disk.MakeFolder(root));
  DFS_RETURN_IF_ERROR(disk.SyncFolder(options.data_dir));
  DFS_ASSIGN_OR_RETURN(auto index, ChunkIndex::Open(root, options.env));
  std::unique_ptr<LocalChunkStore> store(new LocalChunkStore(options, std::move(index)));
  DFS_RETURN_IF_ERROR(store->files_.Prepare());
  DFS_RETURN_IF_ERROR(store->quarantine_.Prepare());
  DFS_RETURN_IF_ERROR(disk.SyncFolder(root));
  DFS_RETURN_IF_ERROR(store->Load(is_index_damaged));
  return store;
}

absl::Status LocalChunkStore::OrderRebuild(Disk& disk, const std::string& root) {
  const std::string folder = root + "/index";
  const auto order = disk.Create(absl::StrCat(folder, "/", kRebuildOrderFile));
  if (absl::IsAlreadyExists(order.status())) return disk.SyncFolder(folder);
  DFS_RETURN_IF_ERROR(order.status());
  DFS_RETURN_IF_ERROR((*order)->SyncData());
  return disk.SyncFolder(folder);
}

absl::Status LocalChunkStore::Load(bool* is_index_damaged) {
  std::vector<ObjectId> files;
  std::uint64_t last = 0;
  std::int64_t bytes = 0;
  absl::flat_hash_set<ObjectId> damaged;
  const absl::Status read =
      index_->ForEachObject([&](ObjectId id, const std::optional<ObjectRecord>& record) {
        last = std::max(last, id.value());
        if (!record || record->is_damaged) damaged.insert(id);
        // A file whose record cannot be read is not swept.
        if (!record || record->kind == ObjectKind::kFile) files.push_back(id);
        if (record) bytes += static_cast<std::int64_t>(record->size);
        return true;
      });
  *is_index_damaged = absl::IsDataLoss(read);
  DFS_RETURN_IF_ERROR(read);
  stored_bytes_ = bytes;
  {
    MutexLock lock(&mutex_);
    damaged_ = std::move(damaged);
  }
  next_object_ = last + 1;
  const bool adopts = !index_->FindNote(kAdoptNote).empty();
  DFS_RETURN_IF_ERROR(Sweep(files, adopts));
  return adopts ? index_->PutNote(kAdoptNote, "") : absl::OkStatus();
}

absl::Status LocalChunkStore::Sweep(const std::vector<ObjectId>& indexed_files, bool adopts) {
  DFS_ASSIGN_OR_RETURN(const auto present, files_.List());
  // Numbers of orphans are not given again either: one whose unlink is lost in a power cut comes back.
  if (!present.empty()) next_object_ = std::max(next_object_.load(), present.back().value() + 1);
  std::vector<ObjectId> orphans;
  std::set_difference(present.begin(), present.end(), indexed_files.begin(), indexed_files.end(),
                      std::back_inserter(orphans));
  if (adopts && !DFS_MUTANT(884, "files are swept before a rebuilt index has adopted them")) {
    DFS_RETURN_IF_ERROR(Adopt(orphans));
  } else {
    for (const ObjectId id : orphans) DFS_RETURN_IF_ERROR(files_.Unlink(id));
    LOG_IF(INFO, !orphans.empty()) << "chunk store: removed " << orphans.size()
                                   << " files of writes that were never finished";
  }
  std::vector<ObjectId> missing;
  std::set_difference(indexed_files.begin(), indexed_files.end(), present.begin(), present.end(),
                      std::back_inserter(missing));
  for (const ObjectId id : missing) {
    LOG(ERROR) << "chunk store: the file of object " << id << " is gone";
    RecordDamage(id);
  }
  return absl::OkStatus();
}

absl::Status LocalChunkStore::Adopt(const std::vector<ObjectId>& files) {
  std::size_t adopted = 0;
  for (const ObjectId id : files) {
    const auto found = ReadLostObject(files_, id);
    if (absl::IsDataLoss(found.status())) {
      LOG(ERROR) << "chunk store: the unnamed file of object " << id << " is set aside: "
                 << found.status();
      DFS_RETURN_IF_ERROR(quarantine_.TakeFile(id, files_.PathOf(id)));
      continue;
    }
    DFS_RETURN_IF_ERROR(found.status());
    IndexChange change(index_.get());
    DFS_ASSIGN_OR_RETURN(const auto held, change.FindChunk(found->birth));
    if (held || found->record.size <= kSmallBytesMax) {
      // Another object took its place, or it was never finished: what is whole and so small is no file.
      DFS_RETURN_IF_ERROR(files_.Unlink(id));
      continue;
    }
    change.PutObject(id, found->record, {});
    DFS_RETURN_IF_ERROR(change.PutChunk(
        found->birth,
        {.object = id, .size = found->record.size, .hash = found->record.hash}));
    change.Touch(found->birth.txn, NowUs());
    DFS_RETURN_IF_ERROR(index_->Apply(change));
    stored_bytes_ += change.BytesAdded();
    ++adopted;
  }
  LOG_IF(WARNING, !files.empty()) << "chunk store: of " << files.size()
                                  << " files that the new index does not name, " << adopted
                                  << " count again as the chunks that they were";
  return absl::OkStatus();
}

}  // namespace dfs::chunk
