// MetadataView over a snapshot of the rows.
#ifndef DFS_SERVER_METADATA_METADATA_VIEW_H_
#define DFS_SERVER_METADATA_METADATA_VIEW_H_

#include <memory>

#include "server/metadata/key_value_store.h"
#include "server/metadata/metadata_machine.h"

namespace dfs::metadata {

std::unique_ptr<MetadataView> MakeView(std::unique_ptr<RowReader> rows, Keeps keeps = Keeps::kEverything);

}  // namespace dfs::metadata

#endif  // DFS_SERVER_METADATA_METADATA_VIEW_H_
