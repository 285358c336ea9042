#include "server/gateway/handover_desk.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <memory>
#include <set>
#include <string>
#include <vector>

#include "common/clock.h"
#include "server/gateway/posix_handover_socket.h"

namespace dfs::gateway {
namespace {

class SetClock final : public Clock {
 public:
  [[nodiscard]] MonotonicTime Now() const override { return now; }
  [[nodiscard]] absl::Time WallNow() const override { return absl::UnixEpoch(); }
  MonotonicTime now = absl::UnixEpoch() + absl::Hours(1);
};

class EmptyChunk final : public chunk::ChunkReader {
 public:
  [[nodiscard]] const chunk::ChunkInfo& info() const override { return info_; }
  [[nodiscard]] const std::vector<std::uint32_t>& table() const override { return table_; }
  [[nodiscard]] absl::Status Read(std::uint64_t, std::span<char>) const override { return absl::OkStatus(); }

 private:
  const chunk::ChunkInfo info_{};
  const std::vector<std::uint32_t> table_{};
};

TEST(HandoverDesk, ATicketIsGoodOnce) {
  SetClock clock;
  HandoverDesk desk(&clock);
  const auto reader = std::make_shared<EmptyChunk>();
  const auto ticket = desk.Offer(reader);
  ASSERT_TRUE(ticket);
  EXPECT_EQ(ticket->size(), HandoverDesk::kTicketBytes);
  EXPECT_EQ(desk.Take(std::string(HandoverDesk::kTicketBytes, '\0')), nullptr);
  EXPECT_EQ(desk.Take(*ticket), reader);
  EXPECT_EQ(desk.Take(*ticket), nullptr);
}

TEST(HandoverDesk, ATicketEndsByItselfAndLetsGoOfItsFile) {
  SetClock clock;
  HandoverDesk desk(&clock);
  auto reader = std::make_shared<EmptyChunk>();
  const std::weak_ptr<EmptyChunk> watched = reader;
  const auto ticket = desk.Offer(std::move(reader));
  clock.now += HandoverDesk::kValidFor;
  EXPECT_EQ(desk.Take(*ticket), nullptr);
  EXPECT_TRUE(watched.expired());
}

TEST(HandoverDesk, OnlySoManyFilesAreKeptOpen) {
  SetClock clock;
  HandoverDesk desk(&clock);
  const auto reader = std::make_shared<EmptyChunk>();
  std::set<std::string> tickets;
  for (std::size_t i = 0; i < HandoverDesk::kTicketsMax; ++i) tickets.insert(desk.Offer(reader).value());
  EXPECT_EQ(tickets.size(), HandoverDesk::kTicketsMax);
  EXPECT_FALSE(desk.Offer(reader));
  EXPECT_EQ(desk.Take(*tickets.begin()), reader);
  clock.now += HandoverDesk::kValidFor;
  EXPECT_TRUE(desk.Offer(reader));
}

// A client that says nothing until it goes.
class SilentClient {
 public:
  explicit SilentClient(const std::string& path) : socket_(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    EXPECT_EQ(::connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  }
  ~SilentClient() { ::close(socket_); }
  SilentClient(const SilentClient&) = delete;
  SilentClient& operator=(const SilentClient&) = delete;

  // What comes when it asks with a ticket that is none: 1, an answer; 0 or less, it was hung up on.
  [[nodiscard]] ssize_t Ask() const {
    const std::string ticket(HandoverDesk::kTicketBytes, 'x');
    if (::send(socket_, ticket.data(), ticket.size(), MSG_NOSIGNAL) < 0) return -1;
    char count = 0;
    return ::recv(socket_, &count, 1, 0);
  }

 private:
  const int socket_;
};

TEST(HandoverSocket, OnlySoManyClientsAreWaitedFor) {
  HandoverDesk desk(&SystemClock());
  const std::string path = "/tmp/dfs_handover_test." + std::to_string(::getpid());
  const auto socket = HandoverSocket::Listen(
      {.path = path, .serves_own_user = true, .clients_max = 1, .client_patience = absl::Hours(1)}, &desk);
  ASSERT_TRUE(socket.ok()) << socket.status();
  {
    const SilentClient first(path);
    EXPECT_LE(SilentClient(path).Ask(), 0) << "it is served though one waits, and one is the most";
  }
  const MonotonicTime end = SystemClock().Now() + absl::Seconds(60);
  while (SilentClient(path).Ask() != 1) ASSERT_LT(SystemClock().Now(), end) << "who has gone is still waited for";
}

}  // namespace
}  // namespace dfs::gateway
