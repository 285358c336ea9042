#include "client/posix_handover.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

namespace dfs::client {
namespace {

constexpr timeval kServerPatience{1, 0};
constexpr std::size_t kFilesMax = 32;

absl::Status NotGiven(const char* why) { return absl::UnavailableError(std::string("no file was handed over: ") + why); }

int Connect(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof address.sun_path) return -1;
  std::memcpy(address.sun_path, path.data(), path.size());
  const int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
  if (fd < 0) return -1;
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &kServerPatience, sizeof kServerPatience);
  setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &kServerPatience, sizeof kServerPatience);
  if (connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) return fd;
  close(fd);
  return -1;
}

// Every descriptor that came, whatever else did.
std::vector<int> Receive(int fd) {
  char count = 0;
  iovec part{&count, 1};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(kFilesMax * sizeof(int))> control{};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  std::vector<int> files;
  if (recvmsg(fd, &message, MSG_CMSG_CLOEXEC) != 1) return files;
  for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr; header = CMSG_NXTHDR(&message, header)) {
    if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
    const std::size_t bytes = header->cmsg_len - CMSG_LEN(0);
    files.resize(bytes / sizeof(int));
    std::memcpy(files.data(), CMSG_DATA(header), files.size() * sizeof(int));
  }
  return files;
}

}  // namespace

bool IsOnThisMachine(const std::string& address) {
  const std::string host = address.substr(0, address.rfind(':'));
  return host == "localhost" || host == "[::1]" || host.rfind("127.", 0) == 0;
}

absl::StatusOr<HandedFiles> HandedFiles::TakeOver(const v1::HandedChunks& handed) {
  std::string tickets;
  for (const auto& chunk : handed.chunks()) tickets += chunk.ticket();
  const auto count = static_cast<std::size_t>(handed.chunks_size());
  if (count == 0 || count > kFilesMax) return NotGiven("an answer that makes no sense");
  const int fd = Connect(handed.socket());
  if (fd < 0) return NotGiven("the server's socket cannot be reached");
  std::vector<int> files;
  if (send(fd, tickets.data(), tickets.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(tickets.size())) {
    files = Receive(fd);
  }
  close(fd);
  HandedFiles out(std::move(files));
  if (out.files_.size() != count) return NotGiven("the server refused");
  for (const int file : out.files_) {
    struct stat status {};
    if (fstat(file, &status) != 0 || !S_ISREG(status.st_mode)) return NotGiven("what came is no file");
  }
  return out;
}

HandedFiles::~HandedFiles() {
  for (const int file : files_) close(file);
}

absl::Status HandedFiles::Read(std::size_t index, std::uint64_t offset, char* to, std::size_t bytes) const {
  std::size_t done = 0;
  while (done < bytes) {
    const ssize_t got = pread(files_[index], to + done, bytes - done, static_cast<off_t>(offset + done));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return NotGiven("a file that was handed over cannot be read");
    done += static_cast<std::size_t>(got);
  }
  return absl::OkStatus();
}

}  // namespace dfs::client
