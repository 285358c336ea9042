// Rows as bytes: Protobuf, without maps, so that equal rows have equal bytes.
#ifndef DFS_SERVER_METADATA_ROW_CODEC_H_
#define DFS_SERVER_METADATA_ROW_CODEC_H_

#include <string>
#include <string_view>

#include "glog/logging.h"

namespace dfs::metadata {

template <class Row>
std::string EncodeRow(const Row& row) {
  return row.SerializeAsString();
}

// A row that does not parse means that the store lost what it promised to keep (it has checksums
// of its own): the process stops, as for any other failure of the disk. Going on would
// make this node's state differ from its peers'.
template <class Row>
Row ParseRow(std::string_view key, std::string_view value) {
  Row row;
  LOG_IF(FATAL, !row.ParseFromArray(value.data(), static_cast<int>(value.size())))
      << "metadata row of table " << key.substr(0, 1) << " cannot be read: the store is damaged";
  return row;
}

}  // namespace dfs::metadata

#endif  // DFS_SERVER_METADATA_ROW_CODEC_H_
