#include <algorithm>
#include <string>
#include <utility>

#include "common/checksum.h"
#include "common/status_macros.h"
#include "server/chunk/chunk_copy.h"
#include "tests/simulation/system/sim_node.h"
#include "tests/simulation/system/sim_transports.h"

namespace dfs::simulation {
namespace {

using chunk::ChunkInfo;

absl::Status NotUp() { return absl::UnavailableError("not up yet"); }

rpc::ChunkAck AckOf(SimNode& node, const ChunkInfo& info) {
  rpc::ChunkAck out;
  *out.mutable_chunk() = ToWire(info.id);
  *out.mutable_ack() = node.OwnAck();
  out.set_size(info.size);
  *out.mutable_hash() = ToWire(info.hash);
  return out;
}

struct SentPiece {
  std::string bytes;
  std::uint32_t crc = 0;
};

absl::StatusOr<rpc::ChunkAck> Store(SimNode& node, const ChunkInfo& info,
                                    const std::vector<SentPiece>& pieces) {
  if (node.store() == nullptr) return NotUp();
  DFS_ASSIGN_OR_RETURN(const auto writer, node.store()->Create(info.id, 0));
  for (const SentPiece& piece : pieces) {
    const std::string_view bytes = piece.bytes;
    DFS_RETURN_IF_ERROR(writer->AppendChecked(std::span(&bytes, 1), piece.crc));
  }
  DFS_ASSIGN_OR_RETURN(const ChunkInfo stored, writer->Commit(info));
  return AckOf(node, stored);
}

class SimChunkWriter final : public chunk::RemoteChunkWriter {
 public:
  SimChunkWriter(const Dialer* dialer, NodeId node, const ChunkId& id, absl::Duration timeout)
      : dialer_(dialer), node_(node), id_(id), timeout_(timeout) {}

  absl::Status Write(const Slices& data, std::uint32_t crc) override {
    if (is_cancelled_) return absl::CancelledError("cancelled");
    pieces_.push_back({data.ToString(), crc});
    return absl::OkStatus();
  }
  absl::StatusOr<rpc::ChunkAck> Finish(std::uint64_t size, Hash128 hash) override {
    if (is_cancelled_) return absl::CancelledError("cancelled");
    const ChunkInfo info{id_, size, hash};
    return dialer_->wire()->Ask<rpc::ChunkAck>(
        dialer_->OwnMachine(), DialledMachine(dialer_->MachineOf(node_)), node_, timeout_,
        [info, pieces = pieces_](SimNode& node) { return Store(node, info, pieces); });
  }
  void Cancel() override { is_cancelled_ = true; }

 private:
  const Dialer* const dialer_;
  const NodeId node_;
  const ChunkId id_;
  const absl::Duration timeout_;
  bool is_cancelled_ = false;
  std::vector<SentPiece> pieces_;
};

struct SentRange {
  std::uint64_t size = 0;
  std::vector<std::uint32_t> table;
  std::uint64_t offset = 0;
  std::string bytes;
};

absl::StatusOr<SentRange> ReadRange(SimNode& node, const ChunkId& id, std::uint64_t offset,
                                    std::uint64_t length) {
  constexpr std::uint64_t kBlock = BlockChecksums::kBlockBytes;
  if (node.store() == nullptr) return NotUp();
  DFS_ASSIGN_OR_RETURN(const auto reader, node.store()->Open(id));
  SentRange out{reader->info().size, reader->table(), offset / kBlock * kBlock, ""};
  if (offset > out.size) return absl::OutOfRangeError("no such range in the chunk");
  const std::uint64_t wanted = offset + std::min(length, out.size - offset);
  const std::uint64_t end = std::min(out.size, (wanted + kBlock - 1) / kBlock * kBlock);
  if (end > out.offset) {
    out.bytes.resize(static_cast<std::size_t>(end - out.offset));
    DFS_RETURN_IF_ERROR(reader->Read(out.offset, std::span(out.bytes)));
  }
  return out;
}

class SimChunkReader final : public chunk::RemoteChunkReader {
 public:
  explicit SimChunkReader(SentRange range) : range_(std::move(range)) {}
  [[nodiscard]] std::uint64_t size() const override { return range_.size; }
  [[nodiscard]] const std::vector<std::uint32_t>& table() const override { return range_.table; }
  absl::StatusOr<Piece> Next() override {
    Piece piece{.offset = range_.offset, .data = Slices::CopyOf(range_.bytes)};
    range_.offset += range_.bytes.size();
    range_.bytes.clear();
    return piece;
  }
  void Cancel() override {}

