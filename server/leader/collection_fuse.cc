#include "server/leader/collection_fuse.h"

#include "common/mutant.h"

namespace dfs::leader {

bool CollectionFuse::Allow(std::uint64_t bytes) {
  walk_bytes_ += bytes;
  if (DFS_MUTANT(823, "nothing stops a mistaken leader (rule R20)")) return true;
  if (is_confirmed_) return true;
  if (walk_bytes_ > limit_bytes_) is_blown_ = true;
  return !is_blown_;
}

}  // namespace dfs::leader
