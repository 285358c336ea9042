// TLS on every port of a cluster of real processes.
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "common/clock.h"
#include "common/posix_disk.h"
#include "common/tls_door_probe.h"
#include "dfs/client.h"
#include "dfs/internal/v1/raft.grpc.pb.h"
#include "tests/integration/cluster_fixture.h"
#include "tests/support/http_client.h"
#include "tests/support/sanitizers.h"

namespace dfs::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr int kDenied = 77;

class TlsCluster : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    ProcessCluster::Options options;
    options.is_tls = true;
    cluster_ = std::make_unique<ProcessCluster>(std::move(options));
    ASSERT_OK(cluster_->Up(3));
    client_ = std::make_unique<client::FileClient>(cluster_->Endpoints(), cluster_->ClientOptions());
  }
  static void TearDownTestSuite() {
    client_.reset();
    cluster_.reset();
  }
  static ProcessCluster& cluster() { return *cluster_; }
  static client::FileClient& client() { return *client_; }

  static Validity ValidFor(absl::Duration from, absl::Duration until) {
    const absl::Time now = SystemClock().WallNow();
    return {now + from, now + until};
  }
  static TlsFiles FilesOf(CertificateFolder& folder, const std::string& name) {
    return {folder.CertificateFile(name), folder.KeyFile(name), folder.CaFile()};
  }
  // Of this cluster's authority.
  static TlsFiles Issue(const IssueOptions& options) {
    EXPECT_OK(cluster().certificates().Issue(options));
    return FilesOf(cluster().certificates(), options.name);
  }
  // Without looking at dates.
  static TlsIdentity IdentityOf(const TlsFiles& files) {
    return MakeTlsIdentity(ReadFile(files.cert), ReadFile(files.key), ReadFile(files.ca)).value();
  }
  static CommandResult Cli(const std::vector<std::string>& flags) {
    std::vector<std::string> command = {ProcessCluster::CliBinary(), "--endpoints=" + cluster().EndpointList()};
    command.insert(command.end(), flags.begin(), flags.end());
    command.insert(command.end(), {"ls"});
    return RunCommand(command);
  }
  // The doors of HTTP wait to be spoken to.
  static TlsDoorReport Probe(const std::string& address, const TlsIdentity* identity, bool is_only_tls12 = false) {
    const bool is_http = address == cluster().HttpAddressOf(1);
    return ProbeTlsDoor({address, identity, is_only_tls12, absl::Seconds(30),
                         is_http ? "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n" : "", absl::Seconds(30)});
  }

 private:
  static inline std::unique_ptr<ProcessCluster> cluster_;
  static inline std::unique_ptr<client::FileClient> client_;
};

