// A shared object for LD_PRELOAD: makes calls on files fail or hang, as a control file says (disk_faults.h writes it).
//
// The file named by DFS_DISK_FAULTS is looked at before each call; it is read anew when it has changed. A line is a rule:
//
//   OP ERRNO DELAY_MS COUNT PATH...
//
// OP: open read write sync sync_range truncate allocate rename unlink. PATH: what the path of the file begins with. COUNT:
// how many calls the rule meets, -1 for all; counted anew when the file changes. The first rule that matches decides: the
// call waits DELAY_MS, or until the control file changes if that is sooner; then it fails with ERRNO and nothing has
// happened, or, with ERRNO 0, is carried out. Each call that met a rule leaves the line "OP PATH" in the file with ".met" behind
// its name.
//
// Only calls through the C library's symbols are seen, not those that the C library makes itself (the buffers of FILE).
#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>

namespace {

constexpr int kRulesMax = 32;
constexpr int kPollMs = 10;

struct Rule {
  char op[16];
  int error;
  int delay_ms;
  int count;
  char path[PATH_MAX];
};

struct Identity {
  ino_t inode = 0;
  timespec changed{};
  bool operator==(const Identity& other) const {
    return inode == other.inode && changed.tv_sec == other.changed.tv_sec &&
           changed.tv_nsec == other.changed.tv_nsec;
  }
};

// Nothing here may allocate or call what this file replaces: the file system calls of the rules go to the kernel.
pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
Rule rules[kRulesMax];
int rule_count = 0;
Identity loaded;
thread_local bool is_inside = false;

template <class Function>
Function Next(const char* name) {
  return reinterpret_cast<Function>(dlsym(RTLD_NEXT, name));
}

const char* ControlFile() {
  // NOLINTNEXTLINE(concurrency-mt-unsafe): servers set no variables
  static const char* const path = getenv("DFS_DISK_FAULTS");
  return path;
}

Identity IdentityNow() {
  struct stat status {};
  Identity identity;
  if (syscall(SYS_newfstatat, AT_FDCWD, ControlFile(), &status, 0) == 0) {
    identity.inode = status.st_ino;
    identity.changed = status.st_mtim;
  }
  return identity;
}

void Parse(char* text) {
  rule_count = 0;
  char* rest = nullptr;
  for (char* line = strtok_r(text, "\n", &rest); line != nullptr && rule_count < kRulesMax;
       line = strtok_r(nullptr, "\n", &rest)) {
    Rule& rule = rules[rule_count];
    if (sscanf(line, "%15s %d %d %d %4095[^\n]", rule.op, &rule.error, &rule.delay_ms, &rule.count,
               rule.path) == 5) {
      ++rule_count;
    }
  }
}

void LoadLocked() {
  const Identity now = IdentityNow();
  if (now == loaded) return;
  loaded = now;
  rule_count = 0;
  static char text[64 << 10];
  const int fd = static_cast<int>(syscall(SYS_openat, AT_FDCWD, ControlFile(), O_RDONLY | O_CLOEXEC, 0));
  if (fd < 0) return;
  const ssize_t bytes = syscall(SYS_read, fd, text, sizeof text - 1);
  syscall(SYS_close, fd);
  text[bytes > 0 ? bytes : 0] = '\0';
  Parse(text);
}

void NoteMet(const char* op, const char* path) {
  char name[PATH_MAX];
  char line[PATH_MAX + 32];
  snprintf(name, sizeof name, "%s.met", ControlFile());
  const int bytes = snprintf(line, sizeof line, "%s %s\n", op, path);
  const int fd = static_cast<int>(
      syscall(SYS_openat, AT_FDCWD, name, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
  if (fd < 0 || bytes < 0) return;
  [[maybe_unused]] const auto written = syscall(SYS_write, fd, line, bytes);
  syscall(SYS_close, fd);
}

// Takes part in the count of the rule that matches. False: none does.
bool Meet(const char* op, const char* path, int* error, int* delay_ms, Identity* as_of) {
  pthread_mutex_lock(&mutex);
  LoadLocked();
  *as_of = loaded;
  bool is_met = false;
  for (int i = 0; i < rule_count && !is_met; ++i) {
    Rule& rule = rules[i];
    if (rule.count == 0 || strcmp(rule.op, op) != 0) continue;
    if (strncmp(path, rule.path, strlen(rule.path)) != 0) continue;
    if (rule.count > 0) --rule.count;
    *error = rule.error;
    *delay_ms = rule.delay_ms;
    is_met = true;
  }
  pthread_mutex_unlock(&mutex);
  return is_met;
}

// The error to return, or 0.
int FaultOf(const char* op, const char* path) {
  if (ControlFile() == nullptr || is_inside) return 0;
  is_inside = true;
  int error = 0;
  int delay_ms = 0;
  Identity as_of;
  const int errno_before = errno;
  if (Meet(op, path, &error, &delay_ms, &as_of)) {
    NoteMet(op, path);
    for (int waited = 0; waited < delay_ms && IdentityNow() == as_of; waited += kPollMs) {
      poll(nullptr, 0, kPollMs);
    }
  }
  errno = errno_before;
  is_inside = false;
  return error;
}

bool HasRules() {
  pthread_mutex_lock(&mutex);
  LoadLocked();
  const bool has_rules = rule_count > 0;
  pthread_mutex_unlock(&mutex);
  return has_rules;
}

int FaultOf(const char* op, int fd) {
  if (ControlFile() == nullptr || is_inside || !HasRules()) return 0;
  char link[32];
  char path[PATH_MAX];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  const int errno_before = errno;
  const ssize_t bytes = readlink(link, path, sizeof path - 1);
  errno = errno_before;
  if (bytes <= 0) return 0;
  path[bytes] = '\0';
  return FaultOf(op, path);
}

}  // namespace

// Returns from the function around it if the call is to fail.
#define DFS_FAULT(op, file)                             \
  do {                                                  \
    if (const int error = FaultOf(op, file); error != 0) { \
      errno = error;                                    \
      return -1;                                        \
    }                                                   \
  } while (false)

extern "C" {

int open(const char* path, int flags, ...) {
  mode_t mode = 0;
  if ((flags & (O_CREAT | O_TMPFILE)) != 0) {
    va_list arguments;
    va_start(arguments, flags);
    mode = va_arg(arguments, mode_t);
    va_end(arguments);
  }
  DFS_FAULT("open", path);
  static const auto next = Next<int (*)(const char*, int, ...)>("open");
  return next(path, flags, mode);
}

ssize_t read(int fd, void* buffer, size_t bytes) {
  DFS_FAULT("read", fd);
  static const auto next = Next<ssize_t (*)(int, void*, size_t)>("read");
  return next(fd, buffer, bytes);
}

ssize_t pread(int fd, void* buffer, size_t bytes, off_t offset) {
  DFS_FAULT("read", fd);
  static const auto next = Next<ssize_t (*)(int, void*, size_t, off_t)>("pread");
  return next(fd, buffer, bytes, offset);
}

ssize_t write(int fd, const void* buffer, size_t bytes) {
  DFS_FAULT("write", fd);
  static const auto next = Next<ssize_t (*)(int, const void*, size_t)>("write");
  return next(fd, buffer, bytes);
}

ssize_t pwrite(int fd, const void* buffer, size_t bytes, off_t offset) {
  DFS_FAULT("write", fd);
  static const auto next = Next<ssize_t (*)(int, const void*, size_t, off_t)>("pwrite");
  return next(fd, buffer, bytes, offset);
}

ssize_t pwritev(int fd, const iovec* pieces, int count, off_t offset) {
  DFS_FAULT("write", fd);
  static const auto next = Next<ssize_t (*)(int, const iovec*, int, off_t)>("pwritev");
  return next(fd, pieces, count, offset);
}

int fsync(int fd) {
  DFS_FAULT("sync", fd);
  static const auto next = Next<int (*)(int)>("fsync");
  return next(fd);
}

int fdatasync(int fd) {
  DFS_FAULT("sync", fd);
  static const auto next = Next<int (*)(int)>("fdatasync");
  return next(fd);
}

int sync_file_range(int fd, off64_t offset, off64_t bytes, unsigned flags) {
  DFS_FAULT("sync_range", fd);
  static const auto next = Next<int (*)(int, off64_t, off64_t, unsigned)>("sync_file_range");
  return next(fd, offset, bytes, flags);
}

int ftruncate(int fd, off_t bytes) noexcept {
  DFS_FAULT("truncate", fd);
  static const auto next = Next<int (*)(int, off_t)>("ftruncate");
  return next(fd, bytes);
}

int fallocate(int fd, int mode, off_t offset, off_t bytes) {
  DFS_FAULT("allocate", fd);
  static const auto next = Next<int (*)(int, int, off_t, off_t)>("fallocate");
  return next(fd, mode, offset, bytes);
}

int rename(const char* from, const char* to) noexcept {
  DFS_FAULT("rename", from);
  static const auto next = Next<int (*)(const char*, const char*)>("rename");
  return next(from, to);
}

int unlink(const char* path) noexcept {
  DFS_FAULT("unlink", path);
  static const auto next = Next<int (*)(const char*)>("unlink");
  return next(path);
}

}  // extern "C"
