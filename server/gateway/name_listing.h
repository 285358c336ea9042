// One call of List: which names it looks at, how far it goes, and the messages that it is told in.
#ifndef DFS_SERVER_GATEWAY_NAME_LISTING_H_
#define DFS_SERVER_GATEWAY_NAME_LISTING_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "common/name_pattern.h"
#include "common/wire_ids.h"
#include "dfs/v1/files.pb.h"
#include "server/metadata/metadata_machine.h"

namespace dfs::gateway {

// Takes the messages of a listing, in order; false: the client is gone, stop. May block, and sees to it that a client that
// takes nothing does not block it for ever.
using ListSink = std::function<bool(const api::ListResponse&)>;

// Whoever lists names asks Choose about each, in byte order, gives the files of those that are wanted to Add, and ends with
// Finish. Without a pattern each name becomes a row of the answer, and so the client sets the pace. With one a call ends after
// kNamesMax names or kStepsMax steps of matching, whatever it has found: no pattern holds a thread for long.
//
// Not thread-safe.
class NameListing {
 public:
  using Choice = metadata::MetadataView::Choice;
  static constexpr std::uint64_t kNamesMax = 100'000;       // looked at for a pattern in one call
  static constexpr std::uint64_t kNamesPerMessage = 10'000;  // without a match: then an empty message tells how far it is
  static constexpr std::uint64_t kStepsMax = 50'000'000;    // a fifth of a second; one name takes 2 million at most
  // Files in the first message, so that somebody who waits sees them soon; in each further one twice as many, up to kPageSize.
  // Older versions of the last name come on top.
  static constexpr int kFirstPageSize = 64;
  static constexpr int kPageSize = 1'000;

  // kInvalidArgument: a pattern that NamePattern refuses, or contradicting wishes. `request` and `sink` outlive it.
  static absl::StatusOr<NameListing> Make(const api::ListRequest& request, const ListSink& sink);

  // What every name that is listed begins with; nullopt: there can be none.
  [[nodiscard]] const std::optional<std::string>& prefix() const { return prefix_; }
  // In each message.
  void SetState(LogIndex applied, api::Consistency consistency);

  // `version`: of the trash, where a name has several.
  Choice Choose(std::string_view name, std::uint64_t version = 0);
  // The file of the name chosen last; `is_old`: an older version, behind it. False: enough.
  bool Add(api::FileInfo file);
  // Sends what is left; an empty listing is one empty message. After the last Add or Choose.
  void Finish();

 private:
  NameListing(const api::ListRequest& request, const ListSink& sink) : request_(request), sink_(sink) {}
  bool Send();
  [[nodiscard]] bool IsEnough() const { return request_.limit() != 0 && listed_ >= request_.limit(); }

  const api::ListRequest& request_;
  const ListSink& sink_;
  std::optional<NamePattern> pattern_;
  std::optional<std::string> prefix_;
  api::ListResponse page_;
  int page_size_ = kFirstPageSize;
  std::uint64_t listed_ = 0;
  std::uint64_t names_ = 0;
  std::uint64_t names_since_message_ = 0;
  std::uint64_t steps_ = 0;
  bool is_open_ = true;
  bool has_sent_ = false;
};

}  // namespace dfs::gateway

#endif  // DFS_SERVER_GATEWAY_NAME_LISTING_H_
