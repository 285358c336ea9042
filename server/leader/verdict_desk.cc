#include "server/leader/verdict_desk.h"

#include <algorithm>
#include <cstdint>
#include <vector>

#include "common/mutant.h"
#include "server/leader/node_directory.h"

namespace dfs::leader {
namespace {

rpc::VerdictAnswer::Verdict ToWire(Verdict verdict) {
  switch (verdict) {
    case Verdict::kLive:
      return rpc::VerdictAnswer::LIVE;
    case Verdict::kDead:
      return rpc::VerdictAnswer::DEAD;
    case Verdict::kExcess:
      return rpc::VerdictAnswer::EXCESS;
    case Verdict::kPending:
      break;
  }
  return rpc::VerdictAnswer::PENDING;
}

rpc::VerdictAnswer::Ground ToWire(Ground ground) {
  switch (ground) {
    case Ground::kClosed:
      return rpc::VerdictAnswer::CLOSED;
    case Ground::kPurged:
      return rpc::VerdictAnswer::PURGED;
    case Ground::kReleased:
      return rpc::VerdictAnswer::RELEASED;
    case Ground::kNotInSet:
      return rpc::VerdictAnswer::NOT_IN_SET;
    case Ground::kOlderTerm:
      break;
  }
  return rpc::VerdictAnswer::OLDER_TERM;
}

// Copies on nodes that are retired or OUT do not count: they may be gone for good. Nor do those on one that has started
// and was not asked since what it still holds (rule R3).
bool IsGoodCopy(const metadata::MetadataView& view, const rpc::Replica& replica) {
  if (replica.state() != api::OK) return false;
  const auto row = view.FindNode(NodeId(replica.node_id()));
  if (!row || row->state() != rpc::ACTIVE || row->is_out()) return false;
  return !IsReturning(*row) || DFS_MUTANT(845, "EXCESS because of a copy that may be lost (rule R3)");
}

// The half of the facts that the view tells.
void ReadView(const metadata::MetadataView& view, const ChunkId& chunk, NodeId node,
              VerdictFacts& facts) {
  facts.has_purge_row = view.IsPurged(node, chunk);
  facts.is_released = view.IsReleased(node, chunk);
  const auto version = view.FindVersion(chunk.txn);
  if (!version || chunk.index >= static_cast<std::uint32_t>(version->chunks_size())) return;
  facts.is_named = true;
  const rpc::ChunkRow& row = version->chunks(static_cast<int>(chunk.index));
  std::uint64_t ok = 0;
  for (const auto& replica : row.replicas()) {
    if (replica.node_id() == node.value()) facts.is_in_set = true;
    if (IsGoodCopy(view, replica)) ++ok;
  }
  const auto bucket = view.FindBucket(BucketId(version->bucket_id()));
  const std::uint64_t wanted =
      bucket ? std::min<std::uint64_t>(bucket->replicas(), view.member_count()) : 0;
  facts.is_set_fully_ok =
      bucket && ok == static_cast<std::uint64_t>(row.replicas_size()) && ok >= wanted;
}

}  // namespace

void VerdictDesk::Answer(const rpc::VerdictsRequest& request,
                         leader::Answer<rpc::VerdictsResponse> done) {
  if (request.questions_size() > kQuestionsPerRequestMax) {
    done(absl::InvalidArgumentError("more than 1,000 questions"));
    return;
  }
  if (!directory_->Get()->IsCurrent(request.node()) &&
      !directory_->Refresh()->IsCurrent(request.node())) {
    done(absl::FailedPreconditionError("not the node's present identity"));
    return;
  }
  WhenCurrent(state_, [self = shared_from_this(), request,
                       done = std::move(done)](absl::Status current) mutable {
    if (!current.ok()) {
      done(std::move(current));
    } else if (self->state_->HasEnded()) {
      done(NotLeaderError());
    } else {
      done(self->Decide(request));
    }
  });
}

rpc::VerdictsResponse VerdictDesk::Decide(const rpc::VerdictsRequest& request) {
  const NodeId node(request.node().node_id());
  std::vector<VerdictFacts> all;
  {
    // Before the view: a transaction that is closed by now, or an order that has ended, shows in a later view.
    MutexLock lock(&state_->mutex);
    for (const auto& question : request.questions()) {
      const ChunkId chunk = FromWire(question.chunk());
      VerdictFacts facts;
      facts.own_term = state_->term;
      facts.is_first_entry_applied = true;  // else there is no TermState
      facts.txn = chunk.txn;
      facts.transaction = state_->transactions.StateOf(chunk.txn);
      facts.has_open_order = state_->orders.Find(chunk, node) != nullptr;
      all.push_back(facts);
    }
  }
  const auto view = state_->world.view();
  rpc::VerdictsResponse response;
  for (int i = 0; i < request.questions_size(); ++i) {
    const rpc::VerdictQuestion& question = request.questions(i);
    VerdictFacts& facts = all[static_cast<std::size_t>(i)];
    ReadView(*view, FromWire(question.chunk()), node, facts);
    rpc::VerdictAnswer& answer = *response.add_answers();
    *answer.mutable_chunk() = question.chunk();
    answer.set_nonce(question.nonce());
    const Verdict verdict = DecideVerdict(facts);
    answer.set_verdict(ToWire(verdict));
    if (verdict == Verdict::kDead || verdict == Verdict::kExcess) {
      answer.set_ground(ToWire(GroundOf(facts)));
    }
  }
  return response;
}

void VerdictDesk::ReportUnlinked(const rpc::ReportUnlinkedRequest& request,
                                 leader::Answer<rpc::ReportUnlinkedResponse> done) {
  if (request.chunks_size() > kUnlinkedPerReportMax) {
    done(absl::InvalidArgumentError("more than 1,000 chunks"));
    return;
  }
  if (!directory_->Get()->IsCurrent(request.node()) &&
      !directory_->Refresh()->IsCurrent(request.node())) {
    done(absl::FailedPreconditionError("not the node's present identity"));
    return;
  }
  rpc::Command command;
  command.mutable_unlinked()->set_node_id(request.node().node_id());
  *command.mutable_unlinked()->mutable_chunks() = request.chunks();
  state_->world.consensus->Propose(
      std::move(command), Term(),
      [done = std::move(done)](absl::StatusOr<rpc::CommandResult> result) mutable {
        if (result.ok()) {
          done(rpc::ReportUnlinkedResponse());
        } else {
          done(result.status());
        }
      });
}

}  // namespace dfs::leader
