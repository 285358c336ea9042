// The addresses a client may ask, and which to ask next. Pure.
#ifndef DFS_CLIENT_ENDPOINT_LIST_H_
#define DFS_CLIENT_ENDPOINT_LIST_H_

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/clock.h"

namespace dfs::client {

// Reads "host:port,host:port". kInvalidArgument for anything else, and for an empty list.
absl::StatusOr<std::vector<std::string>> ParseEndpoints(std::string_view list);

// In the order given by the user, then those that servers named. The one in use stays in use until
// it fails; one that failed is passed over for a while, longer each time, unless all have failed.
//
// Not thread-safe.
class EndpointList {
 public:
  static constexpr std::size_t kEndpointsMax = 64;
  static constexpr absl::Duration kPassOverFirst = absl::Milliseconds(250);
  static constexpr absl::Duration kPassOverMax = absl::Seconds(8);

  explicit EndpointList(std::vector<std::string> given);

  [[nodiscard]] std::size_t size() const { return entries_.size(); }
  [[nodiscard]] const std::string& address(std::size_t index) const {
    return entries_[index].address;
  }
  // Adds one that a server named; nothing if it is known or the list is full.
  void Learn(const std::string& address);

  // Whom to ask now.
  [[nodiscard]] std::size_t Choose(MonotonicTime now) const;
  // It could not be reached, or stopped answering: pass it over for a while.
  void RecordDead(std::size_t index, MonotonicTime now);
  // It answered, but cannot serve now: only ask another one next.
  void RecordUnable(std::size_t index);
  void RecordAlive(std::size_t index);

 private:
  struct Entry {
    std::string address;
    int failures = 0;  // in a row
    MonotonicTime pass_over_until = absl::InfinitePast();
  };

  std::vector<Entry> entries_;
  std::size_t current_ = 0;
};

}  // namespace dfs::client

#endif  // DFS_CLIENT_ENDPOINT_LIST_H_
