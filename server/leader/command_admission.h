// What the leader checks before a client's change goes into the log, and what it does with the outcome (rule R13).
#ifndef DFS_SERVER_LEADER_COMMAND_ADMISSION_H_
#define DFS_SERVER_LEADER_COMMAND_ADMISSION_H_

#include <memory>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "common/ids.h"
#include "common/wire_ids.h"
#include "server/leader/leader_operations.h"
#include "server/leader/node_directory.h"
#include "server/leader/request_ledger.h"
#include "server/leader/term_state.h"

namespace dfs::leader {

// Thread-safe, never blocks. Held by shared_ptr: callbacks keep it.
class CommandAdmission : public std::enable_shared_from_this<CommandAdmission> {
 public:
  CommandAdmission(std::shared_ptr<TermState> state, std::shared_ptr<NodeDirectory> directory)
      : state_(std::move(state)), directory_(std::move(directory)) {}

  // CommitPut, RemoveFile, Settle or ClearPrefix; else kInvalidArgument.
  // REBEGIN is answered to a CommitPut only if its transaction is of this term or an older one, AND is not open here or its
  // acknowledgements are no longer current or too few, AND no proposal under its request id is pending here, AND no
  // result is stored for it. (This term's first entry is applied: else there is no TermState.) A change whose request
  // id is pending waits until that is decided.
  // kUnavailable: nothing happened; kDeadlineExceeded: outcome unknown.
  void Submit(rpc::Command command, Answer<rpc::CommandResult> done);

 private:
  struct Change;
  using Shared = std::shared_ptr<Change>;

  void SubmitPut(const Shared& change);
  [[nodiscard]] std::string WhyNotEnough(const rpc::CommitPut& put);
  [[nodiscard]] static std::string CountAcks(const rpc::CommitPut& put, std::uint64_t quorum,
                                             const NodeRows& rows);
  void Propose(const Shared& change, bool owns_transaction);
  void Finish(const Shared& change, bool owns_transaction,
              absl::StatusOr<rpc::CommandResult> result);
  void Release(const Shared& change, absl::StatusOr<rpc::CommandResult> result);
  void OpenOrders(const Change& change) ABSL_EXCLUSIVE_LOCKS_REQUIRED(state_->mutex);

  const std::shared_ptr<TermState> state_;
  const std::shared_ptr<NodeDirectory> directory_;
};

}  // namespace dfs::leader

#endif  // DFS_SERVER_LEADER_COMMAND_ADMISSION_H_
