#include "tests/bench/http_load.h"

#include <glog/logging.h>

#include <atomic>

#include "tests/support/file_checks.h"

namespace dfs::bench {
namespace {

std::atomic<std::uint64_t> next_file = 0;

}  // namespace

HttpLoad::HttpLoad(const std::vector<std::string>& addresses, int clients)
    : names_(static_cast<std::size_t>(clients)) {
  for (int i = 0; i < clients; ++i) {
    const auto& address = addresses[static_cast<std::size_t>(i) % addresses.size()];
    clients_.push_back(std::make_unique<testing::HttpClient>(address));
    // Connections are made before the clock runs.
    CHECK_EQ(clients_.back()->Get("/healthz").code, 200);
  }
}

client::LoadResult HttpLoad::Put(std::uint64_t size, std::uint64_t count, absl::Duration limit) {
  const Slices content = Slices::Adopt(testing::MakeBytes(43, static_cast<std::size_t>(size)));
  for (auto& names : names_) names.clear();
  return client::RunLoad(clients_.size(), count, limit, [&](std::size_t i, std::uint64_t) {
    const std::string name = "/upload/http/" + std::to_string(++next_file);
    client::PatternSource source(content, size);
    const auto answer = clients_[i]->Send("PUT", name, source);
    if (answer.code != 201) return absl::UnavailableError(answer.body);
    names_[i].push_back(name);
    return absl::OkStatus();
  });
}

client::LoadResult HttpLoad::Get(std::uint64_t size, std::uint64_t count, absl::Duration limit) {
  std::vector<std::string> names;
  for (const auto& of_client : names_) names.insert(names.end(), of_client.begin(), of_client.end());
  CHECK(!names.empty()) << "no file has been put";
  return client::RunLoad(
      clients_.size(), count, limit, [&](std::size_t i, std::uint64_t number) -> absl::Status {
        std::uint64_t got = 0;
        const auto answer = clients_[i]->Receive(names[(i * 7'919 + number) % names.size()],
                                                 [&](std::string_view bytes) {
                                                   got += bytes.size();
                                                   return true;
                                                 });
        if (answer.code != 200) return absl::UnavailableError(answer.body);
        return got == size ? absl::OkStatus() : absl::DataLossError("short");
      });
}

}  // namespace dfs::bench
