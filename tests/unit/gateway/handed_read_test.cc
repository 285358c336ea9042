// A node whose applier is held back, beside one that has applied everything, over real connections.
#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>
#include <gtest/gtest.h>

#include "dfs/v1/files.grpc.pb.h"
#include "server/gateway/file_service.h"
#include "server/gateway/handed_read_service.h"
#include "tests/unit/coordinator/fake_nodes.h"

namespace dfs::gateway {
namespace {

using coordinator::FakeNodes;

std::unique_ptr<grpc::Server> Serve(grpc::Service* service, int* port) {
  grpc::ServerBuilder builder;
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), port);
  builder.RegisterService(service);
  return builder.BuildAndStart();
}

class HandedRead : public ::testing::Test {
 protected:
  static constexpr std::uint32_t kLeader = 2;

  HandedRead() {
    EXPECT_TRUE(ahead_.Put("f", content_).ok());
    EXPECT_TRUE(ahead_.Put("g", "small").ok());
    ahead_.Drain();
    leader_server_ = Serve(&handed_reads_, &leader_port_);
    channels_.SetAddress(NodeId(kLeader), "127.0.0.1:" + std::to_string(leader_port_));

    // The read index is ahead of what this node has applied.
    behind_.parts.leader = &ahead_.leader;
    behind_.parts.leader_id = [this] { return leader_id_; };
    behind_.parts.wait_applied = [this](LogIndex, absl::Duration timeout) -> absl::Status {
      waits_.push_back(timeout);
      if (timeout > coordinator::kLagMax && catches_up_) return absl::OkStatus();
      return absl::DeadlineExceededError("held back");
    };
    server_ = Serve(&files_, &port_);
    stub_ = api::Files::NewStub(grpc::CreateChannel("127.0.0.1:" + std::to_string(port_),
                                                    grpc::InsecureChannelCredentials()));
  }
  ~HandedRead() override {
    server_->Shutdown();
    if (leader_server_ != nullptr) leader_server_->Shutdown();
  }

  grpc::Status Stat(const std::string& name, api::StatResponse* response) {
    grpc::ClientContext context;
    api::StatRequest request;
    request.set_name(name);
    return stub_->Stat(&context, request, response);
  }

  const std::string content_ = coordinator::TestBytes(3'000'000, 1);
  FakeNodes ahead_;
  FakeNodes behind_;
  NodeId leader_id_{kLeader};
  bool catches_up_ = false;
  std::vector<absl::Duration> waits_;
  PeerChannels channels_;
  FileOperations leader_operations_{ahead_.parts, &channels_};
  HandedReadService handed_reads_{leader_operations_.reads()};
  FileOperations operations_{behind_.parts, &channels_};
  OperationMetrics metrics_;
  FileService files_{&operations_, &metrics_};
  int leader_port_ = 0;
  int port_ = 0;
  std::unique_ptr<grpc::Server> leader_server_;
  std::unique_ptr<grpc::Server> server_;
  std::unique_ptr<api::Files::Stub> stub_;
};

TEST_F(HandedRead, StatAndLocateAreTheLeaders) {
  api::StatResponse stat;
  const auto status = Stat("f", &stat);
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(stat.info().size(), content_.size());
  EXPECT_EQ(waits_, std::vector<absl::Duration>{coordinator::kLagMax}) << "waited longer";

  grpc::ClientContext context;
  api::LocateRequest request;
  request.set_name("f");
  api::LocateResponse locate;
  ASSERT_TRUE(stub_->Locate(&context, request, &locate).ok());
  EXPECT_EQ(locate.locations_size(), 3);
}

TEST_F(HandedRead, TheLeadersRefusalIsTheAnswer) {
  api::StatResponse stat;
  EXPECT_EQ(Stat("none", &stat).error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_EQ(waits_.size(), 1u) << "not asked here again";
}

TEST_F(HandedRead, ListAndGetArePassedOn) {
  grpc::ClientContext list_context;
  const auto list = stub_->List(&list_context, api::ListRequest());
  api::ListResponse page;
  std::vector<std::string> names;
  while (list->Read(&page)) {
    for (const auto& file : page.files()) names.push_back(file.name());
  }
  EXPECT_TRUE(list->Finish().ok());
  EXPECT_EQ(names, (std::vector<std::string>{"f", "g"}));

  grpc::ClientContext get_context;
  api::GetRequest request;
  request.set_name("f");
  request.set_offset(100);
  const auto get = stub_->Get(&get_context, request);
  api::GetResponse message;
  std::string got;
  while (get->Read(&message)) {
    EXPECT_EQ(message.offset(), 100 + got.size());
    EXPECT_EQ(message.crc32c(), Crc32c(message.data().data(), message.data().size()));
    got += message.data();
  }
  EXPECT_TRUE(get->Finish().ok());
  EXPECT_EQ(got, content_.substr(100));
}

TEST_F(HandedRead, WithoutALeaderToAskTheNodeWaitsForItself) {
  catches_up_ = true;
  leader_server_->Shutdown();
  leader_server_.reset();
  api::StatResponse stat;
  // Here the name is not known: the answer is this node's own.
  EXPECT_EQ(Stat("f", &stat).error_code(), grpc::StatusCode::NOT_FOUND);
  ASSERT_EQ(waits_.size(), 2u);
  EXPECT_GT(waits_[1], coordinator::kLagMax);
}

// Feature 41.
TEST_F(HandedRead, AnEventualReadIsAnsweredHere) {
  grpc::ClientContext context;
  api::StatRequest request;
  request.set_name("f");
  request.set_consistency(api::EVENTUAL);
  api::StatResponse stat;
  EXPECT_EQ(stub_->Stat(&context, request, &stat).error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_TRUE(waits_.empty());
}

}  // namespace
}  // namespace dfs::gateway
