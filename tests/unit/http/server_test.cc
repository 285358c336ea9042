// Connections over real sockets, with a handler of the test's own and a clock that the test moves.
#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "server/http/http_server.h"
#include "tests/unit/http/bytes_with_nul.h"

namespace dfs::http {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr int kPatienceMs = 30'000;

class MovedClock final : public Clock {
 public:
  [[nodiscard]] MonotonicTime Now() const override {
    return SystemClock().Now() + absl::Microseconds(moved_us_.load());
  }
  [[nodiscard]] absl::Time WallNow() const override { return SystemClock().WallNow(); }
  void Move(absl::Duration by) { moved_us_ += absl::ToInt64Microseconds(by); }

 private:
  std::atomic<std::int64_t> moved_us_{0};
};

class Client {
 public:
  explicit Client(int port) : descriptor_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::connect(descriptor_, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  }
  ~Client() { ::close(descriptor_); }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  void Send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t sent = ::send(descriptor_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return;
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
  }
  // What comes until `end` has come, or the connection ends.
  std::string ReadUntil(std::string_view end) {
    std::string out;
    while (end.empty() || out.find(end) == std::string::npos) {
      pollfd poll_for{descriptor_, POLLIN, 0};
      if (::poll(&poll_for, 1, kPatienceMs) <= 0) return out + "<nothing more came>";
      char buffer[4096];
      const ssize_t got = ::recv(descriptor_, buffer, sizeof buffer, 0);
      if (got <= 0) return out;
      out.append(buffer, static_cast<std::size_t>(got));
    }
    return out;
  }
  std::string ReadAll() { return ReadUntil(""); }
  // Whether something, or the end, comes within so many milliseconds.
  [[nodiscard]] bool HasAnswer(int wait_ms = 1) const {
    pollfd poll_for{descriptor_, POLLIN, 0};
    return ::poll(&poll_for, 1, wait_ms) > 0;
  }

 private:
  const int descriptor_;
};

// Calls `nudge` until an answer, or the end, comes; false if patience ended.
bool AwaitAnswer(const Client& client, const std::function<void()>& nudge) {
  const MonotonicTime end = SystemClock().Now() + absl::Milliseconds(kPatienceMs);
  while (!client.HasAnswer()) {
    if (SystemClock().Now() > end) return false;
    nudge();
  }
  return true;
}

// Answers with what it was sent.
void Echo(Exchange& exchange) {
  std::string body;
  while (true) {
    const auto piece = exchange.ReadBody(10);
    if (!piece.ok()) {
      Response bad;
      bad.code = piece.status().code() == absl::StatusCode::kDeadlineExceeded ? 408 : 400;
      return exchange.Answer(bad);
    }
    if (piece->empty()) break;
    body += piece->ToString();
  }
  Response out;
  out.body = exchange.head().method + " " + exchange.head().target + " [" + body + "]";
  exchange.Answer(out);
}

class Server : public ::testing::Test {
 protected:
  void Listen(Handler handler, std::size_t requests_max = 8, std::size_t connections_max = 16) {
    HttpServer::Options options;
    options.address = "127.0.0.1:0";
    options.handler = std::move(handler);
    options.make_stream = PosixStreams(&clock_);
    options.clock = &clock_;
    options.requests_max = requests_max;
    options.connections_max = connections_max;
    auto server = HttpServer::Listen(std::move(options));
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
  }
  [[nodiscard]] int port() const { return server_->port(); }

