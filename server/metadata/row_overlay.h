// Changes of rows that are not written yet, laid over a reader: whoever reads through it sees them.
#ifndef DFS_SERVER_METADATA_ROW_OVERLAY_H_
#define DFS_SERVER_METADATA_ROW_OVERLAY_H_

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "server/metadata/key_value_store.h"

namespace dfs::metadata {

// Not thread-safe. Do not change rows from inside the visitor of Scan.
class RowOverlay final : public RowReader {
 public:
  // In key order; nullopt: deleted.
  using Changes = std::map<std::string, std::optional<std::string>, std::less<>>;

  explicit RowOverlay(const RowReader* base) : base_(base) {}  // `base` outlives this

  [[nodiscard]] std::optional<std::string> Get(std::string_view key) const override;
  void Scan(std::string_view first, std::string_view end,
            const std::function<bool(std::string_view, std::string_view)>& visit) const override;

  void Put(std::string key, std::string value);
  void Delete(std::string key);

  [[nodiscard]] const Changes& changes() const { return changes_; }
  void Clear() { changes_.clear(); }

 private:
  const RowReader* const base_;
  Changes changes_;
};

}  // namespace dfs::metadata

#endif  // DFS_SERVER_METADATA_ROW_OVERLAY_H_
