// Where the bytes of a Store come from and where those of a Get go.
#ifndef DFS_STREAM_H_
#define DFS_STREAM_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <iosfwd>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "dfs/status.h"

namespace dfs {

struct FileInfo;

// Bytes to be stored. Used by one call at a time, on the caller's thread. Nothing here may throw: an exception that leaves it
// ends the program.
class Source {
 public:
  virtual ~Source() = default;
  // How many bytes there will be, if that is known: then a Store of more or fewer fails.
  [[nodiscard]] virtual std::optional<std::uint64_t> size() const { return std::nullopt; }
  // Writes up to `bytes_max` bytes (at least 1) to `to`, and returns how many; 0: the end. May block. An error ends the Store, with
  // nothing stored, and is what Store returns.
  [[nodiscard]] virtual Result<std::size_t> Read(char* to, std::size_t bytes_max) = 0;
  // Begins again from the first byte. False if that is not possible: the first 4 MiB are kept for a repetition then, and a Store
  // whose node is lost after more than that fails, with nothing stored.
  [[nodiscard]] virtual bool Rewind() { return false; }
};

// Takes bytes that were read. Used as a Source is.
class Sink {
 public:
  virtual ~Sink() = default;
  // Once, before the first byte: what is going to be read. Again after Rewind.
  [[nodiscard]] virtual Status Begin(const FileInfo& /*file*/) { return {}; }
  // The next bytes, verified. An error ends the Get, and is what Get returns.
  [[nodiscard]] virtual Status Write(const char* bytes, std::size_t count) = 0;
  // Forgets what was written: the file was replaced while it was read. False if that is not possible: the Get fails with
  // kConflict then.
  [[nodiscard]] virtual bool Rewind() { return false; }
};

// A local file, as it is now; kLocal also if its length or its time of modification changes meanwhile. What is no regular file is
// read to its end.
Result<std::unique_ptr<Source>> FromFile(const std::string& path);
// A descriptor that is read from where it stands to its end; it is not closed.
std::unique_ptr<Source> FromDescriptor(int descriptor);
// From where it stands to its end. Can be repeated if it can seek. The stream outlives the source.
std::unique_ptr<Source> FromStream(std::istream& in);
// A copy of `bytes`.
std::unique_ptr<Source> FromBytes(std::string_view bytes);
// `read` as Source::Read. `size`: if it is known.
std::unique_ptr<Source> FromFunction(std::function<Result<std::size_t>(char* to, std::size_t bytes_max)> read,
                                     std::optional<std::uint64_t> size = std::nullopt);

// A descriptor; it is not closed.
std::unique_ptr<Sink> ToDescriptor(int descriptor);
// The stream outlives the sink, and is not flushed. kLocal: it is not good() after a write.
std::unique_ptr<Sink> ToStream(std::ostream& out);
// Appends to `*out`, which outlives the sink.
std::unique_ptr<Sink> ToBytes(std::string* out);
std::unique_ptr<Sink> ToFunction(std::function<Status(std::string_view bytes)> write);

}  // namespace dfs

#endif  // DFS_STREAM_H_
