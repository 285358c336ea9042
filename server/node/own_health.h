// What this node tells the others of itself with its heartbeats.
#ifndef DFS_SERVER_NODE_OWN_HEALTH_H_
#define DFS_SERVER_NODE_OWN_HEALTH_H_

#include "common/ids.h"
#include "membership/member.h"
#include "server/chunk/chunk_store.h"
#include "server/chunk/scrubber.h"
#include "server/leader/chunk_collector.h"
#include "server/node/config.h"

namespace dfs::node {

// Seconds since 1970; 0: no TLS.
inline std::int64_t CertificateEndOf(const Config& config) {
  return config.tls ? absl::ToUnixSeconds(config.tls->own.not_after) : 0;
}

// Without the age of the disk probe. Asks the disk for its space: blocks.
inline membership::NodeHealth HealthOf(chunk::ChunkStore& store, chunk::Scrubber& scrubber,
                                       const leader::ChunkCollector& collector, LogIndex applied,
                                       const Config& config) {
  membership::NodeHealth health;
  health.certificate_not_after_s = CertificateEndOf(config);
  const chunk::Space space = store.GetSpace();
  health.free_bytes = space.free_bytes;
  health.total_bytes = space.total_bytes;
  health.fsync_p99 = store.SyncP99();
  health.applied_index = applied.value();
  const chunk::ScrubStatus scrub = scrubber.GetStatus();
  health.corrupt_chunks = scrub.bad_chunks;
  health.quarantined_objects = scrub.quarantined_objects;
  health.withheld_bytes = collector.GetStatus().withheld_bytes();
  return health;
}

}  // namespace dfs::node

#endif  // DFS_SERVER_NODE_OWN_HEALTH_H_
