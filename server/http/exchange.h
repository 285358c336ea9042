// One request and its answer.
#ifndef DFS_SERVER_HTTP_EXCHANGE_H_
#define DFS_SERVER_HTTP_EXCHANGE_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/clock.h"
#include "common/operation_metrics.h"
#include "proto/data_message.h"
#include "server/http/beast_parser.h"
#include "server/http/http_stream.h"
#include "server/http/request_head.h"
#include "server/http/response.h"
#include "server/http/transfer_pace.h"

namespace dfs::http {

// A handler reads the body, or a part of it, or nothing; then answers once: with Answer, or with Begin, Write … and
// End. All calls block while the client is slow, within TransferPace. Used by one thread.
class Exchange {
 public:
  // Bytes of a body that are thrown away, and for how long they are waited for, so that the connection can be used
  // again, or so that the client sees the answer before the end of the connection.
  static constexpr std::size_t kDiscardBytesMax = std::size_t{64} << 10;
  static constexpr std::size_t kLingerBytesMax = std::size_t{16} << 20;
  static constexpr absl::Duration kLingerTime = absl::Seconds(2);

  // `parser` has parsed the head. `unread`: what has come after it; what belongs to the body is taken from its
  // beginning. Stream, `unread` and clock outlive the exchange.
  Exchange(HttpStream* stream, std::string* unread, std::unique_ptr<BeastParser> parser,
           RequestHead head, const Clock* clock);

  [[nodiscard]] const RequestHead& head() const { return head_; }
  [[nodiscard]] const Clock& clock() const { return *clock_; }
  // Where this request's time goes; null unless somebody has asked for it. It outlives the exchange's handling.
  [[nodiscard]] PhaseTimer* phases() const { return phases_; }
  void set_phases(PhaseTimer* phases) { phases_ = phases; }

  // The next bytes of the body: `bytes_max` (1 or more) or, at its end, fewer; empty: it has ended. Asks the client
  // for the body if it waits to be asked. Errors, after which there is no more body: kInvalidArgument, malformed
  // chunks; kCancelled, the client is gone; kDeadlineExceeded, it is too slow.
  absl::StatusOr<Slices> ReadBody(std::size_t bytes_max);
  [[nodiscard]] std::uint64_t body_bytes() const { return body_bytes_; }  // read so far

  void Answer(const Response& response);

  // An answer that comes in pieces; `response.body` is not sent. The head goes out with the first piece. If `length` is
  // told, so many bytes must follow.
  void Begin(Response response, std::optional<std::uint64_t> length);
  // False: the client is gone or too slow; stop.
  bool Write(const Slices& data);
  // Without it the answer is cut off, and the client sees that it is not complete.
  void End();

  [[nodiscard]] bool has_begun() const { return has_begun_; }
  [[nodiscard]] int code() const { return code_; }  // 0: no answer yet
  [[nodiscard]] std::uint64_t sent_bytes() const { return sent_bytes_; }  // of the answer's body

  // After the answer: whether the connection is good for another request. If it is not, waits a little for a client
  // that still sends.
  bool Conclude();

 private:
  absl::StatusOr<Slices> ReadLength(std::size_t bytes_max);
  absl::StatusOr<Slices> ReadChunked(std::size_t bytes_max);
  // More bytes from the stream, at least one.
  absl::StatusOr<std::size_t> ReadSome(std::span<char> buffer);
  absl::Status AskForBody();
  bool Send(std::string_view before, const Slices& data, std::string_view after);
  bool DiscardBody();

  HttpStream* const stream_;
  std::string* const unread_;
  const std::unique_ptr<BeastParser> parser_;
  const RequestHead head_;
  const Clock* const clock_;
  PhaseTimer* phases_ = nullptr;

  std::uint64_t body_left_ = 0;  // with a Content-Length
  bool is_body_over_ = false;
  bool has_body_failed_ = false;
  bool is_continue_owed_ = false;
  std::uint64_t body_bytes_ = 0;
  TransferPace read_pace_;

  std::string pending_head_;
  Framing framing_ = Framing::kLength;
  std::uint64_t answer_left_ = 0;
  bool has_begun_ = false;
  bool is_complete_ = false;
  bool has_failed_ = false;  // the answer did not go out
  bool keeps_alive_;
  int code_ = 0;
  std::uint64_t sent_bytes_ = 0;
  TransferPace write_pace_;
  MonotonicTime linger_until_ = absl::InfiniteFuture();
};

}  // namespace dfs::http

#endif  // DFS_SERVER_HTTP_EXCHANGE_H_
