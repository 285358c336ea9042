#include "server/node/file_source.h"

#include <algorithm>
#include <utility>

#include "server/gateway/remote_replica_catalog.h"
#include "server/node/waiter.h"

namespace dfs::node {

FileSource::FileSource(Parts parts) : parts_(std::move(parts)) {
  if (parts_.machine->has_files()) {
    catalog_ = std::make_unique<leader::LocalReplicaCatalog>(parts_.machine);
    return;
  }
  catalog_ = std::make_unique<gateway::RemoteReplicaCatalog>(parts_.channels, parts_.holders);
  gateway::DirectoryFeed::Parts feed;
  feed.clock = parts_.clock;
  feed.channels = parts_.channels;
  feed.holders = parts_.holders;
  feed.known = [machine = parts_.machine] { return machine->directory_index(); };
  feed.adopt = [adopt = parts_.adopt](metadata::DirectoryRows directory, absl::Duration timeout) {
    Waiter waiter;
    adopt(std::move(directory), waiter.Callback());
    return waiter.Wait(timeout);
  };
  feed_ = std::make_unique<gateway::DirectoryFeed>(std::move(feed));
}

void FileSource::AddTo(coordinator::Parts* parts) {
  if (feed_ == nullptr) return;
  parts->file_holders = parts_.holders;
  parts->refresh_directory = [this](absl::Duration timeout) { return feed_->Refresh(timeout); };
}

void FileSource::Start() {
  if (feed_ != nullptr) feed_->Start();
}

void FileSource::Stop() {
  if (feed_ != nullptr) feed_->Stop();
}

std::vector<NodeId> FileHolders(const consensus::Configuration& configuration, NodeId self, NodeId leader,
                                const std::function<bool(NodeId)>& is_usable) {
  std::vector<NodeId> holders;
  for (const auto& [node, member] : configuration.members) {
    if (node != self && !member.gets_no_commands) holders.push_back(node);
  }
  const auto rank = [&](NodeId node) { return node == leader ? 0 : is_usable(node) ? 1 : 2; };
  std::stable_sort(holders.begin(), holders.end(), [&](NodeId a, NodeId b) { return rank(a) < rank(b); });
  return holders;
}

}  // namespace dfs::node
