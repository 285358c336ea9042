#include "server/gateway/directory_feed.h"

#include <utility>

#include "common/status_macros.h"
#include "dfs/internal/v1/catalog.pb.h"
#include "server/gateway/peer_call.h"

namespace dfs::gateway {
namespace {

constexpr absl::Duration kFirstInterval = absl::Milliseconds(20);  // until there is a directory
constexpr absl::Duration kPatience = absl::Seconds(2);

}  // namespace

DirectoryFeed::~DirectoryFeed() { Stop(); }

void DirectoryFeed::Start() {
  executor_ = std::make_unique<ThreadExecutor>("directory", *parts_.clock);
  executor_->Post([this] { Loop(); });
}

void DirectoryFeed::Stop() {
  if (executor_ != nullptr) executor_->Stop();
}

void DirectoryFeed::Loop() {
  // Who cannot be reached now is asked again: nothing is lost by it.
  [[maybe_unused]] const absl::Status ignored = Fetch(/*as_of_now=*/false, kPatience);
  const absl::Duration pause = known_index_ == 0 ? kFirstInterval : kInterval;
  executor_->PostAt(parts_.clock->Now() + pause, [this] { Loop(); });
}

absl::Status DirectoryFeed::Fetch(bool as_of_now, absl::Duration timeout) {
  rpc::DirectoryRequest request;
  request.set_known_index(known_index_);
  request.set_as_of_now(as_of_now);
  for (const NodeId holder : parts_.holders()) {
    metadata::DirectoryRows directory;
    bool is_known = false;
    bool is_too_large = false;
    const std::function<bool(const rpc::DirectoryPage&)> take = [&](const rpc::DirectoryPage& page) {
      directory.index = LogIndex(page.index());
      is_known = page.is_known();
      for (const auto& row : page.rows()) directory.rows.emplace_back(row.key(), row.value());
      is_too_large = directory.rows.size() > kRowsMax;
      return !is_too_large;
    };
    const auto word = PassOn(parts_.channels, &guard_, holder, nullptr, "/dfs.internal.v1.Catalog/Directory",
                             ChannelUse::kControl, request, take, timeout);
    if (is_too_large) return absl::ResourceExhaustedError("a directory of too many rows");
    if (!word) continue;
    DFS_RETURN_IF_ERROR(*word);
    if (is_known) return absl::OkStatus();
    const std::uint64_t index = directory.index.value();
    DFS_RETURN_IF_ERROR(parts_.adopt(std::move(directory)));
    for (std::uint64_t known = known_index_; known < index && !known_index_.compare_exchange_weak(known, index);) {
    }
    return absl::OkStatus();
  }
  return absl::UnavailableError("no node that has metadata of files answers");
}

}  // namespace dfs::gateway
