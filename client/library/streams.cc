#include "dfs/stream.h"

#include <istream>
#include <ostream>
#include <utility>

#include "client/library/stream_adapters.h"
#include "client/library/translation.h"
#include "client/posix_byte_stream.h"

namespace dfs {
namespace {

class StreamSource final : public Source {
 public:
  explicit StreamSource(std::istream& in) : in_(in), begin_(in.tellg()) {
    if (begin_ == std::istream::pos_type(-1)) in_.clear(in_.rdstate() & ~std::ios::failbit);
  }
  [[nodiscard]] Result<std::size_t> Read(char* to, std::size_t bytes_max) override {
    in_.read(to, static_cast<std::streamsize>(bytes_max));
    if (in_.bad()) return Status(Code::kLocal, "the stream could not be read");
    return static_cast<std::size_t>(in_.gcount());
  }
  [[nodiscard]] bool Rewind() override {
    if (begin_ == std::istream::pos_type(-1) || in_.bad()) return false;
    in_.clear();
    return static_cast<bool>(in_.seekg(begin_));
  }

 private:
  std::istream& in_;
  const std::istream::pos_type begin_;
};

class FunctionSource final : public Source {
 public:
  FunctionSource(std::function<Result<std::size_t>(char*, std::size_t)> read,
                 std::optional<std::uint64_t> bytes)
      : read_(std::move(read)), size_(bytes) {}
  [[nodiscard]] std::optional<std::uint64_t> size() const override { return size_; }
  [[nodiscard]] Result<std::size_t> Read(char* to, std::size_t bytes_max) override {
    return read_(to, bytes_max);
  }

 private:
  const std::function<Result<std::size_t>(char*, std::size_t)> read_;
  const std::optional<std::uint64_t> size_;
};

class FunctionSink : public Sink {
 public:
  explicit FunctionSink(std::function<Status(std::string_view)> write) : write_(std::move(write)) {}
  [[nodiscard]] Status Write(const char* bytes, std::size_t count) override {
    return write_(std::string_view(bytes, count));
  }

 private:
  const std::function<Status(std::string_view)> write_;
};

class BytesSink final : public Sink {
 public:
  explicit BytesSink(std::string* out) : out_(out), begin_(out->size()) {}
  [[nodiscard]] Status Write(const char* bytes, std::size_t count) override {
    out_->append(bytes, count);
    return {};
  }
  [[nodiscard]] bool Rewind() override {
    out_->resize(begin_);
    return true;
  }

 private:
  std::string* const out_;
  const std::size_t begin_;
};

}  // namespace

Result<std::unique_ptr<Source>> FromFile(const std::string& path) {
  auto inner = client::OpenFileSource(path);
  if (!inner.ok()) return client::ToPublic(inner.status());
  return std::unique_ptr<Source>(std::make_unique<client::WrappedSource>(*std::move(inner)));
}

std::unique_ptr<Source> FromDescriptor(int descriptor) {
  return std::make_unique<client::WrappedSource>(
      client::MakeDescriptorSource(descriptor, "descriptor " + std::to_string(descriptor)));
}

std::unique_ptr<Source> FromStream(std::istream& in) { return std::make_unique<StreamSource>(in); }

std::unique_ptr<Source> FromBytes(std::string_view bytes) {
  return std::make_unique<client::WrappedSource>(
      std::make_unique<client::StringSource>(std::string(bytes)));
}

std::unique_ptr<Source> FromFunction(std::function<Result<std::size_t>(char*, std::size_t)> read,
                                     std::optional<std::uint64_t> size) {
  return std::make_unique<FunctionSource>(std::move(read), size);
}

std::unique_ptr<Sink> ToDescriptor(int descriptor) {
  return std::make_unique<client::WrappedSink>(
      client::MakeDescriptorSink(descriptor, "descriptor " + std::to_string(descriptor)));
}

std::unique_ptr<Sink> ToStream(std::ostream& out) {
  return ToFunction([&out](std::string_view bytes) -> Status {
    out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    if (!out.good()) return {Code::kLocal, "the stream could not be written"};
    return {};
  });
}

std::unique_ptr<Sink> ToBytes(std::string* out) { return std::make_unique<BytesSink>(out); }

std::unique_ptr<Sink> ToFunction(std::function<Status(std::string_view)> write) {
  return std::make_unique<FunctionSink>(std::move(write));
}

}  // namespace dfs
