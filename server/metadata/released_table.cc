#include "server/metadata/released_table.h"

#include <string_view>
#include <utility>

#include "server/metadata/purge_bitmap.h"
#include "server/metadata/row_keys.h"

namespace dfs::metadata {

bool IsReleased(const RowReader& rows, NodeId node, const ChunkId& chunk) {
  const auto bitmap = rows.Get(ReleasedKey(node, chunk.txn));
  return bitmap && HasChunk(*bitmap, chunk.index);
}

void AddReleased(ApplyContext* context, NodeId node, const ChunkId& chunk) {
  std::string key = ReleasedKey(node, chunk.txn);
  std::string bitmap = context->rows->Get(key).value_or("");
  AddChunk(&bitmap, chunk.index);
  context->rows->Put(std::move(key), std::move(bitmap));
}

bool DropReleased(ApplyContext* context, NodeId node, const ChunkId& chunk) {
  return DropFromBitmapRow(context, ReleasedKey(node, chunk.txn), chunk.index);
}

std::vector<NodeId> NodesWithReleased(const ApplyContext& context) {
  std::vector<NodeId> nodes;
  for (const auto& [node, row] : context.cache->nodes) {
    if (row.state() == rpc::RETIRED && !row.has_rows()) continue;
    const std::string first = ReleasedKey(node);
    context.rows->Scan(first, EndOfPrefix(first),
                       [&nodes, node = node](std::string_view, std::string_view) {
                         nodes.push_back(node);
                         return false;
                       });
  }
  return nodes;
}

bool DropFromBitmapRow(ApplyContext* context, const std::string& key, std::uint32_t chunk) {
  auto bitmap = context->rows->Get(key);
  if (!bitmap || !DropChunk(&*bitmap, chunk)) return false;
  if (bitmap->empty()) {
    context->rows->Delete(key);
  } else {
    context->rows->Put(key, *std::move(bitmap));
  }
  return true;
}

}  // namespace dfs::metadata