  MovedClock clock_;
  std::unique_ptr<HttpServer> server_;
};

TEST_F(Server, RequestsOfOneConnectionAreAnsweredInOrder) {
  Listen(Echo);
  Client client(port());
  client.Send(
      "PUT /a HTTP/1.1\r\nHost: h\r\nContent-Length: 25\r\n\r\nabcdefghijklmnopqrstuvwxy"
      "\r\nPUT /b HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
      "GET /c HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
  const std::string all = client.ReadAll();
  const auto a = all.find("PUT /a [abcdefghijklmnopqrstuvwxy]");
  const auto b = all.find("PUT /b [abc]");
  const auto c = all.find("GET /c []");
  ASSERT_NE(c, std::string::npos) << all;
  EXPECT_LT(a, b);
  EXPECT_LT(b, c);
}

// Defect "unframed messages over TCP".
TEST_F(Server, ARequestMayComeByteByByte) {
  Listen(Echo);
  Client client(port());
  const std::string request =
      "PUT /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
  for (const char c : request) client.Send(std::string_view(&c, 1));
  EXPECT_THAT(client.ReadUntil("]"), HasSubstr("PUT /a [abc]"));
}

TEST_F(Server, TheBodyIsAskedForOnlyWhenItIsWanted) {
  std::atomic<bool> wants_body{true};
  Listen([&](Exchange& exchange) {
    if (wants_body) return Echo(exchange);
    Response no;
    no.code = 413;
    exchange.Answer(no);
  });
  const std::string head =
      "PUT /a HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n";
  Client client(port());
  client.Send(head);
  EXPECT_EQ(client.ReadUntil("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
  client.Send("abc");
  EXPECT_THAT(client.ReadUntil("]"), HasSubstr("[abc]"));
  wants_body = false;
  client.Send(head);
  EXPECT_THAT(client.ReadAll(), StartsWith("HTTP/1.1 413 ")) << "and the connection ends";
}

TEST_F(Server, MalformedRequestsAreRefusedAndTheConnectionEnds) {
  std::atomic<int> served{0};
  Listen([&](Exchange& exchange) {
    ++served;
    Echo(exchange);
  });
  const std::string smuggled = "GET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n";
  struct Case {
    std::string request;
    int code;
  };
  const std::vector<Case> cases = {
      {"PUT /a HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
      {"PUT /a HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nContent-Length: 30\r\n\r\nabc", 400},
      {"GET /a HTTP/1.1\nHost: h\n\n", 400},
      {"GET /a HTTP/1.1\r\nHost: h\r\nX: a\r\n b\r\n\r\n", 400},
      {WithNul("GET /a HTTP/1.1\r\nHost: h\r\nX: \0\r\n\r\n"), 400},
      {"GET /" + std::string(9'000, 'a') + " HTTP/1.1\r\nHost: h\r\n\r\n", 414},
      {"GET /" + std::string(9'000, 'a'), 414},
      {"GET /a HTTP/1.1\r\nHost: h\r\nX: " + std::string(17'000, 'a') + "\r\n\r\n", 431},
      {"GET /a HTTP/1.1\r\nHost: h\r\nX: " + std::string(17'000, 'a'), 431},
      {"PUT /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip\r\n\r\n", 501},
      {"\x16\x03\x01\x02\x00\x01\r\n\r\n", 400},
  };
  for (const auto& one : cases) {
    Client client(port());
    client.Send(one.request + smuggled);
    const std::string answer = client.ReadAll();
    EXPECT_THAT(answer, StartsWith("HTTP/1.1 " + std::to_string(one.code) + " ")) << one.request;
    EXPECT_THAT(answer, HasSubstr("{\"error\":\"")) << one.request;
    EXPECT_EQ(answer.find("HTTP/1.1", 1), std::string::npos) << "a second answer: " << answer;
  }
  EXPECT_EQ(served, 0);

  // Here the head is good and the body is not.
  for (const std::string chunks : {"3\nabc\r\n0\r\n\r\n", "g\r\nabc\r\n0\r\n\r\n", "3\r\nabcd\r\n0\r\n\r\n",
                                   "fffffffffffffffff\r\nabc\r\n0\r\n\r\n"}) {
    Client client(port());
    client.Send("PUT /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks + smuggled);
    const std::string answer = client.ReadAll();
    EXPECT_THAT(answer, StartsWith("HTTP/1.1 400 ")) << chunks;
    EXPECT_EQ(answer.find("HTTP/1.1", 1), std::string::npos) << chunks;
  }
}

TEST_F(Server, AnAnswerInPiecesIsFramedForItsClient) {
  Listen([](Exchange& exchange) {
    exchange.Begin(Response(), std::nullopt);
    exchange.Write(Slices::CopyOf("hello "));
    exchange.Write(Slices::CopyOf("world"));
    if (exchange.head().target != "/cut") exchange.End();
  });
  Client client(port());
  client.Send("GET /a HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_THAT(client.ReadUntil("0\r\n\r\n"),
              HasSubstr("chunked\r\nConnection: keep-alive\r\n\r\n6\r\nhello \r\n5\r\nworld\r\n0\r\n\r\n"));
  client.Send("HEAD /a HTTP/1.1\r\nHost: h\r\n\r\n");
  const std::string head = client.ReadUntil("\r\n\r\n");
  EXPECT_TRUE(head.ends_with("\r\n\r\n")) << head;
  client.Send("GET /cut HTTP/1.1\r\nHost: h\r\n\r\n");
  const std::string cut = client.ReadAll();
  EXPECT_TRUE(cut.ends_with("5\r\nworld\r\n")) << "and no end: " << cut;
  Client old(port());
  old.Send("GET /a HTTP/1.0\r\n\r\n");
  EXPECT_TRUE(old.ReadAll().ends_with("\r\n\r\nhello world"));
}

TEST_F(Server, MoreThanWasToldIsNotSent) {
  Listen([](Exchange& exchange) {
    exchange.Begin(Response(), 3);
    EXPECT_FALSE(exchange.Write(Slices::CopyOf("four")));
    exchange.End();
  });
  Client client(port());
  client.Send("GET /a HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_EQ(client.ReadAll().find("four"), std::string::npos);
}

// Defect "deadlock, wedged connection, request without deadline".
TEST_F(Server, WhoSendsNoWholeHeadIsLeft) {
  Listen(Echo);
  Client half(port());
  Client silent(port());
  half.Send("GET /a HTTP/1.1\r\nHo");
  // Once, and once more if the server has seen the bytes only after the first time.
  for (Client* const client : {&half, &silent}) {
    for (int moves = 0; moves < 10 && !client->HasAnswer(); ++moves) {
      clock_.Move(HttpConnection::kHeadTimeout);
      if (client->HasAnswer(kPatienceMs / 10)) break;
    }
    ASSERT_TRUE(client->HasAnswer());
  }
  EXPECT_EQ(half.ReadAll(), "");
  EXPECT_EQ(silent.ReadAll(), "");

  Client idle(port());
  idle.Send("GET /a HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_THAT(idle.ReadUntil("]"), HasSubstr("GET /a"));
  clock_.Move(HttpConnection::kHeadTimeout + absl::Seconds(1));
  idle.Send("GET /b HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_THAT(idle.ReadUntil("]"), HasSubstr("GET /b")) << "an idle connection has more time";
  ASSERT_TRUE(AwaitAnswer(idle, [this] { clock_.Move(HttpConnection::kIdleTimeout); }));
  EXPECT_EQ(idle.ReadAll(), "");
}

TEST_F(Server, TricklingAHeadHoldsNoThread) {
  Listen(Echo, /*requests_max=*/1);
  std::vector<std::unique_ptr<Client>> slow;
  for (int i = 0; i < 8; ++i) {
    slow.push_back(std::make_unique<Client>(port()));
    slow.back()->Send("GET /slow HTTP/1.1\r\nHo");
  }
  for (int round = 0; round < 5; ++round) {
    Client client(port());
    client.Send("GET /a HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    EXPECT_THAT(client.ReadAll(), HasSubstr("GET /a []"));
    for (auto& one : slow) one->Send("s");
  }
}

// Defect "deadlock, wedged connection, request without deadline".
TEST_F(Server, ABodyThatTricklesIsGivenUp) {
  Listen(Echo);
  Client client(port());
  client.Send("PUT /a HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\nabc");
  // Until the clock has moved while the server waits.
  ASSERT_TRUE(AwaitAnswer(client, [&] {
    clock_.Move(TransferPace::kWindow);
    client.Send("d");
  }));
  EXPECT_THAT(client.ReadAll(), StartsWith("HTTP/1.1 408 "));
}

TEST_F(Server, MoreConnectionsThanItMayHaveCostTheOldestIdleOne) {
  Listen(Echo, /*requests_max=*/4, /*connections_max=*/4);
  constexpr int kRefusedMax = 10'000;
  int refused = 0;
  std::vector<std::unique_ptr<Client>> clients;
  for (int i = 0; i < 12; ++i) {
    clients.push_back(std::make_unique<Client>(port()));
    clients.back()->Send("GET /" + std::to_string(i) + " HTTP/1.1\r\nHost: h\r\n\r\n");
    const std::string answer = clients.back()->ReadUntil("]");
    // While threads stay with the connections they have served, there is no idle one: the new one is told so.
    if (answer.starts_with("HTTP/1.1 503 ")) {
      EXPECT_THAT(answer, HasSubstr("Retry-After: 1")) << i;
      ASSERT_LT(++refused, kRefusedMax) << "no connection ever becomes idle";
      clients.pop_back();
      --i;
      continue;
    }
    EXPECT_THAT(answer, HasSubstr("GET /" + std::to_string(i))) << i;
  }
  EXPECT_LE(server_->connections(), 4u);
  clients.back()->Send("GET /last HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_THAT(clients.back()->ReadUntil("]"), HasSubstr("GET /last"));
  EXPECT_EQ(clients.front()->ReadAll(), "") << "the oldest one was closed";
}

TEST_F(Server, AClientThatGoesAwayMidBodyIsSeen) {
  Event is_lost;
  Listen([&](Exchange& exchange) {
    if (exchange.ReadBody(1'000).status().code() == absl::StatusCode::kCancelled) is_lost.Set();
  });
  {
    Client client(port());
    client.Send("PUT /a HTTP/1.1\r\nHost: h\r\nContent-Length: 1000\r\n\r\nabc");
  }
  EXPECT_TRUE(is_lost.WaitFor(absl::Milliseconds(kPatienceMs)));
}

TEST_F(Server, StopLetsARequestEndAndThenCuts) {
  Event is_in_handler;
  Listen([&](Exchange& exchange) {
    is_in_handler.Set();
    const auto body = exchange.ReadBody(3);
    Response out;
    out.body = body.ok() ? "whole" : "cut";
    exchange.Answer(out);
  });
  Client client(port());
  client.Send("PUT /a HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\n");
  is_in_handler.Wait();
  ThreadExecutor stopper("stopper");
  Event is_stopped;
  stopper.Post([&] {
    server_->Stop(absl::Hours(1));
    is_stopped.Set();
  });
  client.Send("abc");
  EXPECT_TRUE(client.ReadAll().ends_with("whole"));
  EXPECT_TRUE(is_stopped.WaitFor(absl::Milliseconds(kPatienceMs)));

  Event is_in_second;
  Listen([&](Exchange& exchange) {
    is_in_second.Set();
    EXPECT_FALSE(exchange.ReadBody(3).ok());
  });
  Client stuck(port());
  stuck.Send("PUT /a HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\n");
  is_in_second.Wait();
  server_->Stop(absl::ZeroDuration());
}

TEST_F(Server, AnAddressInUseIsAnError) {
  Listen(Echo);
  HttpServer::Options options;
  options.address = "127.0.0.1:" + std::to_string(port());
  options.handler = Echo;
  options.make_stream = PosixStreams(&clock_);
  options.clock = &clock_;
  EXPECT_EQ(HttpServer::Listen(options).status().code(), absl::StatusCode::kUnavailable);
  options.address = "nonsense";
  EXPECT_EQ(HttpServer::Listen(options).status().code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace dfs::http
