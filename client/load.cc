#include "client/load.h"

#include <algorithm>
#include <atomic>
#include <utility>
#include <vector>

#include "common/clock.h"
#include "common/executor.h"
#include "common/sync.h"

namespace dfs::client {

absl::StatusOr<Slices> PatternSource::Read(std::size_t bytes_max) {
  Slices out;
  while (out.size() < bytes_max && at_ < size_) {
    const auto offset = static_cast<std::size_t>(at_ % pattern_.size());
    const std::size_t bytes =
        std::min(bytes_max - out.size(), pattern_.size() - offset);
    const auto taken =
        static_cast<std::size_t>(std::min<std::uint64_t>(bytes, size_ - at_));
    out.Append(pattern_.Range(offset, taken));
    at_ += taken;
  }
  return out;
}

void LoadResult::Add(const LoadResult& other) {
  latencies.Add(other.latencies);
  errors += other.errors;
  if (first_error.ok()) first_error = other.first_error;
  elapsed += other.elapsed;
}

LoadResult RunLoad(
    std::size_t workers, std::uint64_t count, absl::Duration limit,
    const std::function<absl::Status(std::size_t worker, std::uint64_t number)>& operation) {
  const Clock& clock = SystemClock();
  std::vector<LoadResult> results(workers);
  std::vector<Event> done(workers);
  std::atomic<std::uint64_t> next = 0;
  Event go;
  MonotonicTime start;
  ThreadPool threads("load", workers);
  for (std::size_t worker = 0; worker < workers; ++worker) {
    threads.Post([&, worker] {
      go.Wait();
      LoadResult& mine = results[worker];
      bool is_first = true;
      while (is_first || clock.Now() - start < limit) {
        is_first = false;
        const std::uint64_t number = next++;
        if (number >= count) break;
        const MonotonicTime began = clock.Now();
        absl::Status status = operation(worker, number);
        if (status.ok()) {
          mine.latencies.Add(clock.Now() - began);
        } else if (++mine.errors == 1) {
          mine.first_error = std::move(status);
        }
      }
      done[worker].Set();
    });
  }
  start = clock.Now();
  go.Set();
  for (auto& event : done) event.Wait();
  LoadResult all;
  for (const auto& result : results) all.Add(result);
  all.elapsed = clock.Now() - start;
  threads.Stop();
  return all;
}

}  // namespace dfs::client
