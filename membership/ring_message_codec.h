// Ring messages <-> Protobuf. What comes from the wire is checked here.
#ifndef DFS_MEMBERSHIP_RING_MESSAGE_CODEC_H_
#define DFS_MEMBERSHIP_RING_MESSAGE_CODEC_H_

#include "absl/status/statusor.h"
#include "common/wire_ids.h"
#include "dfs/internal/v1/ring.pb.h"
#include "membership/message.h"

namespace dfs::membership {

rpc::RingMessage ToWire(const Message& message);
// kInvalidArgument: an unknown kind or state, no sender or incarnation, or more rumours or observers than the
// bounds of message.h.
absl::StatusOr<Message> FromWire(const rpc::RingMessage& wire);

}  // namespace dfs::membership

#endif  // DFS_MEMBERSHIP_RING_MESSAGE_CODEC_H_
