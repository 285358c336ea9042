#include "server/chunk/chunk_copy.h"

#include <algorithm>
#include <span>
#include <string>
#include <string_view>

#include <glog/logging.h>

#include "absl/strings/str_cat.h"
#include "common/checksum.h"
#include "common/status_macros.h"

namespace dfs::chunk {
namespace {

// Read and written at once; a multiple of the block.
constexpr std::uint64_t kAdoptBytes = std::uint64_t{1} << 20;

// The first error is the source's, the second this node's own.
struct Outcome {
  absl::Status source;
  absl::Status own;
};

Outcome CopyFrom(ChunkStore* store, RemoteChunkReader* reader, const ChunkInfo& info) {
  if (reader->size() != info.size ||
      BlockChecksums::HashOf(reader->size(), reader->table()) != info.hash) {
    return {.source = absl::DataLossError("the source holds another content")};
  }
  auto writer = store->Create(info.id, info.size);
  if (!writer.ok()) return {.own = writer.status()};
  std::uint64_t received = 0;
  while (received < info.size) {
    const auto piece = reader->Next();
    if (!piece.ok()) return {.source = piece.status()};
    if (piece->offset != received || piece->data.empty() ||
        piece->data.size() > info.size - received) {
      return {.source = absl::DataLossError("the source sent bytes that do not belong here")};
    }
    const auto crc = BlockChecksums::CrcOf(reader->table(), received, piece->data.size());
    const absl::Status status = (*writer)->AppendChecked(piece->data.Views(), crc);
    if (absl::IsDataLoss(status) && store->Health().ok()) return {.source = status};
    if (!status.ok()) return {.own = status};
    received += piece->data.size();
  }
  return {.own = (*writer)->Commit(info).status()};
}

// The bytes are read, checked against the hash of the log and written anew: nothing of the old store is trusted.
Outcome Adopt(ChunkStore* store, const ChunkReader& held, const ChunkInfo& info) {
  if (BlockChecksums::HashOf(info.size, held.table()) != info.hash) {
    return {.source = absl::DataLossError("another content")};
  }
  auto writer = store->Create(info.id, info.size);
  if (!writer.ok()) return {.own = writer.status()};
  std::string buffer;
  for (std::uint64_t offset = 0; offset < info.size; offset += buffer.size()) {
    buffer.resize(static_cast<std::size_t>(std::min(kAdoptBytes, info.size - offset)));
    if (absl::Status status = held.Read(offset, std::span(buffer)); !status.ok()) return {.source = status};
    const std::string_view bytes = buffer;
    const auto crc = BlockChecksums::CrcOf(held.table(), offset, bytes.size());
    const absl::Status status = (*writer)->AppendChecked(std::span(&bytes, 1), crc);
    if (!status.ok()) return {.own = status};
  }
  return {.own = (*writer)->Commit(info).status()};
}

}  // namespace

absl::StatusOr<ChunkInfo> CopyChunk(ChunkStore* store, ChunkPeers* peers, const ChunkInfo& info,
                                    const std::vector<NodeId>& sources, SetAsideChunks* set_aside,
                                    CopyOrigin* origin, std::uint64_t bytes_per_s_max) {
  CopyOrigin unasked;
  if (origin == nullptr) origin = &unasked;
  const auto held = store->Vouch(info.id);
  if (held.ok()) {
    *origin = CopyOrigin::kHeld;
    if (held->size == info.size && held->hash == info.hash) return held;
    return absl::FailedPreconditionError("held with another content");
  }
  if (!absl::IsNotFound(held.status()) && !absl::IsDataLoss(held.status())) return held.status();
  DFS_RETURN_IF_ERROR(store->Health());
  if (const auto own = set_aside == nullptr ? nullptr : set_aside->Find(info)) {
    const Outcome outcome = Adopt(store, *own, info);
    if (!outcome.own.ok()) return outcome.own;
    *origin = CopyOrigin::kAdopted;
    if (outcome.source.ok()) return info;
  }
  *origin = CopyOrigin::kCopied;
  std::string failures;
  for (const NodeId source : sources) {
    auto reader = peers->Read(source, info.id, 0, info.size, kCopyProgressTimeout, bytes_per_s_max);
    const Outcome outcome = reader.ok() ? CopyFrom(store, reader->get(), info)
                                        : Outcome{.source = reader.status()};
    if (!outcome.own.ok()) return outcome.own;
    if (outcome.source.ok()) return info;
    absl::StrAppend(&failures, " node ", source.value(), ": ",
                    std::string(outcome.source.message()), ";");
  }
  return absl::UnavailableError(absl::StrCat("no source could give the chunk:", failures));
}

}  // namespace dfs::chunk
