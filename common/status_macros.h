// DFS_RETURN_IF_ERROR(expr): returns the status of `expr` from this function if it is not OK.
// DFS_ASSIGN_OR_RETURN(auto x, expr): as above for StatusOr, else moves the value into `x`.
#ifndef DFS_COMMON_STATUS_MACROS_H_
#define DFS_COMMON_STATUS_MACROS_H_

#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#define DFS_STATUS_CONCAT_INNER_(a, b) a##b
#define DFS_STATUS_CONCAT_(a, b) DFS_STATUS_CONCAT_INNER_(a, b)

#define DFS_RETURN_IF_ERROR(expr)                            \
  do {                                                       \
    if (::absl::Status dfs_status = (expr); !dfs_status.ok()) \
      return dfs_status;                                     \
  } while (false)

#define DFS_ASSIGN_OR_RETURN(lhs, expr) \
  DFS_ASSIGN_OR_RETURN_IMPL_(DFS_STATUS_CONCAT_(dfs_status_or_, __LINE__), lhs, expr)
// `lhs` may declare a variable and `tmp` does: neither can stand in parentheses.
// NOLINTBEGIN(bugprone-macro-parentheses)
#define DFS_ASSIGN_OR_RETURN_IMPL_(tmp, lhs, expr) \
  auto tmp = (expr);                               \
  if (!tmp.ok()) return std::move(tmp).status();   \
  lhs = *std::move(tmp)
// NOLINTEND(bugprone-macro-parentheses)

#endif  // DFS_COMMON_STATUS_MACROS_H_
