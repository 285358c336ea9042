#include "client/handed_copy.h"

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "common/checksum.h"
#include "common/status_macros.h"
#include "proto/wire_status.h"

namespace dfs::client {
namespace {

absl::Status Damaged(const std::string& text) {
  return ErrorWithReason(absl::StatusCode::kDataLoss, text, v1::ErrorDetail::BAD_CHECKSUM);
}

}  // namespace

// Memory of pieces that were dropped is used again, the last one first: it is mostly in a cache.
class CopyRoom::Buffers {
 public:
  Buffers() = default;
  ~Buffers() {
    for (char* const memory : free_) std::free(memory);
  }
  Buffers(const Buffers&) = delete;
  Buffers& operator=(const Buffers&) = delete;

  // Of HandedCopy::kPieceBytes. Null: there is none.
  [[nodiscard]] char* Take() ABSL_LOCKS_EXCLUDED(mutex_) {
    {
      MutexLock lock(&mutex_);
      if (!free_.empty()) {
        char* const memory = free_.back();
        free_.pop_back();
        return memory;
      }
    }
    return static_cast<char*>(std::aligned_alloc(kPageBytes, HandedCopy::kPieceBytes));
  }
  void GiveBack(char* memory) ABSL_LOCKS_EXCLUDED(mutex_) {
    {
      MutexLock lock(&mutex_);
      if (free_.size() < kBuffersKept) {
        free_.push_back(memory);
        return;
      }
    }
    std::free(memory);
  }

 private:
  static constexpr std::size_t kPageBytes = 4096;

  Mutex mutex_;
  std::vector<char*> free_ ABSL_GUARDED_BY(mutex_);
};

CopyRoom::CopyRoom() : buffers_(std::make_shared<Buffers>()) {}

grpc::Slice CopyRoom::TakeMemory(std::size_t bytes) {
  struct Loan {
    std::shared_ptr<Buffers> owner;
    char* memory;
  };
  char* const memory = buffers_->Take();
  if (memory == nullptr) return {};
  const auto give_back = [](void* of) {
    const std::unique_ptr<Loan> loan(static_cast<Loan*>(of));
    loan->owner->GiveBack(loan->memory);
  };
  return {memory, bytes, give_back, new Loan{buffers_, memory}};
}

HandedCopy::~HandedCopy() {
  {
    MutexLock lock(&mutex_);
    is_stopping_ = true;
    changed_.SignalAll();
  }
  if (task_ == nullptr) return;
  MutexLock lock(&task_->mutex);
  task_->is_wanted = false;
  while (task_->is_running) task_->changed.Wait(&task_->mutex);
}

void HandedCopy::StartTask() {
  task_ = std::make_shared<Errand>();
  room_.threads().Post([this, task = task_] {
    {
      MutexLock lock(&task->mutex);
      if (!task->is_wanted) return;
      task->is_running = true;
    }
    CopyAhead();
    MutexLock lock(&task->mutex);
    task->is_running = false;
    task->changed.SignalAll();
  });
}

absl::StatusOr<std::unique_ptr<HandedCopy>> HandedCopy::Begin(CopyRoom& room, const HandedFiles& files,
                                                              const v1::HandedChunks& handed, std::uint64_t begin,
                                                              std::uint64_t end) {
  std::unique_ptr<HandedCopy> out(new HandedCopy(room, files, handed));
  std::uint64_t at = begin;
  for (int i = 0; i < handed.chunks_size() && at < end; ++i) {
    const v1::HandedChunk& chunk = handed.chunks(i);
    const bool fits = chunk.file_offset() <= at && at - chunk.file_offset() < chunk.size() &&
                      BlockChecksums::BlockCount(chunk.size()) == static_cast<std::size_t>(chunk.table_size());
    if (!fits) return Damaged("was handed chunks of another place of the file");
    const std::uint64_t last = std::min(end - chunk.file_offset(), chunk.size());
    for (std::uint64_t from = at - chunk.file_offset(); from < last;) {
      Cut cut;
      cut.chunk = static_cast<std::size_t>(i);
      cut.block = from / BlockChecksums::kBlockBytes * BlockChecksums::kBlockBytes;
      cut.bytes = static_cast<std::size_t>(std::min(kPieceBytes, chunk.size() - cut.block));
      cut.skip = static_cast<std::size_t>(from - cut.block);
      cut.take = static_cast<std::size_t>(std::min<std::uint64_t>(cut.bytes - cut.skip, last - from));
      from += cut.take;
      out->cuts_.push_back(cut);
    }
    at = chunk.file_offset() + last;
  }
  if (out->cuts_.size() >= kPiecesForThread) out->StartTask();
  return out;
}

void HandedCopy::CopyAhead() {
  MutexLock lock(&mutex_);
  while (!is_stopping_ && begun_ < cuts_.size()) {
    if (MayBeginLocked()) {
      CopyOneLocked();
    } else {
      changed_.Wait(&mutex_);
    }
  }
}

void HandedCopy::CopyOneLocked() {
  const std::size_t number = begun_++;
  mutex_.Unlock();
  auto piece = Copy(cuts_[number]);
  mutex_.Lock();
  ready_[number % kPiecesAhead] = std::move(piece);
  changed_.SignalAll();
}

absl::StatusOr<HandedCopy::Piece> HandedCopy::Next() {
  MutexLock lock(&mutex_);
  if (given_ == cuts_.size()) return Piece();
  auto& next = ready_[given_ % kPiecesAhead];
  // It may be under way on the other thread: meanwhile there is another one to do.
  while (!next.has_value()) {
    if (MayBeginLocked()) {
      CopyOneLocked();
    } else {
      changed_.Wait(&mutex_);
    }
  }
  absl::StatusOr<Piece> out = *std::move(next);
  next.reset();
  ++given_;
  changed_.SignalAll();
  return out;
}

absl::StatusOr<HandedCopy::Piece> HandedCopy::Copy(const Cut& cut) const {
  const v1::HandedChunk& chunk = handed_.chunks(static_cast<int>(cut.chunk));
  grpc::Slice slice = room_.TakeMemory(cut.bytes);
  if (slice.size() == 0) return absl::UnavailableError("out of memory");
  auto* const buffer = const_cast<char*>(reinterpret_cast<const char*>(slice.begin()));  // nobody else has it yet
  Piece piece;
  piece.data.Append(std::move(slice));
  DFS_RETURN_IF_ERROR(files_.Read(cut.chunk, chunk.data_offset() + cut.block, buffer, cut.bytes));
  piece.crc = Crc32c(buffer, cut.bytes);
  const std::uint32_t expected = BlockChecksums::CrcOf(
      {chunk.table().data(), static_cast<std::size_t>(chunk.table_size())}, cut.block, cut.bytes);
  if (piece.crc != expected) return Damaged("a file that was handed over is damaged");
  if (cut.take < cut.bytes) {
    // Whole blocks have sums, parts of them have none.
    piece.crc = Crc32c(buffer + cut.skip, cut.take);
    piece.data = piece.data.Range(cut.skip, cut.take);
  }
  return piece;
}

}  // namespace dfs::client
