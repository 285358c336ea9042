// Whether a failure of the disk is that it is full. Nobody goes on after a failed write (the store refuses all further ones);
// but a full disk, unlike a broken one, is worth a new start once there is space again.
#ifndef DFS_COMMON_DISK_FULL_H_
#define DFS_COMMON_DISK_FULL_H_

#include "absl/status/status.h"
#include "absl/strings/cord.h"

namespace dfs {

// Marks a status inside this process; never on the wire.
inline constexpr char kDiskFullMark[] = "dfs/disk-full";

inline absl::Status MarkDiskFull(absl::Status status) {
  status.SetPayload(kDiskFullMark, absl::Cord());
  return status;
}
inline bool IsDiskFull(const absl::Status& status) {
  return !status.ok() && (absl::IsResourceExhausted(status) || status.GetPayload(kDiskFullMark).has_value());
}

}  // namespace dfs

#endif  // DFS_COMMON_DISK_FULL_H_
