// What a browser is to call a file that it saves. Pure.
#ifndef DFS_SERVER_HTTP_CONTENT_DISPOSITION_H_
#define DFS_SERVER_HTTP_CONTENT_DISPOSITION_H_

#include <string>
#include <string_view>

namespace dfs::http {

// The last part of the name, as an attachment (RFC 6266): plain ASCII without quotes, backslashes and controls in
// filename=, and, where that is not the same, all of it in filename*= (RFC 5987).
std::string AttachmentNamed(std::string_view name);

}  // namespace dfs::http

#endif  // DFS_SERVER_HTTP_CONTENT_DISPOSITION_H_
