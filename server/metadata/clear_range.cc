#include "server/metadata/clear_range.h"

#include <string_view>

namespace dfs::metadata {

const rpc::ClearRow* FirstHiding(const std::vector<rpc::ClearRow>& clears,
                                 const rpc::VersionRow& version) {
  for (const rpc::ClearRow& clear : clears) {
    if (clear.bucket_id() == version.bucket_id() && version.commit_index() < clear.index() &&
        std::string_view(version.name()).starts_with(clear.prefix())) {
      return &clear;
    }
  }
  return nullptr;
}

bool IsCounted(const rpc::ClearRow* hiding, const rpc::VersionRow& version) {
  return hiding == nullptr || (!hiding->counted_all() && version.name() > hiding->counted_through());
}

}  // namespace dfs::metadata
