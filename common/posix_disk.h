// Disk by system calls.
#ifndef DFS_COMMON_POSIX_DISK_H_
#define DFS_COMMON_POSIX_DISK_H_

#include "common/disk.h"

namespace dfs {

// The machine's own disk. Lives for ever; thread-safe.
Disk& PosixDisk();

// The descriptor of a file that PosixDisk opened, while the file lives; -1 for others.
[[nodiscard]] int PosixDescriptorOf(const DiskFile& file);

}  // namespace dfs

#endif  // DFS_COMMON_POSIX_DISK_H_
