// Times as HTTP writes them: "Sun, 06 Nov 1994 08:49:37 GMT".
#ifndef DFS_SERVER_HTTP_HTTP_DATE_H_
#define DFS_SERVER_HTTP_HTTP_DATE_H_

#include <string>

#include "absl/time/time.h"

namespace dfs::http {

inline std::string FormatHttpDate(absl::Time time) {
  return absl::FormatTime("%a, %d %b %E4Y %H:%M:%S GMT", time, absl::UTCTimeZone());
}

}  // namespace dfs::http

#endif  // DFS_SERVER_HTTP_HTTP_DATE_H_
