#include "common/peer_channels.h"

namespace dfs {

void PeerChannels::SetAddress(NodeId node, const std::string& address) {
  MutexLock lock(&mutex_);
  std::string& known = addresses_[node];
  if (known == address) return;
  known = address;
  for (const ChannelUse use : {ChannelUse::kBulk, ChannelUse::kControl}) {
    channels_.erase({node, use});
  }
}

std::string PeerChannels::AddressOf(NodeId node) const {
  MutexLock lock(&mutex_);
  const auto found = addresses_.find(node);
  return found == addresses_.end() ? std::string() : found->second;
}

std::shared_ptr<grpc::Channel> PeerChannels::Get(NodeId node, ChannelUse use) {
  MutexLock lock(&mutex_);
  const auto address = addresses_.find(node);
  if (address == addresses_.end()) return nullptr;
  auto& channel = channels_[{node, use}];
  if (channel == nullptr) channel = dialer_.Dial(address->second, use);
  return channel;
}

}  // namespace dfs
