// rocksdb::Status -> absl::Status.
#ifndef DFS_COMMON_ROCKSDB_STATUS_H_
#define DFS_COMMON_ROCKSDB_STATUS_H_

#include <string>
#include <utility>

#include <rocksdb/status.h>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "common/disk_full.h"

namespace dfs {

// Every failure of the disk or of its content is kDataLoss: nobody goes on after one. IsDiskFull tells a full disk.
inline absl::Status FromRocksdb(const rocksdb::Status& status, const std::string& what) {
  if (status.ok()) return absl::OkStatus();
  absl::Status failure = absl::DataLossError(absl::StrCat(what, ": ", status.ToString()));
  return status.IsNoSpace() ? MarkDiskFull(std::move(failure)) : failure;
}

}  // namespace dfs

#endif  // DFS_COMMON_ROCKSDB_STATUS_H_
