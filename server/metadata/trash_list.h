// What is in the trash of a bucket, by name.
#ifndef DFS_SERVER_METADATA_TRASH_LIST_H_
#define DFS_SERVER_METADATA_TRASH_LIST_H_

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "server/metadata/key_value_store.h"
#include "server/metadata/metadata_machine.h"

namespace dfs::metadata {

// Two sources, merged: the rows of trashed names, and the versions that a pending clear hides, whose rows have not moved yet. Each
// row is read once, however many clears are pending. Of the latter at most kHiddenNamesMax names are in memory.
//
// Not thread-safe. Lives no longer than what it is made of.
class TrashList {
 public:
  using Choice = MetadataView::Choice;
  using Choose = std::function<Choice(std::string_view name, std::uint64_t number)>;
  using Visitor = std::function<bool(const rpc::VersionRow&)>;

  static constexpr std::size_t kHiddenNamesMax = 256;
  // Current names that are read before what lies in the trash up to there is shown: most of them may be visible.
  static constexpr std::size_t kHiddenScanMax = 10'000;

  // `clears`: oldest first.
  TrashList(const RowReader& rows, const std::vector<rpc::ClearRow>& clears, BucketId bucket, std::string_view prefix)
      : rows_(rows), clears_(clears), bucket_(bucket), prefix_(prefix) {}

  void Visit(const MetadataView::TrashPlace& after, const Choose& choose, const Visitor& visit) const;

 private:
  // Hidden versions behind `after`, of names up to `through`; by name, of each the greatest number first.
  struct Hidden {
    std::vector<rpc::VersionRow> versions;
    std::string through;  // empty: the last name that there is
  };
  [[nodiscard]] Hidden NextHidden(const MetadataView::TrashPlace& after) const;
  // The beginnings of all names that a pending clear may hide, in order; none begins with another.
  [[nodiscard]] std::vector<std::string> ClearedPrefixes() const;

  const RowReader& rows_;
  const std::vector<rpc::ClearRow>& clears_;
  const BucketId bucket_;
  const std::string prefix_;
};

// What the version is as long as `hiding` hides it: trashed by that entry.
void TrashBy(const rpc::ClearRow& hiding, rpc::VersionRow* version);

}  // namespace dfs::metadata

#endif  // DFS_SERVER_METADATA_TRASH_LIST_H_
