#include "server/leader/leader_term.h"

#include <glog/logging.h>

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/mutant.h"
#include "common/status_macros.h"
#include "proto/error_detail.h"
#include "server/metadata/bucket_rule.h"
#include "server/placement/placement_policy.h"

namespace dfs::leader {
namespace {

constexpr absl::Duration kPokeRepairAfter = absl::Milliseconds(1);

absl::Status TooFewNodes(const NodeRows& rows, const std::vector<placement::Candidate>& candidates,
                         std::uint64_t quorum) {
  const auto usable = static_cast<std::uint64_t>(
      std::count_if(candidates.begin(), candidates.end(), [](const auto& c) { return c.is_usable; }));
  if (usable >= quorum) {
    return ErrorWithReason(absl::StatusCode::kResourceExhausted,
                           "too few nodes have space for another copy", api::ErrorDetail::NO_SPACE);
  }
  api::ErrorDetail detail;
  detail.set_reason(api::ErrorDetail::NO_QUORUM);
  detail.set_outcome(api::ErrorDetail::NOTHING_CHANGED);
  for (const auto& candidate : candidates) {
    if (!candidate.is_usable) detail.add_missing_nodes(NameOf(rows.rows.at(candidate.node)));
  }
  return ErrorWithDetail(
      absl::StatusCode::kUnavailable,
      absl::StrCat("a put needs ", quorum, " nodes and too few are alive; missing: ",
                   absl::StrJoin(detail.missing_nodes(), ", ")),
      detail);
}

// Those that are nearly full, are to be emptied, or just failed, are taken only where W cannot be reached without them.
placement::Placement PlaceWithin(placement::Question& question, std::uint64_t quorum) {
  placement::Placement placement = placement::Place(question);
  if (placement.replicas.size() >= quorum) return placement;
  question.takes_nearly_full = !DFS_MUTANT(822, "nearly full nodes make the cluster read-only");
  placement = placement::Place(question);
  if (placement.replicas.size() >= quorum) return placement;
  for (auto& candidate : question.candidates) candidate.is_withdrawn = false;
  placement = placement::Place(question);
  if (placement.replicas.size() >= quorum || question.avoid.empty()) return placement;
  question.avoid.clear();
  return placement::Place(question);
}

void AddNodes(const std::vector<NodeId>& nodes, google::protobuf::RepeatedField<std::uint32_t>& out) {
  for (const NodeId node : nodes) out.Add(node.value());
}

// Puts the results of a batch together; the last one answers.
struct Batch {
  Mutex mutex;
  rpc::SubmitResponse response ABSL_GUARDED_BY(mutex);
  int open ABSL_GUARDED_BY(mutex) = 0;
  Answer<rpc::SubmitResponse> done;
};

void Record(const std::shared_ptr<Batch>& batch, int place,
            const absl::StatusOr<rpc::CommandResult>& result) {
  rpc::SubmitResponse response;
  {
    MutexLock lock(&batch->mutex);
    rpc::SubmitResult& out = *batch->response.mutable_results(place);
    if (result.ok()) {
      *out.mutable_result() = *result;
    } else {
      // Two codes say it all to the one who asked: nothing happened, or nobody knows.
      out.set_error_code(result.status().raw_code());
      if (result.status().code() != absl::StatusCode::kInvalidArgument) {
        out.set_error_code(static_cast<int>(IsNothingChanged(result.status())
                                                ? absl::StatusCode::kUnavailable
                                                : absl::StatusCode::kDeadlineExceeded));
      }
      out.set_error_message(std::string(result.status().message()));
    }
    if (--batch->open > 0) return;
    response = std::move(batch->response);
  }
  batch->done(std::move(response));
}

}  // namespace

LeaderTerm::LeaderTerm(const LeaderWorld& world, const LeaderOptions& options, Term term)
    : state_(std::make_shared<TermState>(world, options, term)),
      directory_(std::make_shared<NodeDirectory>(world)) {
  // Repair is only ever run on the executor; it keeps the changes, which keep but a weak way back.
  auto poke = std::make_shared<std::weak_ptr<RepairLoop>>();
  const auto repair_soon = [state = state_, poke](absl::Duration wait) {
    state->world.executor->PostAt(state->Now() + wait, [state, poke] {
      const auto repair = poke->lock();
      if (repair != nullptr && !state->HasEnded()) repair->Poke();
    });
  };
  changes_ = std::make_shared<ReplicaChanges>(state_,
                                              [repair_soon] { repair_soon(kPokeRepairAfter); });
  repair_ = std::make_shared<RepairLoop>(state_, directory_, changes_);
  *poke = repair_;
  admission_ = std::make_shared<CommandAdmission>(state_, directory_);
  members_ = std::make_shared<MemberUpkeep>(state_, directory_);
  nodes_ = std::make_shared<NodeUpkeep>(state_);
  departures_ = std::make_shared<DepartureUpkeep>(state_, repair_);
  desk_ = std::make_shared<UpkeepDesk>(state_, directory_, repair_, nodes_);
  log_ = std::make_shared<LogUpkeep>(state_);
  verdicts_ = std::make_shared<VerdictDesk>(state_, directory_);
}

void LeaderTerm::Begin() {
  Repeat(state_->options.upkeep_every, [this] { UpkeepTick(); });
  Repeat(state_->options.members_every, [this] { MembersTick(); });
  Repeat(state_->options.repair_every, [this] { repair_->Tick(); });
}

void LeaderTerm::End() {
  std::deque<RequestLedger::Task> waiting;
  {
    MutexLock lock(&state_->mutex);
    if (std::exchange(state_->is_ended, true)) return;
    waiting = state_->requests.Clear();
  }
  // Each finds that the term has ended and answers so. Here, because an executor that stops would drop them.
  for (auto& task : waiting) task();
}

void LeaderTerm::Repeat(absl::Duration interval, std::function<void()> tick) {
  state_->world.executor->Post([self = shared_from_this(), interval, tick = std::move(tick)] {
    if (self->state_->HasEnded()) return;
    tick();
    self->state_->world.executor->PostAt(
        self->state_->Now() + interval,
        [self, interval, tick] { self->Repeat(interval, tick); });
  });
}

void LeaderTerm::UpkeepTick() {
  {
    MutexLock lock(&state_->mutex);
    state_->transactions.Expire(state_->Now());
    state_->orders.Expire(state_->Now());
  }
  log_->Tick();
}

void LeaderTerm::MembersTick() {
  members_->Tick();
  nodes_->Tick();
  departures_->Tick();
  std::set<NodeId> usable;
  for (const auto& live : state_->world.liveness()) {
    if (live.is_usable) usable.insert(live.node);
  }
  const bool has_new = !std::includes(usable_.begin(), usable_.end(), usable.begin(), usable.end());
  usable_ = std::move(usable);
  std::set<NodeId> withdrawn;
  const auto rows = directory_->Get();
  for (const auto& [node, row] : rows->rows) {
    if (row.is_out() || row.departure() != rpc::STAYS) withdrawn.insert(node);
  }
  const bool has_turned = withdrawn != withdrawn_;
  withdrawn_ = std::move(withdrawn);
  if (has_new || has_turned) repair_->Tick();
}

void LeaderTerm::OpenTransactions(const rpc::OpenTransactionsRequest& request,
                                  absl::Duration /*timeout*/,
                                  Answer<rpc::OpenTransactionsResponse> done) {
  done(Open(request));
}

absl::StatusOr<rpc::OpenTransactionsResponse> LeaderTerm::Open(
    const rpc::OpenTransactionsRequest& request) {
  if (request.count() < 1 || request.count() > kTransactionsPerRequestMax) {
    return absl::InvalidArgumentError("count must be 1 to 64");
  }
  const auto bucket = directory_->FindBucket(BucketId(request.bucket_id()));
  if (!bucket) return absl::NotFoundError(absl::StrCat("no bucket ", request.bucket_id()));
  const auto rows = directory_->Get();
  placement::Question question;
  question.candidates = Candidates(*rows, state_->world.liveness());
  question.coordinator = NodeId(request.coordinator());
  question.replicas = bucket->replicas();
  const auto quorum = metadata::EffectiveWriteQuorum(*bucket, rows->members);
  for (const std::uint32_t node : request.avoid()) question.avoid.emplace_back(node);
  for (const std::uint32_t node : request.holders()) question.holders.emplace_back(node);
  std::vector<TxnId> txns;
  {
    MutexLock lock(&state_->mutex);
    if (state_->is_ended) return NotLeaderError();
    DFS_ASSIGN_OR_RETURN(txns, state_->transactions.Open(question.coordinator,
                                                         RunId(request.run_id()), request.count(),
                                                         state_->Now()));
  }
  rpc::OpenTransactionsResponse response;
  response.set_write_quorum(quorum);
  response.set_replicas_wanted(bucket->replicas());
  for (const TxnId& txn : txns) {
    question.seed = (txn.term.value() << 32) ^ txn.sequence;
    const placement::Placement placement = PlaceWithin(question, quorum);
    if (placement.replicas.size() < quorum) {
      MutexLock lock(&state_->mutex);
      for (const TxnId& opened : txns) state_->transactions.Close(opened);
      return TooFewNodes(*rows, question.candidates, quorum);
    }
    rpc::OpenTransaction& out = *response.add_transactions();
    *out.mutable_txn() = ToWire(txn);
    AddNodes(placement.replicas, *out.mutable_replicas());
    AddNodes(placement.spares, *out.mutable_spares());
    AddNodes(placement.set, *out.mutable_set());
  }
  return response;
}

void LeaderTerm::RenewTransactions(const rpc::RenewTransactionsRequest& request,
                                   absl::Duration /*timeout*/,
                                   Answer<rpc::RenewTransactionsResponse> done) {
  if (request.held_size() > kHeldPerRenewalMax || request.cancelled_size() > kHeldPerRenewalMax ||
      request.pinned_size() > kHeldPerRenewalMax) {
    done(absl::InvalidArgumentError("more than 10,000 transactions"));
    return;
  }
  const NodeId coordinator(request.coordinator());
  const RunId run(request.run_id());
  std::vector<TxnId> held;
  held.reserve(static_cast<std::size_t>(request.held_size()));
  for (const auto& txn : request.held()) held.push_back(FromWire(txn));
  std::set<TxnId> pinned;
  for (const auto& txn : request.pinned()) pinned.insert(FromWire(txn));
  if (request.is_serving()) state_->RecordClient();
  absl::StatusOr<rpc::RenewTransactionsResponse> response = rpc::RenewTransactionsResponse();
  {
    MutexLock lock(&state_->mutex);
    if (state_->is_ended) {
      response = NotLeaderError();
    } else {
      for (const TxnId& txn : state_->transactions.Renew(coordinator, run, held, state_->Now())) {
        *response->add_unknown() = ToWire(txn);
      }
      for (const auto& txn : request.cancelled()) {
        state_->transactions.Cancel(coordinator, run, FromWire(txn));
      }
      state_->pins.Set(coordinator, std::move(pinned), state_->Now());
    }
  }
  done(std::move(response));
}

void LeaderTerm::Submit(const rpc::SubmitRequest& request, absl::Duration /*timeout*/,
                        Answer<rpc::SubmitResponse> done) {
  state_->RecordClient();
  if (request.commands_size() > kCommandsPerSubmitMax) {
    done(absl::InvalidArgumentError("more than 256 commands"));
    return;
  }
  if (request.commands_size() == 0) {
    done(rpc::SubmitResponse());
    return;
  }
  auto batch = std::make_shared<Batch>();
  batch->done = std::move(done);
  {
    MutexLock lock(&batch->mutex);
    batch->open = request.commands_size();
    for (int i = 0; i < request.commands_size(); ++i) batch->response.add_results();
  }
  for (int i = 0; i < request.commands_size(); ++i) {
    admission_->Submit(request.commands(i),
                       [batch, i](const absl::StatusOr<rpc::CommandResult>& result) {
                         Record(batch, i, result);
                       });
  }
}

void LeaderTerm::ReadIndex(absl::Duration /*timeout*/, Answer<rpc::ReadIndexResponse> done) {
  state_->RecordClient();
  if (state_->HasEnded()) {
    done(NotLeaderError());
    return;
  }
  state_->world.consensus->ReadIndex(
      [done = std::move(done)](absl::StatusOr<LogIndex> index) mutable {
        if (!index.ok()) {
          done(index.status());
          return;
        }
        rpc::ReadIndexResponse response;
        response.set_index(index->value());
        done(std::move(response));
      });
}

void LeaderTerm::ReportReplicas(const rpc::ReportReplicasRequest& request,
                                absl::Duration /*timeout*/,
                                Answer<rpc::ReportReplicasResponse> done) {
  const absl::Status status = changes_->Report(request);
  if (status.ok()) {
    done(rpc::ReportReplicasResponse());
  } else {
    done(status);
  }
}

void LeaderTerm::Verdicts(const rpc::VerdictsRequest& request, absl::Duration /*timeout*/,
                          Answer<rpc::VerdictsResponse> done) {
  verdicts_->Answer(request, std::move(done));
}

void LeaderTerm::ReportUnlinked(const rpc::ReportUnlinkedRequest& request,
                                absl::Duration /*timeout*/,
                                Answer<rpc::ReportUnlinkedResponse> done) {
  verdicts_->ReportUnlinked(request, std::move(done));
}

void LeaderTerm::Join(const rpc::JoinRequest& request, absl::Duration /*timeout*/,
                      Answer<rpc::JoinResponse> done) {
  members_->Join(request, std::move(done));
}

void LeaderTerm::Register(const rpc::RegisterRequest& request, absl::Duration /*timeout*/,
                          Answer<rpc::RegisterResponse> done) {
  members_->Register(request.node(), [done = std::move(done)](const absl::Status& status) mutable {
    if (status.ok()) {
      done(rpc::RegisterResponse());
    } else {
      done(status);
    }
  });
}

void LeaderTerm::Manage(const rpc::ManageRequest& request, absl::Duration /*timeout*/,
                        Answer<rpc::ManageResponse> done) {
  desk_->Answer(request, std::move(done));
}

}  // namespace dfs::leader