// Who does not show the right certificate gets no word out of any port, in the middle of normal life.
// Defect "unauthenticated internal endpoints".
TEST_F(TlsCluster, UnauthenticatedInternalEndpointsAreClosed) {
  CertificateFolder foreign(&PosixDisk(), cluster().folder().File("foreign"));
  ASSERT_OK(foreign.Init("test", ValidFor(-absl::Hours(1), absl::Hours(99))));
  ASSERT_OK(foreign.Issue({TlsRole::kNode, "n1", {}, ValidFor(-absl::Hours(1), absl::Hours(99))}));
  const auto stranger = [&](TlsIdentity identity) {
    identity.ca_pem = ReadFile(cluster().certificates().CaFile());  // believes the nodes, which must not believe it
    return identity;
  };
  const TlsFiles expired = Issue({TlsRole::kNode, "expired", {}, ValidFor(-absl::Hours(48), -absl::Minutes(2))});
  const TlsFiles early = Issue({TlsRole::kNode, "early", {}, ValidFor(absl::Hours(1), absl::Hours(48))});
  const std::map<std::string, TlsIdentity> refused = {
      {"foreign authority", stranger(IdentityOf(FilesOf(foreign, "n1")))},
      {"expired", IdentityOf(expired)},
      {"not valid yet", IdentityOf(early)},
  };
  const TlsIdentity node = IdentityOf(cluster().NodeFiles(2));
  const TlsIdentity one_client = IdentityOf(cluster().ClientFiles());
  for (const std::string& address :
       {cluster().EndpointOf(1), cluster().PeerAddressOf(1), cluster().HttpAddressOf(1)}) {
    EXPECT_EQ(Probe(address, &node).version, "TLSv1.3") << address;
    for (const auto& [what, identity] : refused) {
      const auto report = Probe(address, &identity);
      EXPECT_FALSE(report.is_open) << what << " at " << address;
      EXPECT_NE(report.door, TlsDoorReport::Door::kAway) << what << " at " << address;
    }
    EXPECT_FALSE(Probe(address, nullptr).is_open) << "without a certificate at " << address;
    EXPECT_FALSE(Probe(address, &node, /*is_only_tls12=*/true).is_open) << "TLS 1.2 at " << address;
  }
  EXPECT_TRUE(Probe(cluster().EndpointOf(1), &one_client).is_open);
  EXPECT_THAT(Probe(cluster().HttpAddressOf(1), &one_client).heard, HasSubstr("HTTP/1.1 200"));
  HttpClient plain(cluster().HttpAddressOf(1));
  EXPECT_THAT(plain.Raw("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"), Not(HasSubstr("HTTP")));
  EXPECT_FALSE(Probe(cluster().PeerAddressOf(1), &one_client).is_open) << "a client at the port of the nodes";

  // The same as a call: what a client could do to the log, if it were let in.
  const auto greet = [&](const Dialer& dialer) {
    const auto stub = internal::v1::Raft::NewStub(dialer.Dial(cluster().PeerAddressOf(1), ChannelUse::kControl));
    grpc::ClientContext context;
    context.set_deadline(absl::ToChronoTime(SystemClock().WallNow() + absl::Seconds(30)));
    internal::v1::GreetResponse response;
    return stub->Greet(&context, internal::v1::GreetRequest(), &response).error_code();
  };
  EXPECT_EQ(greet(Dialer(node, TlsDoor::kPeers)), grpc::StatusCode::OK);
  EXPECT_EQ(greet(Dialer(one_client, TlsDoor::kPeers)), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(greet(Dialer()), grpc::StatusCode::UNAVAILABLE);
  Proved("no port of a TLS cluster opens to plaintext, TLS 1.2, no certificate, one that is foreign, expired or not valid "
         "yet; and the port of nodes to no client's");
}

// With a client that is not ours.
TEST_F(TlsCluster, TheHttpDoorTakesClientsWithCertificates) {
  const std::string content = MakeBytes(3, 3'000'000);
  const TlsFiles files = cluster().ClientFiles();
  const auto curl = [&](const std::string& node, std::vector<std::string> more, std::string_view in = {}) {
    std::vector<std::string> command = {"curl", "--silent", "--show-error", "--cacert", files.ca, "--cert",
                                        files.cert, "--key", files.key, node + "/upload/http-tls"};
    command.insert(command.end(), more.begin(), more.end());
    return RunCommand(command, in);
  };
  const std::string url = "https://" + cluster().HttpAddressOf(1);
  const auto put = curl(url, {"--upload-file", "-"}, content);
  EXPECT_EQ(put.exit_code, 0) << put.err;
  EXPECT_THAT(put.out, HasSubstr("\"size\":3000000"));
  const auto got = curl("https://" + cluster().HttpAddressOf(2), {});
  EXPECT_EQ(got.exit_code, 0) << got.err;
  EXPECT_TRUE(got.out == content);
  // Many on one connection: what is left in the layer of TLS is not forgotten.
  const auto twice = curl(url, {url + "/upload/http-tls", "--range", "0-99999"});
  EXPECT_EQ(twice.out, content.substr(0, 100'000) + content.substr(0, 100'000)) << twice.err;
  const auto anybody = RunCommand({"curl", "--silent", "--cacert", files.ca, url + "/upload/http-tls"});
  EXPECT_NE(anybody.exit_code, 0) << "without a certificate: " << anybody.out;
  EXPECT_EQ(HttpClient(cluster().HttpAddressOf(1)).Get("/healthz").code, 0) << "in plaintext";
  Proved("the HTTP port of a TLS cluster takes curl with a client's certificate and nobody without");
}

TEST_F(TlsCluster, ACommandThatIsRefusedSaysWhatToDo) {
  CertificateFolder foreign(&PosixDisk(), cluster().folder().File("foreigners"));
  ASSERT_OK(foreign.Init("test", ValidFor(-absl::Hours(1), absl::Hours(99))));
  ASSERT_OK(foreign.Issue({TlsRole::kClient, "eve", {}, ValidFor(-absl::Hours(1), absl::Hours(99))}));
  const TlsFiles expired = Issue({TlsRole::kClient, "late", {}, ValidFor(-absl::Hours(48), -absl::Minutes(2))});

  const auto plain = Cli({});
  EXPECT_EQ(plain.exit_code, kDenied) << plain.err;
  EXPECT_THAT(plain.err, HasSubstr("speaks TLS only: pass --tls-cert"));
  EXPECT_THAT(plain.err, Not(HasSubstr("ssl_transport"))) << "only words for people";

  TlsFiles mixed = FilesOf(foreign, "eve");
  const auto own_authority = Cli(ProcessCluster::FlagsOf(mixed));
  EXPECT_EQ(own_authority.exit_code, kDenied) << own_authority.err;
  EXPECT_THAT(own_authority.err, HasSubstr("certificate"));
  mixed.ca = cluster().certificates().CaFile();
  const auto misfit = Cli(ProcessCluster::FlagsOf(mixed));
  EXPECT_EQ(misfit.exit_code, 64) << "does not fit together: " << misfit.err;
  EXPECT_THAT(misfit.err, HasSubstr("has not signed"));

  const auto late = Cli(ProcessCluster::FlagsOf(expired));
  EXPECT_EQ(late.exit_code, kDenied) << late.err;
  EXPECT_THAT(late.err, HasSubstr("expired on"));
  EXPECT_EQ(Cli({"--tls-cert=" + expired.cert}).exit_code, 64) << "one of three";
  EXPECT_EQ(Cli(ProcessCluster::FlagsOf(cluster().ClientFiles())).exit_code, 0);
}

// dfs::Client takes its certificates by options, and says in their names what is wrong with them.
TEST_F(TlsCluster, TheLibraryTakesCertificatesAndSaysWhatIsWrongWithThem) {
  const auto open = [](const TlsFiles& files) {
    ClientOptions options;
    options.endpoints = cluster().Endpoints();
    options.tls_certificate = files.cert;
    options.tls_key = files.key;
    options.tls_authority = files.ca;
    return Client::Open(options);
  };
  const auto refused = [&](const TlsFiles& files) {
    auto opened = open(files);
    if (!opened.ok()) return opened.status();
    const auto stored = opened->Store("library", *FromBytes("never"));
    EXPECT_FALSE(stored.ok());
    EXPECT_EQ(stored.status().outcome(), Outcome::kNothingChanged) << stored.status().ToString();
    return stored.status();
  };
  // The look at what is wrong has little time; a machine that is too busy for it gets another chance.
  const auto denied = [&](const TlsFiles& files) {
    dfs::Status status;
    EXPECT_OK(ProcessCluster::Await("word of what is wrong", absl::Seconds(60), [&] {
      status = refused(files);
      return status.code() == Code::kDenied || HasFailure();
    }));
    return status.message();
  };
  CertificateFolder foreign(&PosixDisk(), cluster().folder().File("library-foreign"));
  ASSERT_OK(foreign.Init("test", ValidFor(-absl::Hours(1), absl::Hours(99))));
  ASSERT_OK(foreign.Issue({TlsRole::kClient, "eve", {}, ValidFor(-absl::Hours(1), absl::Hours(99))}));

  EXPECT_THAT(denied({}), HasSubstr("speaks TLS only: pass tls_certificate, tls_key and tls_authority of dfs::ClientOptions"));
  EXPECT_THAT(denied(FilesOf(foreign, "eve")), HasSubstr("is the certificate of the same authority"));
  TlsFiles files = cluster().ClientFiles();
  files.key = "/nonexistent";
  const dfs::Status missing = refused(files);
  EXPECT_EQ(missing.code(), Code::kInvalidArgument);
  EXPECT_THAT(missing.message(), HasSubstr("tls_key=/nonexistent: No such file"));
  files.key = "";
  EXPECT_THAT(refused(files).message(), HasSubstr("all three of tls_certificate, tls_key and tls_authority"));
  EXPECT_THAT(denied(Issue({TlsRole::kClient, "library-late", {}, ValidFor(-absl::Hours(48), -absl::Minutes(2))})),
              HasSubstr("expired on"));

  auto library = open(cluster().ClientFiles());
  ASSERT_TRUE(library.ok()) << library.status().ToString();
  const std::string content = MakeBytes(5, 300'000);
  const auto stored = library->Store("library", *FromBytes(content));
  ASSERT_TRUE(stored.ok()) << stored.status().ToString();
  std::string got;
  const auto read = library->Get("library", *ToBytes(&got));
  EXPECT_TRUE(read.ok()) << read.status().ToString();
  EXPECT_TRUE(got == content);
  Proved("dfs::Client works under TLS with certificate, key and authority given by options; without, and with a foreign, expired or "
         "missing one, it says which of them to mend, and nothing has happened");
}

// A token that has leaked is of no use to whoever comes with another certificate.
TEST_F(TlsCluster, AnInterruptedPutIsGoneOnWithByItsOwnerOnly) {
  const auto channel_of = [](const TlsFiles& files) {
    return Dialer(IdentityOf(files), TlsDoor::kServer).Dial(cluster().EndpointOf(1), ChannelUse::kControl);
  };
  const auto owner = channel_of(cluster().ClientFiles());
  const auto other = channel_of(Issue({TlsRole::kClient, "mallory", {}, ValidFor(-absl::Hours(1), absl::Hours(99))}));
  const auto id = NewRequestId(owner);
  ASSERT_OK(id.status());
  const std::string content = MakeBytes(9, 3 << 20);
  const std::string token(16, '\x2A');
  auto messages = HonestPut("interrupted", content, *id);
  messages[0].mutable_header()->set_resume_token(token);
  EXPECT_EQ(SendPut(owner, {messages.begin(), messages.begin() + 3}).status().code(), absl::StatusCode::kCancelled);
  messages[0].mutable_header()->set_resume_offset(2 << 20);
  messages.erase(messages.begin() + 1, messages.begin() + 3);
  EXPECT_EQ(PutProgressAt(other, "interrupted", token).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(SendPut(other, messages).status().code(), absl::StatusCode::kNotFound);
  const auto progress = PutProgressAt(owner, "interrupted", token);
  ASSERT_OK(progress.status());
  EXPECT_EQ(progress->size(), std::uint64_t{2} << 20);
  ASSERT_OK(SendPut(owner, messages).status());
  const auto got = GetAt(owner, "interrupted");
  EXPECT_TRUE(got.ok() && *got == content);
}

TEST_F(TlsCluster, ANodeWithoutTheRightCertificateDoesNotStart) {
  const auto client_cert = cluster().StartRefused(5, ProcessCluster::FlagsOf(cluster().ClientFiles()));
  EXPECT_EQ(client_cert.exit_code, 64);
  EXPECT_THAT(client_cert.err, HasSubstr("a client's certificate"));
  TlsFiles files = cluster().NodeFiles(2);
  files.key = "/nonexistent";
  const auto missing = cluster().StartRefused(5, ProcessCluster::FlagsOf(files));
  EXPECT_EQ(missing.exit_code, 64);
  EXPECT_THAT(missing.err, HasSubstr("--tls-key=/nonexistent"));
}

// Everything that goes between nodes goes under TLS: data, log, snapshots, ring, joins, elections.
TEST_F(TlsCluster, PutsGetsLosesItsLeaderGoesOnAndGrows) {
  std::map<int, double> before;
  for (const int n : cluster().Running()) {
    WriteFile("/proc/" + std::to_string(cluster().PidOf(n)) + "/clear_refs", "5");  // the peak begins anew
    before[n] = StatusMb(cluster().PidOf(n), "VmRSS");
  }
  constexpr std::uint64_t kBig = 200'000'000;
  SeededSource big(7, kBig);
  ASSERT_OK(client().Put("big", big).status());
  FingerprintSink sink;
  ASSERT_OK(client().Get("big", sink).status());
  EXPECT_EQ(sink.fingerprint(), FingerprintOfSeeded(7, kBig));
#ifndef DFS_HAS_ADDRESS_SANITIZER  // keeps freed memory
  for (const int n : cluster().Running()) {
    EXPECT_LT(StatusMb(cluster().PidOf(n), "VmHWM") - before[n], 100) << "n" << n << " holds whole files";
  }
#endif
  const std::string small = MakeBytes(1, 5'000);
  ASSERT_EQ(cluster().Cli({"put", "-", "small"}, small).exit_code, 0);
  EXPECT_EQ(cluster().Cli({"get", "small", "-"}).out, small);
  ASSERT_OK(cluster().WaitFullyReplicated(1));
  EXPECT_OK(CheckCopies(cluster(), client(), {1, 2, 3}, "big", FingerprintOfSeeded(7, kBig)));

  const auto leader = cluster().Leader();
  ASSERT_OK(leader.status());
  cluster().Kill(*leader);
  ASSERT_OK(Put(client(), "after", MakeBytes(2, 400'000)));
  EXPECT_EQ(Get(client(), "small").value_or(""), small);

  // The fourth comes with a certificate that ends soon: status says so.
  const TlsFiles ends_soon =
      Issue({TlsRole::kNode, "soon", {"127.0.0.1"}, ValidFor(-absl::Hours(1), absl::Hours(24 * 10))});
  cluster().Start(4, ProcessCluster::FlagsOf(ends_soon));
  std::vector<int> up = cluster().Running();
  ASSERT_OK(cluster().WaitReady(up));
  cluster().Start(*leader);
  up.push_back(*leader);
  ASSERT_OK(cluster().WaitReady(up));
  EXPECT_EQ(Get(client(), "after").value_or(""), MakeBytes(2, 400'000));
  const auto warned = [](const v1::StatusResponse& status) {
    for (const auto& reason : status.reasons()) {
      if (reason.code() == "CERTIFICATE_EXPIRES" && reason.severity() == v1::HEALTH_WARN &&
          reason.text().find("n4") != std::string::npos) {
        return true;
      }
    }
    return false;
  };
  for (const int n : up) EXPECT_OK(cluster().WaitUntil(n, "word of the certificate that ends", warned));
  for (const int n : up) EXPECT_THAT(ReadFile(cluster().LogFile(n)), HasSubstr("TLS only"));
  Proved("a cluster of three under TLS: 200 MB put, got and checked on every copy, leader killed, a fourth node joined");
}

}  // namespace
}  // namespace dfs::testing
