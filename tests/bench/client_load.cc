#include "tests/bench/client_load.h"

#include <glog/logging.h>

#include <algorithm>
#include <atomic>

#include "tests/support/file_checks.h"

namespace dfs::bench {
namespace {

// Random bytes, so that no layer can compress or share them; the longest file that was asked for.
const Slices& Content(std::uint64_t size) {
  static Slices content;
  if (content.size() < size) {
    content = Slices::Adopt(testing::MakeBytes(42, static_cast<std::size_t>(size)));
  }
  return content;
}

std::atomic<std::uint64_t> next_file = 0;

}  // namespace

ClientLoad::ClientLoad(const std::vector<std::string>& endpoints, int clients, Connections connections,
                       const client::FileClientOptions& options)
    : names_(static_cast<std::size_t>(clients)) {
  for (int i = 0; i < clients; ++i) {
    if (i > 0 && connections == Connections::kShared) {
      clients_.push_back(clients_[0]);
      continue;
    }
    std::vector<std::string> rotated = endpoints;
    std::rotate(rotated.begin(), rotated.begin() + i % static_cast<int>(rotated.size()), rotated.end());
    clients_.push_back(std::make_shared<client::FileClient>(rotated, options));
    // Connections are made before the clock runs.
    CHECK(clients_.back()->Hello().ok());
  }
}

client::LoadResult ClientLoad::Put(std::uint64_t size, int count, absl::Duration limit) {
  const Slices& content = Content(size);
  return client::RunLoad(clients_.size(), CountOf(count), limit, [&](std::size_t i, std::uint64_t) {
    const std::string name = "bench/" + std::to_string(size) + "/" + std::to_string(++next_file);
    client::PatternSource source(content, size);
    absl::Status status = clients_[i]->Put(name, source).status();
    if (status.ok()) names_[i].emplace_back(size, name);
    return status;
  });
}

client::LoadResult ClientLoad::Get(std::uint64_t size, int count, absl::Duration limit) {
  std::vector<std::string> names;
  for (const auto& of_client : names_) {
    for (const auto& [file_size, name] : of_client) {
      if (file_size == size) names.push_back(name);
    }
  }
  CHECK(!names.empty()) << "no file of " << size << " bytes has been put";
  return client::RunLoad(
      clients_.size(), CountOf(count), limit,
      [&](std::size_t i, std::uint64_t number) -> absl::Status {
        client::CountingSink sink;
        const auto& name = names[(i * 7'919 + number) % names.size()];
        const auto got = clients_[i]->Get(name, sink);
        if (got.ok() && sink.bytes() != size) return absl::DataLossError("short");
        return got.status();
      });
}

std::uint64_t ClientLoad::CountOf(int count) const {
  return static_cast<std::uint64_t>(count) * clients_.size();
}

}  // namespace dfs::bench
