#include "client/cli/members_watch.h"

#include <algorithm>
#include <map>
#include <string>

#include "client/cli/text.h"
#include "common/clock.h"
#include "common/sync.h"

namespace dfs::client::cli {

std::vector<MemberEvent> MembersWatch::Compare(const v1::MembersResponse& members) {
  std::vector<MemberEvent> events;
  std::map<std::uint32_t, v1::NodeStatus> now;
  for (const auto& node : members.nodes()) {
    const auto before = nodes_.find(node.node_id());
    if (before == nodes_.end()) {
      if (has_begun_) events.push_back({node, "", "joined", node.state_age_ms()});
    } else {
      const v1::NodeStatus& old = before->second;
      if (old.state() != node.state()) {
        events.push_back({node, old.state(), node.state(), node.state_age_ms()});
      }
      if (old.role() != node.role()) {
        events.push_back({node, old.role(), node.role(), 0});
      }
      if (old.departure() != node.departure()) {
        events.push_back({node, old.departure(), node.departure(), 0});
      }
      if (old.boot_epoch() != node.boot_epoch()) {
        events.push_back({node, "", "started again", 0});
      }
    }
    now[node.node_id()] = node;
  }
  for (const auto& [id, node] : nodes_) {
    if (!now.contains(id)) events.push_back({node, node.state(), "a member no longer", 0});
  }
  nodes_ = std::move(now);
  has_begun_ = true;
  return events;
}

namespace {

constexpr absl::Duration kPollEvery = absl::Milliseconds(100);

std::string TimeNow() {
  return absl::FormatTime("%Y-%m-%dT%H:%M:%E3SZ", SystemClock().WallNow(), absl::UTCTimeZone());
}

void PrintEvent(Session& session, const MemberEvent& event, const std::string& seen_by) {
  if (session.is_json()) {
    session.PrintJson(Json{{"status", "success"},
                           {"time", TimeNow()},
                           {"node", event.node.name()},
                           {"id", event.node.node_id()},
                           {"from", event.from},
                           {"to", event.to},
                           {"last_heard_ms", event.last_heard_ms},
                           {"seen_by", seen_by}});
    return;
  }
  std::string line = TimeNow() + "  " + event.node.name() + "  ";
  if (!event.from.empty()) line += event.from + " -> ";
  line += event.to.empty() ? "stays" : event.to;
  if (event.last_heard_ms > 0) {
    line += "  (last heard " + std::to_string(event.last_heard_ms) + " ms before it was seen)";
  }
  session.Print(line + "  seen by " + seen_by + "\n");
}

}  // namespace

int WatchMembers(Session& session) {
  MembersWatch watch;
  std::string trouble;
  while (true) {
    const auto members = session.client().Members();
    if (!members.ok()) {
      const std::string sentence = SentenceOf(members.status());
      if (sentence != trouble) session.Fail(members.status());
      trouble = sentence;
    } else {
      trouble.clear();
      for (const auto& event : watch.Compare(*members)) {
        PrintEvent(session, event, members->answered_by());
      }
    }
    if (session.Finish(kExitOk) != kExitOk) return kExitLocal;
    Event never;
    never.WaitFor(kPollEvery);
  }
}

}  // namespace dfs::client::cli
