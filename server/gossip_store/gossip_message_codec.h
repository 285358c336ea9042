// Records, states and messages of gossip buckets as Protobuf (proto/dfs/internal/v1/gossip.proto). Pure.
#ifndef DFS_SERVER_GOSSIP_STORE_GOSSIP_MESSAGE_CODEC_H_
#define DFS_SERVER_GOSSIP_STORE_GOSSIP_MESSAGE_CODEC_H_

#include "absl/status/statusor.h"
#include "dfs/internal/v1/gossip.pb.h"
#include "server/gossip_store/gossip_core.h"
#include "server/gossip_store/gossip_message.h"
#include "server/gossip_store/gossip_record.h"

namespace dfs::gossip_store {

namespace rpc = ::dfs::internal::v1;

// Where files of gossip buckets are cut: part of what a record means, so the same on all nodes and for ever.
inline constexpr std::uint64_t kChunkBytes = std::uint64_t{64} << 20;
// Of a file: 16 GiB. So that the records of one message fit into what gRPC takes.
inline constexpr std::size_t kChunksMax = 256;
inline constexpr std::size_t kNameBytesMax = 1'024;
inline constexpr int kRowEntriesMax = 1'000;
// Records of one message on the wire: of a LeafRecords, all of the last leaf may come on top of what is wanted.
inline constexpr int kRecordsMax = 4'096;

void ToWire(const Record& record, rpc::GossipRecord* wire);
void ToWire(const InclusionRow& row, rpc::GossipRow* wire);
void ToWire(const Message& message, rpc::GossipMessage* wire);
void ToWire(const GossipState& state, rpc::GossipStateRow* wire);

// kInvalidArgument: malformed, or beyond a bound of gossip_message.h.
[[nodiscard]] absl::StatusOr<Record> FromWire(const rpc::GossipRecord& wire);
[[nodiscard]] absl::StatusOr<InclusionRow> FromWire(const rpc::GossipRow& wire);
[[nodiscard]] absl::StatusOr<Message> FromWire(const rpc::GossipMessage& wire);
[[nodiscard]] absl::StatusOr<GossipState> FromWire(const rpc::GossipStateRow& wire);

}  // namespace dfs::gossip_store

#endif  // DFS_SERVER_GOSSIP_STORE_GOSSIP_MESSAGE_CODEC_H_
