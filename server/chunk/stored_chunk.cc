#include "server/chunk/stored_chunk.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/checksum.h"
#include "common/mutant.h"
#include "common/posix_disk.h"
#include "common/status_macros.h"
#include "server/chunk/index_format.h"

namespace dfs::chunk {
namespace {

constexpr std::uint64_t kBlock = BlockChecksums::kBlockBytes;
constexpr std::size_t kVerifyBytes = std::size_t{1} << 20;  // read at a time

class FileBytes final : public ObjectBytes {
 public:
  explicit FileBytes(std::unique_ptr<DiskFile> file) : file_(std::move(file)) {}
  absl::Status Read(std::uint64_t offset, std::span<char> out) const override {
    absl::Status status = file_->Read(kHeaderBytes + offset, out);
    if (absl::IsOutOfRange(status)) return absl::DataLossError(status.message());
    return status;
  }
  [[nodiscard]] int descriptor() const override { return PosixDescriptorOf(*file_); }

 private:
  const std::unique_ptr<DiskFile> file_;
};

class IndexBytes final : public ObjectBytes {
 public:
  explicit IndexBytes(std::unique_ptr<PinnedBytes> bytes) : bytes_(std::move(bytes)) {}
  absl::Status Read(std::uint64_t offset, std::span<char> out) const override {
    const std::string_view all = bytes_->bytes();
    if (offset > all.size() || out.size() > all.size() - offset) {
      return absl::DataLossError("the object is too short");
    }
    if (!out.empty()) std::memcpy(out.data(), all.data() + offset, out.size());
    return absl::OkStatus();
  }

 private:
  const std::unique_ptr<PinnedBytes> bytes_;
};

}  // namespace

const std::uint64_t kFileDataOffset = kHeaderBytes;

int DescriptorOf(const ChunkReader& reader) {
  const auto* const stored = dynamic_cast<const StoredChunk*>(&reader);
  return stored == nullptr ? -1 : stored->descriptor();
}

std::unique_ptr<ObjectBytes> BytesInFile(std::unique_ptr<DiskFile> file) {
  return std::make_unique<FileBytes>(std::move(file));
}
std::unique_ptr<ObjectBytes> BytesInIndex(std::unique_ptr<PinnedBytes> bytes) {
  return std::make_unique<IndexBytes>(std::move(bytes));
}

StoredChunk::StoredChunk(ChunkInfo info, std::vector<std::uint32_t> table,
                         std::unique_ptr<ObjectBytes> bytes, std::function<void()> damaged)
    : info_(info),
      table_(std::move(table)),
      bytes_(std::move(bytes)),
      damaged_(std::move(damaged)) {}

std::uint64_t StoredChunk::BlockLength(std::size_t block) const {
  return std::min<std::uint64_t>(kBlock, info_.size - block * kBlock);
}

absl::Status StoredChunk::Read(std::uint64_t offset, std::span<char> out) const {
  if (offset > info_.size || out.size() > info_.size - offset) {
    return absl::OutOfRangeError("the range is not within the chunk");
  }
  if (offset % kBlock != 0 && !out.empty()) {
    const auto head = static_cast<std::size_t>(
        std::min<std::uint64_t>(out.size(), kBlock - offset % kBlock));
    DFS_RETURN_IF_ERROR(ReadPart(offset, out.first(head)));
    offset += head;
    out = out.subspan(head);
  }
  const bool ends_chunk = offset + out.size() == info_.size;
  const std::size_t tail = ends_chunk ? 0 : out.size() % kBlock;
  const std::size_t whole = out.size() - tail;
  if (whole > 0) DFS_RETURN_IF_ERROR(ReadBlocks(offset, out.first(whole)));
  if (tail > 0) DFS_RETURN_IF_ERROR(ReadPart(offset + whole, out.subspan(whole)));
  return absl::OkStatus();
}

absl::Status StoredChunk::ReadPart(std::uint64_t offset, std::span<char> out) const {
  const auto block = static_cast<std::size_t>(offset / kBlock);
  std::vector<char> buffer(BlockLength(block));
  DFS_RETURN_IF_ERROR(ReadBlocks(block * kBlock, buffer));
  std::memcpy(out.data(), buffer.data() + offset % kBlock, out.size());
  return absl::OkStatus();
}

absl::Status StoredChunk::ReadBlocks(std::uint64_t offset, std::span<char> out) const {
  absl::Status status = bytes_->Read(offset, out);
  for (auto block = static_cast<std::size_t>(offset / kBlock); status.ok() && !out.empty();
       ++block) {
    const auto length = static_cast<std::size_t>(BlockLength(block));
    if (Crc32c(out.data(), length) != table_[block] &&
        !DFS_MUTANT(863, "stored blocks are not checked when they are read (rule R21)")) {
      status = absl::DataLossError(
          absl::StrCat("block ", block, " of chunk ", ToString(info_.id), " is damaged"));
    }
    out = out.subspan(length);
  }
  if (absl::IsDataLoss(status)) damaged_();
  return status;
}

absl::Status StoredChunk::Verify() const {
  std::vector<char> buffer(std::min<std::uint64_t>(kVerifyBytes, info_.size));
  for (std::uint64_t offset = 0; offset < info_.size; offset += buffer.size()) {
    const auto length = std::min<std::uint64_t>(buffer.size(), info_.size - offset);
    DFS_RETURN_IF_ERROR(Read(offset, std::span(buffer).first(static_cast<std::size_t>(length))));
  }
  return absl::OkStatus();
}

}  // namespace dfs::chunk
