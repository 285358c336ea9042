#include "tests/support/file_checks.h"

#include <grpcpp/client_context.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <functional>
#include <map>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/clock.h"
#include "common/random.h"
#include "common/status_macros.h"
#include "common/wire_ids.h"
#include "dfs/internal/v1/replica.grpc.pb.h"
#include "dfs/v1/files.grpc.pb.h"
#include "proto/wire_status.h"
#include "tests/support/copy_bytes.h"

namespace dfs::testing {
namespace {

constexpr std::size_t kBlockOfSeed = std::size_t{64} << 10;
constexpr absl::Duration kCallTimeout = absl::Seconds(30);

using Take = std::function<void(std::string_view)>;

// Bytes [at, at + out.size()) of the file of that seed; each block has a generator of its own.
void FillSeeded(std::uint64_t seed, std::uint64_t at, std::string& out) {
  std::size_t filled = 0;
  while (filled < out.size()) {
    const std::uint64_t block = (at + filled) / kBlockOfSeed;
    std::size_t skip = static_cast<std::size_t>((at + filled) % kBlockOfSeed);
    Random random(seed * 0x9E3779B97F4A7C15ULL + block);
    const std::size_t end = std::min(kBlockOfSeed, skip + out.size() - filled);
    for (std::size_t in_block = 0; in_block < end; in_block += 8) {
      const std::uint64_t word = random.Next();
      if (in_block + 8 <= skip) continue;
      const auto* bytes = reinterpret_cast<const char*>(&word);
      const std::size_t from = skip > in_block ? skip - in_block : 0;
      const std::size_t count = std::min(in_block + 8, end) - in_block - from;
      std::memcpy(out.data() + filled, bytes + from, count);
      filled += count;
      skip = in_block + 8;
    }
  }
}

void SetCheckDeadline(grpc::ClientContext& context) {
  context.set_deadline(absl::ToChronoTime(SystemClock().WallNow() + kCallTimeout));
}

// "term.sequence/index"
std::optional<ChunkId> ParseChunkId(std::string_view text) {
  ChunkId id;
  std::uint64_t term = 0;
  const char* const end = text.data() + text.size();
  const auto a = std::from_chars(text.data(), end, term);
  if (a.ec != std::errc() || a.ptr == end || *a.ptr != '.') return std::nullopt;
  const auto b = std::from_chars(a.ptr + 1, end, id.txn.sequence);
  if (b.ec != std::errc() || b.ptr == end || *b.ptr != '/') return std::nullopt;
  const auto c = std::from_chars(b.ptr + 1, end, id.index);
  if (c.ec != std::errc() || c.ptr != end) return std::nullopt;
  id.txn.term = Term(term);
  return id;
}

absl::StatusOr<std::vector<v1::HereChunk>> ChunksAt(ProcessCluster& cluster, int n) {
  const auto files = v1::Files::NewStub(cluster.ClientChannel(n));
  grpc::ClientContext context;
  SetCheckDeadline(context);
  const auto reader = files->ListHere(&context, {});
  std::vector<v1::HereChunk> out;
  v1::ListHereResponse page;
  while (reader->Read(&page)) out.insert(out.end(), page.chunks().begin(), page.chunks().end());
  if (const auto status = reader->Finish(); !status.ok()) return FromGrpc(status);
  return out;
}

// Reads one chunk from the peer port of a node and checks it; gives its bytes to `take`.
absl::Status ReadChunk(ProcessCluster& cluster, int n, const ChunkId& id, std::uint64_t size,
                       const std::string& hash, const Take& take) {
  const auto replicas = rpc::Replicas::NewStub(cluster.PeerChannel(n));
  grpc::ClientContext context;
  SetCheckDeadline(context);
  rpc::ReadChunkRequest request;
  *request.mutable_chunk() = ToWire(id);
  request.set_length(size);
  const auto reader = replicas->ReadChunk(&context, request);
  rpc::ReadChunkResponse response;
  std::vector<std::uint32_t> table;
  BlockChecksums blocks;
  bool is_first = true;
  while (reader->Read(&response)) {
    if (is_first) table.assign(response.table().begin(), response.table().end());
    is_first = false;
    blocks.Update(response.data().data(), response.data().size());
    take(response.data());
  }
  if (const auto status = reader->Finish(); !status.ok()) return FromGrpc(status);
  const std::string where = "chunk " + ToString(id) + " at n" + std::to_string(n);
  if (blocks.length() != size) {
    return absl::DataLossError(where + " has " + std::to_string(blocks.length()) + " bytes, not " +
                               std::to_string(size));
  }
  if (blocks.Table() != table) return absl::DataLossError(where + " differs from its block table");
  if (ToString(BlockChecksums::HashOf(size, table)) != hash) {
    return absl::DataLossError(where + " has another hash than the log says");
  }
  return absl::OkStatus();
}

}  // namespace

std::string MakeBytes(std::uint64_t seed, std::size_t size) {
  std::string out(size, '\0');
  FillSeeded(seed, 0, out);
  return out;
}

absl::StatusOr<Slices> SeededSource::Read(std::size_t bytes_max) {
  std::string piece(static_cast<std::size_t>(std::min<std::uint64_t>(bytes_max, size_ - at_)), '\0');
  if (piece.empty()) return Slices();
  FillSeeded(seed_, at_, piece);
  at_ += piece.size();
  return Slices::Adopt(std::move(piece));
}

Fingerprint FingerprintOf(std::string_view bytes) {
  return {bytes.size(), Xxh3(bytes.data(), bytes.size())};
}

Fingerprint FingerprintOfSeeded(std::uint64_t seed, std::uint64_t size) {
  SeededSource source(seed, size);
  FingerprintSink sink;
  while (true) {
    const auto piece = source.Read(std::size_t{1} << 20);
    if (!piece.ok() || piece->empty() || !sink.Write(*piece).ok()) break;
  }
  return sink.fingerprint();
}

absl::Status FingerprintSink::Write(const Slices& bytes) {
  for (const auto& piece : bytes.pieces()) stream_.Update(piece.begin(), piece.size());
  size_ += bytes.size();
  return absl::OkStatus();
}

bool FingerprintSink::Rewind() {
  stream_ = Xxh3Stream();
  size_ = 0;
  return true;
}

absl::Status Put(client::FileClient& client, std::string_view name, std::string bytes) {
  client::StringSource source(std::move(bytes));
  return client.Put(name, source).status();
}

absl::StatusOr<std::string> Get(client::FileClient& client, std::string_view name,
                                const client::GetOptions& options) {
  client::StringSink sink;
  DFS_RETURN_IF_ERROR(client.Get(name, sink, options).status());
  return sink.bytes();
}

namespace {

// The ids of the chunks that a node lists, by (name, version) and index.
using Held = std::map<std::pair<std::string, std::uint64_t>, std::map<std::uint32_t, ChunkId>>;

absl::StatusOr<Held> HeldAt(ProcessCluster& cluster, int n) {
  DFS_ASSIGN_OR_RETURN(const auto chunks, ChunksAt(cluster, n));
  Held held;
  for (const auto& chunk : chunks) {
    if (chunk.name().empty()) continue;
    const auto id = ParseChunkId(chunk.chunk());
    if (!id) return absl::InternalError("not a chunk id: " + chunk.chunk());
    held[{chunk.name(), chunk.version()}][id->index] = *id;
  }
  return held;
}

absl::Status ReadCopyOf(ProcessCluster& cluster, const v1::LocateResponse& where, const Held& held, int n, const Take& take) {
  const std::string& name = where.info().name();
  const std::string node = "n" + std::to_string(n);
  std::map<std::uint32_t, v1::Location> wanted;  // by index; what this node should hold
  for (const auto& row : where.locations()) {
    if (row.node() != node) continue;
    if (row.state() != v1::OK) return absl::NotFoundError(absl::StrCat(node, " has no ok copy of ", name));
    if (row.chunk_size() > 0) wanted[row.chunk()] = row;
  }
  if (wanted.size() != where.info().chunks()) {
    return absl::NotFoundError(node + " is not named for each chunk of " + name);
  }
  const auto listed = held.find({name, where.info().version()});
  const std::map<std::uint32_t, ChunkId> found = listed == held.end() ? std::map<std::uint32_t, ChunkId>() : listed->second;
  for (const auto& [index, row] : wanted) {
    if (!found.contains(index)) {
      return absl::NotFoundError(absl::StrCat(node, " does not list chunk ", index, " of ", name));
    }
    DFS_RETURN_IF_ERROR(
        ReadChunk(cluster, n, found.at(index), row.chunk_size(), row.chunk_hash(), take));
  }
  return absl::OkStatus();
}

absl::StatusOr<Fingerprint> FingerprintOfCopy(ProcessCluster& cluster, const v1::LocateResponse& where, const Held& held, int n) {
  Xxh3Stream content;
  std::uint64_t size = 0;
  DFS_RETURN_IF_ERROR(ReadCopyOf(cluster, where, held, n, [&](std::string_view bytes) {
    content.Update(bytes.data(), bytes.size());
    size += bytes.size();
  }));
  return Fingerprint{size, content.Digest()};
}

}  // namespace

absl::StatusOr<Fingerprint> ReadCopy(ProcessCluster& cluster, client::FileClient& client, int n,
                                     const std::string& name) {
  DFS_ASSIGN_OR_RETURN(const v1::LocateResponse where, client.Locate(name));
  DFS_ASSIGN_OR_RETURN(const Held held, HeldAt(cluster, n));
  return FingerprintOfCopy(cluster, where, held, n);
}

absl::Status ReadCopyBytes(ProcessCluster& cluster, client::FileClient& client, int n, const std::string& name,
                           const std::function<void(std::string_view)>& take) {
  DFS_ASSIGN_OR_RETURN(const v1::LocateResponse where, client.Locate(name));
  DFS_ASSIGN_OR_RETURN(const Held held, HeldAt(cluster, n));
  return ReadCopyOf(cluster, where, held, n, take);
}

absl::Status CheckCopies(ProcessCluster& cluster, client::FileClient& client,
                         const std::vector<int>& nodes,
                         const std::map<std::string, Fingerprint>& files) {
  std::map<std::string, v1::LocateResponse> where;
  for (const auto& [name, expected] : files) {
    DFS_ASSIGN_OR_RETURN(where[name], client.Locate(name));
  }
  for (const int n : nodes) {
    Held held;
    // A node knows the names of what it holds from its own state, which may be behind.
    DFS_RETURN_IF_ERROR(ProcessCluster::Await("n" + std::to_string(n) + " to list " + std::to_string(files.size()) + " files",
                                              absl::Seconds(30), [&] {
      auto listed = HeldAt(cluster, n);
      if (!listed.ok()) return false;
      held = *std::move(listed);
      return std::all_of(where.begin(), where.end(), [&](const auto& entry) {
        const v1::FileInfo& info = entry.second.info();
        return info.chunks() == 0 || held.contains({entry.first, info.version()});
      });
    }));
    for (const auto& [name, expected] : files) {
      DFS_ASSIGN_OR_RETURN(const Fingerprint copy, FingerprintOfCopy(cluster, where[name], held, n));
      if (copy == expected) continue;
      return absl::DataLossError("the copy of " + name + " at n" + std::to_string(n) + " has " +
                                 std::to_string(copy.size) + " bytes with hash " +
                                 ToString(copy.hash) + ", not " + std::to_string(expected.size) +
                                 " with " + ToString(expected.hash));
    }
  }
  return absl::OkStatus();
}

absl::Status CheckCopies(ProcessCluster& cluster, client::FileClient& client,
                         const std::vector<int>& nodes, const std::string& name,
                         const Fingerprint& expected) {
  return CheckCopies(cluster, client, nodes, {{name, expected}});
}

absl::StatusOr<std::vector<std::string>> NamesHere(ProcessCluster& cluster, int n) {
  DFS_ASSIGN_OR_RETURN(const auto held, ChunksAt(cluster, n));
  std::set<std::string> names;
  for (const auto& chunk : held) {
    if (!chunk.name().empty() && !chunk.is_trashed()) names.insert(chunk.name());
  }
  return std::vector<std::string>(names.begin(), names.end());
}

}  // namespace dfs::testing
