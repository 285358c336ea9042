// The tools of the other tests.
#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string>

#include "tests/support/byte_proxy.h"
#include "tests/support/child_process.h"
#include "tests/support/disk_faults.h"
#include "tests/support/file_checks.h"
#include "tests/support/link_set.h"
#include "tests/support/sanitizers.h"

namespace dfs::testing {
namespace {

TEST(SeededSource, PiecesAreTheSameBytesAsTheWhole) {
  const std::string whole = MakeBytes(7, 300'001);
  for (const std::size_t piece : {1U, 7U, 8U, 65'535U, 65'536U, 65'537U, 1'000'000U}) {
    SeededSource source(7, whole.size());
    std::string out;
    while (true) {
      // Single bytes are slow: the first block and a bit of the next will do.
      if (piece == 1 && out.size() > 66'000) break;
      const auto read = source.Read(piece);
      ASSERT_TRUE(read.ok());
      if (read->empty()) break;
      out += read->ToString();
    }
    EXPECT_TRUE(out == whole.substr(0, out.size())) << piece;
    EXPECT_TRUE(piece == 1 || out.size() == whole.size()) << piece;
  }
  EXPECT_EQ(FingerprintOf(whole), FingerprintOfSeeded(7, whole.size()));
  EXPECT_NE(FingerprintOfSeeded(7, 1'000), FingerprintOfSeeded(8, 1'000));
}

TEST(RunCommand, GivesCodeAndStreams) {
  const auto result = RunCommand({"sh", "-c", "cat; echo err >&2; exit 3"}, "in");
  EXPECT_EQ(result.exit_code, 3);
  EXPECT_EQ(result.out, "in");
  EXPECT_EQ(result.err, "err\n");
  EXPECT_EQ(RunCommand({"/no/such/program"}).exit_code, 127);
  EXPECT_EQ(RunCommand({"sh", "-c", "kill -9 $$"}).exit_code, 128 + SIGKILL);
  EXPECT_EQ(RunCommand({"sleep", "60"}, "", {}, absl::Milliseconds(50)).exit_code, -1);
  EXPECT_EQ(RunCommand({"sh", "-c", "echo $DFS_X"}, "", {{"DFS_X", "y"}}).out, "y\n");
}

TEST(RunCommand, PeakOfMemoryIsThatOfTheCommandAlone) {
#ifdef DFS_HAS_ADDRESS_SANITIZER
  GTEST_SKIP() << "the sanitizer keeps freed memory, which a command has until it begins";
#endif
  const auto large = RunCommand({"sh", "-c", "x=$(head -c 60000000 /dev/zero | tr '\\0' x); echo ${#x}"});
  EXPECT_EQ(large.out, "60000000\n");
  EXPECT_GT(large.peak_mb, 60);
  const auto small = RunCommand({"sh", "-c", "echo"});
  EXPECT_GT(small.peak_mb, 0);
  EXPECT_LT(small.peak_mb, large.peak_mb - 50) << "what ran before does not count";
}

TEST(ChildProcess, IsKilledWithItsObject) {
  pid_t pid = 0;
  {
    ChildProcess child({"sleep", "60"}, {});
    pid = child.pid();
    EXPECT_TRUE(child.IsAlive());
    child.Signal(SIGSTOP);
    EXPECT_TRUE(child.IsAlive());
  }
  EXPECT_EQ(kill(pid, 0), -1);
}

// A socket on loopback that listens, or is connected to `port`.
int LoopbackSocket(int port) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const auto* const generic = reinterpret_cast<const sockaddr*>(&address);
  EXPECT_EQ(port == 0 ? bind(fd, generic, sizeof address) : connect(fd, generic, sizeof address), 0);
  if (port == 0) {
    EXPECT_EQ(listen(fd, 1), 0);
  }
  return fd;
}

// Sends until `size` bytes are sent, or none has been taken for `patience_ms`.
void SendUntilStuck(int fd, std::size_t size, int patience_ms) {
  const std::string bytes(65'536, 'x');
  pollfd waits{fd, POLLOUT, 0};
  for (std::size_t sent = 0; sent < size && poll(&waits, 1, patience_ms) > 0;) {
    const ssize_t taken = send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (taken > 0) sent += static_cast<std::size_t>(taken);
  }
}

// Reads to the end; false if nothing comes for `patience_ms`.
bool HasEnd(int fd, int patience_ms) {
  std::array<char, 65'536> buffer{};
  pollfd waits{fd, POLLIN, 0};
  while (poll(&waits, 1, patience_ms) > 0) {
    if (recv(fd, buffer.data(), buffer.size(), 0) <= 0) return true;
  }
  return false;
}

TEST(ByteProxy, TellsTheServerThatAHeldClientHungUpHoweverMuchItHasSent) {
  const int listener = LoopbackSocket(0);
  sockaddr_in address{};
  socklen_t length = sizeof address;
  ASSERT_EQ(getsockname(listener, reinterpret_cast<sockaddr*>(&address), &length), 0);
  ByteProxy proxy("127.0.0.1:" + std::to_string(ntohs(address.sin_port)), 65'536);
  proxy.HoldAfter(1'000);
  const int client = LoopbackSocket(std::stoi(proxy.endpoint().substr(proxy.endpoint().rfind(':') + 1)));
  // More than all buffers on the way hold.
  SendUntilStuck(client, 64U << 20, /*patience_ms=*/2'000);
  const int server = accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
  EXPECT_TRUE(proxy.has_held());
  close(client);
  EXPECT_TRUE(HasEnd(server, /*patience_ms=*/10'000));
  close(server);
  close(listener);
}

TEST(LinkSet, HubsReachAMajorityBothWaysAndTheCutOffReachNone) {
  LinkSet links(5);
  EXPECT_EQ(links.Hubs().size(), 5U);
  EXPECT_TRUE(links.CutOff().empty());
  // 1 - 2 - 3 - 4, and 5 alone.
  for (const auto& [a, b] : {std::pair{1, 3}, {1, 4}, {2, 4}, {1, 5}, {2, 5}, {3, 5}, {4, 5}}) links.Cut(a, b);
  EXPECT_EQ(links.Hubs(), (std::set{2, 3}));
  EXPECT_EQ(links.CutOff(), (std::set{5}));
  EXPECT_EQ(links.ToString(), "1-2 2-3 3-4");
  // One direction less is a link less.
  links.CutOneWay(2, 3);
  EXPECT_TRUE(links.Hubs().empty());
  EXPECT_EQ(links.CutOff().size(), 5U);
  EXPECT_EQ(links.ToString(), "1-2 2<3 3-4");
  EXPECT_EQ(links.WithExchanged(1, 5).ToString(), "2<3 2-5 3-4");
}

TEST(LinkSet, RandomOnesAreOfAllKinds) {
  int with_hub = 0;
  int one_way = 0;
  for (std::uint64_t seed = 1; seed <= 64; ++seed) {
    Random random(seed);
    with_hub += LinkSet::RandomUndirected(5, random).Hubs().empty() ? 0 : 1;
    const LinkSet directed = LinkSet::RandomOneWay(5, random);
    for (const auto& [from, to] : directed.cut()) one_way += directed.Carries(to, from) ? 1 : 0;
  }
  EXPECT_GT(with_hub, 16);
  EXPECT_LT(with_hub, 60);
  EXPECT_GT(one_way, 64);
}

TEST(DiskFaults, MeetTheCallsThatTheyName) {
#ifdef DFS_HAS_ADDRESS_SANITIZER
  GTEST_SKIP() << "the sanitizer's library must be loaded first";
#endif
  const TemporaryFolder folder;
  DiskFaults faults;
  const std::string file = folder.File("file");
  const auto write = [&] {
    return RunCommand({"dd", "if=/dev/zero", "of=" + file, "bs=100", "count=1", "conv=fsync"}, "",
                      faults.EnvironmentOf(1));
  };
  EXPECT_EQ(write().exit_code, 0) << "no faults yet";
  faults.Set(1, {{.op = "sync", .path = folder.path(), .error = EIO}});
  EXPECT_NE(write().err.find("Input/output error"), std::string::npos);
  EXPECT_EQ(faults.Met(1, "sync"), 1);
  faults.Set(1, {{.op = "sync", .path = folder.path() + "/other", .error = EIO}});
  EXPECT_EQ(write().exit_code, 0) << "another file";
  faults.Set(1, {{.op = "write", .path = file, .error = ENOSPC}});
  EXPECT_NE(write().err.find("No space left"), std::string::npos);
  faults.Set(1, {{.op = "write", .path = file, .error = ENOSPC, .count = 0}});
  EXPECT_EQ(write().exit_code, 0) << "used up";
  faults.Set(1, {{.op = "sync", .path = file, .delay = absl::Milliseconds(300)}});
  const auto slow = write();
  EXPECT_EQ(slow.exit_code, 0);
  EXPECT_GE(slow.elapsed, absl::Milliseconds(300));
}

TEST(DiskFaults, CallsThatHangGoOnWhenTheFaultsAreTaken) {
#ifdef DFS_HAS_ADDRESS_SANITIZER
  GTEST_SKIP() << "the sanitizer's library must be loaded first";
#endif
  const TemporaryFolder folder;
  DiskFaults faults;
  faults.Set(7, {{.op = "sync", .path = folder.path(), .delay = absl::Minutes(10)}});
  ChildProcess child({"dd", "if=/dev/zero", "of=" + folder.File("file"), "bs=1", "count=1", "conv=fsync"},
                     {}, faults.EnvironmentOf(7));
  while (faults.Met(7, "sync") == 0) ASSERT_TRUE(child.IsAlive());
  EXPECT_FALSE(child.WaitFor(absl::Milliseconds(50)));
  faults.Clear(7);
  EXPECT_EQ(child.WaitFor(absl::Seconds(30)), 0);
}

}  // namespace
}  // namespace dfs::testing
