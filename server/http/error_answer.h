// Errors as HTTP says them.
#ifndef DFS_SERVER_HTTP_ERROR_ANSWER_H_
#define DFS_SERVER_HTTP_ERROR_ANSWER_H_

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "server/http/response.h"

namespace dfs::http {

// What an operation on files has failed with (README.md has the table). `leader`: whom clients can ask, empty if not
// known; told with 503. `is_change`: an unknown outcome matters, and is told with 504.
Response AnswerOf(const absl::Status& status, bool is_change, const std::string& leader,
                  const std::vector<std::string>& stored = {});

// A body that did not come as it should (Exchange::ReadBody).
Response BodyError(const absl::Status& status, const std::vector<std::string>& stored = {});

// {"error":"…"} with this code.
Response PlainError(int code, std::string_view message);
// 405.
Response MethodNotAllowed(const std::string& allowed);

}  // namespace dfs::http

#endif  // DFS_SERVER_HTTP_ERROR_ANSWER_H_
