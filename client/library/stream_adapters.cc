#include "client/library/stream_adapters.h"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include "client/library/translation.h"
#include "client/posix_byte_stream.h"

namespace dfs::client {

Result<std::size_t> WrappedSource::Read(char* to, std::size_t bytes_max) {
  const auto bytes = inner_->Read(bytes_max);
  if (!bytes.ok()) return ToPublic(bytes.status());
  std::size_t done = 0;
  for (const auto& piece : bytes->pieces()) {
    std::memcpy(to + done, piece.begin(), piece.size());
    done += piece.size();
  }
  return done;
}

Status WrappedSink::Write(const char* bytes, std::size_t count) {
  return ToPublic(inner_->Write(Slices::CopyOf(std::string_view(bytes, count))));
}

// noexcept here and below: stream.h says what an exception of the caller's comes to. It must not leave through gRPC.
absl::StatusOr<Slices> AdaptedSource::Read(std::size_t bytes_max) {
  if (at_ < kept_.size()) {
    Slices out = kept_.Range(at_, std::min(bytes_max, kept_.size() - at_));
    at_ += out.size();
    return out;
  }
  if (is_at_end_ || bytes_max == 0) return Slices();
  auto* buffer = static_cast<char*>(std::malloc(bytes_max));
  if (buffer == nullptr) return LocalError("read", "the source", ENOMEM);
  std::size_t done = 0;
  while (done < bytes_max && !is_at_end_) {
    const auto read = [&]() noexcept { return source_.Read(buffer + done, bytes_max - done); };
    const auto got = read();
    if (!got.ok() || *got > bytes_max - done) {
      std::free(buffer);
      error_ = got.ok() ? Status(Code::kLocal, "the source returned more bytes than there is room for")
                        : got.status();
      return LocalError("read", "the source", EIO);
    }
    is_at_end_ = *got == 0;
    done += *got;
  }
  Slices out;
  out.Append(grpc::Slice(buffer, done, [](void* memory) { std::free(memory); }, buffer));
  if (done == 0) return Slices();
  Keep(out);
  return out;
}

void AdaptedSource::Keep(const Slices& bytes) {
  if (is_all_kept_ && kept_.size() + bytes.size() <= kReplayBytesMax) {
    kept_.Append(bytes);
    at_ = kept_.size();
  } else {
    is_all_kept_ = false;
    kept_.Clear();
    at_ = 0;
  }
}

bool AdaptedSource::Rewind() {
  const auto rewind = [&]() noexcept { return source_.Rewind(); };
  if (rewind()) {
    kept_.Clear();
    is_all_kept_ = true;
    is_at_end_ = false;
  } else if (!is_all_kept_) {
    return false;
  }
  at_ = 0;
  return true;
}

absl::Status AdaptedSink::Taken(const Status& status) {
  if (status.ok()) return absl::OkStatus();
  error_ = status;
  return LocalError("write", "the sink", EIO);
}

absl::Status AdaptedSink::Begin(const v1::FileInfo& file) {
  const auto begin = [&]() noexcept { return sink_.Begin(ToPublic(file)); };
  return Taken(begin());
}

absl::Status AdaptedSink::Write(const Slices& bytes) {
  for (const auto& piece : bytes.pieces()) {
    const auto write = [&]() noexcept {
      return sink_.Write(reinterpret_cast<const char*>(piece.begin()), piece.size());
    };
    if (const absl::Status status = Taken(write()); !status.ok()) return status;
  }
  return absl::OkStatus();
}

bool AdaptedSink::Rewind() {
  const auto rewind = [&]() noexcept { return sink_.Rewind(); };
  return rewind();
}

}  // namespace dfs::client
