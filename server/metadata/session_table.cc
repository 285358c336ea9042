#include "server/metadata/session_table.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "common/mutant.h"
#include "glog/logging.h"
#include "server/metadata/row_codec.h"

namespace dfs::metadata {
namespace {

std::optional<rpc::SessionRow> ReadSession(const RowReader& rows, const SessionId& session) {
  const std::string key = SessionKey(session);
  const auto value = rows.Get(key);
  if (!value) return std::nullopt;
  return ParseRow<rpc::SessionRow>(key, *value);
}

// Sequences begin with 1.
std::uint64_t AckedBelow(const std::optional<rpc::SessionRow>& row, const api::RequestId& request) {
  return std::max({std::uint64_t{1}, row ? row->acked_below() : 0, request.acked_below()});
}

std::optional<rpc::CommandResult> StoredAnswer(const ApplyContext& context, const SessionId& session,
                                               std::uint64_t sequence, std::uint32_t kind) {
  auto stored = ReadResult(*context.rows, session, sequence);
  if (!stored) return std::nullopt;
  const bool is_settle = kind == rpc::Command::kSettle;
  if (is_settle || stored->settled_kind() == 0) {
    if (!is_settle && DFS_MUTANT(215, "a CommitPut applied after its Settle counts (rule R15)")) {
      return std::nullopt;
    }
    return stored;
  }
  if (stored->settled_kind() != kind) {
    // To answer "done" of another change would acknowledge what never happened.
    return Refusal(context, rpc::CommandResult::INVALID,
                   "the sequence was used for another kind of change");
  }
  stored->clear_settled_kind();
  return stored;
}

// Results of sequences in [from, below). Nothing is left below `from`, and a scan from there would walk over the
// markers of all that was deleted before.
void Forget(ApplyContext* context, const SessionId& session, std::uint64_t from,
            std::uint64_t below) {
  std::vector<std::string> keys;
  context->rows->Scan(ResultKey(session, from), ResultKey(session, below),
                      [&](std::string_view key, std::string_view) {
                        keys.emplace_back(key);
                        return true;
                      });
  for (std::string& key : keys) context->rows->Delete(std::move(key));
}

}  // namespace

rpc::CommandResult Refusal(const ApplyContext& context, rpc::CommandResult::Code code,
                           const std::string& message) {
  rpc::CommandResult result;
  result.set_code(code);
  result.set_message(message);
  result.set_applied_index(context.index.value());
  return result;
}

std::optional<rpc::CommandResult> ReadResult(const RowReader& rows, const SessionId& session,
                                             std::uint64_t sequence) {
  const std::string key = ResultKey(session, sequence);
  const auto value = rows.Get(key);
  if (!value) return std::nullopt;
  return ParseRow<rpc::CommandResult>(key, *value);
}

std::optional<rpc::CommandResult> Admit(const ApplyContext& context, const api::RequestId& request,
                                        std::uint32_t kind) {
  const auto session = SessionFromWire(request.session());
  const std::uint64_t sequence = request.sequence();
  if (!session || sequence == 0) {
    return Refusal(context, rpc::CommandResult::INVALID,
                   "a request needs a session of 16 bytes and a sequence from 1");
  }
  // Before everything else: a retry gets what its first try got, whatever changed since.
  if (auto answer = StoredAnswer(context, *session, sequence, kind)) return answer;
  // An applied index that somebody was told lies below the entry's. A greater one would lift the
  // expiry frontier above every honest session when this one is dropped.
  if (request.birth() >= context.index.value()) {
    return Refusal(context, rpc::CommandResult::INVALID, "the session's birth lies in the future");
  }
  const auto row = ReadSession(*context.rows, *session);
  if (!row && request.birth() < context.cache->settings.expiry_frontier()) {
    return Refusal(context, rpc::CommandResult::SESSION_EXPIRED,
                   "the session expired: the outcome is unknown");
  }
  if (row && row->birth() != request.birth()) {
    return Refusal(context, rpc::CommandResult::INVALID, "the session has another birth");
  }
  const std::uint64_t acked_below = AckedBelow(row, request);
  if (sequence < acked_below) {
    return Refusal(context, rpc::CommandResult::STALE_SEQUENCE,
                   "the client settled this sequence before");
  }
  if (sequence - acked_below >= kOpenResultsMax) {
    return Refusal(context, rpc::CommandResult::SESSION_FULL,
                   "more than 256 sequences of the session are open");
  }
  return std::nullopt;
}

rpc::CommandResult StoreResult(ApplyContext* context, const api::RequestId& request,
                               std::uint32_t kind, rpc::CommandResult result) {
  const auto session = SessionFromWire(request.session());
  CHECK(session) << "stored a result of a request that was not admitted";
  auto row = ReadSession(*context->rows, *session);
  const std::uint64_t acked_below = AckedBelow(row, request);
  if (!row) {
    row.emplace();
    row->set_birth(request.birth());
  } else if (acked_below > row->acked_below()) {
    Forget(context, *session, row->acked_below(), acked_below);
  }
  row->set_acked_below(acked_below);
  row->set_last_used_index(context->index.value());
  context->rows->Put(SessionKey(*session), EncodeRow(*row));

  result.set_applied_index(context->index.value());
  rpc::CommandResult stored = result;
  stored.set_settled_kind(kind);
  context->rows->Put(ResultKey(*session, request.sequence()), EncodeRow(stored));
  return result;
}

}  // namespace dfs::metadata
