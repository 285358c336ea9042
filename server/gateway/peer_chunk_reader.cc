#include "server/gateway/peer_chunk_reader.h"

#include <algorithm>
#include <cstring>
#include <string>

#include "absl/strings/str_cat.h"
#include "common/checksum.h"
#include "common/status_macros.h"
#include "server/chunk/chunk_copy.h"

namespace dfs::gateway {
namespace {

constexpr std::uint64_t kBlock = BlockChecksums::kBlockBytes;

}  // namespace

absl::Status PeerChunkReader::Read(std::uint64_t offset, std::span<char> out) const {
  std::string failures;
  const std::size_t first = first_;
  for (std::size_t n = 0; n < sources_.size(); ++n) {
    const std::size_t at = (first + n) % sources_.size();
    const NodeId source = sources_[at];
    const absl::Status read = ReadFrom(source, offset, out);
    if (read.ok()) {
      first_ = at;
      return read;
    }
    absl::StrAppend(&failures, " node ", source.value(), ": ", std::string(read.message()), ";");
  }
  return absl::UnavailableError(
      absl::StrCat("this node has no room for the file, and no peer gives its bytes:", failures));
}

absl::Status PeerChunkReader::ReadFrom(NodeId source, std::uint64_t offset, std::span<char> out) const {
  const std::uint64_t end = offset + out.size();
  const std::uint64_t first = offset - offset % kBlock;
  const std::uint64_t last = std::min(info_.size, (end + kBlock - 1) / kBlock * kBlock);
  DFS_ASSIGN_OR_RETURN(const auto reader,
                       peers_->Read(source, info_.id, first, last - first, chunk::kCopyProgressTimeout, 0));
  if (reader->size() != info_.size || BlockChecksums::HashOf(reader->size(), reader->table()) != info_.hash) {
    return absl::DataLossError("it holds another content");
  }
  for (std::uint64_t at = first; at < last;) {
    DFS_ASSIGN_OR_RETURN(const auto piece, reader->Next());
    const std::uint64_t size = piece.data.size();
    if (piece.offset != at || size == 0 || size > last - at) {
      return absl::DataLossError("it sent bytes that do not belong here");
    }
    std::uint32_t crc = 0;
    for (const auto& bytes : piece.data.pieces()) {
      crc = ExtendCrc32c(crc, bytes.begin(), bytes.size());
      const std::uint64_t begin = std::max(at, offset);
      const std::uint64_t wanted_end = std::min<std::uint64_t>(at + bytes.size(), end);
      if (begin < wanted_end) std::memcpy(out.data() + (begin - offset), bytes.begin() + (begin - at), wanted_end - begin);
      at += bytes.size();
    }
    if (crc != BlockChecksums::CrcOf(reader->table(), piece.offset, size)) {
      return absl::DataLossError("it sent damaged bytes");
    }
  }
  return absl::OkStatus();
}

}  // namespace dfs::gateway
