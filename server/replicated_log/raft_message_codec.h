// Raft's own structs <-> their messages (proto/dfs/internal/v1/raft.proto), for the wire and the disk.
//
// Pure. Decoding checks everything that the core relies on and turns bad input into kInvalidArgument; nothing
// else happens then.
#ifndef DFS_SERVER_REPLICATED_LOG_RAFT_MESSAGE_CODEC_H_
#define DFS_SERVER_REPLICATED_LOG_RAFT_MESSAGE_CODEC_H_

#include "absl/status/statusor.h"
#include "dfs/internal/v1/raft.pb.h"
#include "server/consensus/configuration.h"
#include "server/consensus/message.h"

namespace dfs::replicated_log {

namespace rpc = ::dfs::internal::v1;

// A message with more entries than this, or more members in a configuration, is malformed.
inline constexpr int kEntriesPerMessageMax = 1 << 20;
inline constexpr int kMembersMax = 4'096;

void EncodeConfiguration(const consensus::Configuration& in, rpc::ConfigurationRecord* out);
[[nodiscard]] absl::StatusOr<consensus::Configuration> DecodeConfiguration(
    const rpc::ConfigurationRecord& in);

void EncodeEntry(const consensus::Entry& in, rpc::LogEntry* out);
// `in` loses its command, which is moved and not copied.
[[nodiscard]] absl::StatusOr<consensus::Entry> DecodeEntry(rpc::LogEntry* in);

// Leaves the state hash of an AppendRequest unset.
void EncodeMessage(const consensus::Message& in, rpc::RaftMessage* out);
// `in` loses the commands of its entries.
[[nodiscard]] absl::StatusOr<consensus::Message> DecodeMessage(rpc::RaftMessage* in);

// Whether the message asks (it travels on the sender's own stream) or answers (it comes back on the
// stream of the request): rule R2.
[[nodiscard]] bool IsReply(const consensus::Message& message);
// About how many bytes the message takes on the wire.
[[nodiscard]] std::size_t WireBytes(const consensus::Message& message);

}  // namespace dfs::replicated_log

#endif  // DFS_SERVER_REPLICATED_LOG_RAFT_MESSAGE_CODEC_H_
