#include "server/node/service_notice.h"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <string>

namespace dfs::node {
namespace {

// A manager that listens at `path`; "@name" is in the abstract namespace.
class Manager {
 public:
  explicit Manager(const std::string& path) : fd_(socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0)) {
    sockaddr_un own{};
    own.sun_family = AF_UNIX;
    std::memcpy(own.sun_path, path.data(), path.size());
    if (path[0] == '@') own.sun_path[0] = '\0';
    const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size());
    EXPECT_EQ(bind(fd_, reinterpret_cast<const sockaddr*>(&own), size), 0);
    setenv("NOTIFY_SOCKET", path.c_str(), 1);
  }
  ~Manager() {
    unsetenv("NOTIFY_SOCKET");
    close(fd_);
  }
  // Datagrams on one machine are there when sendto has returned.
  std::string Next() const {
    char buffer[8192];
    const ssize_t size = recv(fd_, buffer, sizeof buffer, 0);
    return size < 0 ? "nothing" : std::string(buffer, static_cast<std::size_t>(size));
  }

 private:
  const int fd_;
};

std::string OwnName(const std::string& prefix) { return prefix + "dfs-notice-" + std::to_string(getpid()); }

TEST(ServiceNotice, ArrivesAsOneDatagramAtAPath) {
  const std::string path = OwnName("/tmp/");
  const Manager manager(path);
  NotifyService("READY=1\nSTATUS=takes part");
  EXPECT_EQ(manager.Next(), "READY=1\nSTATUS=takes part");
  EXPECT_EQ(manager.Next(), "nothing");
  unlink(path.c_str());
}

TEST(ServiceNotice, ArrivesInTheAbstractNamespace) {
  const Manager manager(OwnName("@"));
  NotifyService("STOPPING=1");
  EXPECT_EQ(manager.Next(), "STOPPING=1");
}

TEST(ServiceNotice, NothingIsSentThatTheManagerWouldNotTake) {
  const Manager manager(OwnName("@"));
  NotifyService(std::string(5000, 'x'));
  EXPECT_EQ(manager.Next(), "nothing");
  for (const std::string& bad : {std::string("no-path"), std::string("/") + std::string(200, 'x'), std::string()}) {
    setenv("NOTIFY_SOCKET", bad.c_str(), 1);
    NotifyService("READY=1");
    EXPECT_EQ(manager.Next(), "nothing");
  }
}

TEST(ServiceNotice, WithoutAManagerNothingHappens) {
  unsetenv("NOTIFY_SOCKET");
  NotifyService("READY=1");
  setenv("NOTIFY_SOCKET", "/nobody/listens/here", 1);
  NotifyService("READY=1");
  unsetenv("NOTIFY_SOCKET");
}

}  // namespace
}  // namespace dfs::node
