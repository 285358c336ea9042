#include "dfs/client.h"

namespace dfs {

const char* Client::Version() noexcept { return DFS_VERSION; }

}  // namespace dfs
