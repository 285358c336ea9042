// /upload/…, /files and /byname.
#ifndef DFS_SERVER_HTTP_FILE_ROUTES_H_
#define DFS_SERVER_HTTP_FILE_ROUTES_H_

#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "dfs/v1/files.pb.h"
#include "server/gateway/file_operations.h"
#include "server/http/changes.h"
#include "server/http/exchange.h"
#include "server/http/request_target.h"

namespace dfs::http {

// Each call answers one request. Thread-safe.
class FileRoutes {
 public:
  // How much of a body is handed on at once.
  static constexpr std::size_t kPieceBytes = std::size_t{1} << 20;

  // Both outlive it.
  FileRoutes(gateway::FileOperations* files, Changes* changes) : files_(files), changes_(changes) {}

  // GET and HEAD. `disposition`: a further field of the answer; empty: none.
  void Get(Exchange& exchange, const RequestTarget& target, const std::string& name,
           const std::string& disposition);
  void Put(Exchange& exchange, const RequestTarget& target, const std::string& name);
  void Remove(Exchange& exchange, const RequestTarget& target, const std::string& name);
  void List(Exchange& exchange, const RequestTarget& target);

  // Whom clients can ask, as the 503 of this door names it; empty if no leader is known.
  [[nodiscard]] std::string LeaderAddress() const;

 private:
  // The file as of now; nullopt: there is none.
  absl::StatusOr<std::optional<v1::FileInfo>> Look(const v1::GetRequest& request);
  // The version that If-Match and If-None-Match let be replaced or removed (0: there must be none). False: they do
  // not hold, and the answer is given.
  bool CheckConditions(Exchange& exchange, const v1::GetRequest& request,
                       std::optional<std::uint64_t>* if_version);

  gateway::FileOperations* const files_;
  Changes* const changes_;
};

// Bucket, consistency and version of a target's query. kInvalidArgument.
absl::StatusOr<v1::GetRequest> ReadRequestOf(const RequestTarget& target, const std::string& name);

}  // namespace dfs::http

#endif  // DFS_SERVER_HTTP_FILE_ROUTES_H_
