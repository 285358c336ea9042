// POST / of a form with files.
#ifndef DFS_SERVER_HTTP_UPLOAD_FORM_H_
#define DFS_SERVER_HTTP_UPLOAD_FORM_H_

#include <cstdint>
#include <functional>
#include <string>

#include "server/http/changes.h"
#include "server/http/exchange.h"
#include "server/http/request_target.h"

namespace dfs::http {

// Thread-safe.
class UploadForm {
 public:
  // A body of so many bytes or more is refused. `leader_address` as FileRoutes::LeaderAddress. `changes` outlive it.
  UploadForm(Changes* changes, std::uint64_t body_bytes_max,
             std::function<std::string()> leader_address);

  // Stores every part that has a file name, under that name. Each is whole or not there; parts before one that fails
  // stay, and the error names them.
  void Post(Exchange& exchange, const RequestTarget& target);

 private:
  void Store(Exchange& exchange, const std::string& bucket, const std::string& boundary);

  Changes* const changes_;
  const std::uint64_t body_bytes_max_;
  const std::function<std::string()> leader_address_;
};

// "1GB" for 2^30: the greatest unit that gives a whole number.
std::string FormatLimit(std::uint64_t bytes);

}  // namespace dfs::http

#endif  // DFS_SERVER_HTTP_UPLOAD_FORM_H_