 private:
  SentRange range_;
};

}  // namespace

std::unique_ptr<chunk::RemoteChunkWriter> SimChunkPeers::Write(NodeId node, const ChunkId& chunk,
                                                               absl::Duration progress_timeout) {
  return std::make_unique<SimChunkWriter>(dialer_, node, chunk, progress_timeout);
}

void SimChunkPeers::WriteSmall(NodeId node, const ChunkInfo& info, Slices data,
                               absl::Duration timeout, AckCallback done) {
  dialer_->wire()->Call<rpc::Ack>(
      dialer_->OwnMachine(), DialledMachine(dialer_->MachineOf(node)), node, timeout,
      [info, bytes = data.ToString()](SimNode& there,
                                      absl::AnyInvocable<void(absl::StatusOr<rpc::Ack>)> answer) {
        if (there.store() == nullptr) {
          answer(NotUp());
          return;
        }
        const chunk::SmallWrite write{info, bytes};
        const absl::Status status = there.store()->PutSmall(std::span(&write, 1))[0];
        if (status.ok()) {
          answer(there.OwnAck());
        } else {
          answer(status);
        }
      },
      std::move(done));
}

void SimChunkPeers::RelinkAll(NodeId node, std::vector<chunk::Relink> items,
                              absl::Duration timeout, AckCallback done) {
  on_moment_(Moment::kRelinking);
  dialer_->wire()->Call<rpc::Ack>(
      dialer_->OwnMachine(), DialledMachine(dialer_->MachineOf(node)), node, timeout,
      [items = std::move(items)](SimNode& there,
                                 absl::AnyInvocable<void(absl::StatusOr<rpc::Ack>)> answer) {
        const absl::Status status =
            there.store() == nullptr ? NotUp() : there.store()->RelinkAll(items);
        if (status.ok()) {
          answer(there.OwnAck());
        } else {
          answer(status);
        }
      },
      std::move(done));
}

absl::StatusOr<std::unique_ptr<chunk::RemoteChunkReader>> SimChunkPeers::Read(
    NodeId node, const ChunkId& chunk, std::uint64_t offset, std::uint64_t length,
    absl::Duration progress_timeout, std::uint64_t /*bytes_per_s_max*/) {
  DFS_ASSIGN_OR_RETURN(SentRange range,
                       dialer_->wire()->Ask<SentRange>(
                           dialer_->OwnMachine(), DialledMachine(dialer_->MachineOf(node)), node,
                           progress_timeout, [chunk, offset, length](SimNode& there) {
                             return ReadRange(there, chunk, offset, length);
                           }));
  return std::make_unique<SimChunkReader>(std::move(range));
}

void SimChunkPeers::Confirm(NodeId node, LogIndex read_index, rpc::ConfirmItem item,
                            absl::Duration timeout, VerdictCallback done) {
  using Verdict = rpc::ConfirmResponse::Verdict;
  dialer_->wire()->Call<Verdict>(
      dialer_->OwnMachine(), DialledMachine(dialer_->MachineOf(node)), node, timeout,
      [read_index, item](SimNode& there, absl::AnyInvocable<void(absl::StatusOr<Verdict>)> answer) {
        if (there.raft() == nullptr) {
          answer(NotUp());
        } else {
          answer(coordinator::ConfirmHere(there.coordinator_parts(), read_index, item));
        }
      },
      std::move(done));
}

absl::StatusOr<rpc::ChunkAck> SimChunkPeers::Copy(NodeId node,
                                                  const rpc::CopyChunkRequest& request,
                                                  absl::Duration progress_timeout) {
  return dialer_->wire()->Ask<rpc::ChunkAck>(
      dialer_->OwnMachine(), DialledMachine(dialer_->MachineOf(node)), node, progress_timeout,
      [request](SimNode& there) -> absl::StatusOr<rpc::ChunkAck> {
        if (there.store() == nullptr) return NotUp();
        std::vector<NodeId> sources;
        for (const std::uint32_t source : request.sources()) {
          if (NodeId(source) != there.self()) sources.emplace_back(source);
        }
        const ChunkInfo info{FromWire(request.chunk()), request.size(),
                             HashFromWire(request.hash())};
        DFS_ASSIGN_OR_RETURN(const ChunkInfo copied, chunk::CopyChunk(there.store(),
                                                                      there.chunk_peers(), info,
                                                                      sources));
        there.OnMomentHere(Moment::kCopied);
        return AckOf(there, copied);
      });
}

absl::Status SimChunkPeers::List(NodeId node,
                                 const std::function<bool(const rpc::SmallChunk&)>& visit,
                                 absl::Duration timeout) {
  using Chunks = std::vector<rpc::SmallChunk>;
  DFS_ASSIGN_OR_RETURN(
      const Chunks chunks,
      dialer_->wire()->Ask<Chunks>(
          dialer_->OwnMachine(), DialledMachine(dialer_->MachineOf(node)), node, timeout,
          [](SimNode& there) -> absl::StatusOr<Chunks> {
            if (there.store() == nullptr) return NotUp();
            Chunks all;
            there.store()->ForEach(std::nullopt, [&all](const auto& stored) {
              if (stored.is_damaged) return true;
              rpc::SmallChunk& chunk = all.emplace_back();
              *chunk.mutable_chunk() = ToWire(stored.info.id);
              chunk.set_size(static_cast<std::uint32_t>(stored.info.size));
              *chunk.mutable_hash() = ToWire(stored.info.hash);
              return true;
            });
            return all;
          }));
  for (const rpc::SmallChunk& chunk : chunks) {
    if (!visit(chunk)) break;
  }
  return absl::OkStatus();
}

}  // namespace dfs::simulation
