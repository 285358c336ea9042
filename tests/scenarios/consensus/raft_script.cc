#include "tests/scenarios/consensus/raft_script.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "tests/support/raft_text.h"

namespace dfs::consensus {
namespace {

// More deliveries than this in one command means that messages cause messages for ever.
constexpr int kDeliveriesMax = 10'000;

// Up to so long a patient member waits before it campaigns: longer than any transcript.
constexpr absl::Duration kPatience = absl::Hours(1000);

std::uint32_t Number(const std::string& text) {
  return static_cast<std::uint32_t>(std::strtoul(text.c_str(), nullptr, 10));
}

// "key=value" -> value; empty if there is none.
std::string ValueIn(const std::vector<std::string>& args, const std::string& key) {
  for (const std::string& arg : args) {
    if (arg.starts_with(key + "=")) return arg.substr(key.size() + 1);
  }
  return "";
}

// "1,2,3".
std::vector<std::uint32_t> Numbers(const std::string& text) {
  std::vector<std::uint32_t> numbers;
  std::istringstream in(text);
  for (std::string one; std::getline(in, one, ',');) numbers.push_back(Number(one));
  return numbers;
}

// "1->2"; {0, 0} if it is none.
std::pair<std::uint32_t, std::uint32_t> LinkOf(const std::string& text) {
  const std::size_t arrow = text.find("->");
  if (arrow == std::string::npos) return {0, 0};
  return {Number(text.substr(0, arrow)), Number(text.substr(arrow + 2))};
}

MemberInfo InfoOf(std::uint32_t id, bool is_active) {
  return MemberInfo{StorageUuid{1, id}, "host:" + std::to_string(7000 + id), is_active};
}

}  // namespace

RaftScript::RaftScript() {
  cluster_.on_output = [this](std::uint32_t id, const Output& output) { RecordOutput(id, output); };
  cluster_.on_message = [this](const Message& message) { RecordMessage(message); };
  cluster_.on_written = [this](std::uint32_t id, const Output& output) {
    const bool has_write = output.hard_state || !output.entries.empty();
    if (cluster_.node(id).hold_disk && has_write) Print(std::to_string(id) + ": has written it");
  };
  cluster_.is_dropped = [this](const Message& m) { return IsCut(m.from.value(), m.to.value()); };
}

std::vector<std::string> RaftScript::Run(const std::string& command) {
  printed_.clear();
  std::istringstream in(command);
  Words words;
  for (std::string word; in >> word;) words.push_back(word);
  is_silent_ = !words.empty() && words[0] == "silently";
  if (is_silent_) words.erase(words.begin());
  if (!words.empty()) Dispatch(words);
  // What was sent on a link that is cut is lost, also when the link is back.
  std::erase_if(cluster_.queue(), [this](const Message& m) { return cluster_.is_dropped(m); });
  is_silent_ = false;
  return printed_;
}

void RaftScript::Dispatch(const Words& words) {
  const std::string& verb = words[0];
  const Words args(words.begin() + 1, words.end());
  if (!RunSetup(verb, args) && !RunMessages(verb, args) && !RunTimeAndDisk(verb, args) &&
      !RunInputs(verb, args)) {
    Fail("no such command: " + verb);
  }
}

// ---- who there is ----

bool RaftScript::RunSetup(const std::string& verb, const Words& args) {
  if (verb == "members") {
    AddMembers(args);
  } else if (verb == "node") {
    AddNode(args);
  } else if (verb == "options") {
    if (const std::string bytes = ValueIn(args, "append-bytes"); !bytes.empty()) {
      cluster_.defaults.append_bytes_max = Number(bytes);
    }
  } else if (verb == "must") {
    Must(args);
  } else if (verb == "show") {
    for (const std::uint32_t id : nodes_) {
      if (!args.empty() && std::find(args.begin(), args.end(), std::to_string(id)) == args.end()) {
        continue;
      }
      Print(std::to_string(id) + ": " +
            (cluster_.node(id).core ? StateOf(cluster_.core(id)) + " log " + ValueOf(id, "log")
                                    : "down"));
    }
  } else {
    return false;
  }
  return true;
}

void RaftScript::AddMembers(const Words& args) {
  configuration_ = Configuration();
  for (const std::uint32_t id : Numbers(ValueIn(args, "patient"))) patient_.insert(id);
  for (const std::uint32_t id : Numbers(ValueIn(args, "voters"))) {
    configuration_.members[NodeId(id)] = InfoOf(id, true);
    configuration_.voters.insert(NodeId(id));
  }
  for (const std::uint32_t id : Numbers(ValueIn(args, "learners"))) {
    configuration_.members[NodeId(id)] = InfoOf(id, true);
  }
  for (const std::uint32_t id : Numbers(ValueIn(args, "joiners"))) {
    configuration_.members[NodeId(id)] = InfoOf(id, false);
  }
  if (ValueIn(args, "start") == "no") return;
  for (const auto& [node, info] : configuration_.members) AddNode({std::to_string(node.value())});
}

// node N [term=T] [vote=V] [log=1,1,2] [knows=nothing]: terms of the entries from index 1 on.
void RaftScript::AddNode(const Words& args) {
  const std::uint32_t id = Number(args.at(0));
  InitialState initial;
  if (ValueIn(args, "knows") != "nothing") initial.base_configuration = configuration_;
  initial.hard_state =
      HardState{Term(Number(ValueIn(args, "term"))), NodeId(Number(ValueIn(args, "vote")))};
  for (const std::uint32_t term : Numbers(ValueIn(args, "log"))) {
    const std::uint64_t index = initial.entries.size() + 1;
    initial.entries.push_back(
        MakeEntry(index, term, "e" + std::to_string(index) + "." + std::to_string(term)));
  }
  nodes_.insert(id);
  const Options usual = cluster_.defaults;
  if (patient_.contains(id)) cluster_.defaults.election_timeout_max = kPatience;
  const bool was_silent = std::exchange(is_silent_, true);
  cluster_.Add(id, std::move(initial));
  is_silent_ = was_silent;
  cluster_.defaults = usual;
}

// ---- messages ----

bool RaftScript::RunMessages(const std::string& verb, const Words& args) {
  if (verb == "deliver") {
    Deliver(args);
  } else if (verb == "stabilize") {
    Stabilize(args);
  } else if (verb == "drop") {
    Drop(args);
  } else if (verb == "keep" || verb == "copy") {
    Keep(args);
    if (verb == "keep") Drop({args.at(1)});
  } else if (verb == "replay") {
    const auto kept = kept_.find(args.at(0));
    if (kept == kept_.end()) return Fail("nothing is kept as " + args[0]), true;
    cluster_.queue().push_front(kept->second);
    DeliverOne(0);
  } else if (verb == "cut") {
    CutLinks(args);
  } else if (verb == "isolate") {
    for (const std::string& id : args) {
      for (const std::uint32_t other : nodes_) {
        if (std::find(args.begin(), args.end(), std::to_string(other)) != args.end()) continue;
        cut_.insert({Number(id), other});
        cut_.insert({other, Number(id)});
      }
    }
  } else if (verb == "heal") {
    cut_.clear();
  } else {
    return false;
  }
  return true;
}

bool RaftScript::IsCut(std::uint32_t from, std::uint32_t to) const {
  return cut_.contains({from, to});
}

bool RaftScript::IsReachable(std::uint32_t id) {
  return nodes_.contains(id) && !paused_.contains(id);
}

std::size_t RaftScript::Find(Link link, bool is_newest) {
  const auto& queue = cluster_.queue();
  std::size_t found = queue.size();
  for (std::size_t i = 0; i < queue.size(); ++i) {
    if (Link{queue[i].from.value(), queue[i].to.value()} != link) continue;
    found = i;
    if (!is_newest) break;
  }
  return found;
}

void RaftScript::DeliverOne(std::size_t position) {
  auto& queue = cluster_.queue();
  const Message m = std::move(queue[position]);
  queue.erase(queue.begin() + static_cast<std::ptrdiff_t>(position));
  const std::uint32_t to = m.to.value();
  if (!nodes_.contains(to) || !cluster_.node(to).core || cluster_.is_dropped(m)) return;
  cluster_.Step(to, Receive{m});
}

// deliver A->B [all|newest]
void RaftScript::Deliver(const Words& args) {
  const Link link = LinkOf(args.at(0));
  const bool is_newest = args.size() > 1 && args[1] == "newest";
  const bool is_all = args.size() > 1 && args[1] == "all";
  if (Find(link, is_newest) == cluster_.queue().size()) return Fail("nothing is on its way there");
  // `all`: what is on its way now, not what it causes.
  const auto count = static_cast<int>(
      std::count_if(cluster_.queue().begin(), cluster_.queue().end(), [&](const Message& m) {
        return Link{m.from.value(), m.to.value()} == link;
      }));
  for (int i = 0; i < (is_all ? count : 1); ++i) DeliverOne(Find(link, is_newest));
}

// stabilize [N…]: delivers between these nodes (or all) until nothing is on its way between them.
void RaftScript::Stabilize(const Words& args) {
  const auto is_meant = [&](NodeId node) {
    return args.empty() ||
           std::find(args.begin(), args.end(), std::to_string(node.value())) != args.end();
  };
  for (int i = 0; i < kDeliveriesMax && !::testing::Test::HasFatalFailure(); ++i) {
    auto& queue = cluster_.queue();
    const auto next = std::find_if(queue.begin(), queue.end(), [&](const Message& m) {
      return is_meant(m.from) && is_meant(m.to) && IsReachable(m.to.value());
    });
    if (next == queue.end()) return;
    DeliverOne(static_cast<std::size_t>(next - queue.begin()));
  }
  Fail("messages cause messages for ever");
}

// drop A->B [all] | drop all
void RaftScript::Drop(const Words& args) {
  auto& queue = cluster_.queue();
  if (args.at(0) == "all") {
    queue.clear();
    return;
  }
  const bool is_all = args.size() > 1 && args[1] == "all";
  do {
    const std::size_t position = Find(LinkOf(args[0]), false);
    if (position == queue.size()) return is_all ? void() : Fail("nothing is on its way there");
    queue.erase(queue.begin() + static_cast<std::ptrdiff_t>(position));
  } while (is_all);
}

// keep NAME A->B [newest]
void RaftScript::Keep(const Words& args) {
  const bool is_newest = args.size() > 2 && args[2] == "newest";
  const std::size_t position = Find(LinkOf(args.at(1)), is_newest);
  if (position == cluster_.queue().size()) return Fail("nothing is on its way there");
  kept_.insert_or_assign(args[0], cluster_.queue()[position]);
}

// cut A-B (both ways) | A->B
void RaftScript::CutLinks(const Words& args) {
  for (const std::string& arg : args) {
    const Link link = LinkOf(arg);
    if (link.first != 0) {
      cut_.insert(link);
      continue;
    }
    const std::size_t dash = arg.find('-');
    const std::uint32_t a = Number(arg.substr(0, dash));
    const std::uint32_t b = Number(arg.substr(dash + 1));
    cut_.insert({a, b});
    cut_.insert({b, a});
  }
}

// ---- time and disks ----

bool RaftScript::RunTimeAndDisk(const std::string& verb, const Words& args) {
  if (verb == "advance") {
    Advance(absl::Milliseconds(Number(args.at(0))));
    return true;
  }
  static const std::set<std::string> kVerbs = {"tick",      "pause", "resume",  "hold-disk", "sync",
                                               "free-disk", "crash", "restart", "cut-log"};
  if (verb == "snapshot") {
    const Link link = LinkOf(args.at(0));
    cluster_.SendSnapshot(link.first, link.second);
    return true;
  }
  if (verb == "snapshot-fails") {
    const Link link = LinkOf(args.at(0));
    cluster_.Step(link.first, SnapshotSent{NodeId(link.second), LogIndex()});
    return true;
  }
  if (!kVerbs.contains(verb)) return false;
  const std::uint32_t id = Number(args.at(0));
  if (!nodes_.contains(id)) return Fail("there is no node " + args[0]), true;
  if (verb == "tick") {
    cluster_.FireTimer(id);
  } else if (verb == "pause") {
    paused_.insert(id);
  } else if (verb == "resume") {
    paused_.erase(id);
    if (cluster_.now() >= cluster_.node(id).deadline) cluster_.Step(id, Tick{});
  } else if (verb == "hold-disk") {
    cluster_.node(id).hold_disk = true;
  } else if (verb == "sync") {
    if (cluster_.node(id).unwritten.empty()) return Fail("nothing is to be written"), true;
    cluster_.PersistOne(id);
  } else if (verb == "free-disk") {
    cluster_.PersistAll(id);
    cluster_.node(id).hold_disk = false;
  } else if (verb == "crash") {
    cluster_.Crash(id);
    seen_.erase(id);
  } else if (verb == "restart") {
    cluster_.node(id).hold_disk = false;
    cluster_.Restart(id);
  } else {
    cluster_.CutLog(id);
  }
  return true;
}

// Timers fire in order and messages arrive at once; only changes of state are printed.
void RaftScript::Advance(absl::Duration duration) {
  started_ = cluster_.now();
  is_advancing_ = true;
  const MonotonicTime end = started_ + duration;
  Stabilize({});
  while (!::testing::Test::HasFatalFailure()) {
    std::uint32_t next = 0;
    MonotonicTime when = absl::InfiniteFuture();
    for (const std::uint32_t id : nodes_) {
      const auto& n = cluster_.node(id);
      if (!n.core || paused_.contains(id) || n.deadline >= when) continue;
      when = n.deadline;
      next = id;
    }
    if (next == 0 || when > end) break;
    cluster_.MoveClock(when);
    cluster_.Step(next, Tick{});
    Stabilize({});
  }
  cluster_.MoveClock(end);
  is_advancing_ = false;
}

// ---- what clients and drivers ask ----

bool RaftScript::RunInputs(const std::string& verb, const Words& args) {
  static const std::set<std::string> kVerbs = {"propose",  "voters",  "change", "read",
                                               "transfer", "suspect", "new-run"};
  if (!kVerbs.contains(verb)) return false;
  const std::uint32_t id = Number(args.at(0));
  if (!nodes_.contains(id)) return Fail("there is no node " + args[0]), true;
  if (verb == "propose") {
    cluster_.Step(id, Propose{++last_token_, Command(args.at(1))});
  } else if (verb == "voters") {
    std::set<NodeId> voters;
    for (const std::uint32_t voter : Numbers(args.at(1))) voters.insert(NodeId(voter));
    cluster_.Step(id, ProposeVoters{++last_token_, std::move(voters)});
  } else if (verb == "change") {
    ChangeMembers(args);
  } else if (verb == "read") {
    cluster_.Step(id, ReadIndex{Number(args.at(1))});
  } else if (verb == "transfer") {
    cluster_.Step(id, TransferLeadership{NodeId(args.size() > 1 ? Number(args[1]) : 0)});
  } else if (verb == "suspect") {
    cluster_.Step(id, LeaderSuspected{NodeId(Number(args.at(1))), cluster_.core(id).term()});
  } else {
    cluster_.Step(id, PeerRestarted{NodeId(Number(args.at(1)))});
  }
  return true;
}

// change LEADER +N (learner that counts) | ?N (joiner) | -N (gone) …
void RaftScript::ChangeMembers(const Words& args) {
  const std::uint32_t leader = Number(args.at(0));
  Configuration next = cluster_.core(leader).configuration();
  for (auto arg = args.begin() + 1; arg != args.end(); ++arg) {
    const std::uint32_t id = Number(arg->substr(1));
    if (arg->at(0) == '-') {
      next.members.erase(NodeId(id));
    } else {
      next.members[NodeId(id)] = InfoOf(id, arg->at(0) == '+');
    }
  }
  cluster_.Step(leader, ProposeMembers{++last_token_, std::move(next), nullptr});
}

// ---- claims ----

// must N key=value … | must leader=N: what holds whatever the transcript says.
void RaftScript::Must(const Words& args) {
  const std::string leader = ValueIn({args.at(0)}, "leader");
  if (!leader.empty()) {
    const std::string is = cluster_.Leader() == 0 ? "none" : std::to_string(cluster_.Leader());
    if (is != leader) Fail("leader is " + is + ", must be " + leader);
    return;
  }
  const std::uint32_t id = Number(args[0]);
  if (!nodes_.contains(id) || !cluster_.node(id).core) return Fail("node " + args[0] + " is down");
  for (auto arg = args.begin() + 1; arg != args.end(); ++arg) {
    const std::size_t equals = arg->find('=');
    const std::string key = arg->substr(0, equals);
    const std::string value = equals == std::string::npos ? "yes" : arg->substr(equals + 1);
    const std::string is = ValueOf(id, key);
    if (is != value) Fail(absl::StrCat(key, " of ", args[0], " is ", is, ", must be ", value));
  }
}

std::string RaftScript::ValueOf(std::uint32_t id, const std::string& key) {
  const RaftCluster::Node& n = cluster_.node(id);
  const RaftCore& core = *n.core;
  const auto join = [](const auto& items, const auto& text_of) {
    std::string text;
    for (const auto& item : items) text += (text.empty() ? "" : ",") + text_of(item);
    return text.empty() ? std::string("none") : text;
  };
  const auto slot = [](const Entry& e) {
    return std::to_string(e.index.value()) + "/" + std::to_string(e.term.value());
  };
  const auto number = [](auto id_or_none) {
    return id_or_none.is_none() ? std::string("none") : std::to_string(id_or_none.value());
  };
  if (key == "role") return TextOf(core.role());
  if (key == "term") return std::to_string(core.term().value());
  if (key == "leader") return number(core.leader());
  if (key == "commit") return std::to_string(core.commit_index().value());
  if (key == "held") return std::to_string(core.held_index().value());
  if (key == "vote") return number(n.disk_hard_state.voted_for);
  if (key == "log") {
    const LogIndex base(core.first_log_index().value() - 1);
    return join(core.Entries(base, core.last_log_index()), slot);
  }
  if (key == "disk") return join(n.disk_entries, slot);
  if (key == "config") {
    std::string text = TextOf(core.configuration());
    std::replace(text.begin(), text.end(), ' ', '.');
    return text;
  }
  if (key == "reads") {
    return join(n.reads, [](const ReadReady& r) {
      return std::to_string(r.context) + "@" + std::to_string(r.index.value());
    });
  }
  if (key == "campaigns") return n.deadline == absl::InfiniteFuture() ? "no" : "yes";
  if (key == "transferring") return core.is_transferring() ? "yes" : "no";
  return "(no such key)";
}

// ---- what is printed ----

void RaftScript::RecordOutput(std::uint32_t id, const Output& output) {
  PrintState(id);
  if (is_advancing_) return;
  const std::string who = std::to_string(id) + ": ";
  for (const Rejected& r : output.rejected) {
    Print(who + (r.is_read ? "read " + std::to_string(r.token) : std::string("proposal")) +
          " rejected: " + TextOf(r.reason));
  }
  for (const NodeId to : output.snapshots_wanted) {
    Print(who + "wants a snapshot for " + std::to_string(to.value()));
  }
  for (const ReadReady& r : output.reads) {
    Print(who + "read " + std::to_string(r.context) + " is ready at " +
          std::to_string(r.index.value()));
  }
  std::string write;
  if (output.hard_state) {
    write += " term " + std::to_string(output.hard_state->term.value());
    if (!output.hard_state->voted_for.is_none()) {
      write += " vote " + std::to_string(output.hard_state->voted_for.value());
    }
  }
  if (!output.entries.empty()) write += " [" + TextOf(output.entries) + "]";
  if (write.empty()) return;
  Print(who + (cluster_.node(id).hold_disk ? "waits for its disk:" : "writes") + write);
}

void RaftScript::RecordMessage(const Message& message) {
  if (is_advancing_) return;
  Print(TextOf(message) + (IsCut(message.from.value(), message.to.value()) ? " (lost)" : ""));
}

void RaftScript::PrintState(std::uint32_t id) {
  const RaftCore& core = cluster_.core(id);
  const Seen now{StateOf(core), TextOf(core.configuration())};
  const auto before = seen_.find(id);
  const bool is_new = before == seen_.end();
  if (is_new || before->second.state != now.state) {
    Print(std::to_string(id) + ": " + now.state);
  }
  if (!is_new && before->second.configuration != now.configuration) {
    Print(std::to_string(id) + ": configuration " + now.configuration);
  }
  seen_[id] = now;
}

void RaftScript::Print(const std::string& line) {
  if (is_silent_) return;
  if (!is_advancing_) {
    printed_.push_back(line);
    return;
  }
  const auto after = absl::ToInt64Milliseconds(cluster_.now() - started_);
  printed_.push_back("+" + std::to_string(after) + " ms " + line);
}

void RaftScript::Fail(const std::string& why) {
  ADD_FAILURE() << why;
  printed_.push_back("FAILED: " + why);
}

}  // namespace dfs::consensus
