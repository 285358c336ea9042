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
    DFS_ASSIGN_OR_RETURN(const std::int64_t bytes,
                         AdoptLostObjects(files_, quarantine_, *index_, orphans, NowUs()));
    stored_bytes_ += bytes;
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

}  // namespace dfs::chunk
