// Certificates, and who gets through a door with them.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "common/certificate_authority.h"
#include "common/clock.h"
#include "common/executor.h"
#include "common/grpc_credentials.h"
#include "common/posix_disk.h"
#include "common/tls_acceptor.h"
#include "common/tls_door_probe.h"
#include "common/tls_identity.h"

// gRPC 1.51 loses the array of a connection's read buffer, 2,880 bytes, with each handshake that fails.
extern "C" const char* __lsan_default_suppressions();  // NOLINT(bugprone-reserved-identifier): LeakSanitizer's
extern "C" const char* __lsan_default_suppressions() { return "leak:gpr_realloc\n"; }  // NOLINT(bugprone-reserved-identifier)

namespace dfs {
namespace {

using ::testing::HasSubstr;

constexpr absl::Duration kDeadline = absl::Seconds(30);

Validity ValidFor(absl::Duration from, absl::Duration until) {
  const absl::Time now = SystemClock().WallNow();
  return {now + from, now + until};
}
Validity ValidNow() { return ValidFor(-absl::Hours(1), absl::Hours(24)); }

// Without checks: whatever the options say, so that others can refuse it.
class Authority {
 public:
  explicit Authority(const std::string& cluster)
      : authority_(MakeAuthority(MakeKey().value(), cluster, ValidFor(-absl::Hours(9'999), absl::Hours(9'999))).value()) {}

  [[nodiscard]] const std::string& pem() const { return authority_.certificate_pem; }
  [[nodiscard]] TlsIdentity Issue(TlsRole role, const std::string& name, std::vector<std::string> hosts = {},
                                  const Validity& validity = ValidNow()) const {
    const auto issued =
        IssueCertificate(authority_, MakeKey().value(), {role, name, std::move(hosts), validity}).value();
    return MakeTlsIdentity(issued.certificate_pem, issued.key_pem, pem()).value();
  }

 private:
  const KeyAndCertificate authority_;
};

// A gRPC server without services: a client gets as far as HTTP/2's settings if and only if it is let in.
class DoorServer {
 public:
  explicit DoorServer(const std::shared_ptr<grpc::ServerCredentials>& credentials) {
    grpc::ServerBuilder builder;
    SetServerArguments(builder);
    builder.AddListeningPort("127.0.0.1:0", credentials, &port_);
    builder.RegisterCallbackGenericService(&service_);
    server_ = builder.BuildAndStart();
  }
  ~DoorServer() { server_->Shutdown(std::chrono::system_clock::now()); }
  DoorServer(const DoorServer&) = delete;
  DoorServer& operator=(const DoorServer&) = delete;
  [[nodiscard]] std::string address() const { return "127.0.0.1:" + std::to_string(port_); }

