#include "tests/support/raw_calls.h"

#include <grpcpp/client_context.h>

#include <utility>

#include "common/checksum.h"
#include "common/clock.h"
#include "common/random.h"
#include "common/status_macros.h"
#include "dfs/v1/cluster.grpc.pb.h"
#include "dfs/v1/files.grpc.pb.h"
#include "proto/wire_status.h"

namespace dfs::testing {
namespace {

void SetDeadline(grpc::ClientContext& context, absl::Duration timeout = kRawCallTimeout) {
  context.set_deadline(absl::ToChronoTime(SystemClock().WallNow() + timeout));
}

// One unary call of a fresh stub.
template <class Response, class Request, class Stub>
absl::StatusOr<Response> Call(Stub& stub,
                              grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&,
                                                           Response*),
                              const Request& request) {
  grpc::ClientContext context;
  SetDeadline(context);
  Response response;
  if (const auto status = (stub.*method)(&context, request, &response); !status.ok()) {
    return FromGrpc(status);
  }
  return response;
}

}  // namespace

absl::StatusOr<v1::RequestId> NewRequestId(const std::shared_ptr<grpc::Channel>& channel) {
  const auto cluster = v1::Cluster::NewStub(channel);
  DFS_ASSIGN_OR_RETURN(const v1::HelloResponse hello,
                       Call(*cluster, &v1::Cluster::Stub::Hello, v1::HelloRequest()));
  v1::RequestId id;
  for (int i = 0; i < 2; ++i) {
    const std::uint64_t random = SystemRandom64();
    id.mutable_session()->append(reinterpret_cast<const char*>(&random), sizeof random);
  }
  id.set_sequence(1);
  id.set_birth(hello.applied_index());
  id.set_acked_below(1);
  return id;
}

std::vector<v1::PutRequest> HonestPut(std::string_view name, std::string_view content,
                                      const v1::RequestId& id, std::size_t piece_bytes) {
  std::vector<v1::PutRequest> messages(1);
  messages[0].mutable_header()->set_name(std::string(name));
  *messages[0].mutable_header()->mutable_request_id() = id;
  for (std::size_t at = 0; at < content.size(); at += piece_bytes) {
    const std::string_view piece = content.substr(at, piece_bytes);
    v1::PutRequest& message = messages.emplace_back();
    message.set_offset(at);
    message.set_data(std::string(piece));
    message.set_crc32c(Crc32c(piece.data(), piece.size()));
  }
  v1::PutFinish& finish = *messages.emplace_back().mutable_finish();
  finish.set_size(content.size());
  finish.set_crc32c(Crc32c(content.data(), content.size()));
  return messages;
}

absl::StatusOr<v1::PutResponse> SendPut(const std::shared_ptr<grpc::Channel>& channel,
                                        const std::vector<v1::PutRequest>& messages, StreamEnd end,
                                        absl::Duration timeout) {
  const auto files = v1::Files::NewStub(channel);
  grpc::ClientContext context;
  SetDeadline(context, timeout);
  v1::PutResponse response;
  const auto writer = files->Put(&context, &response);
  for (const auto& message : messages) {
    if (!writer->Write(message)) break;  // the server has answered already
  }
  if (end == StreamEnd::kCancel) {
    context.TryCancel();
  } else {
    writer->WritesDone();
  }
  if (const auto status = writer->Finish(); !status.ok()) return FromGrpc(status);
  return response;
}

absl::StatusOr<v1::PutProgressResponse> PutProgressAt(const std::shared_ptr<grpc::Channel>& channel,
                                                      std::string_view name, std::string_view token) {
  v1::PutProgressRequest request;
  request.set_name(std::string(name));
  request.set_resume_token(std::string(token));
  const auto files = v1::Files::NewStub(channel);
  return Call(*files, &v1::Files::Stub::PutProgress, request);
}

absl::StatusOr<v1::PutResponse> PutAt(const std::shared_ptr<grpc::Channel>& channel,
                                      std::string_view name, std::string_view content,
                                      std::optional<std::uint64_t> if_version) {
  DFS_ASSIGN_OR_RETURN(const v1::RequestId id, NewRequestId(channel));
  auto messages = HonestPut(name, content, id);
  if (if_version) messages[0].mutable_header()->set_if_version(*if_version);
  return SendPut(channel, messages);
}

absl::StatusOr<std::string> GetAt(const std::shared_ptr<grpc::Channel>& channel,
                                  const v1::GetRequest& request) {
  const auto files = v1::Files::NewStub(channel);
  grpc::ClientContext context;
  SetDeadline(context);
  const auto reader = files->Get(&context, request);
  std::string out;
  v1::GetResponse message;
  bool is_damaged = false;
  while (reader->Read(&message)) {
    if (message.data().empty()) continue;
    is_damaged |= message.offset() != request.offset() + out.size();
    is_damaged |= message.crc32c() != Crc32c(message.data().data(), message.data().size());
    out += message.data();
  }
  if (const auto status = reader->Finish(); !status.ok()) return FromGrpc(status);
  if (is_damaged) return absl::DataLossError("a message's offset or checksum is wrong");
  return out;
}

absl::StatusOr<std::string> GetAt(const std::shared_ptr<grpc::Channel>& channel,
                                  std::string_view name, v1::Consistency consistency) {
  v1::GetRequest request;
  request.set_name(std::string(name));
  request.set_consistency(consistency);
  return GetAt(channel, request);
}

absl::StatusOr<v1::FileInfo> StatAt(const std::shared_ptr<grpc::Channel>& channel,
                                    std::string_view name, v1::Consistency consistency) {
  const auto files = v1::Files::NewStub(channel);
  v1::StatRequest request;
  request.set_name(std::string(name));
  request.set_consistency(consistency);
  DFS_ASSIGN_OR_RETURN(const v1::StatResponse response,
                       Call(*files, &v1::Files::Stub::Stat, request));
  return response.info();
}

absl::StatusOr<v1::RemoveResponse> RemoveAt(const std::shared_ptr<grpc::Channel>& channel,
                                            std::string_view name, const v1::RequestId& id) {
  const auto files = v1::Files::NewStub(channel);
  v1::RemoveRequest request;
  request.set_name(std::string(name));
  *request.mutable_request_id() = id;
  return Call(*files, &v1::Files::Stub::Remove, request);
}

absl::StatusOr<v1::SettleResponse> SettleAt(const std::shared_ptr<grpc::Channel>& channel,
                                            const v1::RequestId& id) {
  const auto files = v1::Files::NewStub(channel);
  v1::SettleRequest request;
  *request.mutable_request_id() = id;
  return Call(*files, &v1::Files::Stub::Settle, request);
}

}  // namespace dfs::testing
