// Between what the public headers say and what the rest of the library does.
#ifndef DFS_CLIENT_LIBRARY_TRANSLATION_H_
#define DFS_CLIENT_LIBRARY_TRANSLATION_H_

#include "absl/status/status.h"
#include "dfs/client.h"
#include "dfs/v1/buckets.pb.h"
#include "dfs/v1/files.pb.h"

namespace dfs::client {

dfs::Status ToPublic(const absl::Status& status);
FileInfo ToPublic(const v1::FileInfo& file);
Placement ToPublic(const v1::LocateResponse& response);
BucketInfo ToPublic(const v1::BucketInfo& bucket);

v1::Consistency ToWire(Consistency consistency);
v1::BucketOptions ToWire(const BucketOptions& options);

}  // namespace dfs::client

#endif  // DFS_CLIENT_LIBRARY_TRANSLATION_H_
