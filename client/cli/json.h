// The objects that `--json` prints. Field names are part of the contract (client/README.md). Pure.
#ifndef DFS_CLIENT_CLI_JSON_H_
#define DFS_CLIENT_CLI_JSON_H_

#include <nlohmann/json.hpp>
#include <string>

#include "absl/status/status.h"
#include "dfs/v1/cluster.pb.h"
#include "dfs/v1/files.pb.h"

namespace dfs::client::cli {

using Json = nlohmann::ordered_json;

// All carry "status": "success".
Json JsonOf(const v1::FileInfo& file);      // stat, ls, get
Json JsonOf(const v1::BucketInfo& bucket);  // mb, and a row of buckets
Json JsonOf(const v1::PutResponse& put);    // with the replicas that were durable
Json JsonOf(const v1::Location& location);  // a row of locate
Json JsonOf(const v1::HereChunk& chunk, const std::string& node);
Json JsonOf(const v1::NodeStatus& node);
Json JsonOf(const v1::StatusResponse& status);
Json JsonOf(const v1::ScrubStatus& scrub);  // a row of scrub
Json JsonOf(const v1::CollectStatus& collection);  // a row of gc
// Without `status`.
Json JsonOf(const v1::RepairProgress& progress);
// {"status":"error","error":{…}}; `name` is what the error is about, may be empty.
Json JsonOfError(const absl::Status& error, const std::string& name);

// One line without its end. Bytes that are not UTF-8 become U+FFFD.
std::string Line(const Json& json);

}  // namespace dfs::client::cli

#endif  // DFS_CLIENT_CLI_JSON_H_
