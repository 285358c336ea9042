// Exactly once: stored results of requests by (session, sequence).
//
// A session has no entry of its own: its first decided request makes it. Sequences from `acked_below` on may be
// open, at most 256 of them; results below are forgotten and requests below refused.
#ifndef DFS_SERVER_METADATA_SESSION_TABLE_H_
#define DFS_SERVER_METADATA_SESSION_TABLE_H_

#include <cstdint>
#include <optional>

#include "common/ids.h"
#include "common/wire_ids.h"
#include "server/metadata/key_value_store.h"
#include "server/metadata/machine_cache.h"

namespace dfs::metadata {

// As stored: settled_kind says of which command.
std::optional<rpc::CommandResult> ReadResult(const RowReader& rows, const SessionId& session,
                                             std::uint64_t sequence);

// nullopt: the request is new and may be decided now. Else its answer: the stored result, or why there can be
// none. Changes nothing. `kind`: the command's field number in Command.
std::optional<rpc::CommandResult> Admit(const ApplyContext& context, const api::RequestId& request,
                                        std::uint32_t kind);

// Stores the result of a request that was admitted, and forgets those that the client has settled. At most
// 258 rows. Returns it as the answer.
rpc::CommandResult StoreResult(ApplyContext* context, const api::RequestId& request,
                               std::uint32_t kind, rpc::CommandResult result);

// An answer that is not stored: nothing changed.
rpc::CommandResult Refusal(const ApplyContext& context, rpc::CommandResult::Code code,
                           const std::string& message);

}  // namespace dfs::metadata

#endif  // DFS_SERVER_METADATA_SESSION_TABLE_H_
