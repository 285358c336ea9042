#include "common/rocksdb_durable_mark.h"

#include <glog/logging.h>

#include <array>
#include <cstring>
#include <optional>
#include <string_view>

#include "common/checksum.h"
#include "common/clock.h"
#include "common/status_macros.h"
#include "common/rocksdb_status.h"

namespace dfs {
namespace {

// The mark lags by this much at most, plus one sync.
constexpr absl::Duration kWriteDelay = absl::Milliseconds(40);
// One slot in each of two pages, so that no single torn page takes both.
constexpr std::size_t kSlotStride = 4'096;
constexpr std::string_view kMarkMagic = "dfsmark1";
constexpr std::size_t kSlotBytes = 8 + 8 + 3 * 8 + 4;
// The MANIFEST's pair of slots comes behind that of the content. Files of earlier versions end before it: nothing is known then.
constexpr std::size_t kPairBytes = 2 * kSlotStride;
constexpr std::size_t kFileBytes = 2 * kPairBytes;

struct Slot {
  std::uint64_t sequence = 0;
  DurableWords position{};
};

void Put64(std::string& out, std::uint64_t value) {
  for (int i = 0; i < 8; ++i) out.push_back(static_cast<char>(value >> (8 * i)));
}
std::uint64_t Get64(std::string_view in, std::size_t at) {
  std::uint64_t value = 0;
  for (std::size_t i = 8; i-- > 0;) value = (value << 8) | static_cast<unsigned char>(in[at + i]);
  return value;
}

std::string EncodeSlot(const Slot& slot) {
  std::string out(kMarkMagic);
  Put64(out, slot.sequence);
  for (const std::uint64_t word : slot.position) Put64(out, word);
  const std::uint32_t crc = Crc32c(out.data(), out.size());
  for (int i = 0; i < 4; ++i) out.push_back(static_cast<char>(crc >> (8 * i)));
  return out;
}

std::optional<Slot> DecodeSlot(std::string_view in) {
  if (in.size() != kSlotBytes || in.substr(0, kMarkMagic.size()) != kMarkMagic) return std::nullopt;
  std::uint32_t crc = 0;
  for (std::size_t i = 4; i-- > 0;) {
    crc = (crc << 8) | static_cast<unsigned char>(in[kSlotBytes - 4 + i]);
  }
  if (crc != Crc32c(in.data(), kSlotBytes - 4)) return std::nullopt;
  Slot slot;
  slot.sequence = Get64(in, 8);
  for (std::size_t i = 0; i < slot.position.size(); ++i) {
    slot.position[i] = Get64(in, 16 + 8 * i);
  }
  return slot;
}

}  // namespace

RocksdbDurableMark::RocksdbDurableMark(rocksdb::Env* env, std::string path,
                                       std::string thread_name)
    : env_(env), path_(std::move(path)), executor_(std::move(thread_name)) {}

RocksdbDurableMark::~RocksdbDurableMark() {
  executor_.Stop();
  WriteNoted();
}

absl::StatusOr<std::unique_ptr<RocksdbDurableMark>> RocksdbDurableMark::Open(
    rocksdb::Env* env, std::string path, std::string thread_name) {
  std::unique_ptr<RocksdbDurableMark> mark(
      new RocksdbDurableMark(env, std::move(path), std::move(thread_name)));
  DFS_RETURN_IF_ERROR(mark->ReadFile());
  return mark;
}

absl::Status RocksdbDurableMark::ReadFile() {
  const auto& fs = env_->GetFileSystem();
  MutexLock lock(&file_mutex_);
  std::uint64_t size = 0;
  if (!fs->GetFileSize(path_, {}, &size, nullptr).ok() || size < kPairBytes) {
    // New, or its first writing was cut short: nothing was marked yet.
    std::unique_ptr<rocksdb::FSWritableFile> made;
    DFS_RETURN_IF_ERROR(FromRocksdb(fs->NewWritableFile(path_, {}, &made, nullptr), path_));
    DFS_RETURN_IF_ERROR(
        FromRocksdb(made->Append(std::string(kFileBytes, '\0'), {}, nullptr), path_));
    DFS_RETURN_IF_ERROR(FromRocksdb(made->Fsync({}, nullptr), path_));
    DFS_RETURN_IF_ERROR(FromRocksdb(made->Close({}, nullptr), path_));
    std::unique_ptr<rocksdb::FSDirectory> folder;
    DFS_RETURN_IF_ERROR(FromRocksdb(
        fs->NewDirectory(path_.substr(0, path_.rfind('/')), {}, &folder, nullptr), path_));
    DFS_RETURN_IF_ERROR(FromRocksdb(folder->Fsync({}, nullptr), path_));
  }
  DFS_RETURN_IF_ERROR(FromRocksdb(fs->NewRandomRWFile(path_, {}, &file_, nullptr), path_));
  DFS_RETURN_IF_ERROR(ReadSlotsLocked(kContent));
  return ReadSlotsLocked(kManifest);
}

absl::Status RocksdbDurableMark::ReadSlotsLocked(Track track) {
  for (const std::size_t at : {std::size_t{0}, kSlotStride}) {
    const std::uint64_t offset = track * kPairBytes + at;
    std::array<char, kSlotBytes> buffer{};
    rocksdb::Slice result;
    DFS_RETURN_IF_ERROR(FromRocksdb(
        file_->Read(offset, kSlotBytes, {}, &result, buffer.data(), nullptr), path_));
    const auto slot = DecodeSlot({result.data(), result.size()});
    if (!slot || slot->sequence <= sequences_[track]) continue;
    sequences_[track] = slot->sequence;
    found_[track] = slot->position;
  }
  written_[track] = found_[track];
  MutexLock lock(&mutex_);
  noted_[track] = found_[track];
  return absl::OkStatus();
}

absl::Status RocksdbDurableMark::WriteSlotLocked(Track track, const DurableWords& position) {
  const Slot slot{++sequences_[track], position};
  const std::uint64_t offset = track * kPairBytes + (slot.sequence % 2) * kSlotStride;
  DFS_RETURN_IF_ERROR(FromRocksdb(file_->Write(offset, EncodeSlot(slot), {}, nullptr), path_));
  written_[track] = position;
  return absl::OkStatus();
}

absl::Status RocksdbDurableMark::WriteChangedLocked(const EachTrack<DurableWords>& positions) {
  for (const Track track : {kContent, kManifest}) {
    if (positions[track] == written_[track]) continue;
    DFS_RETURN_IF_ERROR(WriteSlotLocked(track, positions[track]));
  }
  return FromRocksdb(file_->Sync({}, nullptr), path_);
}

void RocksdbDurableMark::Note(const DurableWords& position) {
  MutexLock lock(&mutex_);
  NoteLocked(kContent, position);
}

void RocksdbDurableMark::Raise(const DurableWords& position) {
  MutexLock lock(&mutex_);
  if (position > noted_[kContent]) NoteLocked(kContent, position);
}

void RocksdbDurableMark::RaiseManifest(const ManifestPosition& position) {
  const DurableWords words = {position.number, position.bytes, 0};
  MutexLock lock(&mutex_);
  if (words > noted_[kManifest]) NoteLocked(kManifest, words);
}

void RocksdbDurableMark::NoteLocked(Track track, const DurableWords& position) {
  if (position == noted_[track]) return;
  noted_[track] = position;
  if (is_scheduled_ || has_failed_) return;
  is_scheduled_ = true;
  executor_.PostAt(SystemClock().Now() + kWriteDelay, [this] { WriteNoted(); });
}

void RocksdbDurableMark::WriteNoted() {
  // The file first: a position taken before Lower must not be written after it.
  MutexLock file_lock(&file_mutex_);
  EachTrack<DurableWords> positions{};
  {
    MutexLock lock(&mutex_);
    if (!is_scheduled_) return;
    is_scheduled_ = false;
    positions = noted_;
  }
  const absl::Status status = WriteChangedLocked(positions);
  if (status.ok()) return;
  // The mark lags from now on, which it may.
  LOG(ERROR) << "durable-through mark: " << status;
  MutexLock lock(&mutex_);
  has_failed_ = true;
}

absl::Status RocksdbDurableMark::Lower(const DurableWords& position) {
  return LowerTrack(kContent, position);
}

absl::Status RocksdbDurableMark::LowerManifest(const ManifestPosition& position) {
  return LowerTrack(kManifest, {position.number, position.bytes, 0});
}

absl::Status RocksdbDurableMark::LowerTrack(Track track, const DurableWords& position) {
  MutexLock file_lock(&file_mutex_);
  {
    MutexLock lock(&mutex_);
    noted_[track] = position;
  }
  // Both slots, so that no damage to one brings the higher position back.
  for (int slot = 0; slot < 2; ++slot) {
    DFS_RETURN_IF_ERROR(WriteSlotLocked(track, position));
    DFS_RETURN_IF_ERROR(FromRocksdb(file_->Sync({}, nullptr), path_));
  }
  return absl::OkStatus();
}

}  // namespace dfs
