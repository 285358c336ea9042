#include "server/metadata/row_overlay.h"

#include <utility>

namespace dfs::metadata {

std::optional<std::string> RowOverlay::Get(std::string_view key) const {
  const auto it = changes_.find(key);
  return it == changes_.end() ? base_->Get(key) : it->second;
}

void RowOverlay::Scan(std::string_view first, std::string_view end,
                      const std::function<bool(std::string_view, std::string_view)>& visit) const {
  auto it = changes_.lower_bound(first);
  bool go_on = true;
  const auto in_range = [&] {
    return it != changes_.end() && (end.empty() || std::string_view(it->first) < end);
  };
  const auto visit_change = [&] {
    if (it->second) go_on = visit(it->first, *it->second);
    ++it;
  };
  base_->Scan(first, end, [&](std::string_view key, std::string_view value) {
    while (go_on && in_range() && std::string_view(it->first) < key) visit_change();
    if (!go_on) return false;
    if (in_range() && it->first == key) {
      visit_change();
    } else {
      go_on = visit(key, value);
    }
    return go_on;
  });
  while (go_on && in_range()) visit_change();
}

void RowOverlay::Put(std::string key, std::string value) {
  changes_.insert_or_assign(std::move(key), std::move(value));
}

void RowOverlay::Delete(std::string key) {
  changes_.insert_or_assign(std::move(key), std::nullopt);
}

}  // namespace dfs::metadata