 private:
  grpc::CallbackGenericService service_;
  std::unique_ptr<grpc::Server> server_;
  int port_ = 0;
};

// Whether gRPC comes to terms with the door; it must come to an end one way or the other.
bool GetsIn(const Dialer& dialer, const std::string& address) {
  const auto channel = dialer.Dial(address, ChannelUse::kControl);
  const auto end = absl::ToChronoTime(SystemClock().WallNow() + kDeadline);
  auto state = channel->GetState(true);
  while (state != GRPC_CHANNEL_READY) {
    if (state == GRPC_CHANNEL_TRANSIENT_FAILURE) return false;
    if (!channel->WaitForStateChange(state, end)) {
      ADD_FAILURE() << "no end";
      return false;
    }
    state = channel->GetState(true);
  }
  return true;
}

TlsDoorReport Probe(const std::string& address, const TlsIdentity* identity, bool is_only_tls12 = false) {
  return ProbeTlsDoor({address, identity, is_only_tls12, kDeadline, "", kDeadline});
}

class Tls : public ::testing::Test {
 protected:
  const Authority home_{"home"};
  const Authority foreign_{"home"};  // that calls itself by the same name
  const Authority other_{"other"};
  const TlsIdentity n1_ = home_.Issue(TlsRole::kNode, "n1", {"127.0.0.1", "localhost"});
  const TlsIdentity n2_ = home_.Issue(TlsRole::kNode, "n2");
  const TlsIdentity client_ = home_.Issue(TlsRole::kClient, "alice");
};

TEST(TlsName, IsReadAsItWasWritten) {
  const TlsName name{"prod", TlsRole::kNode, "n-1.a_b"};
  EXPECT_EQ(UriOf(name), "dfs://prod/node/n-1.a_b");
  EXPECT_EQ(TlsNameOf({"https://elsewhere", UriOf(name)}).value(), name);
  const TlsName client{"prod", TlsRole::kClient, "node"};
  EXPECT_EQ(TlsNameOf({UriOf(client)}).value(), client);
  for (const std::string uri : {"dfs://", "dfs://prod", "dfs://prod/", "dfs://prod/node/", "dfs:///node/n1", "dfs://prod/admin/n1",
                                "dfs://prod/node/n1/client/x", "dfs://prod/node/n 1", "dfs://../node/n1", "DFS://prod/node/n1",
                                "http://prod/node/n1"}) {
    EXPECT_EQ(TlsNameOf({uri}).status().code(), absl::StatusCode::kUnauthenticated) << uri;
  }
  EXPECT_FALSE(TlsNameOf({}).ok());
  EXPECT_FALSE(TlsNameOf({UriOf(name), UriOf(client)}).ok()) << "which of the two?";
}

TEST(TlsName, HostsAreThoseNamedOrAny) {
  EXPECT_TRUE(HoldsForHost({}, "10.0.0.1:7711"));
  const std::vector<std::string> hosts = {"Node1.example", "10.0.0.1", "::1"};
  for (const std::string address : {"node1.example:1", "10.0.0.1:7711", "10.0.0.1", "[::1]:7711", "::1"}) {
    EXPECT_TRUE(HoldsForHost(hosts, address)) << address;
  }
  for (const std::string address : {"10.0.0.11:7711", "10.0.0.", "node2.example:1", "example:1", "[::2]:1", ""}) {
    EXPECT_FALSE(HoldsForHost(hosts, address)) << address;
  }
}

TEST_F(Tls, IdentitySaysWhoItIs) {
  EXPECT_EQ(n1_.own.name, (TlsName{"home", TlsRole::kNode, "n1"}));
  EXPECT_THAT(n1_.own.hosts, ::testing::UnorderedElementsAre("127.0.0.1", "localhost"));
  const auto again = ReadTlsCertificate(n1_.certificate_pem);
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(again->not_after, n1_.own.not_after);
  EXPECT_LT(absl::AbsDuration(again->not_after - SystemClock().WallNow() - absl::Hours(24)), absl::Minutes(2));
}

TEST_F(Tls, IdentityThatDoesNotFitTogetherIsRefused) {
  const auto complaint = [](const std::string& cert, const std::string& key, const std::string& ca) {
    const auto made = MakeTlsIdentity(cert, key, ca);
    EXPECT_EQ(made.status().code(), absl::StatusCode::kInvalidArgument) << made.status();
    return std::string(made.status().message());
  };
  EXPECT_THAT(complaint(n1_.certificate_pem, n2_.key_pem, home_.pem()), HasSubstr("not that of the certificate"));
  EXPECT_THAT(complaint(n1_.certificate_pem, n1_.key_pem, foreign_.pem()), HasSubstr("has not signed"));
  EXPECT_THAT(complaint("nonsense", n1_.key_pem, home_.pem()), HasSubstr("the certificate is no PEM"));
  EXPECT_THAT(complaint(n1_.certificate_pem, "nonsense", home_.pem()), HasSubstr("the key is no PEM"));
  EXPECT_THAT(complaint(n1_.certificate_pem, n1_.key_pem, n1_.key_pem), HasSubstr("the authority is no PEM"));
  const std::string half = n1_.certificate_pem.substr(0, n1_.certificate_pem.size() / 2);
  EXPECT_THAT(complaint(half, n1_.key_pem, home_.pem()), HasSubstr("damaged"));
  EXPECT_THAT(complaint(home_.pem() + n1_.certificate_pem, n1_.key_pem, home_.pem()), HasSubstr("not that"));
}

TEST_F(Tls, NodesAndClientsComeInWhereTheyMay) {
  const DoorServer peers(LockedDoor(n1_, TlsDoor::kPeers));
  EXPECT_TRUE(GetsIn(Dialer(n2_, TlsDoor::kPeers), peers.address()));
  const DoorServer clients(LockedDoor(n1_, TlsDoor::kClients));
  EXPECT_TRUE(GetsIn(Dialer(client_, TlsDoor::kServer), clients.address()));
  EXPECT_TRUE(GetsIn(Dialer(n2_, TlsDoor::kServer), clients.address()));
  const auto report = Probe(clients.address(), &client_);
  EXPECT_EQ(report.version, "TLSv1.3") << report.reason;
}

// What must stay outside, at both doors; each through gRPC and through OpenSSL alone.
// Defect "unauthenticated internal endpoints".
TEST_F(Tls, TheUnauthenticatedStayOutside) {
  const DoorServer peers(LockedDoor(n1_, TlsDoor::kPeers));
  const DoorServer clients(LockedDoor(n1_, TlsDoor::kClients));
  const auto with = [&](const Authority& authority, const Validity& validity, TlsRole role = TlsRole::kNode) {
    TlsIdentity identity = authority.Issue(role, "n2", {}, validity);
    identity.ca_pem = home_.pem();  // believes the server, which must not believe it
    return identity;
  };
  const std::vector<std::pair<std::string, TlsIdentity>> strangers = {
      {"another authority of the same name", with(foreign_, ValidNow())},
      {"another authority", with(other_, ValidNow())},
      {"expired", with(home_, ValidFor(-absl::Hours(48), -absl::Minutes(5)))},
      {"not valid yet", with(home_, ValidFor(absl::Minutes(5), absl::Hours(48)))},
  };
  for (const auto& [what, identity] : strangers) {
    for (const DoorServer* door : {&peers, &clients}) {
      EXPECT_FALSE(GetsIn(Dialer(identity, TlsDoor::kServer), door->address())) << what;
      const auto report = Probe(door->address(), &identity);
      EXPECT_EQ(report.door, TlsDoorReport::Door::kTls) << what << ": " << report.reason;
      EXPECT_FALSE(report.is_open) << what;
    }
  }
  EXPECT_FALSE(GetsIn(Dialer(client_, TlsDoor::kServer), peers.address())) << "a client could speak Raft";
  EXPECT_FALSE(Probe(peers.address(), &client_).is_open);
  for (const DoorServer* door : {&peers, &clients}) {
    EXPECT_FALSE(GetsIn(Dialer(), door->address())) << "plaintext";
    const auto bare = Probe(door->address(), nullptr);
    EXPECT_FALSE(bare.is_open) << "no certificate";
    EXPECT_EQ(bare.door, TlsDoorReport::Door::kTls) << bare.reason;
    const auto old = Probe(door->address(), &n2_, /*is_only_tls12=*/true);
    EXPECT_FALSE(old.is_open) << "an old version of TLS";
    EXPECT_EQ(old.door, TlsDoorReport::Door::kClosed) << old.reason;
  }
}

// An authority may sign for several clusters: each still has doors of its own.
TEST_F(Tls, AnotherClusterStaysOutsideThoughItsAuthorityIsTrusted) {
  TlsIdentity trusts_both = n1_;
  trusts_both.ca_pem += other_.pem();
  const DoorServer peers(LockedDoor(trusts_both, TlsDoor::kPeers));
  TlsIdentity stranger = other_.Issue(TlsRole::kNode, "n1");
  stranger.ca_pem += home_.pem();
  EXPECT_FALSE(Probe(peers.address(), &stranger).is_open);
  EXPECT_TRUE(Probe(peers.address(), &n2_).is_open);
}

// Whoever dials is as careful as whoever is dialled.
// Defect "unauthenticated internal endpoints".
TEST_F(Tls, AFalseServerIsNotBelieved) {
  const auto server_with = [](const TlsIdentity& identity) {
    return std::make_unique<DoorServer>(LockedDoor(identity, TlsDoor::kClients));
  };
  const auto believed = [&](const TlsIdentity& identity) {
    const auto server = server_with(identity);
    return GetsIn(Dialer(client_, TlsDoor::kServer), server->address());
  };
  EXPECT_TRUE(believed(n1_));
  EXPECT_TRUE(believed(n2_)) << "without hosts: good anywhere";
  EXPECT_FALSE(believed(home_.Issue(TlsRole::kNode, "n3", {"10.0.0.3"}))) << "it is made out to another host";
  EXPECT_FALSE(believed(home_.Issue(TlsRole::kClient, "mallory"))) << "a client that plays the server";
  EXPECT_FALSE(believed(home_.Issue(TlsRole::kNode, "n1", {}, ValidFor(-absl::Hours(2), -absl::Hours(1)))));
  TlsIdentity stranger = foreign_.Issue(TlsRole::kNode, "n1");
  stranger.ca_pem += home_.pem();
  EXPECT_FALSE(believed(stranger));
}

// A listener whose connections TlsAcceptor takes, one after another, and greets with "hello".
class AcceptorDoor {
 public:
  AcceptorDoor(const TlsIdentity& identity, TlsDoor door)
      : acceptor_(MakeTlsAcceptor(identity, door, "http/1.1").value()),
        listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)),
        server_("acceptor") {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    EXPECT_EQ(::bind(listener_, reinterpret_cast<const sockaddr*>(&address), size), 0);
    EXPECT_EQ(::listen(listener_, 8), 0);
    EXPECT_EQ(::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size), 0);
    port_ = ntohs(address.sin_port);
    server_.Post([this] { Serve(); });
  }
  ~AcceptorDoor() {
    ::shutdown(listener_, SHUT_RDWR);
    server_.Stop();
    ::close(listener_);
  }
  AcceptorDoor(const AcceptorDoor&) = delete;
  AcceptorDoor& operator=(const AcceptorDoor&) = delete;
  [[nodiscard]] std::string address() const { return "127.0.0.1:" + std::to_string(port_); }
  // How many were greeted.
  [[nodiscard]] int greeted() const { return greeted_; }

 private:
  void Serve() {
    for (int fd = -1; (fd = ::accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0; ::close(fd)) {
      const auto connection = acceptor_->Accept(fd);
      const std::string hello = "hello";
      for (bool is_over = false; !is_over;) {
        const auto moved = connection->Write(hello);
        is_over = !moved.ok() || moved->bytes > 0;
        if (is_over) {
          if (moved.ok()) ++greeted_;
          continue;
        }
        pollfd wait{fd, static_cast<short>(moved->waits == TlsConnection::Waits::kToRead ? POLLIN : POLLOUT), 0};
        is_over = ::poll(&wait, 1, 30'000) != 1;
      }
      connection->EndWriting();
    }
  }

  const std::unique_ptr<TlsAcceptor> acceptor_;
  const int listener_;
  int port_ = 0;
  std::atomic<int> greeted_{0};
  ThreadExecutor server_;
};

// The door for what is not gRPC is as strict.
TEST_F(Tls, AnAcceptorLetsInWhomGrpcWouldLetIn) {
  std::signal(SIGPIPE, SIG_IGN);
  AcceptorDoor door(n1_, TlsDoor::kClients);
  for (const TlsIdentity* friendly : {&client_, &n2_}) {
    const auto report = Probe(door.address(), friendly);
    EXPECT_TRUE(report.is_open) << report.reason;
    EXPECT_EQ(report.version, "TLSv1.3");
  }
  const auto home = [&](TlsIdentity identity) {
    identity.ca_pem = home_.pem();
    return identity;
  };
  for (const TlsIdentity& stranger :
       {home(foreign_.Issue(TlsRole::kClient, "alice")), home(other_.Issue(TlsRole::kClient, "alice")),
        home_.Issue(TlsRole::kClient, "late", {}, ValidFor(-absl::Hours(48), -absl::Minutes(5))),
        home_.Issue(TlsRole::kClient, "early", {}, ValidFor(absl::Minutes(5), absl::Hours(48)))}) {
    EXPECT_FALSE(Probe(door.address(), &stranger).is_open) << UriOf(stranger.own.name);
  }
  EXPECT_FALSE(Probe(door.address(), nullptr).is_open);
  EXPECT_FALSE(Probe(door.address(), &client_, /*is_only_tls12=*/true).is_open);
  EXPECT_EQ(door.greeted(), 2);
  AcceptorDoor peers(n1_, TlsDoor::kPeers);
  EXPECT_FALSE(Probe(peers.address(), &client_).is_open);
  TlsIdentity trusts_both = n1_;
  trusts_both.ca_pem += other_.pem();
  AcceptorDoor wide(trusts_both, TlsDoor::kClients);
  TlsIdentity elsewhere = other_.Issue(TlsRole::kNode, "n1");
  elsewhere.ca_pem += home_.pem();
  EXPECT_FALSE(Probe(wide.address(), &elsewhere).is_open) << "another cluster's";
}

TEST_F(Tls, ADoorInPlaintextIsToldFromOneThatIsAway) {
  std::string address;
  {
    const DoorServer door(PlaintextDoor());
    address = door.address();
    EXPECT_FALSE(GetsIn(Dialer(n1_, TlsDoor::kServer), address));
    const auto report = Probe(address, &n1_);
    EXPECT_EQ(report.door, TlsDoorReport::Door::kNotTls) << report.reason;
    EXPECT_TRUE(GetsIn(Dialer(), address));
  }
  EXPECT_EQ(Probe(address, nullptr).door, TlsDoorReport::Door::kAway);
}

// A disk whose `fails_at`th operation fails, and all after it: as a crash there.
class CrashingDisk final : public Disk {
 public:
  explicit CrashingDisk(int fails_at) : left_(fails_at) {}
  [[nodiscard]] bool has_crashed() const { return left_ < 0; }

  absl::StatusOr<std::unique_ptr<DiskFile>> Create(const std::string& path) override {
    if (Crashes()) return Lost();
    auto file = PosixDisk().Create(path);
    if (!file.ok()) return file;
    return std::make_unique<File>(this, *std::move(file));
  }
  absl::StatusOr<std::unique_ptr<DiskFile>> Open(const std::string& path) override { return PosixDisk().Open(path); }
  absl::Status Unlink(const std::string& path) override { return Crashes() ? Lost() : PosixDisk().Unlink(path); }
  absl::Status Rename(const std::string& from, const std::string& to) override {
    return Crashes() ? Lost() : PosixDisk().Rename(from, to);
  }
  absl::Status MakeFolder(const std::string& path) override { return Crashes() ? Lost() : PosixDisk().MakeFolder(path); }
  absl::Status SyncFolder(const std::string& path) override { return Crashes() ? Lost() : PosixDisk().SyncFolder(path); }
  absl::StatusOr<std::vector<DiskEntry>> List(const std::string& path) override { return PosixDisk().List(path); }
  absl::StatusOr<DiskSpace> GetSpace(const std::string& path) override { return PosixDisk().GetSpace(path); }

 private:
  class File final : public DiskFile {
   public:
    File(CrashingDisk* disk, std::unique_ptr<DiskFile> file) : disk_(disk), file_(std::move(file)) {}
    // Half of it arrives.
    absl::Status Write(std::uint64_t offset, std::span<const std::string_view> pieces) override {
      if (!disk_->Crashes()) return file_->Write(offset, pieces);
      const std::string_view half = pieces[0].substr(0, pieces[0].size() / 2);
      file_->Write(offset, std::span(&half, 1)).IgnoreError();
      return Lost();
    }
    absl::Status Read(std::uint64_t offset, std::span<char> out) const override { return file_->Read(offset, out); }
    void StartWriteback(std::uint64_t, std::uint64_t) override {}
    absl::Status SyncData() override { return disk_->Crashes() ? Lost() : file_->SyncData(); }
    absl::Status SetMode(std::uint32_t mode) override { return file_->SetMode(mode); }

   private:
    CrashingDisk* const disk_;
    const std::unique_ptr<DiskFile> file_;
  };
  bool Crashes() { return left_ < 0 || --left_ < 0; }
  static absl::Status Lost() { return absl::DataLossError("crashed"); }

  int left_;
};

class CertificateFolderTest : public ::testing::Test {
 protected:
  CertificateFolderTest() {
    char pattern[] = "/tmp/dfs_tls_test_XXXXXX";
    path_ = mkdtemp(pattern);
  }
  ~CertificateFolderTest() override { std::filesystem::remove_all(path_); }

  static std::string Read(const std::string& path) {
    std::ifstream file(path);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  static IssueOptions Node(const std::string& name) { return {TlsRole::kNode, name, {"127.0.0.1"}, ValidNow()}; }
  TlsFiles FilesOf(const CertificateFolder& folder, const std::string& name) {
    return {folder.CertificateFile(name), folder.KeyFile(name), folder.CaFile()};
  }

  std::string path_;
};

TEST_F(CertificateFolderTest, WhatIsIssuedLoads) {
  CertificateFolder folder(&PosixDisk(), path_ + "/certs");
  EXPECT_EQ(folder.Issue(Node("n1")).code(), absl::StatusCode::kNotFound);
  ASSERT_TRUE(folder.Init("prod", ValidNow()).ok());
  ASSERT_TRUE(folder.Issue(Node("n1")).ok());
  const auto identity = LoadTlsIdentity(FilesOf(folder, "n1"), SystemClock().WallNow());
  ASSERT_TRUE(identity.ok()) << identity.status();
  EXPECT_EQ(UriOf(identity->own.name), "dfs://prod/node/n1");
  for (const std::string name : {"ca", "n1"}) {
    struct stat status = {};
    ASSERT_EQ(::stat(folder.KeyFile(name).c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777, 0600u) << name;
  }
  EXPECT_THAT(std::string(LoadTlsIdentity(FilesOf(folder, "n1"), SystemClock().WallNow() + absl::Hours(100)).status().message()),
              HasSubstr("expired on"));
  EXPECT_EQ(LoadTlsIdentity(FilesOf(folder, "n1"), SystemClock().WallNow() - absl::Hours(100)).status().code(),
            absl::StatusCode::kUnauthenticated);
  ASSERT_EQ(::chmod(folder.KeyFile("n1").c_str(), 0644), 0);
  EXPECT_THAT(std::string(LoadTlsIdentity(FilesOf(folder, "n1"), SystemClock().WallNow()).status().message()),
              HasSubstr("chmod 600"));
  EXPECT_FALSE(LoadTlsIdentity({folder.CertificateFile("n1"), "", folder.CaFile()}, SystemClock().WallNow()).ok());
}

TEST_F(CertificateFolderTest, NothingIsOverwrittenAndNamesAreChecked) {
  CertificateFolder folder(&PosixDisk(), path_);
  ASSERT_TRUE(folder.Init("prod", ValidNow()).ok());
  ASSERT_TRUE(folder.Issue(Node("n1")).ok());
  const std::string ca = Read(folder.CaFile());
  const std::string key = Read(folder.KeyFile("n1"));
  EXPECT_EQ(folder.Init("prod", ValidNow()).code(), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(folder.Issue(Node("n1")).code(), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(Read(folder.CaFile()), ca);
  EXPECT_EQ(Read(folder.KeyFile("n1")), key);
  for (const std::string name : {"", "ca", "../n2", "a/b", ".hidden", "n 2"}) {
    EXPECT_EQ(folder.Issue(Node(name)).code(), absl::StatusCode::kInvalidArgument) << name;
  }
  IssueOptions bad = Node("n2");
  bad.hosts = {"127.0.0.1,URI:dfs://prod/node/n3"};
  EXPECT_EQ(folder.Issue(bad).code(), absl::StatusCode::kInvalidArgument);
}

// At every operation of the disk: no file under its own name is ever in part, and the next run completes the work.
TEST_F(CertificateFolderTest, ACrashAnywhereLeavesWholeFilesAndIsCompletedLater) {
  for (int step = 0;; ++step) {
    ASSERT_LT(step, 100);
    const std::string path = path_ + "/" + std::to_string(step);
    CrashingDisk disk(step);
    CertificateFolder crashing(&disk, path);
    if (crashing.Init("prod", ValidNow()).ok()) crashing.Issue(Node("n1")).IgnoreError();
    CertificateFolder folder(&PosixDisk(), path);
    for (const auto& name : {folder.KeyFile("ca"), folder.CaFile(), folder.KeyFile("n1"), folder.CertificateFile("n1")}) {
      if (std::filesystem::exists(name)) EXPECT_THAT(Read(name), HasSubstr("-----END")) << name << " at " << step;
    }
    const absl::Status init = folder.Init("prod", ValidNow());
    EXPECT_TRUE(init.ok() || absl::IsAlreadyExists(init)) << init << " at " << step;
    const absl::Status issue = folder.Issue(Node("n1"));
    EXPECT_TRUE(issue.ok() || absl::IsAlreadyExists(issue)) << issue << " at " << step;
    const auto identity = LoadTlsIdentity(FilesOf(folder, "n1"), SystemClock().WallNow());
    EXPECT_TRUE(identity.ok()) << identity.status() << " at " << step;
    if (!disk.has_crashed()) break;
  }
}

}  // namespace
}  // namespace dfs
