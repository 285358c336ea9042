// The HTTP/1.1 grammar, by Boost.Beast. Only beast_parser.cc includes that library.
#ifndef DFS_SERVER_HTTP_BEAST_PARSER_H_
#define DFS_SERVER_HTTP_BEAST_PARSER_H_

#include <cstddef>
#include <memory>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/http/request_head.h"

namespace dfs::http {

// Parses one request: its head at once, then, if it is chunked, the body piece by piece. Does no I/O. Not thread-safe.
class BeastParser {
 public:
  BeastParser();
  ~BeastParser();
  BeastParser(const BeastParser&) = delete;
  BeastParser& operator=(const BeastParser&) = delete;

  // `block`: a whole head with its empty line (FindHeadEnd), that CheckHeaderBlock has let pass. Also checks the fields
  // (CheckFields). Call once, first. kInvalidArgument: malformed; kUnimplemented: lawful, and not known here.
  absl::StatusOr<RequestHead> ParseHead(std::string_view block);

  struct Step {
    std::size_t consumed = 0;
    std::string_view data;  // part of the bytes that were given
    bool is_end = false;    // of the body; `data` is empty
  };
  // Goes on with a chunked body, whose next bytes are `bytes`; gives at most `data_max` (1 or more) of it. consumed == 0
  // and no end: more bytes are needed, in one piece with these. kInvalidArgument: malformed.
  absl::StatusOr<Step> ParseChunked(std::string_view bytes, std::size_t data_max);

 private:
  class Events;
  const std::unique_ptr<Events> events_;
};

}  // namespace dfs::http

#endif  // DFS_SERVER_HTTP_BEAST_PARSER_H_
