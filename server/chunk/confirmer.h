// What a replica says of a version (rule R16); answered from the node's own metadata, by a storage-only node from another's.
#ifndef DFS_SERVER_CHUNK_CONFIRMER_H_
#define DFS_SERVER_CHUNK_CONFIRMER_H_

#include "absl/time/time.h"
#include "common/ids.h"
#include "common/wire_ids.h"
#include "dfs/internal/v1/replica.pb.h"

namespace dfs::chunk {

// How long a replica that lags waits before it says so.
inline constexpr absl::Duration kConfirmWait = absl::Seconds(1);

// Thread-safe.
class Confirmer {
 public:
  virtual ~Confirmer() = default;
  // Blocks until this node has applied `read_index`, at most kConfirmWait. LAGGING: it has not; it stands for every
  // item at that index, and the service does not ask for the others.
  virtual rpc::ConfirmResponse::Verdict Confirm(LogIndex read_index,
                                                const rpc::ConfirmItem& item) = 0;
};

}  // namespace dfs::chunk

#endif  // DFS_SERVER_CHUNK_CONFIRMER_H_
