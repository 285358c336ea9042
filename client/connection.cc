#include "client/connection.h"

#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>

#include <chrono>
#include <utility>

#include "proto/channel_arguments.h"

namespace dfs::client {
namespace {

std::shared_ptr<grpc::Channel> MakeChannel(const std::string& address, ChannelUse use) {
  return grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), ArgumentsFor(use));
}

}  // namespace

Connection::Connection(std::string address)
    : address_(std::move(address)),
      control_(MakeChannel(address_, ChannelUse::kControl)),
      bulk_(MakeChannel(address_, ChannelUse::kBulk)),
      files_(v1::Files::NewStub(control_)),
      cluster_(v1::Cluster::NewStub(control_)),
      small_data_(control_),
      bulk_data_(bulk_) {}

bool Connection::Wait(grpc::Channel& channel, absl::Duration timeout) {
  const auto end = std::chrono::system_clock::now() + absl::ToChronoMicroseconds(timeout);
  // A channel that failed before is in TRANSIENT_FAILURE until its own backoff (100 ms to 1 s) is
  // over; another endpoint is the better use of that time.
  grpc_connectivity_state state = channel.GetState(/*try_to_connect=*/true);
  while (state != GRPC_CHANNEL_READY) {
    if (state == GRPC_CHANNEL_TRANSIENT_FAILURE || state == GRPC_CHANNEL_SHUTDOWN) return false;
    if (!channel.WaitForStateChange(state, end)) return false;
    state = channel.GetState(/*try_to_connect=*/true);
  }
  return true;
}

}  // namespace dfs::client
