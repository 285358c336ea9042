// Strong ids <-> their messages (proto/dfs/internal/v1/metadata.proto).
#ifndef DFS_COMMON_WIRE_IDS_H_
#define DFS_COMMON_WIRE_IDS_H_

#include <optional>
#include <string>

#include "common/ids.h"
#include "dfs/internal/v1/metadata.pb.h"
#include "dfs/v1/types.pb.h"

namespace dfs {

namespace rpc = ::dfs::internal::v1;  // messages between nodes
namespace api = ::dfs::v1;            // messages of clients

inline rpc::Hash128 ToWire(const Hash128& hash) {
  rpc::Hash128 out;
  out.set_high(hash.high);
  out.set_low(hash.low);
  return out;
}
template <class Tag>
rpc::Hash128 ToWire(const Uuid<Tag>& id) {
  rpc::Hash128 out;
  out.set_high(id.high);
  out.set_low(id.low);
  return out;
}
inline rpc::TxnId ToWire(const TxnId& id) {
  rpc::TxnId out;
  out.set_term(id.term.value());
  out.set_sequence(id.sequence);
  return out;
}
inline rpc::ChunkId ToWire(const ChunkId& id) {
  rpc::ChunkId out;
  *out.mutable_txn() = ToWire(id.txn);
  out.set_index(id.index);
  return out;
}

inline Hash128 HashFromWire(const rpc::Hash128& hash) { return {hash.high(), hash.low()}; }
template <class Id>
Id UuidFromWire(const rpc::Hash128& hash) {
  return Id{hash.high(), hash.low()};
}
inline TxnId FromWire(const rpc::TxnId& id) { return {Term(id.term()), id.sequence()}; }
inline ChunkId FromWire(const rpc::ChunkId& id) { return {FromWire(id.txn()), id.index()}; }

// nullopt unless exactly 16 bytes.
inline std::optional<SessionId> SessionFromWire(const std::string& bytes) {
  if (bytes.size() != 16) return std::nullopt;
  SessionId id;
  for (std::size_t i = 0; i < 8; ++i) {
    id.high = (id.high << 8) | static_cast<unsigned char>(bytes[i]);
    id.low = (id.low << 8) | static_cast<unsigned char>(bytes[i + 8]);
  }
  return id;
}
// Big endian, high half first.
inline std::string BytesOf(std::uint64_t high, std::uint64_t low) {
  std::string out(16, '\0');
  for (std::size_t i = 0; i < 8; ++i) {
    out[i] = static_cast<char>(high >> (56 - 8 * i));
    out[i + 8] = static_cast<char>(low >> (56 - 8 * i));
  }
  return out;
}

}  // namespace dfs

#endif  // DFS_COMMON_WIRE_IDS_H_
