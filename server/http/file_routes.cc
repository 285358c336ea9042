#include "server/http/file_routes.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "server/http/entity_tag.h"
#include "server/http/error_answer.h"
#include "server/http/file_answer.h"
#include "server/http/json_text.h"

namespace dfs::http {
namespace {

absl::StatusOr<std::uint64_t> NumberOf(const std::string& key, const std::string& text) {
  std::uint64_t out = 0;
  const bool is_number =
      !text.empty() && text.size() <= 19 &&
      std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
  if (!is_number || !absl::SimpleAtoi(text, &out)) {
    return absl::InvalidArgumentError(absl::StrCat(key, " is not a number"));
  }
  return out;
}

absl::StatusOr<bool> FlagOf(const RequestTarget& target, const std::string& key) {
  const std::string text = target.Find(key).value_or("false");
  if (text != "true" && text != "false") {
    return absl::InvalidArgumentError(absl::StrCat(key, " is true or false"));
  }
  return text == "true";
}

absl::StatusOr<v1::Consistency> ConsistencyOf(const RequestTarget& target) {
  const std::string text = target.Find("consistency").value_or("strong");
  if (text == "strong") return v1::STRONG;
  if (text == "leader") return v1::LEADER;
  if (text == "eventual") return v1::EVENTUAL;
  return absl::InvalidArgumentError("consistency is strong, leader or eventual");
}

}  // namespace

absl::StatusOr<v1::GetRequest> ReadRequestOf(const RequestTarget& target, const std::string& name) {
  v1::GetRequest out;
  out.set_name(name);
  out.set_bucket(target.Find("bucket").value_or(""));
  DFS_ASSIGN_OR_RETURN(const v1::Consistency consistency, ConsistencyOf(target));
  out.set_consistency(consistency);
  if (const auto version = target.Find("version")) {
    DFS_ASSIGN_OR_RETURN(const std::uint64_t number, NumberOf("version", *version));
    out.set_version(number);
  }
  return out;
}

std::string FileRoutes::LeaderAddress() const {
  const coordinator::Parts& parts = files_->parts();
  const NodeId leader = parts.leader_id();
  if (leader.is_none()) return "";
  const auto row = parts.machine->View()->FindNode(leader);
  return row ? row->client_address() : "";
}

void FileRoutes::Get(Exchange& exchange, const RequestTarget& target, const std::string& name,
                     const std::string& disposition) {
  auto request = ReadRequestOf(target, name);
  if (!request.ok()) return exchange.Answer(AnswerOf(request.status(), false, ""));
  FileAnswer answer(&exchange, disposition);
  PhaseTimer* const phases = exchange.phases();
  const absl::Status status = answer.Send(
      *std::move(request), [this, phases](const v1::GetRequest& asked, const gateway::GetSink& sink) {
        return files_->Get(nullptr, asked, sink, phases);
      });
  if (!exchange.has_begun()) exchange.Answer(AnswerOf(status, false, LeaderAddress()));
}

absl::StatusOr<std::optional<v1::FileInfo>> FileRoutes::Look(const v1::GetRequest& request) {
  v1::StatRequest ask;
  ask.set_bucket(request.bucket());
  ask.set_name(request.name());
  v1::StatResponse found;
  const absl::Status status = files_->Stat(nullptr, ask, &found);
  if (status.code() == absl::StatusCode::kNotFound) return std::nullopt;
  DFS_RETURN_IF_ERROR(status);
  return std::optional(found.info());
}

bool FileRoutes::CheckConditions(Exchange& exchange, const v1::GetRequest& request,
                                 std::optional<std::uint64_t>* if_version) {
  const auto match = exchange.head().Find("if-match");
  const auto none_match = exchange.head().Find("if-none-match");
  if (!match && !none_match) return true;
  const auto check = [&]() -> absl::StatusOr<bool> {
    TagList wanted;
    TagList unwanted;
    if (match) {
      DFS_ASSIGN_OR_RETURN(wanted, ParseTagList(*match));
    }
    if (none_match) {
      DFS_ASSIGN_OR_RETURN(unwanted, ParseTagList(*none_match));
    }
    DFS_ASSIGN_OR_RETURN(const std::optional<v1::FileInfo> now, Look(request));
    *if_version = now ? now->version() : 0;
    if (match && !(now && MatchesStrongly(wanted, EntityTagOf(*now)))) return false;
    return !(none_match && now && MatchesWeakly(unwanted, EntityTagOf(*now)));
  };
  const auto holds = check();
  if (holds.ok() && *holds) return true;
  exchange.Answer(holds.ok() ? PlainError(412, "a condition of the request does not hold")
                             : AnswerOf(holds.status(), false, LeaderAddress()));
  return false;
}

void FileRoutes::Put(Exchange& exchange, const RequestTarget& target, const std::string& name) {
  const auto request = ReadRequestOf(target, name);
  if (!request.ok()) return exchange.Answer(AnswerOf(request.status(), false, ""));
  // Before any byte of it is asked for.
  if (const auto status = coordinator::CheckFileName(name); !status.ok()) {
    return exchange.Answer(AnswerOf(status, false, ""));
  }
  std::optional<std::uint64_t> if_version;
  if (!CheckConditions(exchange, *request, &if_version)) return;
  v1::PutHeader header;
  header.set_bucket(request->bucket());
  header.set_name(name);
  if (if_version) header.set_if_version(*if_version);
  if (const auto length = exchange.head().content_length) header.set_size(*length);
  bool is_body_lost = false;
  const auto stored = changes_->Put(std::move(header), [&] {
    auto piece = exchange.ReadBody(kPieceBytes);
    is_body_lost = !piece.ok();
    return piece;
  }, exchange.phases());
  if (!stored.ok()) {
    return exchange.Answer(is_body_lost ? BodyError(stored.status())
                                        : AnswerOf(stored.status(), true, LeaderAddress()));
  }
  Response out;
  out.code = 201;
  out.fields.emplace_back("ETag", EntityTagOf(stored->info()));
  out.body = FileJson(stored->info());
  exchange.Answer(out);
}

void FileRoutes::Remove(Exchange& exchange, const RequestTarget& target, const std::string& name) {
  const auto request = ReadRequestOf(target, name);
  if (!request.ok()) return exchange.Answer(AnswerOf(request.status(), false, ""));
  std::optional<std::uint64_t> if_version;
  if (!CheckConditions(exchange, *request, &if_version)) return;
  v1::RemoveRequest remove;
  remove.set_bucket(request->bucket());
  remove.set_name(name);
  if (if_version) remove.set_if_version(*if_version);
  if (request->has_version()) remove.set_version(request->version());
  const auto removed = changes_->Remove(std::move(remove));
  if (!removed.ok()) return exchange.Answer(AnswerOf(removed.status(), true, LeaderAddress()));
  Response out;
  out.body = RemovedJson(name, removed->version());
  exchange.Answer(out);
}

void FileRoutes::List(Exchange& exchange, const RequestTarget& target) {
  v1::ListRequest request;
  const auto fill = [&]() -> absl::Status {
    request.set_bucket(target.Find("bucket").value_or(""));
    request.set_prefix(target.Find("prefix").value_or(""));
    request.set_after(target.Find("after").value_or(""));
    request.set_pattern(target.Find("pattern").value_or(""));
    DFS_ASSIGN_OR_RETURN(const v1::Consistency consistency, ConsistencyOf(target));
    request.set_consistency(consistency);
    DFS_ASSIGN_OR_RETURN(const bool wants_old, FlagOf(target, "versions"));
    request.set_old_versions(wants_old);
    if (const auto limit = target.Find("limit")) {
      DFS_ASSIGN_OR_RETURN(const std::uint64_t number, NumberOf("limit", *limit));
      request.set_limit(number);
    }
    return absl::OkStatus();
  };
  if (const auto status = fill(); !status.ok()) return exchange.Answer(AnswerOf(status, false, ""));
  bool is_first = true;
  std::uint64_t listed = 0;
  std::string next;  // where a call that was cut goes on; empty: there is no more
  const auto take = [&](const v1::ListResponse& page) {
    if (!exchange.has_begun()) exchange.Begin(Response(), std::nullopt);
    std::string text;
    for (const auto& file : page.files()) {
      text += std::exchange(is_first, false) ? "[" : ",\n ";
      AppendFileJson(file, &text);
      if (!file.is_old()) ++listed;
    }
    // Space between values means nothing, and shows whether somebody still waits for a rare match.
    if (text.empty() && page.is_cut()) text = " ";
    if (!text.empty() && !exchange.Write(Slices::Adopt(std::move(text)))) return false;
    if (page.is_cut()) next = page.looked_through();
    return true;
  };
  absl::Status status;
  do {
    if (!next.empty()) request.set_after(std::exchange(next, ""));
    const std::uint64_t before = listed;
    status = files_->List(nullptr, request, take);
    if (request.limit() > 0) request.set_limit(request.limit() - std::min(request.limit(), listed - before));
  } while (status.ok() && !next.empty());
  if (!status.ok()) {
    // Once it has begun the missing end tells that it is not complete.
    if (!exchange.has_begun()) exchange.Answer(AnswerOf(status, false, LeaderAddress()));
    return;
  }
  if (exchange.Write(Slices::CopyOf(is_first ? "[]\n" : "]\n"))) exchange.End();
}

}  // namespace dfs::http
