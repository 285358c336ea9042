// What a call to a dfs cluster came to: done, or an error that says whether anything happened.
//
// This header and client.h use the standard library only: no version of gRPC, Protocol Buffers or Abseil is forced on who
// includes them.
#ifndef DFS_STATUS_H_
#define DFS_STATUS_H_

#include <cstdlib>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace dfs {

enum class Code {
  kOk = 0,
  kInvalidArgument,     // malformed: a name, an option, an endpoint
  kOutOfRange,          // a range that begins after the end
  kNotFound,            // no such file, version or bucket
  kAlreadyExists,       // if_absent, and there is one; a bucket of this name; a bucket that is not empty
  kPreconditionFailed,  // if_version, and it is another; an endpoint of another cluster
  kConflict,            // another writer was there just now: read again
  kNoQuorum,            // too few nodes are reachable; Status::missing_nodes() names them
  kUnavailable,         // no leader at the moment, or overloaded: try again later
  kNoSpace,             // full, or over the bucket's quota
  kUnreachable,         // no endpoint accepts a connection
  kTimeout,             // nothing moved for ClientOptions::timeout
  kDenied,              // certificates: not let in, or not believed
  kBadData,             // bytes that do not match their checksum; nothing wrong was stored, or handed on as right
  kLocal,               // a file, descriptor or callback of the caller failed
  kInternal,
};

// The name without its k, for people: "NotFound".
const char* NameOf(Code code) noexcept;

// Whether a change that failed has happened all the same.
enum class Outcome {
  kNothingChanged,  // for certain, now and later; always so for a call that only reads
  kUnknown,         // it may have happened, or may still happen: look before doing it again
};

// A value; copies are independent. Not thread-safe as an object.
class [[nodiscard]] Status {
 public:
  Status() = default;  // kOk
  Status(Code code, std::string message, Outcome outcome = Outcome::kNothingChanged,
         std::vector<std::string> missing_nodes = {})
      : code_(code),
        outcome_(outcome),
        message_(std::move(message)),
        missing_nodes_(std::move(missing_nodes)) {}

  [[nodiscard]] bool ok() const { return code_ == Code::kOk; }
  [[nodiscard]] Code code() const { return code_; }
  [[nodiscard]] Outcome outcome() const { return outcome_; }
  [[nodiscard]] const std::string& message() const { return message_; }
  // Names of the nodes that did not answer; kNoQuorum only.
  [[nodiscard]] const std::vector<std::string>& missing_nodes() const { return missing_nodes_; }
  // A sentence with all of it.
  [[nodiscard]] std::string ToString() const;

 private:
  Code code_ = Code::kOk;
  Outcome outcome_ = Outcome::kNothingChanged;
  std::string message_;
  std::vector<std::string> missing_nodes_;
};

// A value, or why there is none. (std::expected is not in C++20.)
template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : content_(std::move(value)) {}             // NOLINT(google-explicit-constructor)
  Result(Status error) : content_(std::move(error)) {}        // NOLINT(google-explicit-constructor)

  [[nodiscard]] bool ok() const { return std::holds_alternative<T>(content_); }
  [[nodiscard]] Status status() const { return ok() ? Status() : std::get<Status>(content_); }
  // Only if ok(): else the program ends.
  [[nodiscard]] T& value() & { return *Checked(); }
  [[nodiscard]] const T& value() const& { return *const_cast<Result*>(this)->Checked(); }
  [[nodiscard]] T&& value() && { return std::move(*Checked()); }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return Checked(); }
  const T* operator->() const { return const_cast<Result*>(this)->Checked(); }

 private:
  T* Checked() {
    T* value = std::get_if<T>(&content_);
    if (value == nullptr) std::abort();
    return value;
  }
  std::variant<T, Status> content_;
};

}  // namespace dfs

#endif  // DFS_STATUS_H_
