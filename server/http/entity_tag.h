// Entity tags, and the conditions and ranges of requests that name them. Pure.
#ifndef DFS_SERVER_HTTP_ENTITY_TAG_H_
#define DFS_SERVER_HTTP_ENTITY_TAG_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "dfs/v1/types.pb.h"

namespace dfs::http {

// "<version>-<content hash>", with its quotes: strong, since a version's bytes never change.
std::string EntityTagOf(const v1::FileInfo& file);
// The version that a tag of ours names; nullopt for others'.
std::optional<std::uint64_t> VersionOfTag(std::string_view tag);

// A list of If-Match or If-None-Match.
struct TagList {
  bool is_any = false;  // "*"
  std::vector<std::string> tags;  // with quotes, and W/ if weak
};
// kInvalidArgument.
absl::StatusOr<TagList> ParseTagList(std::string_view text);
// If-None-Match: W/ does not matter.
bool MatchesWeakly(const TagList& list, std::string_view tag);
// If-Match: a weak tag matches nothing.
bool MatchesStrongly(const TagList& list, std::string_view tag);

// One range of bytes, as asked for.
struct ByteRange {
  std::optional<std::uint64_t> first;  // absent: the last `last` bytes
  std::optional<std::uint64_t> last;   // inclusive; absent: to the end
};
// nullopt: not a single range of bytes, and so to be ignored (RFC 9110, section 14.2: the whole file is the answer).
std::optional<ByteRange> ParseRange(std::string_view text);

struct Span {
  std::uint64_t offset = 0;
  std::uint64_t length = 0;
};
// What the range is of a file of so many bytes; nullopt: nothing of it (416).
std::optional<Span> Resolve(const ByteRange& range, std::uint64_t size);

}  // namespace dfs::http

#endif  // DFS_SERVER_HTTP_ENTITY_TAG_H_
