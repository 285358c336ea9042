#include "proto/raw_method.h"

#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>
#include <gtest/gtest.h>

#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "dfs/v1/files.grpc.pb.h"
#include "proto/channel_arguments.h"

namespace dfs {
namespace {

using RawPut = WithData<v1::PutRequest>;
using RawGet = WithData<v1::GetResponse>;

// Sums up what it was sent: the name is the header's, the size counts the bytes, and the message
// that comes back from Get has the bytes of the last Put.
class RawFiles final : public RawService {
 public:
  RawFiles() {
    AddClientStreaming("/dfs.v1.Files/Put", &RawFiles::Put);
    AddServerStreaming("/dfs.v1.Files/Get", &RawFiles::Get);
    AddUnary("/dfs.v1.Files/Stat", &RawFiles::Stat);
    AddUnaryReactor("/dfs.v1.Files/Remove", &RawFiles::Remove);
    AddBidiStreaming("/dfs.v1.Test/Echo", &RawFiles::Echo);
    AddUnary("/dfs.v1.Test/Swap", &RawFiles::Swap);
  }

  Slices stored;

 private:
  grpc::Status Put(grpc::ServerContext*, grpc::ServerReader<RawPut>* reader,
                   v1::PutResponse* response) {
    stored.Clear();
    RawPut request;
    while (reader->Read(&request)) {
      EXPECT_TRUE(request.message.data().empty());
      if (request.message.has_header()) {
        response->mutable_info()->set_name(request.message.header().name());
      }
      EXPECT_EQ(request.message.offset(), stored.size());
      stored.Append(request.data);
    }
    response->mutable_info()->set_size(stored.size());
    return grpc::Status::OK;
  }

  grpc::Status Get(grpc::ServerContext*, const v1::GetRequest* request,
                   grpc::ServerWriter<RawGet>* writer) {
    RawGet response;
    response.message.mutable_info()->set_name(request->name());
    response.data = stored;
    writer->Write(response);
    return grpc::Status::OK;
  }

  grpc::Status Stat(grpc::ServerContext*, const v1::StatRequest* request,
                    v1::StatResponse* response) {
    response->mutable_info()->set_name(request->name());
    return grpc::Status::OK;
  }

  grpc::ServerUnaryReactor* Remove(grpc::CallbackServerContext* context,
                                   const v1::RemoveRequest* request, v1::RemoveResponse* response) {
    response->set_version(request->name().size());
    auto* reactor = context->DefaultReactor();
    reactor->Finish(grpc::Status::OK);
    return reactor;
  }

  grpc::Status Echo(grpc::ServerContext*, grpc::ServerReaderWriter<RawGet, RawPut>* stream) {
    RawPut request;
    while (stream->Read(&request)) {
      RawGet response;
      response.message.set_offset(request.message.offset());
      response.data = request.data;
      if (!stream->Write(response)) break;
    }
    return grpc::Status::OK;
  }

  grpc::Status Swap(grpc::ServerContext*, const RawPut* request, RawGet* response) {
    response->data = request->data;
    return grpc::Status::OK;
  }
};

// The same with generated code only.
class PlainFiles final : public v1::Files::Service {
 public:
  std::string stored;

  grpc::Status Put(grpc::ServerContext*, grpc::ServerReader<v1::PutRequest>* reader,
                   v1::PutResponse* response) override {
    stored.clear();
    v1::PutRequest request;
    while (reader->Read(&request)) {
      if (request.has_header()) response->mutable_info()->set_name(request.header().name());
      EXPECT_EQ(request.offset(), stored.size());
      stored += request.data();
    }
    response->mutable_info()->set_size(stored.size());
    return grpc::Status::OK;
  }

  grpc::Status Get(grpc::ServerContext*, const v1::GetRequest* request,
                   grpc::ServerWriter<v1::GetResponse>* writer) override {
    v1::GetResponse response;
    response.mutable_info()->set_name(request->name());
    response.set_data(stored);
    writer->Write(response);
    return grpc::Status::OK;
  }
};

// A server on a port that the system chooses, and channels to it.
class Loopback {
 public:
  explicit Loopback(grpc::Service& service) {
    grpc::ServerBuilder builder;
    SetServerArguments(builder);
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port_);
    builder.RegisterService(&service);
    server_ = builder.BuildAndStart();
  }
  ~Loopback() { server_->Shutdown(); }
  Loopback(const Loopback&) = delete;
  Loopback& operator=(const Loopback&) = delete;

  [[nodiscard]] std::shared_ptr<grpc::Channel> Channel(ChannelUse use = ChannelUse::kBulk) const {
    return grpc::CreateCustomChannel("127.0.0.1:" + std::to_string(port_),
                                     grpc::InsecureChannelCredentials(), ArgumentsFor(use));
  }

