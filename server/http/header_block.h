// What may stand in the bytes of a request's head, before any parser looks at them.
#ifndef DFS_SERVER_HTTP_HEADER_BLOCK_H_
#define DFS_SERVER_HTTP_HEADER_BLOCK_H_

#include <cstddef>
#include <optional>
#include <string_view>

#include "absl/status/status.h"
#include "server/http/request_head.h"

namespace dfs::http {

// A request line longer than this is 414, a head longer than this 431.
inline constexpr std::size_t kRequestLineBytesMax = std::size_t{8} << 10;
inline constexpr std::size_t kHeadBytesMax = std::size_t{16} << 10;
inline constexpr std::size_t kFieldsMax = 100;

// Length of the head that `bytes` begin with, its empty line included; nullopt: its end has not come. A bare LF ends
// a head as well: CheckHeaderBlock refuses it then, and need not wait for what never comes.
std::optional<std::size_t> FindHeadEnd(std::string_view bytes);

// Refuses what two programs may read in two ways (request smuggling) and what no client sends: a bare LF or CR, NUL
// and other control characters, a folded field, space before a colon, an empty field name. kInvalidArgument.
absl::Status CheckHeaderBlock(std::string_view block);

// The same for what the fields say: both Content-Length and Transfer-Encoding, several of either, a Content-Length that
// is no number of digits only, a Transfer-Encoding other than chunked or in HTTP/1.0, no Host or two in HTTP/1.1.
// kInvalidArgument; kUnimplemented for codings and expectations that are lawful and not known here.
absl::Status CheckFields(const RequestHead& head);

}  // namespace dfs::http

#endif  // DFS_SERVER_HTTP_HEADER_BLOCK_H_
