// Load for measurements: many equal operations from threads of this process.
#ifndef DFS_CLIENT_LOAD_H_
#define DFS_CLIENT_LOAD_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "client/byte_stream.h"
#include "client/latencies.h"

namespace dfs::client {

// `size` bytes that repeat `pattern`, which is not empty and outlives it. No bytes are copied.
class PatternSource final : public ByteSource {
 public:
  PatternSource(const Slices& pattern, std::uint64_t size) : pattern_(pattern), size_(size) {}
  [[nodiscard]] std::optional<std::uint64_t> size() const override { return size_; }
  [[nodiscard]] absl::StatusOr<Slices> Read(std::size_t bytes_max) override;
  [[nodiscard]] bool Rewind() override {
    at_ = 0;
    return true;
  }

 private:
  const Slices& pattern_;
  const std::uint64_t size_;
  std::uint64_t at_ = 0;
};

// Counts bytes and drops them; the library has verified them.
class CountingSink final : public ByteSink {
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

struct LoadResult {
  Latencies latencies;  // of operations that worked
  std::uint64_t errors = 0;
  absl::Status first_error;
  absl::Duration elapsed;

  // As if `other` had been part of the same load: adds it, the times too.
  void Add(const LoadResult& other);
};

// Runs operations 0 to `count` - 1, each once, on `workers` threads, and returns when all have ended. None begins
// after `limit`, but each worker begins one (if there are enough). The operation is called by many threads at
// once, with the number of its worker: 0 to `workers` - 1.
LoadResult RunLoad(std::size_t workers, std::uint64_t count, absl::Duration limit,
                   const std::function<absl::Status(std::size_t worker, std::uint64_t number)>& operation);

}  // namespace dfs::client

#endif  // DFS_CLIENT_LOAD_H_
