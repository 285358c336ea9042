// The bytes of one node's copy of a file, from its own store.
#ifndef DFS_TESTS_SUPPORT_COPY_BYTES_H_
#define DFS_TESTS_SUPPORT_COPY_BYTES_H_

#include <functional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "client/file_client.h"
#include "tests/support/process_cluster.h"

namespace dfs::testing {

// Gives `take` all bytes of the copy that ReadCopy (file_checks.h) would look at, in order, piece by piece, checked as there. Errors as there.
absl::Status ReadCopyBytes(ProcessCluster& cluster, client::FileClient& client, int n, const std::string& name,
                           const std::function<void(std::string_view)>& take);

}  // namespace dfs::testing

#endif  // DFS_TESTS_SUPPORT_COPY_BYTES_H_
