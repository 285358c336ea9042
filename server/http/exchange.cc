#include "server/http/exchange.h"

#include <sys/uio.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "server/http/header_block.h"

namespace dfs::http {
namespace {

constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
constexpr std::size_t kPartsPerWriteMax = 64;
constexpr std::size_t kChunkedReadBytes = std::size_t{64} << 10;

iovec PartOf(std::string_view bytes) {
  return {const_cast<char*>(bytes.data()), bytes.size()};  // only read from
}

// Memory for a part of a body, which becomes a slice without being copied.
class Block {
 public:
  explicit Block(std::size_t bytes) : memory_(static_cast<char*>(std::malloc(bytes))) {}
  ~Block() { std::free(memory_); }
  Block(const Block&) = delete;
  Block& operator=(const Block&) = delete;

  [[nodiscard]] char* data() const { return memory_; }
  Slices Take(std::size_t bytes) {
    Slices out;
    if (bytes == 0) return out;
    char* const memory = std::exchange(memory_, nullptr);
    out.Append(grpc::Slice(memory, bytes, [](void* freed) { std::free(freed); }, memory));
    return out;
  }

 private:
  char* memory_;
};

}  // namespace

Exchange::Exchange(HttpStream* stream, std::string* unread, std::unique_ptr<BeastParser> parser,
                   RequestHead head, const Clock* clock)
    : stream_(stream),
      unread_(unread),
      parser_(std::move(parser)),
      head_(std::move(head)),
      clock_(clock),
      body_left_(head_.content_length.value_or(0)),
      is_body_over_(!head_.has_body()),
      is_continue_owed_(head_.expects_continue && head_.has_body()),
      keeps_alive_(head_.keeps_alive) {}

absl::Status Exchange::AskForBody() {
  if (!std::exchange(is_continue_owed_, false) || !unread_->empty()) return absl::OkStatus();
  if (!Send(kContinue, {}, {})) return absl::CancelledError("the client is gone");
  return absl::OkStatus();
}

absl::StatusOr<std::size_t> Exchange::ReadSome(std::span<char> buffer) {
  const MonotonicTime start = clock_->Now();
  const auto got = stream_->Read(buffer, std::min(read_pace_.DeadlineAt(start), linger_until_));
  read_pace_.Record(clock_->Now() - start, got.ok() ? *got : 0);
  return got;
}

absl::StatusOr<Slices> Exchange::ReadBody(std::size_t bytes_max) {
  if (is_body_over_) return Slices();
  if (has_body_failed_) return absl::CancelledError("the body has ended before its time");
  DFS_RETURN_IF_ERROR(AskForBody());
  auto out = head_.is_chunked ? ReadChunked(bytes_max) : ReadLength(bytes_max);
  if (out.ok()) {
    body_bytes_ += out->size();
  } else {
    has_body_failed_ = true;
  }
  return out;
}

absl::StatusOr<Slices> Exchange::ReadLength(std::size_t bytes_max) {
  const auto want = static_cast<std::size_t>(std::min<std::uint64_t>(bytes_max, body_left_));
  Block block(want);
  if (block.data() == nullptr) return absl::ResourceExhaustedError("no memory for the body");
  std::size_t done = std::min(want, unread_->size());
  std::memcpy(block.data(), unread_->data(), done);
  unread_->erase(0, done);
  while (done < want) {
    DFS_ASSIGN_OR_RETURN(const std::size_t got, ReadSome({block.data() + done, want - done}));
    done += got;
  }
  body_left_ -= want;
  is_body_over_ = body_left_ == 0;
  return block.Take(want);
}

// Copied once: the bytes between chunks have to go.
absl::StatusOr<Slices> Exchange::ReadChunked(std::size_t bytes_max) {
  Block block(bytes_max);
  if (block.data() == nullptr) return absl::ResourceExhaustedError("no memory for the body");
  std::size_t done = 0;
  std::size_t used = 0;  // of *unread_
  while (done < bytes_max) {
    DFS_ASSIGN_OR_RETURN(
        const BeastParser::Step step,
        parser_->ParseChunked(std::string_view(*unread_).substr(used), bytes_max - done));
    used += step.consumed;
    if (step.is_end) {
      is_body_over_ = true;
      break;
    }
    std::ranges::copy(step.data, block.data() + done);  // which may be nothing at all: no memcpy
    done += step.data.size();
    if (step.consumed > 0) continue;
    unread_->erase(0, std::exchange(used, 0));
    if (unread_->size() >= kHeadBytesMax) {
      return absl::InvalidArgumentError("malformed chunk: its header is too long");
    }
    const std::size_t old = unread_->size();
    unread_->resize(old + kChunkedReadBytes);
    const auto got = ReadSome({unread_->data() + old, kChunkedReadBytes});
    unread_->resize(old + (got.ok() ? *got : 0));
    if (!got.ok()) return got.status();
  }
  unread_->erase(0, used);
  return block.Take(done);
}

bool Exchange::DiscardBody() {
  if (has_body_failed_ || is_continue_owed_) return is_body_over_;
  if (!head_.is_chunked && body_left_ > kDiscardBytesMax) return false;
  linger_until_ = clock_->Now() + kLingerTime;
  for (std::size_t discarded = 0; !is_body_over_ && discarded <= kDiscardBytesMax;) {
    const auto piece = ReadBody(kDiscardBytesMax);
    if (!piece.ok()) return false;
    discarded += piece->size();
  }
  return is_body_over_;
}

void Exchange::Answer(const Response& response) {
  Begin(response, response.body.size());
  if (!response.body.empty()) Write(Slices::CopyOf(response.body));
  End();
}

void Exchange::Begin(Response response, std::optional<std::uint64_t> length) {
  has_begun_ = true;
  code_ = response.code;
  framing_ = length ? Framing::kLength
             : head_.is_http_1_1 ? Framing::kChunked
                                 : Framing::kClose;
  // A body that has failed, or that nobody has read and that is long, leaves the connection in a state that is not known.
  if (framing_ == Framing::kClose || has_body_failed_ || is_continue_owed_ ||
      (!head_.is_chunked && body_left_ > kDiscardBytesMax)) {
    keeps_alive_ = false;
  }
  answer_left_ = length.value_or(0);
  pending_head_ = HeadOf(response, framing_, answer_left_, keeps_alive_, clock_->WallNow());
}

bool Exchange::Write(const Slices& data) {
  if (has_failed_) return false;
  if (data.empty() || head_.method == "HEAD") return true;
  const std::string head = std::exchange(pending_head_, {});
  sent_bytes_ += data.size();
  if (framing_ == Framing::kChunked) {
    return Send(absl::StrCat(head, absl::Hex(data.size()), "\r\n"), data, "\r\n");
  }
  if (framing_ == Framing::kLength) {
    // More than was told would be read as the next answer.
    if (data.size() > answer_left_) return !(has_failed_ = true);
    answer_left_ -= data.size();
  }
  return Send(head, data, {});
}

void Exchange::End() {
  const bool is_head = head_.method == "HEAD" || code_ == 304;
  std::string rest = std::exchange(pending_head_, {});
  if (framing_ == Framing::kChunked && !is_head) rest += "0\r\n\r\n";
  if (has_failed_ || (!rest.empty() && !Send(rest, {}, {}))) return;
  is_complete_ = framing_ != Framing::kLength || answer_left_ == 0 || is_head;
}

bool Exchange::Send(std::string_view before, const Slices& data, std::string_view after) {
  std::vector<iovec> parts;
  if (!before.empty()) parts.push_back(PartOf(before));
  for (const auto& piece : data.pieces()) {
    parts.push_back(PartOf({reinterpret_cast<const char*>(piece.begin()), piece.size()}));
  }
  if (!after.empty()) parts.push_back(PartOf(after));
  for (std::size_t at = 0; at < parts.size();) {
    const MonotonicTime start = clock_->Now();
    auto sent = stream_->Write(
        std::span(parts).subspan(at, std::min(parts.size() - at, kPartsPerWriteMax)),
        write_pace_.DeadlineAt(start));
    write_pace_.Record(clock_->Now() - start, sent.ok() ? *sent : 0);
    if (!sent.ok()) return !(has_failed_ = true);
    while (at < parts.size() && *sent >= parts[at].iov_len) *sent -= parts[at++].iov_len;
    if (*sent == 0) continue;
    parts[at].iov_base = static_cast<char*>(parts[at].iov_base) + *sent;
    parts[at].iov_len -= *sent;
  }
  return true;
}

bool Exchange::Conclude() {
  if (!is_complete_) return false;
  if (keeps_alive_ && DiscardBody()) return true;
  // Closed now, with bytes of the client unread, the connection would be reset and the answer lost on the way.
  stream_->EndWriting();
  const MonotonicTime end = clock_->Now() + kLingerTime;
  Block block(kDiscardBytesMax);
  if (block.data() == nullptr) return false;
  for (std::size_t discarded = 0; discarded < kLingerBytesMax;) {
    const auto got = stream_->Read({block.data(), kDiscardBytesMax}, end);
    if (!got.ok()) break;
    discarded += *got;
  }
  return false;
}

}  // namespace dfs::http
