// Public streams as the library's own, and its own as public ones.
#ifndef DFS_CLIENT_LIBRARY_STREAM_ADAPTERS_H_
#define DFS_CLIENT_LIBRARY_STREAM_ADAPTERS_H_

#include <memory>
#include <optional>
#include <utility>

#include "client/byte_stream.h"
#include "dfs/client.h"

namespace dfs::client {

// A public source whose bytes come from one of the library's own: read from that one without a copy.
class WrappedSource final : public Source {
 public:
  explicit WrappedSource(std::unique_ptr<ByteSource> inner) : inner_(std::move(inner)) {}
  [[nodiscard]] std::optional<std::uint64_t> size() const override { return inner_->size(); }
  [[nodiscard]] Result<std::size_t> Read(char* to, std::size_t bytes_max) override;
  [[nodiscard]] bool Rewind() override { return inner_->Rewind(); }
  [[nodiscard]] ByteSource& inner() { return *inner_; }

 private:
  const std::unique_ptr<ByteSource> inner_;
};

class WrappedSink final : public Sink {
 public:
  explicit WrappedSink(std::unique_ptr<ByteSink> inner) : inner_(std::move(inner)) {}
  [[nodiscard]] Status Write(const char* bytes, std::size_t count) override;
  [[nodiscard]] bool Rewind() override { return inner_->Rewind(); }
  [[nodiscard]] ByteSink& inner() { return *inner_; }

 private:
  const std::unique_ptr<ByteSink> inner_;
};

// A caller's source. Not rewindable ones are kept while they are short (kReplayBytesMax). The source outlives this.
class AdaptedSource final : public ByteSource {
 public:
  explicit AdaptedSource(Source& source) : source_(source) {}
  [[nodiscard]] std::optional<std::uint64_t> size() const override { return source_.size(); }
  [[nodiscard]] absl::StatusOr<Slices> Read(std::size_t bytes_max) override;
  [[nodiscard]] bool Rewind() override;
  // What the source itself said.
  [[nodiscard]] const std::optional<Status>& error() const { return error_; }

 private:
  void Keep(const Slices& bytes);

  Source& source_;
  std::optional<Status> error_;
  bool is_at_end_ = false;
  Slices kept_;  // from the first byte on, while is_all_kept_
  bool is_all_kept_ = true;
  std::size_t at_ = 0;  // in kept_
};

class AdaptedSink final : public ByteSink {
 public:
  explicit AdaptedSink(Sink& sink) : sink_(sink) {}
  [[nodiscard]] absl::Status Begin(const v1::FileInfo& file) override;
  [[nodiscard]] absl::Status Write(const Slices& bytes) override;
  [[nodiscard]] bool Rewind() override;
  [[nodiscard]] const std::optional<Status>& error() const { return error_; }

 private:
  [[nodiscard]] absl::Status Taken(const Status& status);

  Sink& sink_;
  std::optional<Status> error_;
};

}  // namespace dfs::client

#endif  // DFS_CLIENT_LIBRARY_STREAM_ADAPTERS_H_
