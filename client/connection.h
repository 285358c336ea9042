// The channels and methods to one endpoint.
#ifndef DFS_CLIENT_CONNECTION_H_
#define DFS_CLIENT_CONNECTION_H_

#include <grpcpp/channel.h>

#include <atomic>
#include <memory>
#include <string>

#include "common/clock.h"
#include "common/grpc_credentials.h"
#include "dfs/v1/cluster.grpc.pb.h"
#include "dfs/v1/files.grpc.pb.h"
#include "proto/raw_method.h"

namespace dfs::client {

using RawPutRequest = WithData<v1::PutRequest>;
using RawGetResponse = WithData<v1::GetResponse>;

// What carries file bytes over one channel.
struct DataMethods {
  explicit DataMethods(const std::shared_ptr<grpc::Channel>& channel)
      : put(channel, "/dfs.v1.Files/Put"), get(channel, "/dfs.v1.Files/Get") {}
  const ClientStreamingMethod<RawPutRequest, v1::PutResponse> put;
  const ServerStreamingMethod<v1::GetRequest, RawGetResponse> get;
};

// Two channels, so that small calls do not wait behind bulk data. Both connect when first used
// and again by themselves. Thread-safe.
class Connection {
 public:
  Connection(std::string address, const Dialer& dialer);

  [[nodiscard]] const std::string& address() const { return address_; }
  // Blocks until the control channel is connected, or returns false after `timeout`, or as soon as
  // a connection was refused.
  [[nodiscard]] bool WaitForControl(absl::Duration timeout) { return Wait(*control_, timeout); }
  [[nodiscard]] bool WaitForBulk(absl::Duration timeout) { return Wait(*bulk_, timeout); }

  [[nodiscard]] v1::Files::Stub& files() { return *files_; }
  [[nodiscard]] v1::Cluster::Stub& cluster() { return *cluster_; }
  [[nodiscard]] const DataMethods& bulk_data() const { return bulk_data_; }
  // For what fits into one message.
  [[nodiscard]] const DataMethods& small_data() const { return small_data_; }

  // Whether a get here may be answered with open files: it is this machine, and nothing has failed so far.
  [[nodiscard]] bool hands_files_over() const { return hands_files_over_.load(std::memory_order_relaxed); }
  void StopHandover() { hands_files_over_.store(false, std::memory_order_relaxed); }
  // Whether this endpoint is known to belong to the client's cluster.
  [[nodiscard]] bool is_verified() const { return is_verified_.load(std::memory_order_acquire); }
  void set_verified() { is_verified_.store(true, std::memory_order_release); }

 private:
  static bool Wait(grpc::Channel& channel, absl::Duration timeout);

  const std::string address_;
  const std::shared_ptr<grpc::Channel> control_;
  const std::shared_ptr<grpc::Channel> bulk_;
  const std::unique_ptr<v1::Files::Stub> files_;
  const std::unique_ptr<v1::Cluster::Stub> cluster_;
  const DataMethods small_data_;
  const DataMethods bulk_data_;
  std::atomic<bool> is_verified_ = false;
  std::atomic<bool> hands_files_over_;
};

}  // namespace dfs::client

#endif  // DFS_CLIENT_CONNECTION_H_
