#include "server/chunk/local_chunk_store.h"

#include <algorithm>
#include <array>
#include <utility>

#include <glog/logging.h>

#include "absl/strings/str_cat.h"
#include "common/checksum.h"
#include "common/mutant.h"
#include "common/posix_disk.h"
#include "common/random.h"
#include "common/status_macros.h"
#include "server/chunk/local_chunk_writer.h"
#include "server/chunk/lost_object.h"

namespace dfs::chunk {
namespace {

constexpr char kScrubNote[] = "scrub";
constexpr std::uint64_t kReserveBytes = std::uint64_t{256} << 20;

absl::Status NotHeld(const ChunkId& id) {
  return absl::NotFoundError("chunk " + ToString(id) + " is not held here");
}
absl::Status OtherContent(const ChunkId& id) {
  return absl::FailedPreconditionError("chunk " + ToString(id) + " is held with another content");
}

}  // namespace

std::uint64_t ReserveOf(std::uint64_t total_bytes) {
  return std::min(std::max(kReserveBytes, total_bytes / 50), total_bytes / 10);
}

LocalChunkStore::LocalChunkStore(const Options& options,
                                 std::unique_ptr<ChunkIndex> index)
    : root_(options.data_dir + "/chunks"),
      reserve_bytes_(options.reserve_bytes),
      disk_(options.disk != nullptr ? *options.disk : PosixDisk()),
      clock_(options.clock != nullptr ? *options.clock : SystemClock()),
      index_(std::move(index)),
      files_(&disk_, root_ + "/objects"),
      quarantine_(&disk_, root_ + "/quarantine") {}

LocalChunkStore::~LocalChunkStore() = default;

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

absl::Status LocalChunkStore::Health() {
  if (const std::string rot = index_->rot(); !rot.empty()) {
    return absl::DataLossError(
        absl::StrCat("the chunk index is damaged and is made anew at the next start: ", rot));
  }
  MutexLock lock(&mutex_);
  return poison_;
}

bool LocalChunkStore::WantsReopening() {
  if (index_->rot().empty()) return false;
  const absl::Status ordered = OrderRebuild(disk_, root_);
  LOG_IF(ERROR, !ordered.ok()) << "chunk store: the damaged index stays: " << ordered;
  return ordered.ok();
}

void LocalChunkStore::CompareWith(const ChunkInfo& wanted) {
  std::optional<ObjectId> object;
  {
    const auto guard = txn_locks_.Lock(wanted.id.txn);
    const auto record = index_->FindChunk(wanted.id);
    if (!record.ok() || !*record) return;
    if ((*record)->size == wanted.size && (*record)->hash == wanted.hash) return;
    object = (*record)->object;
  }
  if (DFS_MUTANT(886, "an adopted file that the log contradicts counts as whole")) return;
  LOG(ERROR) << "chunk store: chunk " << wanted.id << " is not what the log says";
  RecordDamageOf(wanted, *object);
}

absl::Status LocalChunkStore::Poison(const absl::Status& cause) {
  if (DFS_MUTANT(882, "the chunk store goes on after a failed sync")) return cause;
  MutexLock lock(&mutex_);
  if (poison_.ok()) {
    LOG(ERROR) << "chunk store: refuses all writes from now on: " << cause;
    poison_ = absl::DataLossError(
        absl::StrCat("the disk failed; nothing is written until a restart: ",
                     std::string(cause.message())));
  }
  return poison_;
}

Space LocalChunkStore::GetSpace() {
  Space out;
  out.stored_bytes = static_cast<std::uint64_t>(std::max<std::int64_t>(0, stored_bytes_.load()));
  const auto space = disk_.GetSpace(root_);
  if (!space.ok()) {
    LOG(WARNING) << "chunk store: " << space.status();
    return out;  // no space is known to be free
  }
  const std::uint64_t reserve = reserve_bytes_.value_or(ReserveOf(space->total_bytes));
  out.total_bytes = space->total_bytes;
  out.free_bytes = space->free_bytes > reserve ? space->free_bytes - reserve : 0;
  return out;
}

absl::Status LocalChunkStore::CheckSpace(std::uint64_t bytes) {
  if (GetSpace().free_bytes >= bytes + kHeaderBytes) return absl::OkStatus();
  return absl::ResourceExhaustedError("too little space is free on this node's disk");
}

// ---- writing ----

absl::StatusOr<std::unique_ptr<ChunkWriter>> LocalChunkStore::Create(const ChunkId& id,
                                                                     std::uint64_t size_hint) {
  DFS_RETURN_IF_ERROR(Health());
  if (size_hint > kChunkBytesMax) return absl::ResourceExhaustedError("a chunk is at most 64 MiB");
  DFS_RETURN_IF_ERROR(CheckSpace(size_hint));
  ++calls_;
  return std::make_unique<LocalChunkWriter>(this, id);
}

absl::StatusOr<KeyLocks<ObjectId>::Guard> LocalChunkStore::LockObjectsOf(
    IndexChange* change, const std::vector<ChunkId>& chunks) {
  std::vector<ObjectId> objects;
  for (const ChunkId& id : chunks) {
    DFS_ASSIGN_OR_RETURN(const auto record, change->FindChunk(id));
    if (record) objects.push_back(record->object);
  }
  return object_locks_.Lock(std::move(objects));
}

absl::StatusOr<bool> LocalChunkStore::Place(IndexChange* change, const Verified& object) {
  const ChunkInfo& info = object.info;
  ChunkRecord record{.object = object.object, .size = info.size, .hash = info.hash};
  DFS_ASSIGN_OR_RETURN(const auto before, change->FindChunk(info.id));
  bool is_used = true;
  if (before) {
    is_used = IsDamaged(before->object);
    if (!is_used && (before->size != info.size || before->hash != info.hash)) {
      return OtherContent(info.id);
    }
    if (!is_used) record.object = before->object;
  }
  if (is_used) {
    change->PutObject(object.object,
                      {.kind = object.kind,
                       .size = info.size,
                       .hash = info.hash,
                       .table = object.table},
                      object.bytes);
  }
  DFS_RETURN_IF_ERROR(change->PutChunk(info.id, record));
  change->Touch(info.id.txn, NowUs());
  return is_used;
}

absl::Status LocalChunkStore::Apply(const IndexChange& change,
                                    const std::vector<ChunkId>& counting) {
  DFS_RETURN_IF_ERROR(Health());
  SetAsideSmall(change);
  const MonotonicTime start = clock_.Now();
  if (const auto status = index_->Apply(change); !status.ok()) {
    return Poison(status);
  }
  sync_latency_.Record(clock_.Now() - start);
  stored_bytes_ += change.BytesAdded();
  absl::flat_hash_set<ObjectId> replaced;
  {
    MutexLock lock(&mutex_);
    for (const ChunkId& id : counting) questions_.erase(id);
    for (const auto& [id, kind] : change.dropped()) {
      if (damaged_.erase(id) != 0) replaced.insert(id);
    }
  }
  for (const ObjectId id : change.FilesDropped()) {
    // What is not unlinked now is swept at the next start.
    const absl::Status status = replaced.contains(id)
                                    ? quarantine_.TakeFile(id, files_.PathOf(id))
                                    : files_.Unlink(id);
    LOG_IF(WARNING, !status.ok() && !absl::IsNotFound(status)) << status;
  }
  return absl::OkStatus();
}

void LocalChunkStore::SetAsideSmall(const IndexChange& change) {
  for (const auto& [id, kind] : change.dropped()) {
    if (kind != ObjectKind::kSmall || !IsDamaged(id)) continue;
    const auto bytes = index_->FindBytes(id);
    const absl::Status status =
        bytes.ok() ? quarantine_.TakeBytes(id, (*bytes)->bytes()) : bytes.status();
    LOG_IF(WARNING, !status.ok()) << "object " << id << " is not set aside: " << status;
  }
}

absl::Status LocalChunkStore::CommitFile(const Verified& object, ChunkFile* file) {
  DFS_RETURN_IF_ERROR(Health());
  const MonotonicTime start = clock_.Now();
  if (const auto status = file->Sync(); !status.ok()) return Poison(status);
  sync_latency_.Record(clock_.Now() - start);
  const auto txn = txn_locks_.Lock(object.info.id.txn);
  IndexChange change(index_.get());
  DFS_ASSIGN_OR_RETURN(const auto objects, LockObjectsOf(&change, {object.info.id}));
  DFS_ASSIGN_OR_RETURN(const bool is_used, Place(&change, object));
  // From here on the index may name the file, whatever Apply says.
  if (is_used) file->Keep();
  return Apply(change, {object.info.id});
}

std::vector<absl::Status> LocalChunkStore::CommitSmall(std::span<const Verified> objects) {
  std::vector<absl::Status> results(objects.size(), Health());
  std::vector<TxnId> txns;
  std::vector<ChunkId> chunks;
  for (const Verified& object : objects) {
    txns.push_back(object.info.id.txn);
    chunks.push_back(object.info.id);
  }
  const auto txn_guard = txn_locks_.Lock(std::move(txns));
  IndexChange change(index_.get());
  const auto fail_all = [&](const absl::Status& status) {
    std::fill(results.begin(), results.end(), status);
    return results;
  };
  const auto object_guard = LockObjectsOf(&change, chunks);
  if (!object_guard.ok()) return fail_all(object_guard.status());
  std::vector<ChunkId> counting;
  for (std::size_t i = 0; i < objects.size(); ++i) {
    if (!results[i].ok()) continue;
    results[i] = Place(&change, objects[i]).status();
    if (results[i].ok()) counting.push_back(objects[i].info.id);
    // Any other error may have left half of it in the change.
    if (!results[i].ok() && !absl::IsFailedPrecondition(results[i])) return fail_all(results[i]);
  }
  if (counting.empty()) return results;
  const absl::Status applied = Apply(change, counting);
  return applied.ok() ? results : fail_all(applied);
}

std::vector<absl::Status> LocalChunkStore::PutSmall(std::span<const SmallWrite> writes) {
  std::vector<absl::Status> results(writes.size(), Health());
  ++calls_;
  std::uint64_t bytes = 0;
  for (const SmallWrite& write : writes) bytes += write.bytes.size();
  const absl::Status space = CheckSpace(bytes);
  std::vector<Verified> verified;
  std::vector<std::size_t> places;
  for (std::size_t i = 0; i < writes.size(); ++i) {
    if (!results[i].ok()) continue;
    const SmallWrite& write = writes[i];
    BlockChecksums sums;
    sums.Update(write.bytes.data(), write.bytes.size());
    auto table = sums.Table();
    if (write.bytes.size() > kSmallBytesMax) {
      results[i] = absl::InvalidArgumentError("too large for a small chunk");
    } else if (write.bytes.size() != write.info.size ||
               BlockChecksums::HashOf(sums.length(), table) != write.info.hash) {
      results[i] = absl::DataLossError("the bytes of chunk " + ToString(write.info.id) +
                                       " do not match their hash");
    } else if (!space.ok()) {
      results[i] = space;
    } else {
      verified.push_back({.info = write.info,
                          .table = std::move(table),
                          .bytes = write.bytes,
                          .object = NewObjectId(),
                          .kind = ObjectKind::kSmall});
      places.push_back(i);
    }
  }
  if (verified.empty()) return results;
  auto stored = CommitSmall(verified);
  for (std::size_t k = 0; k < places.size(); ++k) results[places[k]] = std::move(stored[k]);
  return results;
}

absl::Status LocalChunkStore::RelinkAll(std::span<const Relink> items) {
  DFS_RETURN_IF_ERROR(Health());
  if (items.size() > kRelinksMax) return absl::InvalidArgumentError("too many chunks to relink");
  std::vector<TxnId> txns;
  std::vector<ChunkId> chunks;
  for (const Relink& item : items) {
    txns.insert(txns.end(), {item.from.txn, item.to.txn});
    chunks.insert(chunks.end(), {item.from, item.to});
  }
  const auto txn_guard = txn_locks_.Lock(std::move(txns));
  IndexChange change(index_.get());
  DFS_ASSIGN_OR_RETURN(const auto object_guard, LockObjectsOf(&change, chunks));
  for (const Relink& item : items) {
    DFS_ASSIGN_OR_RETURN(auto from, change.FindChunk(item.from));
    if (!from || IsDamaged(from->object)) return NotHeld(item.from);
    if (from->size != item.size || from->hash != item.hash) return OtherContent(item.from);
    DFS_ASSIGN_OR_RETURN(const auto to, change.FindChunk(item.to));
    if (to && (to->size != item.size || to->hash != item.hash)) return OtherContent(item.to);
    from->trashed_us = 0;
    ChunkRecord linked = *from;
    if (to && !IsDamaged(to->object)) linked.object = to->object;
    DFS_RETURN_IF_ERROR(change.PutChunk(item.from, *from));
    DFS_RETURN_IF_ERROR(change.PutChunk(item.to, linked));
    change.Touch(item.from.txn, NowUs());
    change.Touch(item.to.txn, NowUs());
  }
  if (change.is_empty()) return absl::OkStatus();
  return Apply(change, chunks);
}

// ---- reading ----

std::optional<ChunkInfo> LocalChunkStore::Find(const ChunkId& id) {
  const auto record = index_->FindChunk(id);
  if (!record.ok()) {
    LOG(ERROR) << record.status();
    return std::nullopt;
  }
  if (!*record || IsDamaged((*record)->object)) return std::nullopt;
  return ChunkInfo{id, (*record)->size, (*record)->hash};
}

absl::StatusOr<std::unique_ptr<ChunkReader>> LocalChunkStore::Open(const ChunkId& id) {
  ++calls_;
  return OpenStored(id);
}

absl::StatusOr<std::unique_ptr<StoredChunk>> LocalChunkStore::OpenStored(const ChunkId& id) {
  // Mostly without a lock: a chunk that is removed between the two look-ups looks damaged; the second
  // try, under the lock, tells.
  std::optional<KeyLocks<TxnId>::Guard> guard;
  while (true) {
    DFS_ASSIGN_OR_RETURN(const auto record, index_->FindChunk(id));
    if (!record || IsDamaged(record->object)) return NotHeld(id);
    const ObjectId object_id = record->object;
    auto object = index_->FindObject(object_id);
    absl::Status status = object.status();
    if (status.ok() && !*object) status = absl::NotFoundError("the object's record is gone");
    if (status.ok() && ((*object)->size != record->size || (*object)->hash != record->hash)) {
      status = absl::DataLossError("the index contradicts itself");
    }
    if (status.ok()) {
      auto bytes = OpenBytes(object_id, (*object)->kind);
      if (bytes.ok()) {
        return std::make_unique<StoredChunk>(
            ChunkInfo{id, record->size, record->hash}, std::move((*object)->table),
            *std::move(bytes),
            [this, info = ChunkInfo{id, record->size, record->hash}, object_id] {
              RecordDamageOf(info, object_id);
            });
      }
      status = bytes.status();
    }
    if (!absl::IsNotFound(status) && !absl::IsDataLoss(status)) return status;
    if (guard) {
      LOG(ERROR) << "chunk store: chunk " << id << " is damaged: " << status;
      RecordDamageOf({id, record->size, record->hash}, object_id);
      return NotHeld(id);
    }
    guard.emplace(txn_locks_.Lock(id.txn));
  }
}

absl::StatusOr<std::unique_ptr<ObjectBytes>> LocalChunkStore::OpenBytes(ObjectId id,
                                                                        ObjectKind kind) {
  if (kind == ObjectKind::kSmall) {
    DFS_ASSIGN_OR_RETURN(auto bytes, index_->FindBytes(id));
    return BytesInIndex(std::move(bytes));
  }
  DFS_ASSIGN_OR_RETURN(auto file, files_.Open(id));
  std::array<char, kHeaderBytes> header;
  const absl::Status status = file->Read(0, header);
  if (!status.ok() && !absl::IsOutOfRange(status)) return status;
  const auto decoded = DecodeFileHeader({header.data(), header.size()});
  if (!status.ok() || !decoded || decoded->object != id) {
    return absl::DataLossError("the file's header is damaged");
  }
  return BytesInFile(std::move(file));
}

bool LocalChunkStore::IsDamaged(ObjectId id) {
  MutexLock lock(&mutex_);
  return damaged_.contains(id);
}

void LocalChunkStore::RecordDamage(ObjectId id) {
  const auto guard = object_locks_.Lock(id);
  {
    MutexLock lock(&mutex_);
    if (!damaged_.insert(id).second) return;
    if (!poison_.ok()) return;  // remembered in memory only; a restart finds it again
  }
  LOG(ERROR) << "chunk store: object " << id << " is damaged";
  IndexChange change(index_.get());
  absl::Status status = change.MarkDamaged(id);
  if (status.ok() && !change.is_empty()) status = index_->Apply(change);
  // What is forgotten is found again.
  LOG_IF(WARNING, !status.ok()) << status;
}

void LocalChunkStore::RecordDamageOf(const ChunkInfo& chunk, ObjectId id) {
  RecordDamage(id);
  std::function<void(const ChunkInfo&)> listener;
  {
    MutexLock lock(&mutex_);
    listener = on_damage_;
  }
  if (listener) listener(chunk);
}

void LocalChunkStore::SetDamageListener(std::function<void(const ChunkInfo&)> listener) {
  MutexLock lock(&mutex_);
  on_damage_ = std::move(listener);
}

DamageCounts LocalChunkStore::GetDamage() {
  DamageCounts out;
  out.quarantined_objects = quarantine_.count();
  MutexLock lock(&mutex_);
  out.damaged_objects = damaged_.size();
  return out;
}

absl::Status LocalChunkStore::SaveScrubProgress(std::string_view bytes) {
  DFS_RETURN_IF_ERROR(Health());
  if (const auto status = index_->PutNote(kScrubNote, bytes); !status.ok()) return Poison(status);
  return absl::OkStatus();
}
std::string LocalChunkStore::LoadScrubProgress() { return index_->FindNote(kScrubNote); }

void LocalChunkStore::ForEach(const std::optional<ChunkId>& after,
                              const std::function<bool(const HeldChunk&)>& visit) {
  const auto status = index_->ForEachChunk(
      after, [&](const ChunkId& id, const ChunkRecord& record, std::int64_t touched_us) {
        return visit({.info = {id, record.size, record.hash},
                      .touched = absl::FromUnixMicros(touched_us),
                      .is_trashed = record.trashed_us != 0,
                      .trashed = absl::FromUnixMicros(record.trashed_us),
                      .is_damaged = IsDamaged(record.object)});
      });
  LOG_IF(ERROR, !status.ok()) << status;
}

// ---- verdicts (rule R19) ----

std::optional<std::uint64_t> LocalChunkStore::OpenQuestion(const ChunkId& id) {
  const auto guard = txn_locks_.Lock(id.txn);
  const auto record = index_->FindChunk(id);
  if (!record.ok() || !*record) return std::nullopt;
  // Random: an answer to a question from before a restart must not fit one of today.
  const std::uint64_t nonce = SystemRandom64();
  MutexLock lock(&mutex_);
  questions_[id] = nonce;
  return nonce;
}

bool LocalChunkStore::IsAsked(const ChunkId& id, std::uint64_t nonce) {
  MutexLock lock(&mutex_);
  const auto question = questions_.find(id);
  return question != questions_.end() && question->second == nonce;
}

absl::Status LocalChunkStore::Trash(const ChunkId& id, std::uint64_t nonce) {
  const auto guard = txn_locks_.Lock(id.txn);
  if (!IsAsked(id, nonce)) return absl::AbortedError("the question is not open any more");
  IndexChange change(index_.get());
  DFS_ASSIGN_OR_RETURN(auto record, change.FindChunk(id));
  if (!record) return absl::AbortedError("the chunk is not held any more");
  if (record->trashed_us == 0) record->trashed_us = std::max<std::int64_t>(1, NowUs());
  DFS_RETURN_IF_ERROR(change.PutChunk(id, *record));
  return Apply(change, {id});
}

absl::Status LocalChunkStore::Remove(const ChunkId& id, std::uint64_t nonce) {
  const auto guard = txn_locks_.Lock(id.txn);
  if (!IsAsked(id, nonce)) return absl::AbortedError("the question is not open any more");
  IndexChange change(index_.get());
  DFS_ASSIGN_OR_RETURN(const auto object_guard, LockObjectsOf(&change, {id}));
  DFS_ASSIGN_OR_RETURN(const auto record, change.FindChunk(id));
  if (!record) return absl::AbortedError("the chunk is not held any more");
  if (record->trashed_us == 0) return absl::FailedPreconditionError("not in the trash");
  DFS_RETURN_IF_ERROR(change.DropChunk(id));
  DFS_ASSIGN_OR_RETURN(const bool has_others, index_->HoldsOtherOf(id.txn, id));
  if (!has_others) change.ForgetTouch(id.txn);
  return Apply(change, {id});
}

absl::StatusOr<ChunkInfo> LocalChunkStore::Vouch(const ChunkId& id) {
  DFS_RETURN_IF_ERROR(Health());
  DFS_ASSIGN_OR_RETURN(const auto chunk, OpenStored(id));
  DFS_RETURN_IF_ERROR(chunk->Verify());
  const auto guard = txn_locks_.Lock(id.txn);
  IndexChange change(index_.get());
  DFS_ASSIGN_OR_RETURN(auto record, change.FindChunk(id));
  // Ids are never given a second content, but the chunk may be gone, or an object changed places with another.
  if (!record || IsDamaged(record->object)) return NotHeld(id);
  record->trashed_us = 0;
  DFS_RETURN_IF_ERROR(change.PutChunk(id, *record));
  change.Touch(id.txn, NowUs());
  DFS_RETURN_IF_ERROR(Apply(change, {id}));
  return chunk->info();
}

}  // namespace dfs::chunk
