#include "tests/bench/raw_limits.h"

#include <fcntl.h>
#include <glog/logging.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/server_builder.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <vector>

#include "client/latencies.h"
#include "common/clock.h"
#include "common/executor.h"
#include "common/sync.h"
#include "proto/channel_arguments.h"
#include "tests/support/process_cluster.h"

namespace dfs::bench {
namespace {

constexpr std::size_t kWriteBytes = std::size_t{1} << 20;
constexpr std::size_t kSyncEveryBytes = std::size_t{8} << 20;
constexpr std::size_t kMessageBytes = std::size_t{1} << 20;
constexpr char kMethod[] = "/dfs.bench.Raw/Get";

void WriteAll(int fd, const char* bytes, std::size_t size) {
  while (size > 0) {
    const ssize_t written = write(fd, bytes, size);
    PCHECK(written > 0) << "write";
    bytes += written;
    size -= static_cast<std::size_t>(written);
  }
}

void WriteDurably(const std::string& path, std::string_view content) {
  const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  PCHECK(fd >= 0) << path;
  std::size_t unsynced = 0;
  for (std::size_t at = 0; at < content.size(); at += kWriteBytes) {
    const std::string_view piece = content.substr(at, kWriteBytes);
    WriteAll(fd, piece.data(), piece.size());
    unsynced += piece.size();
    if (unsynced >= kSyncEveryBytes) {
      const auto from = static_cast<off64_t>(at + piece.size() - unsynced);
      PCHECK(sync_file_range(fd, from, static_cast<off64_t>(unsynced), SYNC_FILE_RANGE_WRITE) == 0);
      unsynced = 0;
    }
  }
  PCHECK(fdatasync(fd) == 0) << path;
  close(fd);
}

class RawService final : public dfs::RawService {
 public:
  RawService() : piece_(Slices::Adopt(std::string(kMessageBytes, 'x'))) {
    AddServerStreaming(kMethod, &RawService::Get);
  }

 private:
  grpc::Status Get(grpc::ServerContext* /*context*/, const v1::GetRequest* request,
                   grpc::ServerWriter<WithData<v1::GetResponse>>* writer) {
    WithData<v1::GetResponse> response;
    for (std::uint64_t at = 0; at < request->length(); at += kMessageBytes) {
      response.message.set_offset(at);
      response.data = piece_.Range(
          0, static_cast<std::size_t>(std::min<std::uint64_t>(kMessageBytes, request->length() - at)));
      if (!writer->Write(response)) break;
    }
    return grpc::Status::OK;
  }

  const Slices piece_;
};

}  // namespace

absl::Duration ThreeDurableCopies(const std::string& folder, std::string_view content) {
  constexpr int kCopies = 3;
  ThreadPool threads("raw-copies", kCopies);
  std::array<Event, kCopies> done;
  const MonotonicTime start = SystemClock().Now();
  for (int i = 0; i < kCopies; ++i) {
    Event* const is_done = &done[static_cast<std::size_t>(i)];
    threads.Post([&folder, content, i, is_done] {
      WriteDurably(folder + "/raw-copy-" + std::to_string(i), content);
      is_done->Set();
    });
  }
  for (auto& event : done) event.Wait();
  const absl::Duration elapsed = SystemClock().Now() - start;
  for (int i = 0; i < kCopies; ++i) {
    std::filesystem::remove(folder + "/raw-copy-" + std::to_string(i));
  }
  return elapsed;
}

absl::Duration AppendAndSync(const std::string& folder, int count) {
  const std::string path = folder + "/raw-append";
  const std::string block(4'096, 'x');
  const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
  PCHECK(fd >= 0) << path;
  client::Latencies samples;
  for (int i = 0; i < count; ++i) {
    const MonotonicTime start = SystemClock().Now();
    WriteAll(fd, block.data(), block.size());
    PCHECK(fdatasync(fd) == 0);
    samples.Add(SystemClock().Now() - start);
  }
  close(fd);
  std::filesystem::remove(path);
  return absl::Milliseconds(samples.QuantileMs(0.5));
}

RawStream::RawStream() {
  const std::string port_file = folder_.File("port");
  server_ = testing::ChildProcess({"/proc/self/exe", "--serve-raw-stream=" + port_file}, {});
  CHECK(testing::ProcessCluster::Await("the raw stream's server", absl::Seconds(10), [&] {
          return !testing::ReadFile(port_file).empty();
        }).ok());
  channel_ = grpc::CreateCustomChannel("127.0.0.1:" + testing::ReadFile(port_file),
                                       grpc::InsecureChannelCredentials(),
                                       ArgumentsFor(ChannelUse::kBulk));
}

absl::Duration RawStream::Receive(std::uint64_t bytes) {
  const ServerStreamingMethod<v1::GetRequest, WithData<v1::GetResponse>> method(channel_, kMethod);
  grpc::ClientContext context;
  v1::GetRequest request;
  request.set_length(bytes);
  const MonotonicTime start = SystemClock().Now();
  const auto reader = method.Start(&context, request);
  WithData<v1::GetResponse> response;
  std::uint64_t received = 0;
  while (reader->Read(&response)) received += response.data.size();
  const absl::Duration elapsed = SystemClock().Now() - start;
  const grpc::Status status = reader->Finish();
  CHECK(status.ok() && received == bytes) << status.error_message() << " after " << received;
  return elapsed;
}

void ServeRawStream(const std::string& port_file) {
  RawService service;
  grpc::ServerBuilder builder;
  SetServerArguments(builder);
  int port = 0;
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
  builder.RegisterService(&service);
  const auto server = builder.BuildAndStart();
  CHECK(server != nullptr && port > 0);
  testing::WriteFile(port_file + ".new", std::to_string(port));
  std::filesystem::rename(port_file + ".new", port_file);
  server->Wait();
  _exit(0);
}

}  // namespace dfs::bench
