#include "tests/bench/client_load.h"

#include <glog/logging.h>

#include <algorithm>
#include <atomic>
#include <optional>
#include <utility>

#include "common/clock.h"
#include "common/executor.h"
#include "common/sync.h"
#include "tests/support/file_checks.h"

namespace dfs::bench {
namespace {

// Shares the bytes of one buffer among all puts.
class SharedSource final : public client::ByteSource {
 public:
  SharedSource(const Slices& bytes, std::uint64_t size) : bytes_(bytes), size_(size) {}
  [[nodiscard]] std::optional<std::uint64_t> size() const override { return size_; }
  [[nodiscard]] absl::StatusOr<Slices> Read(std::size_t bytes_max) override {
    const std::size_t bytes = std::min<std::size_t>(bytes_max, size_ - at_);
    at_ += bytes;
    return bytes_.Range(at_ - bytes, bytes);
  }
  [[nodiscard]] bool Rewind() override {
    at_ = 0;
    return true;
  }

 private:
  const Slices& bytes_;
  const std::uint64_t size_;
  std::size_t at_ = 0;
};

class CountingSink final : public client::ByteSink {
 public:
  [[nodiscard]] absl::Status Write(const Slices& bytes) override {
    bytes_ += bytes.size();
    return absl::OkStatus();
  }
  [[nodiscard]] bool Rewind() override {
    bytes_ = 0;
    return true;
  }
  [[nodiscard]] std::uint64_t bytes() const { return bytes_; }

 private:
  std::uint64_t bytes_ = 0;
};

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

double LoadResult::PerSecond() const {
  const double seconds = absl::ToDoubleSeconds(elapsed);
  return seconds > 0 ? static_cast<double>(samples.count()) / seconds : 0;
}

ClientLoad::ClientLoad(const std::vector<std::string>& endpoints, int clients)
    : names_(static_cast<std::size_t>(clients)) {
  for (int i = 0; i < clients; ++i) {
    std::vector<std::string> rotated = endpoints;
    std::rotate(rotated.begin(), rotated.begin() + i % static_cast<int>(rotated.size()), rotated.end());
    clients_.push_back(std::make_unique<client::FileClient>(rotated));
    // Connections are made before the clock runs.
    CHECK(clients_.back()->Hello().ok());
  }
}

template <class Operation>
LoadResult ClientLoad::Run(int count, absl::Duration limit, Operation operation) {
  std::vector<LoadResult> results(clients_.size());
  std::vector<Event> done(clients_.size());
  Event go;
  ThreadPool threads("clients", clients_.size());
  MonotonicTime end;
  for (std::size_t i = 0; i < clients_.size(); ++i) {
    threads.Post([&, i] {
      go.Wait();
      for (int number = 0; number < count && (number == 0 || SystemClock().Now() < end); ++number) {
        const MonotonicTime start = SystemClock().Now();
        const absl::Status status = operation(i, number);
        if (status.ok()) {
          results[i].samples.Add(SystemClock().Now() - start);
        } else if (++results[i].errors == 1) {
          results[i].first_error = status.ToString();
        }
      }
      done[i].Set();
    });
  }
  const MonotonicTime start = SystemClock().Now();
  end = start + limit;
  go.Set();
  for (auto& event : done) event.Wait();
  LoadResult total;
  total.elapsed = SystemClock().Now() - start;
  for (const auto& result : results) {
    total.samples.Add(result.samples);
    total.errors += result.errors;
    if (total.first_error.empty()) total.first_error = result.first_error;
  }
  return total;
}

LoadResult ClientLoad::Put(std::uint64_t size, int count, absl::Duration limit) {
  const Slices& content = Content(size);
  return Run(count, limit, [&](std::size_t i, int) {
    const std::string name = "bench/" + std::to_string(size) + "/" + std::to_string(++next_file);
    SharedSource source(content, size);
    absl::Status status = clients_[i]->Put(name, source).status();
    if (status.ok()) names_[i].emplace_back(size, name);
    return status;
  });
}

LoadResult ClientLoad::Get(std::uint64_t size, int count, absl::Duration limit) {
  std::vector<std::string> names;
  for (const auto& of_client : names_) {
    for (const auto& [file_size, name] : of_client) {
      if (file_size == size) names.push_back(name);
    }
  }
  CHECK(!names.empty()) << "no file of " << size << " bytes has been put";
  return Run(count, limit, [&](std::size_t i, int number) -> absl::Status {
    CountingSink sink;
    const auto& name = names[(i * 7'919 + static_cast<std::size_t>(number)) % names.size()];
    const auto got = clients_[i]->Get(name, sink);
    if (got.ok() && sink.bytes() != size) return absl::DataLossError("short");
    return got.status();
  });
}

}  // namespace dfs::bench
