#include "server/http/file_answer.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/status_macros.h"
#include "server/http/error_answer.h"
#include "server/http/http_date.h"

namespace dfs::http {

namespace {

// Without it caches guess how long a file stays as it is, by its age.
constexpr char kAskAgain[] = "no-cache";

}  // namespace

FileAnswer::FileAnswer(Exchange* exchange, std::string disposition)
    : exchange_(exchange),
      disposition_(std::move(disposition)),
      is_head_(exchange->head().method == "HEAD") {
  if (const auto text = exchange->head().Find("range"); text && !is_head_) {
    range_ = ParseRange(*text);
  }
}

absl::StatusOr<v1::FileInfo> FileAnswer::Look(v1::GetRequest request, const Get& get) {
  request.set_offset(0);
  request.set_length(0);
  v1::FileInfo info;
  DFS_RETURN_IF_ERROR(get(request, [&](const WithData<v1::GetResponse>& message) {
    if (message.message.has_info()) info = message.message.info();
    return true;
  }));
  return info;
}

absl::Status FileAnswer::Send(v1::GetRequest request, const Get& get) {
  if (!range_) {
    if (is_head_) request.set_length(0);
    return SendOnce(request, get);
  }
  if (range_->first) {
    request.set_offset(*range_->first);
    if (range_->last) request.set_length(*range_->last - *range_->first + 1);
    const absl::Status status = SendOnce(request, get);
    const bool is_beyond = status.code() == absl::StatusCode::kOutOfRange;
    if (exchange_->has_begun() || (!is_beyond && !is_range_void_)) return status;
  }
  const bool names_version = request.has_version();
  for (int look = 0; look < kLooksMax && !is_range_void_ && !exchange_->has_begun(); ++look) {
    if (!names_version) request.clear_version();
    DFS_ASSIGN_OR_RETURN(const v1::FileInfo info, Look(request, get));
    const auto span = Resolve(*range_, info.size());
    if (!span) {
      // Answers, unless If-Range makes the range void.
      TakeFirst(info);
      continue;
    }
    request.set_version(info.version());
    request.set_offset(span->offset);
    request.set_length(span->length);
    const absl::Status status = SendOnce(request, get);
    const bool is_replaced = status.code() == absl::StatusCode::kNotFound && !names_version;
    if (exchange_->has_begun() || (!is_replaced && !is_range_void_)) return status;
  }
  if (exchange_->has_begun()) return absl::OkStatus();
  range_.reset();
  if (!names_version) request.clear_version();
  request.set_offset(0);
  request.clear_length();
  return SendOnce(request, get);
}

absl::Status FileAnswer::SendOnce(const v1::GetRequest& request, const Get& get) {
  bool is_first = true;
  bool goes_on = true;
  const absl::Status status = get(request, [&](const WithData<v1::GetResponse>& message) {
    if (std::exchange(is_first, false)) goes_on = TakeFirst(message.message.info());
    return goes_on && exchange_->Write(message.data);
  });
  if (status.ok() && goes_on && exchange_->has_begun()) exchange_->End();
  return status;
}

bool FileAnswer::TakeFirst(const v1::FileInfo& info) {
  const std::string tag = EntityTagOf(info);
  if (!CheckConditions(tag)) return false;
  if (const auto if_range = exchange_->head().Find("if-range"); range_ && if_range) {
    if (*if_range != tag) {
      is_range_void_ = true;
      return false;
    }
  }
  Response head;
  head.content_type = kOctetStream;
  head.fields = {{"ETag", tag},
                 {"Last-Modified",
                  FormatHttpDate(absl::FromUnixMicros(static_cast<std::int64_t>(info.time_us())))},
                 {"Accept-Ranges", "bytes"},
                 {"Cache-Control", kAskAgain},
                 {"X-Dfs-Version", absl::StrCat(info.version())},
                 {"X-Dfs-Crc32c", absl::StrFormat("%08x", info.crc32c())}};
  if (info.consistency() == v1::EVENTUAL) head.fields.emplace_back("X-Dfs-Consistency", "eventual");
  if (!disposition_.empty()) head.fields.emplace_back("Content-Disposition", disposition_);
  std::uint64_t length = info.size();
  if (range_) {
    const auto span = Resolve(*range_, info.size());
    if (!span) {
      AnswerUnsatisfiable(info);
      return false;
    }
    head.code = 206;
    head.fields.emplace_back("Content-Range",
                             absl::StrCat("bytes ", span->offset, "-",
                                          span->offset + span->length - 1, "/", info.size()));
    length = span->length;
  }
  exchange_->Begin(std::move(head), length);
  return true;
}

bool FileAnswer::CheckConditions(const std::string& tag) {
  const auto match = exchange_->head().Find("if-match");
  const auto none_match = exchange_->head().Find("if-none-match");
  if (match) {
    const auto list = ParseTagList(*match);
    if (!list.ok()) return exchange_->Answer(AnswerOf(list.status(), false, "")), false;
    if (!MatchesStrongly(*list, tag)) {
      return exchange_->Answer(PlainError(412, "a condition of the request does not hold")), false;
    }
  }
  if (none_match) {
    const auto list = ParseTagList(*none_match);
    if (!list.ok()) return exchange_->Answer(AnswerOf(list.status(), false, "")), false;
    if (MatchesWeakly(*list, tag)) {
      Response same;
      same.code = 304;
      same.content_type.clear();
      same.fields = {{"ETag", tag}, {"Cache-Control", kAskAgain}};
      return exchange_->Answer(same), false;
    }
  }
  return true;
}

void FileAnswer::AnswerUnsatisfiable(const v1::FileInfo& info) {
  Response out = PlainError(416, "the file has no such bytes");
  out.fields.emplace_back("Content-Range", absl::StrCat("bytes */", info.size()));
  exchange_->Answer(out);
}

}  // namespace dfs::http
