// status, members, version.
#include <memory>
#include <string>
#include <vector>

#include "client/cli/members_watch.h"
#include "client/cli/text.h"
#include "client/cli/verbs.h"

namespace dfs::client::cli {
namespace {

std::string Colored(const Session& session, v1::Health health) {
  std::string name = NameOf(health);
  if (!session.has_color()) return name;
  const char* color = health == v1::HEALTH_OK ? "32" : (health == v1::HEALTH_WARN ? "33" : "31");
  return "\x1B[1;" + std::string(color) + "m" + name + "\x1B[0m";
}

std::string Joined(const google::protobuf::RepeatedPtrField<std::string>& names) {
  std::string out;
  for (const auto& name : names) out += (out.empty() ? "" : ",") + name;
  return out.empty() ? "-" : out;
}

std::string OrDash(const std::string& text) { return text.empty() ? "-" : text; }

std::string FormatAge(std::uint64_t ms) {
  return ms < 1000 ? std::to_string(ms) + "ms" : std::to_string(ms / 1000) + "s";
}

std::vector<std::vector<std::string>> RowsOf(
    const google::protobuf::RepeatedPtrField<v1::NodeStatus>& nodes, bool is_human) {
  std::vector<std::vector<std::string>> rows = {{"ID", "NAME", "STATE", "ROLE", "ADDRESS", "ZONE",
                                                 "FREE", "TOTAL", "SPACE", "HEARD", "SUCCESSORS",
                                                 "PREDECESSORS"}};
  for (const auto& node : nodes) {
    rows.push_back({std::to_string(node.node_id()), node.name(), node.state(), OrDash(node.role()),
                    OrDash(node.address()), OrDash(node.zone()),
                    FormatBytes(node.free_bytes(), is_human),
                    FormatBytes(node.total_bytes(), is_human), OrDash(node.space()),
                    FormatAge(node.state_age_ms()),
                    Joined(node.successors()), Joined(node.predecessors())});
  }
  return rows;
}

constexpr char kNodeAlignment[] = "><<<<<>><><<";

void PrintStatus(Session& session, const v1::StatusResponse& status) {
  session.Print("health    " + Colored(session, status.health()) + "\n");
  for (const auto& reason : status.reasons()) {
    session.Print("          " + NameOf(reason.severity()) + " " + reason.code() + ": " +
                  reason.text() + (reason.advice().empty() ? "" : "  (" + reason.advice() + ")") +
                  "\n");
  }
  session.Print("leader    " + (status.leader().empty() ? "none known" : status.leader()) +
                ", term " + std::to_string(status.term()) + "\n");
  session.Print("files     " + std::to_string(status.files()) + ", " +
                FormatBytes(status.bytes(), session.flags().is_human) + " bytes, " +
                std::to_string(status.under_replicated()) + " under-replicated, " +
                std::to_string(status.trashed()) + " trashed\n");
  if (status.has_repair() && status.repair().copies_missing() > 0) {
    const auto& repair = status.repair();
    session.Print("repair    " + std::to_string(repair.copies_missing()) + " copies missing, " +
                  FormatBytes(repair.bytes_missing(), session.flags().is_human) + " bytes; " +
                  FormatBytes(repair.bytes_per_s(), session.flags().is_human) + " bytes/s, ETA " +
                  (repair.eta_ms() == 0 ? "-" : FormatAge(repair.eta_ms())) + "\n");
  }
  if (status.repair().is_moving()) {
    const auto& repair = status.repair();
    session.Print("moves     " + FormatBytes(repair.bytes_to_move(), session.flags().is_human) +
                  " bytes to emptier nodes; " +
                  FormatBytes(repair.bytes_per_s(), session.flags().is_human) + " bytes/s, ETA " +
                  (repair.move_eta_ms() == 0 ? "-" : FormatAge(repair.move_eta_ms())) + "\n");
  }
  session.Print("cluster   " + status.cluster_id() + "\n");
  session.Print("answered  by " + status.answered_by() + ", which heard from the leader " +
                FormatAge(status.age_ms()) + " ago; applied " +
                std::to_string(status.applied_index()) + " of " +
                std::to_string(status.commit_index()) + "\n\n");
  session.Print(FormatTable(RowsOf(status.nodes(), session.flags().is_human), kNodeAlignment));
}

// What can be said of a cluster none of whose nodes answers: each as a row.
int ReportUnreachable(Session& session, const absl::Status& error) {
  v1::StatusResponse status;
  status.set_health(v1::HEALTH_ERR);
  auto* reason = status.add_reasons();
  reason->set_code("NO_NODE_REACHABLE");
  reason->set_severity(v1::HEALTH_ERR);
  reason->set_text(SentenceOf(error));
  for (const auto& address : session.client().Addresses()) {
    auto* node = status.add_nodes();
    node->set_address(address);
    node->set_state("unreachable");
  }
  if (session.is_json()) {
    Json json = JsonOf(status);
    json["status"] = "error";
    json["error"] = JsonOfError(error, "")["error"];
    session.PrintJson(json);
    return ExitCodeOf(error);
  }
  session.Print("health    " + Colored(session, v1::HEALTH_ERR) + "\n\n");
  session.Print(FormatTable(RowsOf(status.nodes(), session.flags().is_human), kNodeAlignment));
  return session.Fail(error);
}

int RunStatus(Session& session) {
  const auto status = session.client().Status();
  if (!status.ok()) return ReportUnreachable(session, status.status());
  if (session.is_json()) {
    session.PrintJson(JsonOf(*status));
  } else {
    PrintStatus(session, *status);
  }
  const bool is_good = status->health() == v1::HEALTH_OK || status->health() == v1::HEALTH_WARN;
  return is_good ? kExitOk : kExitOther;
}

int PrintMembers(Session& session) {
  const auto members = session.client().Members();
  if (!members.ok()) return session.Fail(members.status());
  if (session.is_json()) {
    for (const auto& node : members->nodes()) session.PrintJson(JsonOf(node));
    return kExitOk;
  }
  session.Print(FormatTable(RowsOf(members->nodes(), session.flags().is_human), kNodeAlignment));
  session.Say("(as " + members->answered_by() + " sees it)");
  return kExitOk;
}

int RunMembers(Session& session, bool is_watching) {
  const int code = PrintMembers(session);
  return is_watching ? WatchMembers(session) : code;
}

int RunVersion(Session& session) {
  const auto hello = session.client().Hello();
  if (session.is_json()) {
    Json json = {{"status", "success"}, {"client", DFS_VERSION}, {"protocol", "dfs.v1"}};
    json["server"] = hello.ok() ? Json(hello->server_version()) : Json(nullptr);
    json["node"] = hello.ok() ? Json(hello->node()) : Json(nullptr);
    session.PrintJson(json);
    return kExitOk;
  }
  session.Print("dfs-cli " DFS_VERSION "  protocol dfs.v1\n");
  if (!hello.ok()) {
    session.Say("no server: " + SentenceOf(hello.status()));
    return kExitOk;
  }
  session.Print("server  " + hello->server_version() + "  (" + hello->node() + ")\n");
  if (hello->server_version() != DFS_VERSION) session.Say("client and server differ in version");
  return kExitOk;
}

}  // namespace

Verb StatusVerb() {
  return {"status",
          {"report"},
          "status",
          "health of the cluster and of each node; fails if the health is ERR",
          {"dfs-cli status", "dfs-cli --json status"},
          [](CLI::App&) -> RunVerb { return RunStatus; }};
}

Verb MembersVerb() {
  return {"members",
          {},
          "members [--watch]",
          "the nodes: state, role, address, zone, space, neighbours on the ring",
          {"dfs-cli members", "dfs-cli members --watch"},
          [](CLI::App& app) -> RunVerb {
            auto is_watching = std::make_shared<bool>(false);
            app.add_flag("--watch", *is_watching, "then each change as it is seen, until ^C");
            return [is_watching](Session& session) { return RunMembers(session, *is_watching); };
          }};
}

Verb VersionVerb() {
  return {"version",           {},
          "version",           "versions of this program and of the server",
          {"dfs-cli version"}, [](CLI::App&) -> RunVerb { return RunVersion; }};
}

}  // namespace dfs::client::cli
