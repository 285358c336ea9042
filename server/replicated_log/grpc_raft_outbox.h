// Messages that wait for a stream to take them, several in one envelope. Bounded; not thread-safe.
#ifndef DFS_SERVER_REPLICATED_LOG_GRPC_RAFT_OUTBOX_H_
#define DFS_SERVER_REPLICATED_LOG_GRPC_RAFT_OUTBOX_H_

#include <cstddef>
#include <deque>
#include <utility>

#include "common/wire_ids.h"
#include "dfs/internal/v1/raft.pb.h"
#include "server/consensus/message.h"
#include "server/metadata/metadata_machine.h"
#include "server/replicated_log/raft_message_codec.h"

namespace dfs::replicated_log {

class GrpcRaftOutbox {
 public:
  // More than the core lets be in flight: what does not fit is dropped, and Raft sends it again.
  static constexpr std::size_t kMessagesMax = 1'024;
  static constexpr std::size_t kBytesMax = std::size_t{32} << 20;
  static constexpr std::size_t kEnvelopeBytes = std::size_t{1} << 20;

  [[nodiscard]] bool empty() const { return queue_.empty(); }
  void Push(consensus::Message message) {
    const std::size_t bytes = WireBytes(message);
    if (queue_.size() >= kMessagesMax || bytes_ + bytes > kBytesMax) return;
    bytes_ += bytes;
    queue_.emplace_back(bytes, std::move(message));
  }
  void Clear() {
    queue_.clear();
    bytes_ = 0;
  }
  // The next ones, until the envelope is full.
  void Fill(const metadata::StateHash& checkpoint, rpc::RaftEnvelope* envelope) {
    envelope->Clear();
    std::size_t filled = 0;
    while (!queue_.empty() && (filled == 0 || filled + queue_.front().first <= kEnvelopeBytes)) {
      filled += queue_.front().first;
      bytes_ -= queue_.front().first;
      auto* message = envelope->add_messages();
      EncodeMessage(queue_.front().second, message);
      if (message->has_append_request() && !checkpoint.index.is_none()) {
        message->mutable_append_request()->set_state_hash_index(checkpoint.index.value());
        *message->mutable_append_request()->mutable_state_hash() = ToWire(checkpoint.hash);
      }
      queue_.pop_front();
    }
  }

 private:
  std::deque<std::pair<std::size_t, consensus::Message>> queue_;
  std::size_t bytes_ = 0;
};

}  // namespace dfs::replicated_log

#endif  // DFS_SERVER_REPLICATED_LOG_GRPC_RAFT_OUTBOX_H_
