#include "server/metadata/trash_list.h"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <utility>

#include "common/mutant.h"
#include "glog/logging.h"
#include "server/metadata/clear_range.h"
#include "server/metadata/row_codec.h"
#include "server/metadata/row_keys.h"
#include "server/metadata/version_table.h"

namespace dfs::metadata {
namespace {

// By name, of each name the greatest number first.
bool IsBefore(std::string_view name, std::uint64_t number, std::string_view other, std::uint64_t other_number) {
  return name != other ? name < other : number > other_number;
}

// Behind all rows of the name, and before those of the next one: names have no control characters.
std::string BehindTrashedName(BucketId bucket, std::string_view name) {
  std::string key = TrashedNameKey(bucket, name);
  key.back() = '\1';
  return key;
}

// What a name must begin with to have both beginnings; nullopt: none can.
std::optional<std::string_view> BothPrefixes(std::string_view one, std::string_view other) {
  if (one.starts_with(other)) return one;
  if (other.starts_with(one)) return other;
  return std::nullopt;
}

}  // namespace

void TrashBy(const rpc::ClearRow& hiding, rpc::VersionRow* version) {
  version->set_trashed_index(hiding.index());
  version->set_trashed_time_us(hiding.time_us());
}

std::vector<std::string> TrashList::ClearedPrefixes() const {
  std::vector<std::string> out;
  for (const rpc::ClearRow& clear : clears_) {
    const auto prefix = BothPrefixes(clear.prefix(), prefix_);
    if (clear.bucket_id() == bucket_.value() && prefix) out.emplace_back(*prefix);
  }
  std::sort(out.begin(), out.end());
  // What begins with another follows right behind it.
  out.erase(std::unique(out.begin(), out.end(),
                        [](const std::string& one, const std::string& next) { return next.starts_with(one); }),
            out.end());
  return out;
}

TrashList::Hidden TrashList::NextHidden(const MetadataView::TrashPlace& after) const {
  Hidden out;
  if (DFS_MUTANT(1270, "what a pending clear hides is not in the trash yet")) return out;
  const std::string behind = FileKey(bucket_, after.name).append(after.number == 0 ? 1 : 0, '\0');
  std::size_t seen = 0;
  std::size_t names = 0;
  const auto take = [&](rpc::VersionRow version) {
    std::vector<rpc::VersionRow> versions;
    if (version.old_versions() > 0) versions = ReadOlds(rows_, bucket_, version.name());
    versions.insert(versions.begin(), std::move(version));
    for (rpc::VersionRow& one : versions) {
      if (after.number != 0 && one.name() == after.name && one.number() >= after.number) continue;  // was shown
      TrashBy(*FirstHiding(clears_, one), &one);
      one.clear_old_versions();
      one.clear_is_old();
      out.versions.push_back(std::move(one));
    }
    ++names;
  };
  const auto visit = [&](std::string_view key, std::string_view value) {
    auto version = ParseRow<rpc::VersionRow>(key, value);
    std::string name = version.name();
    if (FirstHiding(clears_, version) != nullptr) take(std::move(version));
    const bool is_full = ++seen == kHiddenScanMax || names == kHiddenNamesMax;
    if (is_full) out.through = std::move(name);
    return !is_full;
  };
  for (const std::string& prefix : ClearedPrefixes()) {
    const std::string range = FileKey(bucket_, prefix);
    const std::string end = EndOfPrefix(range);
    if (out.through.empty() && (end.empty() || behind < end)) rows_.Scan(std::max(range, behind), end, visit);
  }
  return out;
}

void TrashList::Visit(const MetadataView::TrashPlace& after, const Choose& choose, const Visitor& visit) const {
  std::string name(after.name);
  std::uint64_t number = after.number;
  const std::string range = TrashedNamesKey(bucket_, prefix_);
  const std::size_t name_at = TrashedNamesKey(bucket_, "").size();
  while (true) {
    const Hidden hidden = NextHidden({name, number});
    auto next = hidden.versions.begin();
    bool goes_on = true;
    const auto show = [&](const rpc::VersionRow& version) {
      const Choice choice = choose(version.name(), version.number());
      goes_on = choice == Choice::kPass || (choice == Choice::kVisit && visit(version));
    };
    const std::string behind =
        number == 0 ? BehindTrashedName(bucket_, name) : TrashedNameKey(bucket_, name, number).append(1, '\0');
    const std::string first = name.empty() ? range : std::max(range, behind);
    const std::string end =
        hidden.through.empty() ? EndOfPrefix(range) : BehindTrashedName(bucket_, hidden.through);
    rows_.Scan(first, end, [&](std::string_view key, std::string_view txn) {
      const std::string_view row_name = key.substr(name_at, key.size() - name_at - 9);
      const std::uint64_t row_number = ~ReadBigEndian64(key, key.size() - 8);
      while (goes_on && next != hidden.versions.end() &&
             IsBefore(next->name(), next->number(), row_name, row_number)) {
        show(*next++);
      }
      if (!goes_on) return false;
      const Choice choice = choose(row_name, row_number);
      if (choice != Choice::kVisit) return goes_on = choice == Choice::kPass;
      const auto located = ReadVersion(rows_, TxnAtEnd(txn));
      CHECK(located) << "a name in the trash without its version";
      return goes_on = visit(located->row);
    });
    while (goes_on && next != hidden.versions.end()) show(*next++);
    if (!goes_on || hidden.through.empty()) return;
    name = hidden.through;
    number = 0;
  }
}

}  // namespace dfs::metadata
