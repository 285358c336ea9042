#include "server/http/http_connection.h"

#include <poll.h>

#include <array>
#include <utility>

#include "server/http/beast_parser.h"
#include "server/http/header_block.h"
#include "server/http/json_text.h"

namespace dfs::http {
namespace {

constexpr std::size_t kReadBytes = std::size_t{16} << 10;

Response Refusal(int code, std::string_view why) {
  Response out;
  out.code = code;
  out.body = ErrorJson(why);
  return out;
}

}  // namespace

HttpConnection::HttpConnection(std::unique_ptr<HttpStream> stream, const Clock* clock,
                               std::atomic<std::size_t>* count)
    : stream_(std::move(stream)),
      clock_(clock),
      count_(count),
      deadline_(clock->Now() + kHeadTimeout) {
  ++*count_;
}

HttpConnection::Next HttpConnection::Take() {
  if (Examine() == Next::kRequest) return Next::kRequest;
  std::array<char, kReadBytes> buffer;
  while (true) {
    const auto got = stream_->ReadNow(buffer);
    if (!got.ok()) return Next::kClose;
    if (*got == 0) return Next::kWait;
    if (unread_.empty()) deadline_ = clock_->Now() + kHeadTimeout;
    unread_.append(buffer.data(), *got);
    if (Examine() == Next::kRequest) return Next::kRequest;
  }
}

HttpConnection::Next HttpConnection::Examine() {
  // RFC 9112, section 2.2: an empty line before the request line is passed over.
  if (unread_.starts_with("\r\n")) unread_.erase(0, 2);
  const auto end = FindHeadEnd(unread_);
  if (const auto line = unread_.find('\n');
      std::min(line, unread_.size()) > kRequestLineBytesMax) {
    refusal_ = Refusal(414, "the request line is longer than 8 KiB");
  } else if (end.value_or(unread_.size()) > kHeadBytesMax) {
    refusal_ = Refusal(431, "the header is longer than 16 KiB");
  } else if (!end) {
    return Next::kWait;
  } else {
    head_bytes_ = *end;
  }
  return Next::kRequest;
}

bool HttpConnection::Serve(const Handler& handler) {
  auto parser = std::make_unique<BeastParser>();
  absl::StatusOr<RequestHead> head = RequestHead();
  if (!refusal_) {
    const std::string block = unread_.substr(0, head_bytes_);
    unread_.erase(0, std::exchange(head_bytes_, 0));
    const absl::Status checked = CheckHeaderBlock(block);
    head = checked.ok() ? parser->ParseHead(block) : checked;
    if (!head.ok()) {
      refusal_ = Refusal(head.status().code() == absl::StatusCode::kUnimplemented ? 501 : 400,
                         std::string(head.status().message()));
    }
  }
  if (refusal_) return ServeRefusal();
  Exchange exchange(stream_.get(), &unread_, std::move(parser), *std::move(head), clock_);
  handler(exchange);
  if (!exchange.has_begun()) exchange.Answer(Refusal(500, "no answer"));
  if (!exchange.Conclude()) return false;
  deadline_ = clock_->Now() + (unread_.empty() ? kIdleTimeout : kHeadTimeout);
  return true;
}

// Where one request ends and the next begins is not known: the connection does not go on.
bool HttpConnection::ServeRefusal() {
  unread_.clear();
  Exchange exchange(stream_.get(), &unread_, nullptr, RequestHead(), clock_);
  exchange.Answer(*refusal_);
  exchange.Conclude();
  return false;
}

void HttpConnection::Refuse() {
  Response busy = Refusal(503, "too many connections at this node; try another or later");
  busy.fields.emplace_back("Retry-After", "1");
  std::string text = HeadOf(busy, Framing::kLength, busy.body.size(), false, clock_->WallNow());
  text += busy.body;
  const iovec part{text.data(), text.size()};
  [[maybe_unused]] const auto ignored = stream_->Write({&part, 1}, clock_->Now());
  stream_->EndWriting();
}

bool HttpConnection::AwaitRequest(absl::Duration timeout) {
  pollfd poll_for{stream_->descriptor(), POLLIN, 0};
  return ::poll(&poll_for, 1, static_cast<int>(absl::ToInt64Milliseconds(timeout))) > 0;
}

}  // namespace dfs::http
