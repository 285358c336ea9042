// What a node tells a member that asks what is known of it.
#ifndef DFS_SERVER_NODE_GREETING_H_
#define DFS_SERVER_NODE_GREETING_H_

#include "common/ids.h"
#include "common/wire_ids.h"
#include "dfs/internal/v1/raft.pb.h"
#include "server/replicated_log/raft_host.h"
#include "server/replicated_log/raft_message_codec.h"

namespace dfs::node {

// Whatever its verdict is; a stranger is told no mark.
inline void FillGreeting(const replicated_log::RaftHost& raft, const rpc::PeerHello& asker,
                         rpc::GreetResponse* response) {
  const auto status = raft.Status();
  replicated_log::EncodeConfiguration(status.configuration, response->mutable_configuration());
  response->set_last_term(status.last_log_term.value());
  response->set_last_index(status.last_log_index.value());
  response->set_leader(status.leader.value());
  if (response->verdict() == rpc::GreetResponse::STRANGER) return;
  const auto mark = raft.MarkOf(NodeId(asker.node_id()));
  response->mutable_mark()->set_term(mark.term.value());
  response->mutable_mark()->set_entry_term(mark.entry_term.value());
  response->mutable_mark()->set_entry_index(mark.entry_index.value());
}

}  // namespace dfs::node

#endif  // DFS_SERVER_NODE_GREETING_H_
