// What each command of the log does (proto/dfs/internal/v1/metadata.proto; README.md, "Commands"). Internal to this
// folder: metadata_machine dispatches. Each function is one entry's whole effect; INVALID and
// other refusals change nothing.
#ifndef DFS_SERVER_METADATA_COMMANDS_H_
#define DFS_SERVER_METADATA_COMMANDS_H_

#include "common/wire_ids.h"
#include "server/metadata/machine_cache.h"

namespace dfs::metadata {

// node_commands.cc
rpc::CommandResult Apply(ApplyContext* context, const rpc::FormCluster& command);
rpc::CommandResult Apply(ApplyContext* context, const rpc::AddNode& command);
rpc::CommandResult Apply(ApplyContext* context, const rpc::ActivateNode& command);
rpc::CommandResult Apply(ApplyContext* context, const rpc::NodeStarted& command);
// retire_commands.cc
rpc::CommandResult Apply(ApplyContext* context, const rpc::MarkNode& command);
rpc::CommandResult Apply(ApplyContext* context, const rpc::RetireNode& command);
rpc::CommandResult Apply(ApplyContext* context, const rpc::RetireStep& command);
// file_commands.cc
rpc::CommandResult Apply(ApplyContext* context, const rpc::CommitPut& command);
rpc::CommandResult Apply(ApplyContext* context, const rpc::RemoveFile& command);
// move_command.cc
rpc::CommandResult Apply(ApplyContext* context, const rpc::MoveFile& command);
// bucket_commands.cc
rpc::CommandResult Apply(ApplyContext* context, const rpc::MakeBucket& command);
rpc::CommandResult Apply(ApplyContext* context, const rpc::RemoveBucket& command);
// replica_commands.cc
rpc::CommandResult Apply(ApplyContext* context, const rpc::ChangeReplicas& command);
// trash_commands.cc
rpc::CommandResult Apply(ApplyContext* context, const rpc::Purge& command);
rpc::CommandResult Apply(ApplyContext* context, const rpc::Unlinked& command);
rpc::CommandResult Apply(ApplyContext* context, const rpc::UndeleteFile& command);
// clear_commands.cc
rpc::CommandResult Apply(ApplyContext* context, const rpc::ClearPrefix& command);
rpc::CommandResult Apply(ApplyContext* context, const rpc::ClearStep& command);
// session_commands.cc
rpc::CommandResult Apply(ApplyContext* context, const rpc::SettleRequestCommand& command);
rpc::CommandResult Apply(ApplyContext* context, const rpc::ExpireSessions& command);

}  // namespace dfs::metadata

#endif  // DFS_SERVER_METADATA_COMMANDS_H_
