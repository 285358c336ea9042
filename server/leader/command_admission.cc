#include "server/leader/command_admission.h"

#include <algorithm>
#include <deque>
#include <set>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/mutant.h"
#include "proto/error_detail.h"
#include "server/metadata/bucket_rule.h"

namespace dfs::leader {
namespace {

const api::RequestId* RequestIdOf(const rpc::Command& command) {
  switch (command.kind_case()) {
    case rpc::Command::kCommitPut:
      return &command.commit_put().request_id();
    case rpc::Command::kRemoveFile:
      return &command.remove_file().request_id();
    case rpc::Command::kSettle:
      return &command.settle().request_id();
    case rpc::Command::kClearPrefix:
      return &command.clear_prefix().request_id();
    case rpc::Command::kUndeleteFile:
      return &command.undelete_file().request_id();
    case rpc::Command::kMoveFile:
      return &command.move_file().request_id();
    case rpc::Command::kMakeBucket:
      return &command.make_bucket().request_id();
    case rpc::Command::kRemoveBucket:
      return &command.remove_bucket().request_id();
    default:
      return nullptr;
  }
}

rpc::CommandResult ResultOf(rpc::CommandResult::Code code, std::string message) {
  rpc::CommandResult result;
  result.set_code(code);
  result.set_message(std::move(message));
  return result;
}

// Copies that may still be on their way when the put is committed.
std::vector<std::pair<std::uint32_t, NodeId>> MissingCopies(const rpc::CommitPut& put) {
  std::vector<std::pair<std::uint32_t, NodeId>> missing;
  for (int k = 0; k < put.chunks_size(); ++k) {
    const rpc::CommitChunk& chunk = put.chunks(k);
    for (const std::uint32_t node : chunk.set()) {
      const bool is_there = std::any_of(chunk.acks().begin(), chunk.acks().end(),
                                        [&](const auto& ack) { return ack.node_id() == node; });
      if (!is_there) missing.emplace_back(static_cast<std::uint32_t>(k), NodeId(node));
    }
  }
  return missing;
}

}  // namespace

struct CommandAdmission::Change {
  rpc::Command command;
  RequestLedger::Key key;
  Answer<rpc::CommandResult> done;
  // What is needed after the command has moved on; of a CommitPut that owns its transaction.
  TxnId txn;
  std::vector<std::pair<std::uint32_t, NodeId>> missing;  // (chunk, node) named and not acknowledged
};

void CommandAdmission::Submit(rpc::Command command, Answer<rpc::CommandResult> done) {
  const api::RequestId* const id = RequestIdOf(command);
  if (id == nullptr) {
    done(absl::InvalidArgumentError("this command is not a client's to submit"));
    return;
  }
  auto change = std::make_shared<Change>();
  change->key = {id->session(), id->sequence()};
  change->done = std::move(done);
  change->command = std::move(command);
  if (change->command.has_commit_put()) {
    SubmitPut(change);
    return;
  }
  bool is_ended = false;
  {
    MutexLock lock(&state_->mutex);
    is_ended = state_->is_ended;
    if (!is_ended) state_->requests.Begin(change->key);
  }
  if (is_ended) {
    change->done(NotLeaderError());
  } else {
    Propose(change, false);
  }
}

void CommandAdmission::SubmitPut(const Shared& change) {
  const rpc::CommitPut& put = change->command.commit_put();
  const TxnId txn = FromWire(put.txn());
  // Another leads by now, and may have it pending. REBEGIN would say that it can never count.
  const bool is_of_newer_term = txn.term > state_->term &&
                                !DFS_MUTANT(319, "REBEGIN for a transaction of a newer term");
  absl::Status refusal;
  {
    MutexLock lock(&state_->mutex);
    const bool ignores_pending = DFS_MUTANT(313, "REBEGIN beside a pending proposal");
    if (state_->is_ended || is_of_newer_term) {
      refusal = NotLeaderError();
    } else if (state_->requests.IsPending(change->key) && !ignores_pending) {
      if (state_->requests.Wait(change->key, [self = shared_from_this(), change] {
            self->SubmitPut(change);
          })) {
        return;
      }
      refusal = ErrorWithReason(absl::StatusCode::kUnavailable, "too many changes wait",
                                api::ErrorDetail::OVERLOADED);
    } else {
      state_->requests.Begin(change->key);
    }
  }
  if (!refusal.ok()) {
    change->done(refusal);
    return;
  }
  std::string reason = WhyNotEnough(put);
  TransactionState before{};
  bool is_proposed = false;
  {
    MutexLock lock(&state_->mutex);
    before = state_->transactions.StateOf(txn);
    if (before == TransactionState::kOpen) {
      is_proposed = reason.empty() && state_->transactions.Propose(txn);
      // Whoever is told to begin again must be able to rely on it that this one never counts (rule R15).
      const bool leaves_open = DFS_MUTANT(337, "what was answered REBEGIN stays open (rule R13)");
      if (!is_proposed && !leaves_open) state_->transactions.Close(txn);
    }
  }
  if (is_proposed) {
    Propose(change, true);
    return;
  }
  // Already decided under an earlier attempt? Then apply answers with what it stored, whatever this entry says.
  if (state_->world.view()
          ->FindResult(SessionFromWire(change->key.first).value_or(SessionId{}), change->key.second)
          .has_value()) {
    Propose(change, false);
    return;
  }
  if (before == TransactionState::kProposed) {
    Release(change, ResultOf(rpc::CommandResult::INVALID,
                             "the transaction is being committed under another request"));
    return;
  }
  // The second half of it is in apply (metadata/file_commands.cc).
  if (txn.term < state_->term &&
      DFS_MUTANT(860, "neither leader nor apply checks the transaction's term (rule R13)")) {
    Propose(change, false);
    return;
  }
  if (before != TransactionState::kOpen) {
    reason = absl::StrCat("transaction ", ToString(txn), " is not open with the leader of term ",
                          state_->term.value());
  }
  Release(change, ResultOf(rpc::CommandResult::REBEGIN, std::move(reason)));
}

// Empty if every chunk has acknowledgements of the effective W that are current.
std::string CommandAdmission::WhyNotEnough(const rpc::CommitPut& put) {
  const auto bucket = directory_->FindBucket(BucketId(put.bucket_id()));
  if (!bucket) return "";  // apply answers
  const auto quorum = [&](const NodeRows& rows) {
    return std::uint64_t{metadata::EffectiveWriteQuorum(*bucket, rows.members)};
  };
  const auto rows = directory_->Get();
  std::string reason = CountAcks(put, quorum(*rows), *rows);
  if (reason.empty()) return reason;
  // A node that has just registered a new start is not in the copy yet.
  const auto fresh = directory_->Refresh();
  return CountAcks(put, quorum(*fresh), *fresh);
}

std::string CommandAdmission::CountAcks(const rpc::CommitPut& put, std::uint64_t quorum,
                                        const NodeRows& rows) {
  for (int i = 0; i < put.chunks_size(); ++i) {
    std::set<std::uint32_t> nodes;
    for (const auto& ack : put.chunks(i).acks()) {
      const bool counts = rows.IsCurrent(ack) ||
                          DFS_MUTANT(338, "the leader counts acknowledgements of other starts (R13)");
      if (counts) nodes.insert(ack.node_id());
    }
    if (nodes.size() < quorum) {
      return absl::StrCat("chunk ", i, " has ", nodes.size(), " acknowledgements that are current, ",
                          quorum, " are needed");
    }
  }
  return "";
}

void CommandAdmission::Propose(const Shared& change, bool owns_transaction) {
  rpc::Command command = std::move(change->command);
  change->command.Clear();
  if (owns_transaction) {
    change->txn = FromWire(command.commit_put().txn());
    change->missing = MissingCopies(command.commit_put());
  }
  state_->world.consensus->Propose(
      std::move(command), state_->term,
      [self = shared_from_this(), change, owns_transaction](
          absl::StatusOr<rpc::CommandResult> result) {
        self->Finish(change, owns_transaction, std::move(result));
      });
}

void CommandAdmission::Finish(const Shared& change, bool owns_transaction,
                              absl::StatusOr<rpc::CommandResult> result) {
  if (owns_transaction) {
    MutexLock lock(&state_->mutex);
    if (result.ok()) {
      state_->transactions.Close(change->txn);
      // A stored result may be that of another attempt.
      if (result->code() == rpc::CommandResult::DONE &&
          FromWire(result->version().txn()) == change->txn) {
        OpenOrders(*change);
      }
    } else if (IsNothingChanged(result.status())) {
      state_->transactions.Unpropose(change->txn, state_->Now());
    }
    // Outcome unknown: it stays proposed, so that nothing is ever said about its chunks in this term.
  }
  Release(change, std::move(result));
}

void CommandAdmission::Release(const Shared& change, absl::StatusOr<rpc::CommandResult> result) {
  std::deque<RequestLedger::Task> ready;
  {
    MutexLock lock(&state_->mutex);
    ready = state_->requests.End(change->key);
  }
  change->done(std::move(result));
  // Not here: this may be the thread that applies entries.
  for (auto& task : ready) state_->world.executor->Post(std::move(task));
}

void CommandAdmission::OpenOrders(const Change& change) {
  for (const auto& [index, node] : change.missing) {
    state_->orders.Open({change.txn, index}, node, NodeId(), false, state_->Now());
  }
}

}  // namespace dfs::leader
