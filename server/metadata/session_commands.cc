// Settle and ExpireSessions.
#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/mutant.h"
#include "server/metadata/commands.h"
#include "server/metadata/row_codec.h"
#include "server/metadata/session_table.h"

namespace dfs::metadata {
namespace {

std::vector<std::string> ResultKeys(const ApplyContext& context, const SessionId& session) {
  std::vector<std::string> keys;
  const std::string first = ResultKey(session, 0);
  const std::string prefix = first.substr(0, first.size() - sizeof(std::uint64_t));
  context.rows->Scan(prefix, EndOfPrefix(prefix), [&](std::string_view key, std::string_view) {
    keys.emplace_back(key);
    return true;
  });
  return keys;
}

struct Candidate {
  std::string key;
  std::uint64_t birth = 0;
};

// Sessions last used before `unused_since`, from the cursor on. `cursor` becomes where to go on.
std::vector<Candidate> FindUnused(const ApplyContext& context, std::uint64_t unused_since,
                                  std::string* cursor) {
  const std::string table = TableKey(kSessionTable);
  std::vector<Candidate> unused;
  std::size_t seen = 0;
  std::string next;
  context.rows->Scan(table + *cursor, EndOfPrefix(table),
                     [&](std::string_view key, std::string_view value) {
                       if (seen == kExpireScanMax) {
                         next = key.substr(1);
                         return false;
                       }
                       ++seen;
                       const auto row = ParseRow<rpc::SessionRow>(key, value);
                       if (row.last_used_index() < unused_since) {
                         unused.push_back({std::string(key), row.birth()});
                       }
                       return true;
                     });
  *cursor = next;
  return unused;
}

SessionId SessionOf(std::string_view key) {
  return {ReadBigEndian64(key, 1), ReadBigEndian64(key, 9)};
}

}  // namespace

rpc::CommandResult Apply(ApplyContext* context, const rpc::SettleRequestCommand& command) {
  constexpr std::uint32_t kKind = rpc::Command::kSettle;
  if (auto answer = Admit(*context, command.request_id(), kKind)) return *std::move(answer);
  rpc::CommandResult result;
  result.set_code(rpc::CommandResult::SETTLED);
  result.set_message("settled as \"did not happen\"");
  if (DFS_MUTANT(221, "Settle answers and stores nothing (rule R15)")) return result;
  return StoreResult(context, command.request_id(), 0, std::move(result));
}

rpc::CommandResult Apply(ApplyContext* context, const rpc::ExpireSessions& command) {
  rpc::SettingsRow settings = context->cache->settings;
  // Never above this entry: a session that begins after it was born at or behind it.
  std::uint64_t frontier = std::max(settings.expiry_frontier(),
                                    std::min(command.frontier(), context->index.value()));
  std::string cursor = settings.expiry_cursor();
  std::uint64_t count = 0;
  for (Candidate& session : FindUnused(*context, command.unused_since(), &cursor)) {
    std::vector<std::string> results = ResultKeys(*context, SessionOf(session.key));
    if (!context->HasRoomFor(results.size() + 1)) {
      cursor = session.key.substr(1);
      break;
    }
    for (std::string& key : results) context->rows->Delete(std::move(key));
    // Its late requests must find it expired, not new.
    frontier = std::max(frontier, session.birth + 1);
    context->rows->Delete(std::move(session.key));
    ++count;
  }
  settings.set_expiry_frontier(frontier);
  settings.set_expiry_cursor(cursor);
  if (EncodeRow(settings) != EncodeRow(context->cache->settings)) {
    context->rows->Put(TableKey(kSettingsTable), EncodeRow(settings));
    context->cache->settings = settings;
  }
  rpc::CommandResult result;
  result.set_code(rpc::CommandResult::DONE);
  result.set_count(count);
  result.set_applied_index(context->index.value());
  return result;
}

}  // namespace dfs::metadata
