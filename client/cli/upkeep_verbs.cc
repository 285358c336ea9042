// repair, explain, leave, drain, forget, replace, ok-to-stop.
#include <unistd.h>

#include <cstdio>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "client/cli/simulation.h"
#include "client/cli/text.h"
#include "client/cli/verbs.h"
#include "common/clock.h"
#include "common/sync.h"
#include "proto/error_detail.h"

namespace dfs::client::cli {
namespace {

constexpr absl::Duration kPollEvery = absl::Milliseconds(250);

using Change = v1::ChangeMemberRequest;

void Pause() {
  Event never;
  never.WaitFor(kPollEvery);
}

// Gives up when nothing has moved for --timeout.
class MotionWatch {
 public:
  explicit MotionWatch(const Session& session)
      : timeout_(ParseTimeout(session.flags().timeout).value_or(absl::Seconds(30))),
        moved_(SystemClock().Now()) {}
  // `state`: differs from the one before if anything has moved. False: give up.
  [[nodiscard]] bool GoesOn(const std::string& state) {
    const MonotonicTime now = SystemClock().Now();
    if (state != state_) moved_ = now;
    state_ = state;
    return now - moved_ < timeout_;
  }

 private:
  const absl::Duration timeout_;
  MonotonicTime moved_;
  std::string state_;
};

absl::Status NothingMoves(const std::string& what) {
  return ErrorWithReason(absl::StatusCode::kResourceExhausted,
                         what + "; nothing has moved for --timeout. It goes on by itself: ask again",
                         v1::ErrorDetail::OVERLOADED);
}

// ---- repair ----

std::string EtaText(std::uint64_t ms) {
  return ms == 0 ? "-" : absl::FormatDuration(absl::Seconds((ms + 999) / 1000));
}

std::string ProgressText(const v1::RepairProgress& progress, bool is_human) {
  std::string out = "missing   ";
  out += std::to_string(progress.copies_missing()) + " copies of " +
         std::to_string(progress.chunks_incomplete()) + " chunks, " +
         FormatBytes(progress.bytes_missing(), is_human) + " bytes" +
         (progress.is_counting() ? " (still counting)" : "") + "\n";
  out += "endanger. " + std::to_string(progress.chunks_one_copy()) + " with one live copy, " +
         std::to_string(progress.chunks_no_copy()) + " with none, " +
         std::to_string(progress.chunks_waiting()) + " that cannot be repaired now (dfs-cli explain FILE)\n";
  out += "at work   " + std::to_string(progress.copies_under_way()) + " copies under way, " +
         FormatBytes(progress.bytes_per_s(), is_human) + " bytes/s, ETA " +
         EtaText(progress.eta_ms()) + (progress.is_yielding() ? ", yields to clients" : "") + "\n";
  out += "made      " + std::to_string(progress.copies_made()) + " copies, " +
         FormatBytes(progress.bytes_made(), is_human) + " bytes since " + progress.leader() +
         " leads\n";
  if (progress.copies_adopted() > 0) {
    out += "adopted   " + std::to_string(progress.copies_adopted()) + " of the copies, " +
           FormatBytes(progress.bytes_adopted(), is_human) + " bytes: their nodes had the bytes already\n";
  }
  if (progress.is_moving() || progress.moves_made() > 0) {
    out += "moves     " + FormatBytes(progress.bytes_to_move(), is_human) + " bytes to emptier nodes, ETA " +
           EtaText(progress.move_eta_ms()) + "; moved " + std::to_string(progress.moves_made()) +
           " copies, " + FormatBytes(progress.bytes_moved(), is_human) + " bytes\n";
  }
  for (const auto& handover : progress.handovers()) {
    out += "hand over " + handover.name() + ": " + std::to_string(handover.chunks_left()) +
           " chunks, " + FormatBytes(handover.bytes_left(), is_human) + " bytes left\n";
  }
  return out;
}

void PrintProgress(Session& session, const v1::RepairProgress& progress) {
  if (session.is_json()) {
    Json json = JsonOf(progress);
    json["status"] = "success";
    session.PrintJson(json);
  } else {
    session.Print(ProgressText(progress, session.flags().is_human));
  }
}

// Whether the look at all versions that the leader, asked at `asked`, told the result of ended after `since`. An earlier
// one may not have seen that something was lost, or that the node which repair waited for was replaced.
bool IsFromAfter(MonotonicTime since, MonotonicTime asked, const v1::RepairProgress& progress) {
  return !progress.is_counting() && absl::Milliseconds(progress.age_ms()) < asked - since;
}

int RunRepair(Session& session, bool waits) {
  const MonotonicTime began = SystemClock().Now();
  MotionWatch watch(session);
  bool was_idle = false;
  bool was_complete = false;
  while (true) {
    const MonotonicTime asked = SystemClock().Now();
    const auto response = session.client().Repair();
    if (!response.ok()) return session.Fail(response.status());
    const v1::RepairProgress& progress = response->progress();
    const bool is_fresh = IsFromAfter(began, asked, progress);
    const bool is_complete = is_fresh && progress.chunks_incomplete() == 0;
    // Twice in a row: that look may have begun before.
    if (!waits || (is_complete && was_complete)) {
      PrintProgress(session, progress);
      return kExitOk;
    }
    was_complete = is_complete;
    const bool is_idle = !is_complete && is_fresh && progress.copies_under_way() == 0 &&
                         progress.chunks_waiting() >= progress.chunks_incomplete();
    if (is_idle && was_idle) {
      PrintProgress(session, progress);
      session.Say("what is left waits for a node: dfs-cli explain FILE says why");
      return kExitPartly;
    }
    was_idle = is_idle;
    const std::string state = std::to_string(progress.copies_made()) + "/" +
                              std::to_string(progress.copies_missing());
    if (!watch.GoesOn(state)) {
      PrintProgress(session, progress);
      return session.Fail(NothingMoves("copies are missing still"));
    }
    if (progress.chunks_incomplete() > 0) {
      session.Say(std::to_string(progress.copies_missing()) + " copies missing, " +
                  FormatBytes(progress.bytes_per_s(), true) + "/s, ETA " +
                  EtaText(progress.eta_ms()));
    }
    Pause();
  }
}

// ---- explain ----

int RunExplain(Session& session, const std::string& name) {
  const auto response = session.client().Explain(name);
  if (!response.ok()) return session.Fail(response.status(), name);
  if (session.is_json()) {
    for (const auto& chunk : response->chunks()) {
      Json json = {{"status", "success"},          {"name", response->name()},
                   {"version", response->version()}, {"chunk", chunk.chunk()},
                   {"size", chunk.size()},           {"complete", chunk.is_complete()},
                   {"code", chunk.code()},           {"text", chunk.text()}};
      json["copies"] = Json::array();
      for (const auto& copy : chunk.copies()) {
        json["copies"].push_back({{"node", copy.node()},
                                  {"node_id", copy.node_id()},
                                  {"state", NameOf(copy.state())},
                                  {"node_state", copy.node_state()}});
      }
      session.PrintJson(json);
    }
    return kExitOk;
  }
  session.Print(response->name() + ", version " + std::to_string(response->version()) + ", " +
                std::to_string(response->replicas_wanted()) + " copies wanted\n");
  if (response->chunks().empty()) session.Print("0 bytes: there is nothing to copy\n");
  for (const auto& chunk : response->chunks()) {
    session.Print("chunk " + std::to_string(chunk.chunk()) + " (" +
                  FormatBytes(chunk.size(), session.flags().is_human) + " bytes) " + chunk.code() +
                  ": " + chunk.text() + "\n");
    for (const auto& copy : chunk.copies()) {
      session.Print("    " + copy.node() + "  " + NameOf(copy.state()) + "  (node " +
                    copy.node_state() + ")\n");
    }
  }
  return kExitOk;
}

// ---- members ----

struct ChangeFlags {
  std::string node;
  bool is_forced = false;
  bool is_confirmed = false;
  bool is_undo = false;
  bool does_not_wait = false;
  bool is_dry_run = false;
};

bool IsConfirmed(const std::string& question) {
  std::fprintf(stderr, "%s [y/N] ", question.c_str());
  std::string answer;
  std::getline(std::cin, answer);
  return answer == "y" || answer == "Y" || answer == "yes";
}

Json JsonOf(const v1::ChangeMemberResponse& response) {
  return Json{{"status", "success"},
              {"node", response.node()},
              {"node_id", response.node_id()},
              {"done", response.is_done()},
              {"text", response.text()},
              {"chunks_left", response.chunks_left()},
              {"bytes_left", response.bytes_left()}};
}

std::string EffectOf(Change::Change change) {
  switch (change) {
    case Change::LEAVE:
      return "it hands over its copies and its vote, and is a member no longer";
    case Change::DRAIN:
      return "its copies go to other nodes";
    case Change::UNDRAIN:
      return "it may have copies again";
    case Change::REPLACE:
      return "another takes over its name and zone; its id is never used again";
    default:
      return "it is a member no longer; its id is never used again, and its copies are made anew";
  }
}

// The leader may refuse for reasons that only it knows.
int SimulateChange(Session& session, Change::Change change, const ChangeFlags& flags) {
  const auto members = session.client().Members();
  if (!members.ok()) return session.Fail(members.status(), flags.node);
  for (const auto& node : members->nodes()) {
    if (node.name() != flags.node && std::to_string(node.node_id()) != flags.node) continue;
    std::uint64_t chunks = 0;
    std::uint64_t bytes = 0;
    const absl::Status listed = session.client().ListHere(node.node_id(), [&](const std::string&, const v1::HereChunk& chunk) {
      ++chunks;
      bytes += chunk.size();
    });
    const std::string holds = listed.ok() ? "holds " + std::to_string(chunks) + " chunks, " +
                                                FormatBytes(bytes, session.flags().is_human) + " bytes"
                                          : "does not say what it holds";
    Json fields = {{"node", node.name()}, {"node_id", node.node_id()}, {"state", node.state()}};
    if (listed.ok()) fields.update(Json{{"chunks", chunks}, {"bytes", bytes}});
    Simulation simulation(session);
    const std::string verb = change == Change::LEAVE     ? "leave"
                             : change == Change::FORGET  ? "forget"
                             : change == Change::REPLACE ? "replace"
                                                         : "drain";
    simulation.Would(verb, node.name() + " (id " + std::to_string(node.node_id()) + ", " + node.state() + ", " + holds +
                               "): " + EffectOf(change),
                     fields, change == Change::UNDRAIN ? 0 : bytes);
    return simulation.Finish();
  }
  return session.Fail(absl::NotFoundError("there is no such member"), flags.node);
}

int RunChange(Session& session, Change::Change change, const ChangeFlags& flags) {
  if (flags.is_dry_run) return SimulateChange(session, change, flags);
  v1::ChangeMemberRequest request;
  request.set_change(change);
  request.set_node(flags.node);
  request.set_is_forced(flags.is_forced);
  MotionWatch watch(session);
  std::string said;
  while (true) {
    const auto response = session.client().ChangeMember(request);
    if (!response.ok()) return session.Fail(response.status(), flags.node);
    // A name may be another's by the next time.
    request.set_node(std::to_string(response->node_id()));
    if (response->is_done() || flags.does_not_wait) {
      if (session.is_json()) {
        session.PrintJson(JsonOf(*response));
      } else {
        session.Say(response->text());
      }
      return kExitOk;
    }
    if (response->text() != said) session.Say(response->text());
    said = response->text();
    if (!watch.GoesOn(said)) return session.Fail(NothingMoves(said), flags.node);
    Pause();
  }
}

int RunForDead(Session& session, Change::Change change, const ChangeFlags& flags) {
  const std::string what = change == Change::FORGET ? "forget" : "replace";
  if (!flags.is_confirmed && !flags.is_dry_run) {
    const std::string effect = "its id is never used again, and what only it holds is lost";
    if (::isatty(STDIN_FILENO) != 1) {
      return session.Fail(absl::InvalidArgumentError(what + " " + flags.node + ": " + effect +
                                                     "; say --yes to confirm"));
    }
    if (!IsConfirmed(what + " " + flags.node + ": " + effect + ". Go on?")) {
      session.Say("nothing was changed");
      return kExitOther;
    }
  }
  return RunChange(session, change, flags);
}

// ---- ok-to-stop ----

int RunOkToStop(Session& session, const std::vector<std::string>& nodes) {
  const auto response = session.client().OkToStop(nodes);
  if (!response.ok()) return session.Fail(response.status());
  if (session.is_json()) {
    Json json = {{"status", "success"},
                 {"ok", response->is_ok()},
                 {"files_endangered", response->files_endangered()}};
    json["reasons"] = Json::array();
    for (const auto& reason : response->reasons()) json["reasons"].push_back(reason);
    json["files"] = Json::array();
    for (const auto& file : response->files()) {
      json["files"].push_back(
          {{"bucket", file.bucket()}, {"name", file.name()}, {"reason", file.reason()}});
    }
    session.PrintJson(json);
    return response->is_ok() ? kExitOk : kExitPrecondition;
  }
  for (const auto& reason : response->reasons()) session.Print(reason + "\n");
  for (const auto& file : response->files()) {
    session.Print(file.name() + ": " + file.reason() + "\n");
  }
  if (response->is_ok()) {
    session.Say("ok: no quorum would be lost");
    return kExitOk;
  }
  session.Say("not ok: " + std::to_string(response->files_endangered()) +
              " files would lose a quorum or their last live copy");
  return kExitPrecondition;
}

// What all verbs that change a member take.
std::shared_ptr<ChangeFlags> AddChangeFlags(CLI::App& app, bool has_force) {
  auto flags = std::make_shared<ChangeFlags>();
  app.add_option("NODE", flags->node, "name or id")->required();
  if (has_force) {
    app.add_flag("--force", flags->is_forced, "also if files will have fewer copies, or none");
  }
  app.add_flag("--no-wait", flags->does_not_wait, "return at once; it goes on by itself");
  AddDryRunFlag(app, flags->is_dry_run);
  return flags;
}

Verb DeadVerb(const std::string& name, const std::string& summary, Change::Change change) {
  return {name,
          {},
          name + " NODE [--yes] [--force]",
          summary,
          {"dfs-cli " + name + " n3", "dfs-cli " + name + " --yes 3"},
          [change](CLI::App& app) -> RunVerb {
            auto flags = AddChangeFlags(app, true);
            app.add_flag("-y,--yes", flags->is_confirmed, "do not ask");
            return [flags, change](Session& session) { return RunForDead(session, change, *flags); };
          }};
}

}  // namespace

Verb RepairVerb() {
  return {"repair",
          {},
          "repair [--wait]",
          "what copies are missing, how fast they are made, and when that ends",
          {"dfs-cli repair", "dfs-cli repair --wait"},
          [](CLI::App& app) -> RunVerb {
            auto waits = std::make_shared<bool>(false);
            app.add_flag("--wait", *waits, "until no copy is missing; 2 if the rest waits for a node");
            return [waits](Session& session) { return RunRepair(session, *waits); };
          }};
}

Verb ExplainVerb() {
  return {"explain",
          {},
          "explain REMOTE",
          "what is going on with each chunk of a file, and why a copy is not made",
          {"dfs-cli explain archive/report.pdf"},
          [](CLI::App& app) -> RunVerb {
            auto name = std::make_shared<std::string>();
            app.add_option("REMOTE", *name, "a file")->required();
            return [name](Session& session) { return RunExplain(session, *name); };
          }};
}

Verb LeaveVerb() {
  return {"leave",
          {},
          "leave NODE [--force]",
          "let a node hand over its copies and its vote, and be a member no longer",
          {"dfs-cli leave n4", "dfs-cli leave --no-wait n4"},
          [](CLI::App& app) -> RunVerb {
            auto flags = AddChangeFlags(app, true);
            return [flags](Session& session) { return RunChange(session, Change::LEAVE, *flags); };
          }};
}

Verb DrainVerb() {
  return {"drain",
          {},
          "drain NODE [--undo]",
          "move the copies of a node elsewhere; it remains a member",
          {"dfs-cli drain n4", "dfs-cli drain --undo n4"},
          [](CLI::App& app) -> RunVerb {
            auto flags = AddChangeFlags(app, true);
            app.add_flag("--undo", flags->is_undo, "let it have copies again; also takes back a leave");
            return [flags](Session& session) {
              return RunChange(session, flags->is_undo ? Change::UNDRAIN : Change::DRAIN, *flags);
            };
          }};
}

Verb ForgetVerb() {
  return DeadVerb("forget", "make a dead node a member no longer; its copies are made anew",
                  Change::FORGET);
}

Verb ReplaceVerb() {
  return DeadVerb("replace",
                  "forget a dead node in whose stead another has come: that one takes over name and zone",
                  Change::REPLACE);
}

Verb OkToStopVerb() {
  return {"ok-to-stop",
          {},
          "ok-to-stop NODE...",
          "whether nodes may be stopped; 14 and the files that would lose their quorum if not",
          {"dfs-cli ok-to-stop n2", "dfs-cli ok-to-stop n2 n3 || echo no"},
          [](CLI::App& app) -> RunVerb {
            auto nodes = std::make_shared<std::vector<std::string>>();
            app.add_option("NODE", *nodes, "names or ids")->required();
            return [nodes](Session& session) { return RunOkToStop(session, *nodes); };
          }};
}

}  // namespace dfs::client::cli