 private:
  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;
};

std::string Pattern(std::size_t bytes) {
  std::string out(bytes, '\0');
  for (std::size_t i = 0; i < bytes; ++i) out[i] = static_cast<char>(i * 131 + (i >> 9));
  return out;
}

constexpr std::size_t kPiece = std::size_t{1} << 20;

void PutRawAndExpect(const std::shared_ptr<grpc::Channel>& channel, const std::string& bytes) {
  const ClientStreamingMethod<RawPut, v1::PutResponse> put(channel, "/dfs.v1.Files/Put");
  grpc::ClientContext context;
  v1::PutResponse response;
  auto writer = put.Start(&context, &response);
  std::size_t sent = 0;
  bool is_first = true;
  while (is_first || sent < bytes.size()) {
    RawPut request;
    if (is_first) request.message.mutable_header()->set_name("a/b");
    is_first = false;
    request.message.set_offset(sent);
    const std::string piece = bytes.substr(sent, kPiece);
    sent += piece.size();
    request.data = Slices::Adopt(piece);
    ASSERT_TRUE(writer->Write(request));
  }
  writer->WritesDone();
  ASSERT_TRUE(writer->Finish().ok());
  EXPECT_EQ(response.info().name(), "a/b");
  EXPECT_EQ(response.info().size(), bytes.size());
}

std::string GetRaw(const std::shared_ptr<grpc::Channel>& channel) {
  const ServerStreamingMethod<v1::GetRequest, RawGet> get(channel, "/dfs.v1.Files/Get");
  grpc::ClientContext context;
  v1::GetRequest request;
  request.set_name("n");
  auto reader = get.Start(&context, request);
  RawGet response;
  std::string bytes;
  while (reader->Read(&response)) {
    EXPECT_EQ(response.message.info().name(), "n");
    EXPECT_TRUE(response.message.data().empty());
    bytes += response.data.ToString();
  }
  EXPECT_TRUE(reader->Finish().ok());
  return bytes;
}

TEST(RawMethod, RawClientAndRawServerUnderstandEachOther) {
  RawFiles files;
  const Loopback loopback(files);
  for (const std::size_t size : {std::size_t{0}, std::size_t{1}, kPiece, 5 * kPiece + 17}) {
    const std::string bytes = Pattern(size);
    PutRawAndExpect(loopback.Channel(), bytes);
    EXPECT_EQ(files.stored.ToString(), bytes);
  }
  PutRawAndExpect(loopback.Channel(), Pattern(3 * kPiece));
  EXPECT_EQ(GetRaw(loopback.Channel()), Pattern(3 * kPiece));
}

TEST(RawMethod, RawClientIsUnderstoodByGeneratedService) {
  PlainFiles files;
  const Loopback loopback(files);
  PutRawAndExpect(loopback.Channel(), Pattern(2 * kPiece + 1));
  EXPECT_EQ(files.stored, Pattern(2 * kPiece + 1));
  EXPECT_EQ(GetRaw(loopback.Channel()), files.stored);
}

TEST(RawMethod, GeneratedStubIsUnderstoodByRawServer) {
  RawFiles files;
  const Loopback loopback(files);
  const auto stub = v1::Files::NewStub(loopback.Channel());
  const std::string bytes = Pattern(3 * kPiece);
  {
    grpc::ClientContext context;
    v1::PutResponse response;
    auto writer = stub->Put(&context, &response);
    for (std::size_t sent = 0; sent < bytes.size(); sent += kPiece) {
      v1::PutRequest request;
      if (sent == 0) request.mutable_header()->set_name("x");
      request.set_offset(sent);
      request.set_data(bytes.substr(sent, kPiece));
      ASSERT_TRUE(writer->Write(request));
    }
    writer->WritesDone();
    ASSERT_TRUE(writer->Finish().ok());
    EXPECT_EQ(response.info().name(), "x");
    EXPECT_EQ(files.stored.ToString(), bytes);
  }
  grpc::ClientContext context;
  v1::GetRequest request;
  request.set_name("n");
  auto reader = stub->Get(&context, request);
  v1::GetResponse response;
  ASSERT_TRUE(reader->Read(&response));
  EXPECT_EQ(response.data(), bytes);
  EXPECT_EQ(response.info().name(), "n");
  EXPECT_FALSE(reader->Read(&response));
  EXPECT_TRUE(reader->Finish().ok());
}

TEST(RawMethod, PlainUnaryMethodsOfARawServiceWork) {
  RawFiles files;
  const Loopback loopback(files);
  const auto stub = v1::Files::NewStub(loopback.Channel(ChannelUse::kControl));
  {
    grpc::ClientContext context;
    v1::StatRequest request;
    request.set_name("some");
    v1::StatResponse response;
    ASSERT_TRUE(stub->Stat(&context, request, &response).ok());
    EXPECT_EQ(response.info().name(), "some");
  }
  {
    grpc::ClientContext context;
    v1::RemoveRequest request;
    request.set_name("some");
    v1::RemoveResponse response;
    ASSERT_TRUE(stub->Remove(&context, request, &response).ok());
    EXPECT_EQ(response.version(), 4U);
  }
  grpc::ClientContext context;
  v1::ClearResponse response;
  EXPECT_EQ(stub->Clear(&context, v1::ClearRequest(), &response).error_code(),
            grpc::StatusCode::UNIMPLEMENTED);
}

TEST(RawMethod, BidirectionalAndUnaryCarryDataBothWays) {
  RawFiles files;
  const Loopback loopback(files);
  const BidiStreamingMethod<RawPut, RawGet> echo(loopback.Channel(), "/dfs.v1.Test/Echo");
  grpc::ClientContext context;
  auto stream = echo.Start(&context);
  for (std::uint64_t i = 0; i < 4; ++i) {
    RawPut request;
    request.message.set_offset(i + 1);
    request.data = Slices::Adopt(Pattern(i * 1000));
    ASSERT_TRUE(stream->Write(request));
    RawGet response;
    ASSERT_TRUE(stream->Read(&response));
    EXPECT_EQ(response.message.offset(), i + 1);
    EXPECT_EQ(response.data.ToString(), Pattern(i * 1000));
  }
  stream->WritesDone();
  EXPECT_TRUE(stream->Finish().ok());

  const UnaryMethod<RawPut, RawGet> swap(loopback.Channel(), "/dfs.v1.Test/Swap");
  grpc::ClientContext unary_context;
  RawPut request;
  request.data = Slices::Adopt(Pattern(100'000));
  RawGet response;
  ASSERT_TRUE(swap.Call(&unary_context, request, &response).ok());
  EXPECT_EQ(response.data.ToString(), Pattern(100'000));
}

TEST(RawMethod, MalformedMessageEndsTheCallAndNotTheServer) {
  RawFiles files;
  const Loopback loopback(files);
  // A ByteBuffer is passed through as it is: field 15 claims more bytes than there are.
  const UnaryMethod<grpc::ByteBuffer, grpc::ByteBuffer> swap(loopback.Channel(),
                                                             "/dfs.v1.Test/Swap");
  const std::string bad =
      "\x7A\x7F"
      "abc";
  grpc::Slice slice(bad);
  grpc::ClientContext context;
  grpc::ByteBuffer response;
  EXPECT_FALSE(swap.Call(&context, grpc::ByteBuffer(&slice, 1), &response).ok());
  PutRawAndExpect(loopback.Channel(), Pattern(10));
}

TEST(RawMethod, SerialisingSharesThePayload) {
  RawPut request;
  request.message.set_offset(7);
  request.data = Slices::Adopt(Pattern(kPiece));
  request.data.Append(Slices::Adopt(Pattern(4096)));
  grpc::ByteBuffer wire;
  bool is_owned = false;
  ASSERT_TRUE(grpc::SerializationTraits<RawPut>::Serialize(request, &wire, &is_owned).ok());
  std::vector<grpc::Slice> slices;
  ASSERT_TRUE(wire.Dump(&slices).ok());
  ASSERT_EQ(slices.size(), 3U);
  EXPECT_EQ(slices[1].begin(), request.data.pieces()[0].begin());
  EXPECT_EQ(slices[2].begin(), request.data.pieces()[1].begin());
}

TEST(RawMethod, DeserialisingSharesThePayload) {
  v1::PutRequest plain;
  plain.set_offset(7);
  plain.set_data(Pattern(kPiece));
  const std::string bytes = plain.SerializeAsString();
  std::vector<grpc::Slice> pieces;
  for (std::size_t at = 0; at < bytes.size(); at += 65'536) {
    pieces.emplace_back(bytes.substr(at, 65'536));
  }
  grpc::ByteBuffer wire(pieces.data(), pieces.size());
  RawPut out;
  ASSERT_TRUE(grpc::SerializationTraits<RawPut>::Deserialize(&wire, &out).ok());
  EXPECT_FALSE(wire.Valid());
  EXPECT_EQ(out.message.offset(), 7U);
  ASSERT_EQ(out.data.size(), kPiece);
  ASSERT_EQ(out.data.pieces().size(), pieces.size());
  // (The last piece is a few bytes, which gRPC keeps inside the slice itself.)
  for (std::size_t i = 1; i + 1 < pieces.size(); ++i) {
    EXPECT_EQ(out.data.pieces()[i].begin(), pieces[i].begin()) << i;
  }
  // The first piece holds the other fields before the data.
  EXPECT_GT(out.data.pieces()[0].begin(), pieces[0].begin());
  EXPECT_EQ(out.data.pieces()[0].end(), pieces[0].end());
}

TEST(RawMethod, PayloadIsReleasedWithItsLastOwner) {
  int releases = 0;
  const auto count = [](void* user) { ++*static_cast<int*>(user); };
  std::string memory = Pattern(10'000);
  {
    RawPut request;
    request.data.Append(grpc::Slice(memory.data(), memory.size(), count, &releases));
    RawFiles files;
    {
      const Loopback loopback(files);
      const UnaryMethod<RawPut, RawGet> swap(loopback.Channel(), "/dfs.v1.Test/Swap");
      grpc::ClientContext context;
      RawGet response;
      ASSERT_TRUE(swap.Call(&context, request, &response).ok());
    }
    EXPECT_EQ(releases, 0);
  }
  EXPECT_EQ(releases, 1);
}

}  // namespace
}  // namespace dfs
