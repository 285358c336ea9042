// A clean stop, and what load balancers ask (grpc.health.v1.Health).
#include <grpcpp/create_channel.h>
#include <grpcpp/impl/codegen/client_unary_call.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/support/byte_buffer.h>
#include <signal.h>

#include <string>

#include "common/clock.h"
#include "dfs/v1/files.grpc.pb.h"
#include "proto/wire_status.h"
#include "tests/integration/cluster_fixture.h"

namespace dfs::testing {
namespace {

// grpc.health.v1.HealthCheckRequest and -Response, by hand: field 1 is the name, field 1 is the
// status.
enum class Health { kUnknown = 0, kServing = 1, kNotServing = 2, kNoAnswer = 100 };

Health CheckHealth(const std::shared_ptr<grpc::Channel>& channel, const std::string& service) {
  std::string request;
  if (!service.empty())
    request = "\x0a" + std::string(1, static_cast<char>(service.size())) + service;
  const grpc::Slice slice(request);
  const grpc::ByteBuffer sent(&slice, 1);
  grpc::ByteBuffer received;
  grpc::ClientContext context;
  context.set_deadline(absl::ToChronoTime(SystemClock().WallNow() + absl::Seconds(2)));
  const grpc::internal::RpcMethod method("/grpc.health.v1.Health/Check",
                                         grpc::internal::RpcMethod::NORMAL_RPC);
  const grpc::Status status = grpc::internal::BlockingUnaryCall<grpc::ByteBuffer, grpc::ByteBuffer,
                                                                grpc::ByteBuffer, grpc::ByteBuffer>(
      channel.get(), method, &context, sent, &received);
  if (!status.ok()) return Health::kNoAnswer;
  grpc::Slice answer;
  if (!received.DumpToSingleSlice(&answer).ok()) return Health::kNoAnswer;
  if (answer.size() == 0) return Health::kUnknown;
  if (answer.size() != 2 || answer.begin()[0] != 0x08) return Health::kNoAnswer;
  return static_cast<Health>(answer.begin()[1]);
}

absl::Status AwaitHealth(ProcessCluster& cluster, int n, const std::string& service,
                         Health wanted) {
  return ProcessCluster::Await("health", absl::Seconds(15), [&] {
    return CheckHealth(cluster.ClientChannel(n), service) == wanted;
  });
}

class Stop : public ::testing::Test {
 protected:
  ProcessCluster cluster_;
};

TEST_F(Stop, HealthTellsWhetherALeaderIsKnown) {
  ASSERT_OK(cluster_.Up(3));
  for (const int n : {1, 2, 3}) {
    for (const std::string service : {"", "dfs.v1.Files", "dfs.v1.Cluster"}) {
      ASSERT_OK(AwaitHealth(cluster_, n, service, Health::kServing));
    }
  }
  EXPECT_EQ(CheckHealth(cluster_.ClientChannel(1), "no.such.Service"), Health::kNoAnswer);
  cluster_.Kill(1);
  cluster_.Kill(2);
  for (const std::string service : {"", "dfs.v1.Files", "dfs.v1.Cluster"}) {
    ASSERT_OK(AwaitHealth(cluster_, 3, service, Health::kNotServing));
  }
  cluster_.Start(1);
  ASSERT_OK(AwaitHealth(cluster_, 3, "", Health::kServing));
  Proved("grpc.health.v1: SERVING while a leader is known, NOT_SERVING while none is");
}

// A client that sits there does not read the server's farewell.
// Feature 46.
TEST_F(Stop, IdleConnectionIsNotWaitedFor) {
  ASSERT_OK(cluster_.Up(1));
  const auto idle = grpc::CreateChannel(cluster_.EndpointOf(1), grpc::InsecureChannelCredentials());
  ASSERT_OK(ProcessCluster::Await("health", absl::Seconds(15), [&] {
    return CheckHealth(idle, "dfs.v1.Files") == Health::kServing;
  }));
  {
    client::FileClient client(cluster_.Endpoints());
    ASSERT_OK(Put(client, "a", MakeBytes(1, 1'000)));
    const auto status = cluster_.Terminate(1);
    ASSERT_OK(status.status());
    EXPECT_EQ(*status, 0);
  }
  const std::string log = ReadFile(cluster_.LogFile(1));
  EXPECT_NE(log.find("clients are gone; calls cut off: no, grace left: yes"), std::string::npos)
      << log;
}

// Feature 46.
TEST_F(Stop, RunningRequestIsAnsweredFirst) {
  ASSERT_OK(cluster_.Up(1));
  const auto channel = cluster_.ClientChannel(1);
  const auto id = NewRequestId(channel);
  ASSERT_OK(id.status());
  const std::string content = MakeBytes(7, 300'000);
  const auto messages = HonestPut("slow", content, *id, 100'000);
  const auto stub = v1::Files::NewStub(channel);
  grpc::ClientContext context;
  context.set_deadline(absl::ToChronoTime(SystemClock().WallNow() + absl::Seconds(20)));
  v1::PutResponse response;
  auto writer = stub->Put(&context, &response);
  for (std::size_t i = 0; i + 1 < messages.size(); ++i) ASSERT_TRUE(writer->Write(messages[i]));
  kill(cluster_.PidOf(1), SIGINT);  // as ^C; Terminate below sends SIGTERM
  // It has begun to stop once new requests are refused.
  ASSERT_OK(ProcessCluster::Await("refusal", absl::Seconds(10), [&] {
    return ReadFile(cluster_.LogFile(1)).find("stopping on signal") != std::string::npos;
  }));
  ASSERT_TRUE(writer->Write(messages.back()));
  writer->WritesDone();
  const grpc::Status status = writer->Finish();
  EXPECT_TRUE(status.ok()) << status.error_message();
  const auto ended = cluster_.Terminate(1);
  ASSERT_OK(ended.status());
  EXPECT_EQ(*ended, 0);
  cluster_.Start(1);
  ASSERT_OK(cluster_.WaitReady({1}));
  const auto got = GetAt(cluster_.ClientChannel(1), "slow");
  ASSERT_OK(got.status());
  EXPECT_TRUE(*got == content);
}

}  // namespace
}  // namespace dfs::testing
