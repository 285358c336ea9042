#include "client/connection.h"

#include <chrono>
#include <utility>

#include "client/posix_handover.h"

namespace dfs::client {

Connection::Connection(std::string address, const Dialer& dialer)
    : address_(std::move(address)),
      control_(dialer.Dial(address_, ChannelUse::kControl)),
      bulk_(dialer.Dial(address_, ChannelUse::kBulk)),
      files_(v1::Files::NewStub(control_)),
      cluster_(v1::Cluster::NewStub(control_)),
      small_data_(control_),
      bulk_data_(bulk_),
      hands_files_over_(IsOnThisMachine(address_)) {}

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
