#include "server/gateway/directory_feed.h"

#include <algorithm>
#include <utility>

#include "dfs/internal/v1/catalog.pb.h"
#include "server/gateway/peer_call.h"

namespace dfs::gateway {
namespace {

constexpr absl::Duration kFirstInterval = absl::Milliseconds(20);  // until there is a directory
constexpr absl::Duration kRoundMax = absl::Seconds(5);

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
  [[maybe_unused]] const absl::Status ignored = Fetch(/*as_of_now=*/false, kRoundMax);
  const absl::Duration pause = parts_.known().is_none() ? kFirstInterval : kInterval;
  executor_->PostAt(parts_.clock->Now() + pause, [this] { Loop(); });
}

absl::Status DirectoryFeed::Fetch(bool as_of_now, absl::Duration timeout) {
  const MonotonicTime deadline = parts_.clock->Now() + timeout;
  rpc::DirectoryRequest request;
  request.set_known_index(parts_.known().value());
  request.set_as_of_now(as_of_now);
  absl::Status last = absl::UnavailableError("no node that has metadata of files answers");
  for (const NodeId holder : parts_.holders()) {
    const absl::Duration left = deadline - parts_.clock->Now();
    if (left <= absl::ZeroDuration()) break;
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
                             ChannelUse::kControl, request, take, std::min(left, kHolderPatience));
    if (is_too_large) return absl::ResourceExhaustedError("a directory of too many rows");
    if (!word) continue;
    if (word->ok()) return is_known ? absl::OkStatus() : parts_.adopt(std::move(directory), deadline - parts_.clock->Now());
    last = *word;
    if (!MayAnotherAnswer(last)) break;
  }
  return last;
}

}  // namespace dfs::gateway
