#include "common/grpc_callback_threads.h"

#include <grpcpp/create_channel.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/security/credentials.h>
#include <gtest/gtest.h>

#include <memory>

#include "common/sync.h"

namespace dfs {
namespace {

struct Call {
  std::shared_ptr<grpc::Channel> channel;
  grpc::ClientContext context;
  grpc::Slice nothing{"-"};
  grpc::ByteBuffer request{&nothing, 1};
  grpc::ByteBuffer response;
};

// Without the object the process dies within a few rounds ("double free", or a hang).
TEST(CallbackThreads, TheLastChannelOfTheCallsMayDieInACallback) {
  const CallbackThreads threads;
  for (int i = 0; i < 100; ++i) {
    auto call = std::make_shared<Call>();
    call->channel = grpc::CreateChannel("unix:/nonexistent/test", grpc::InsecureChannelCredentials());
    auto is_only_owner = std::make_shared<Event>();
    auto ended = std::make_shared<Event>();
    auto stub = std::make_unique<grpc::GenericStub>(call->channel);
    auto* const raw = call.get();
    stub->UnaryCall(&raw->context, "/dfs/None", grpc::StubOptions(), &raw->request, &raw->response,
                   [call, is_only_owner, ended](const grpc::Status& status) mutable {
                     EXPECT_FALSE(status.ok());
                     is_only_owner->Wait();
                     call.reset();
                     ended->Set();
                   });
    call.reset();
    stub.reset();
    is_only_owner->Set();
    ended->Wait();
  }
}

}  // namespace
}  // namespace dfs
