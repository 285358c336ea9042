// What a request is answered with.
#ifndef DFS_SERVER_HTTP_RESPONSE_H_
#define DFS_SERVER_HTTP_RESPONSE_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/clock.h"

namespace dfs::http {

inline constexpr char kJson[] = "application/json";
inline constexpr char kOctetStream[] = "application/octet-stream";
inline constexpr char kText[] = "text/plain; charset=utf-8";

struct Response {
  int code = 200;
  std::string content_type = kJson;  // empty: none
  std::vector<std::pair<std::string, std::string>> fields;  // neither names nor values hold line ends
  std::string body;
};

// How a body that comes in pieces is framed.
enum class Framing {
  kLength,   // its length is told
  kChunked,
  kClose,    // it ends with the connection: HTTP/1.0
};

// "Not Found" for 404.
std::string_view ReasonPhrase(int code);

// Status line and fields, with the empty line. `length`: of the body, for kLength. 304 tells none.
std::string HeadOf(const Response& response, Framing framing, std::uint64_t length, bool keeps_alive,
                   absl::Time now);

}  // namespace dfs::http

#endif  // DFS_SERVER_HTTP_RESPONSE_H_
