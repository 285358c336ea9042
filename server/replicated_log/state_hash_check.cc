#include "server/replicated_log/state_hash_check.h"

#include "absl/strings/str_cat.h"

namespace dfs::replicated_log {

absl::Status StateHashCheck::Add(const metadata::StateHash& hash, Hashes& into,
                                 const Hashes& other) {
  if (hash.index.is_none()) return absl::OkStatus();
  into[hash.index] = hash.hash;
  if (into.size() > kKeptMax) into.erase(into.begin());
  const auto found = other.find(hash.index);
  if (found == other.end() || found->second == hash.hash) return absl::OkStatus();
  return absl::DataLossError(absl::StrCat(
      "the state of this node differs from the leader's at log index ", hash.index.value(),
      " (", ToString(hash.hash), " and ", ToString(found->second),
      "): it must not serve; wipe its data directory and let it join again under a new id"));
}

}  // namespace dfs::replicated_log
