// rocksdb::Status -> absl::Status.
#ifndef DFS_COMMON_ROCKSDB_STATUS_H_
#define DFS_COMMON_ROCKSDB_STATUS_H_

#include <string>
#include <utility>

#include <rocksdb/status.h>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "common/damage.h"
#include "common/disk_full.h"

namespace dfs {

// Whether the error is about what the files hold. A file that is named and not there is damage, too.
inline bool IsDamage(const rocksdb::Status& status) {
  return status.IsCorruption() || status.IsPathNotFound();
}

// Every failure of the disk or of its content is kDataLoss: nobody goes on after one. IsDiskFull tells a full disk.
inline absl::Status FromRocksdb(const rocksdb::Status& status, const std::string& what) {
  if (status.ok()) return absl::OkStatus();
  const std::string message = absl::StrCat(what, ": ", status.ToString());
  if (IsDamage(status)) return DamageError(message);
  absl::Status failure = absl::DataLossError(message);
  return status.IsNoSpace() ? MarkDiskFull(std::move(failure)) : failure;
}

// A view of the same bytes.
inline rocksdb::Slice SliceOf(std::string_view bytes) { return {bytes.data(), bytes.size()}; }

}  // namespace dfs

#endif  // DFS_COMMON_ROCKSDB_STATUS_H_
