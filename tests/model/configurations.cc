#include "tests/model/configurations.h"

#include <utility>

namespace dfs::model {
namespace {

Configuration Named(std::string name, std::string about) {
  Configuration out;
  out.name = std::move(name);
  out.about = std::move(about);
  return out;
}

// A committed put of an older time: txn 1, with copies on the first `held` nodes, the first `ok` of
// them in its set.
State WithVersion(std::size_t ok, std::size_t held) {
  State state;
  state.txns[0].term = 1;
  state.txns[0].at_leader = AtLeader::kClosed;
  state.txns[0].version = Version::kCurrent;
  state.requests[0].stored = Result::kDone;
  state.requests[0].commits = 1;
  state.coordinators[0].phase = Phase::kEnded;
  for (std::size_t n = 0; n < held; ++n) {
    state.copies[0][n].is_held = true;
    if (n < ok) state.copies[0][n].row = Row::kOk;
  }
  return state;
}

}  // namespace

std::vector<Configuration> AllConfigurations(bool is_large) {
  std::vector<Configuration> all;
  {
    Configuration c =
        Named("terms", "one put, changes of leader, two leaders at a time, lost and late messages");
    c.txns = 3;
    c.terms = 3;
    c.has_crashes = true;
    all.push_back(c);
  }
  {
    Configuration c =
        Named("settle", "the client hears nothing, settles, and reports what it found");
    c.txns = 3;
    c.terms = 2;
    c.has_settle = true;
    all.push_back(c);
  }
  {
    Configuration c =
        Named("retry", "the client sends the same request again through another coordinator");
    c.txns = 3;
    c.terms = 2;
    c.coordinators = 2;
    c.is_retry = true;
    c.has_settle = true;
    all.push_back(c);
  }
  {
    Configuration c = Named("wipe", "a put, and a disk that is wiped and replaced while it runs");
    c.terms = 2;
    c.initial.wipes_left = 1;
    all.push_back(c);
  }
  {
    Configuration c = Named("relink", "nodes ask about the chunks of a put that begins again");
    c.nodes = is_large ? 3 : 2;
    c.questions_max = 2;
    c.terms = 2;
    c.has_crashes = true;
    c.has_collection = true;
    all.push_back(c);
  }
  {
    Configuration c =
        Named("late", "the third copy comes late: orders, their end, questions, a wipe");
    c.txns = 1;
    c.has_late_acks = true;
    c.has_repair = true;
    c.has_collection = true;
    c.terms = is_large ? 2 : 1;
    c.initial.wipes_left = 1;
    c.initial.damages_left = 1;
    all.push_back(c);
  }
  {
    Configuration c = Named("late-and-repair",
                            "W = 1 of 2: the second copy comes late while repair makes a third");
    c.txns = 1;
    c.replicas = 2;
    c.write_quorum = 1;
    c.has_late_acks = true;
    c.has_repair = true;
    c.has_collection = true;
    c.terms = 2;
    c.initial = WithVersion(1, 2);
    c.initial.coordinators[0].phase = Phase::kCommitting;
    c.initial.copies[0][1].row = Row::kMissing;
    c.initial.copies[0][1].write = Write::kStored;
    c.initial.copies[0][1].order = Order::kPut;
    c.initial.damages_left = 2;
    all.push_back(c);
  }
  {
    Configuration c =
        Named("copies", "one copy too many, damage, repair to any node, questions in flight");
    c.txns = 1;
    c.replicas = 2;
    c.terms = 2;
    c.has_repair = true;
    c.has_collection = true;
    c.initial = WithVersion(2, 3);
    c.initial.damages_left = 2;
    all.push_back(c);
  }
  {
    Configuration c = Named("copies-wipe", "the same with a wiped disk");
    c.txns = 1;
    c.replicas = 2;
    c.terms = is_large ? 2 : 1;
    c.has_repair = true;
    c.has_collection = true;
    c.initial = WithVersion(2, 3);
    c.initial.damages_left = 1;
    c.initial.wipes_left = 2;
    all.push_back(c);
  }
  {
    Configuration c =
        Named("out", "nodes go OUT and come back while their copies are made elsewhere");
    c.txns = 1;
    c.replicas = 2;
    c.terms = 2;
    c.has_repair = true;
    c.has_collection = true;
    c.initial = WithVersion(2, 2);
    c.initial.damages_left = is_large ? 2 : 1;
    c.initial.marks_left = is_large ? 4 : 3;
    all.push_back(c);
  }
  {
    Configuration c =
        Named("trash", "remove, undelete, purge, purge rows, questions, a late write");
    c.txns = 1;
    c.terms = 2;
    c.has_collection = true;
    c.has_purge = true;
    c.initial = WithVersion(2, 2);
    c.initial.copies[0][2].row = Row::kMissing;
    c.initial.copies[0][2].write = Write::kSent;
    c.initial.removes_left = 2;
    c.initial.undeletes_left = 2;
    all.push_back(c);
  }
  {
    Configuration c =
        Named("overwrite", "two puts of one name, purge of what they replace, questions");
    c.nodes = 2;
    c.coordinators = 2;
    c.has_collection = true;
    c.has_purge = true;
    c.terms = 2;
    all.push_back(c);
  }
  {
    Configuration c =
        Named("everything",
              "a put that begins again, late copies, repair, damage, remove, purge, questions");
    c.replicas = 2;
    c.depth_max = is_large ? 38 : 32;
    c.terms = 2;
    c.has_late_acks = true;
    c.has_crashes = true;
    c.has_repair = true;
    c.has_collection = true;
    c.has_purge = true;
    c.questions_max = 1;
    c.initial.damages_left = 1;
    c.initial.removes_left = 1;
    all.push_back(c);
  }
  return all;
}

}  // namespace dfs::model
