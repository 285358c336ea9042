// Nodes that are gone, stopped, busy or of another cluster.
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <memory>
#include <string>
#include <vector>

#include "proto/wire_status.h"
#include "tests/unit/client/file_client_fixture.h"

namespace dfs::client {
namespace {

using v1::ErrorDetail;

TEST_F(FileClientTest, OverloadedNodeIsAskedAgain) {
  a.Inject("Stat", {Fault::kOverloaded, Fault::kOverloaded});
  b.Inject("Stat", {Fault::kOverloaded});
  StoreDirectly("f", "x");
  EXPECT_TRUE(Client()->Stat("f").ok());
}

TEST_F(FileClientTest, KilledNodeIsLeftForTheNext) {
  StoreDirectly("f", "x");
  const auto client = Client();
  ASSERT_TRUE(client->Stat("f").ok());
  a.Kill();
  const absl::Time began = absl::Now();
  EXPECT_TRUE(client->Stat("f").ok());
  StringSource source("y");
  EXPECT_TRUE(client->Put("f", source).ok());
  EXPECT_LT(absl::Now() - began, absl::Seconds(1));
}

TEST_F(FileClientTest, NodesNamedByTheClusterAreUsed) {
  a.AddEndpoint(b.address());
  StoreDirectly("f", "x");
  FileClient client({a.address()});
  ASSERT_TRUE(client.Stat("f").ok());
  a.Kill();
  EXPECT_TRUE(client.Stat("f").ok());
  EXPECT_EQ(client.Addresses(), (std::vector<std::string>{a.address(), b.address()}));
}

TEST_F(FileClientTest, StoppedNodeIsLeftWithinTwoSecondsAndABusyOneIsNot) {
  StoreDirectly("f", Pattern(100));
  const auto client = Client();
  ASSERT_TRUE(client->Stat("f").ok());
  a.Freeze();
  absl::Time began = absl::Now();
  EXPECT_TRUE(client->Stat("f").ok());
  EXPECT_LT(absl::Now() - began, absl::Milliseconds(2'300));
  EXPECT_GT(absl::Now() - began, absl::Milliseconds(700));
  // The next call does not try the stopped node first.
  began = absl::Now();
  EXPECT_TRUE(client->Stat("f").ok());
  EXPECT_LT(absl::Now() - began, absl::Milliseconds(200));
  // b answers Hello, so a call that takes long there is left alone until the timeout.
  b.Inject("Stat", {Fault::kHang});
  FileClientOptions options;
  options.calls.retry.timeout = absl::Seconds(3);
  FileClient patient({b.address()}, options);
  began = absl::Now();
  EXPECT_FALSE(patient.Stat("f").ok());
  EXPECT_GT(absl::Now() - began, absl::Milliseconds(2'900));
}

TEST_F(FileClientTest, StoppedNodeIsLeftInTheMiddleOfAPut) {
  const auto client = Client();
  StringSource first("x");
  ASSERT_TRUE(client->Put("g", first).ok());
  a.Freeze();
  StringSource source(Pattern(50'000'000));
  const absl::Time began = absl::Now();
  const auto put = client->Put("f", source);
  ASSERT_TRUE(put.ok()) << put.status();
  EXPECT_LT(absl::Now() - began, absl::Seconds(4));
  EXPECT_EQ(put->info().size(), 50'000'000U);
  EXPECT_EQ(a.calls("Put"), 2);
}

// A port that accepts and never says a word.
class BlackHole {
 public:
  BlackHole() : socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof(address);
    EXPECT_EQ(::bind(socket_, reinterpret_cast<sockaddr*>(&address), length), 0);
    EXPECT_EQ(::listen(socket_, 16), 0);
    ::getsockname(socket_, reinterpret_cast<sockaddr*>(&address), &length);
    port_ = ntohs(address.sin_port);
  }
  ~BlackHole() { ::close(socket_); }
  BlackHole(const BlackHole&) = delete;
  BlackHole& operator=(const BlackHole&) = delete;
  [[nodiscard]] std::string address() const { return "127.0.0.1:" + std::to_string(port_); }

 private:
  const int socket_;
  int port_ = 0;
};

TEST_F(FileClientTest, BlackHoleIsLeftWithinTwoSeconds) {
  StoreDirectly("f", "x");
  const BlackHole hole;
  FileClient client({hole.address(), a.address()});
  absl::Time began = absl::Now();
  EXPECT_TRUE(client.Stat("f").ok());
  EXPECT_LT(absl::Now() - began, absl::Seconds(2));
  began = absl::Now();
  EXPECT_TRUE(client.Stat("f").ok());
  EXPECT_LT(absl::Now() - began, absl::Milliseconds(200));
}

TEST_F(FileClientTest, NobodyReachableIsSaidSoon) {
  const std::string address = a.address();
  a.Kill();
  FileClient client({address});
  const absl::Time began = absl::Now();
  const auto stat = client.Stat("f");
  EXPECT_EQ(stat.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_LT(absl::Now() - began, absl::Seconds(4));
  StringSource source("x");
  const auto put = client.Put("f", source);
  EXPECT_EQ(OutcomeOf(put.status()), ErrorDetail::NOTHING_CHANGED);
}

TEST_F(FileClientTest, AnotherClusterIsRefused) {
  auto foreign_state = std::make_shared<FakeState>();
  {
    MutexLock lock(&foreign_state->mutex);
    foreign_state->cluster_id = std::string(31, '0') + "2";
  }
  FakeNode foreign("foreign", foreign_state);
  FileClient client({a.address(), foreign.address()});
  ASSERT_TRUE(client.Hello().ok());
  a.Kill();
  const auto stat = client.Stat("f");
  EXPECT_EQ(ReasonOf(stat.status()), ErrorDetail::WRONG_CLUSTER);
  EXPECT_EQ(foreign.calls("Stat"), 0);
}

}  // namespace
}  // namespace dfs::client
