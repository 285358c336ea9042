// The JSON that this door speaks. Only json_text.cc includes the library.
#ifndef DFS_SERVER_HTTP_JSON_TEXT_H_
#define DFS_SERVER_HTTP_JSON_TEXT_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/time/time.h"
#include "dfs/v1/cluster.pb.h"
#include "dfs/v1/files.pb.h"

namespace dfs::http {

// {"error":"…"}
std::string ErrorJson(std::string_view message);

// The same with what is known beyond the message.
struct ErrorFacts {
  std::string message;
  bool is_outcome_unknown = false;       // "outcome":"unknown"
  bool tells_leader = false;             // "leader": an address of clients', or null
  std::string leader;
  std::vector<std::string> missing_nodes;
  std::vector<std::string> stored;       // names that were stored before the error
};
std::string ErrorJson(const ErrorFacts& facts);

// One file: name, size, version, etag, …
std::string FileJson(const v1::FileInfo& file);
void AppendFileJson(const v1::FileInfo& file, std::string* out);
std::string RemovedJson(std::string_view name, std::uint64_t version);
// {"files":[…]}
std::string FilesJson(const std::vector<v1::FileInfo>& files);

// Of the node that answers.
std::string StatusJson(const v1::StatusResponse& status, std::uint32_t self, absl::Time now);
std::string OkToStopJson(const v1::OkToStopResponse& response);

}  // namespace dfs::http

#endif  // DFS_SERVER_HTTP_JSON_TEXT_H_
