// A small client of HTTP/1.1, for tests: it sends what it is told to, and shows what came.
#ifndef DFS_TESTS_SUPPORT_HTTP_CLIENT_H_
#define DFS_TESTS_SUPPORT_HTTP_CLIENT_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "client/byte_stream.h"

namespace dfs::testing {

struct HttpAnswer {
  int code = 0;  // 0: none came
  std::map<std::string, std::string> fields;  // names in lower case
  std::string body;
  bool is_whole = false;  // the body came to its end

  [[nodiscard]] std::string Field(const std::string& name) const {
    const auto found = fields.find(name);
    return found == fields.end() ? "" : found->second;
  }
};

// One connection, kept from request to request; made anew when the server has closed it. Used by one thread.
class HttpClient {
 public:
  using Fields = std::vector<std::pair<std::string, std::string>>;
  // Until something must come.
  static constexpr absl::Duration kPatience = absl::Seconds(60);

  explicit HttpClient(std::string address) : address_(std::move(address)) {}
  ~HttpClient() { Close(); }
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;

  // A request with a Content-Length, if it is one that has a body.
  HttpAnswer Ask(std::string_view method, std::string_view target, const Fields& fields = {},
                 std::string_view body = {});
  HttpAnswer Get(std::string_view target, const Fields& fields = {}) {
    return Ask("GET", target, fields);
  }
  // A body of any length, in chunks if it tells no size.
  HttpAnswer Send(std::string_view method, std::string_view target, client::ByteSource& source);
  // A body of any length, given to `take` as it comes (false: no more of it); `body` of the answer stays empty if
  // it is 200.
  using Take = std::function<bool(std::string_view)>;
  HttpAnswer Receive(std::string_view target, const Take& take);
  HttpAnswer Receive(std::string_view target, client::ByteSink& sink) {
    return Receive(target,
                   [&](std::string_view bytes) { return sink.Write(Slices::CopyOf(bytes)).ok(); });
  }
  // Just these bytes, and all that comes until the server ends the connection.
  std::string Raw(std::string_view bytes);

  [[nodiscard]] bool Connect();
  bool Write(std::string_view bytes);
  void Close();

 private:
  // More bytes, somewhere in buffer_; empty: none came.
  std::string_view Read();
  bool Fill();
  HttpAnswer ReadAnswer(bool is_head, const Take& take_body);
  bool ReadChunks(const Take& take);
  bool ReadLength(std::uint64_t length, const Take& take);
  void WriteHead(std::string_view method, std::string_view target, const Fields& fields,
                 std::string_view framing);

  const std::string address_;
  int descriptor_ = -1;
  std::vector<char> buffer_;
  std::string unread_;
};

}  // namespace dfs::testing

#endif  // DFS_TESTS_SUPPORT_HTTP_CLIENT_H_
