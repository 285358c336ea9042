// Disk by system calls.
#ifndef DFS_COMMON_POSIX_DISK_H_
#define DFS_COMMON_POSIX_DISK_H_

#include "common/disk.h"

namespace dfs {

// The machine's own disk. Lives for ever; thread-safe.
Disk& PosixDisk();

}  // namespace dfs

#endif  // DFS_COMMON_POSIX_DISK_H_
