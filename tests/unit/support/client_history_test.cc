// The judge must refuse what no store that keeps its promises can have answered.
#include "tests/support/client_history.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "common/checksum.h"
#include "common/random.h"

namespace dfs::testing {
namespace {

using ::testing::HasSubstr;
using Action = ClientHistory::Action;
using Call = ClientHistory::Call;
using Fate = ClientHistory::Fate;

struct Content {
  std::uint64_t value = 0;
  Hash128 hash;
};

class Histories : public ::testing::Test {
 protected:
  Content New(const std::string& name = "f") {
    const auto [value, bytes] = history_.NewContent(name, 20);
    return {value, Xxh3(bytes.data(), bytes.size())};
  }
  Call BeginPut(const Content& content) { return history_.Begin(1, "f", Action::kPut, content.value); }
  Content Put(std::uint64_t version, Fate fate = Fate::kDone) {
    const Content content = New();
    history_.EndPut(BeginPut(content), fate, version);
    return content;
  }
  void Remove(std::uint64_t version) {
    history_.EndRemove(history_.Begin(2, "f", Action::kRemove), absl::OkStatus(), version);
  }
  void FindNothing() { history_.EndRead(history_.Begin(3, "f", Action::kGet), std::nullopt, 0); }
  void Get(const Content& content, std::uint64_t version) {
    history_.EndRead(history_.Begin(3, "f", Action::kGet), content.hash, version);
  }
  std::string Verdict() {
    const absl::Status status = history_.Check();
    return status.ok() ? "OK" : std::string(status.message());
  }

  ClientHistory history_;
};

TEST_F(Histories, WhatAStoreMayAnswerPasses) {
  FindNothing();
  const Content a = Put(1);
  Get(a, 1);
  const Content b = Put(2);
  Get(b, 2);
  Remove(2);
  FindNothing();
  history_.EndRemove(history_.Begin(2, "f", Action::kRemove), absl::NotFoundError("no such file"), 0);
  Put(0, Fate::kFailed);
  FindNothing();
  EXPECT_EQ(Verdict(), "OK");
  EXPECT_EQ(history_.counts().operations, 10u);
  EXPECT_EQ(history_.counts().reads, 6u);
  EXPECT_EQ(history_.counts().failed, 1u);
}

TEST_F(Histories, AStaleReadIsRefused) {
  const Content old = Put(1);
  Put(2);
  Get(old, 1);
  EXPECT_THAT(Verdict(), HasSubstr("not linearizable"));
}

TEST_F(Histories, AReadThatGoesBackIsRefusedEvenWhileThePutIsOpen) {
  const Content old = Put(1);
  const Content next = New();
  const Call put = BeginPut(next);
  Get(next, 2);
  Get(old, 1);
  history_.EndPut(put, Fate::kDone, 2);
  EXPECT_THAT(Verdict(), HasSubstr("not linearizable"));
}

TEST_F(Histories, ALostPutIsRefused) {
  Put(1);
  FindNothing();
  EXPECT_THAT(Verdict(), HasSubstr("not linearizable"));
}

TEST_F(Histories, ALostPutIsRefusedAmongRemovalsElsewhere) {
  Put(1);
  Remove(1);
  const Content b = Put(3);
  Get(b, 3);
  FindNothing();
  EXPECT_THAT(Verdict(), HasSubstr("not linearizable"));
}

TEST_F(Histories, ARemovedFileThatComesBackIsRefused) {
  const Content a = Put(1);
  Remove(1);
  Get(a, 1);
  EXPECT_THAT(Verdict(), HasSubstr("not linearizable"));
}

TEST_F(Histories, ARemovalThatTwoClientsAreToldOfIsRefused) {
  Put(1);
  Remove(1);
  Remove(1);
  EXPECT_THAT(Verdict(), HasSubstr("not linearizable"));
}

TEST_F(Histories, ARemovalThatFindsNothingWhereAFileMustBeIsRefused) {
  Put(1);
  history_.EndRemove(history_.Begin(2, "f", Action::kRemove), absl::NotFoundError("no such file"), 0);
  EXPECT_THAT(Verdict(), HasSubstr("not linearizable"));
}

TEST_F(Histories, AFailedPutThatIsSeenIsRefused) {
  const Content failed = Put(0, Fate::kFailed);
  Get(failed, 1);
  EXPECT_THAT(Verdict(), HasSubstr("had failed for good"));
}

TEST_F(Histories, APutThatFailsAfterItWasSeenIsRefused) {
  const Content content = New();
  const Call put = BeginPut(content);
  Get(content, 1);
  history_.EndPut(put, Fate::kFailed, 0);
  EXPECT_THAT(Verdict(), HasSubstr("had failed for good"));
}

TEST_F(Histories, AFailedRemovalThatHappenedIsRefused) {
  Put(1);
  history_.EndRemove(history_.Begin(2, "f", Action::kRemove), absl::UnavailableError("no quorum"), 0);
  FindNothing();
  EXPECT_THAT(Verdict(), HasSubstr("not linearizable"));
}

TEST_F(Histories, APutOfUnknownOutcomeMayHappenLateOrNeverButNotBeUndone) {
  const Content old = Put(1);
  const Content unknown = Put(0, Fate::kUnknown);
  Get(old, 1);
  EXPECT_EQ(Verdict(), "OK");
  Get(unknown, 2);
  EXPECT_EQ(Verdict(), "OK");
  Get(old, 1);
  EXPECT_THAT(Verdict(), HasSubstr("not linearizable"));
}

TEST_F(Histories, ARemovalOfUnknownOutcomeMayHappenOnce) {
  const Content a = Put(1);
  history_.EndRemove(history_.Begin(2, "f", Action::kRemove), absl::DeadlineExceededError(""), 0);
  Get(a, 1);
  EXPECT_EQ(Verdict(), "OK");
  FindNothing();
  EXPECT_EQ(Verdict(), "OK");
  Put(2);
  FindNothing();
  EXPECT_THAT(Verdict(), HasSubstr("not linearizable"));
}

TEST_F(Histories, ARemovalShowsThatAPutOfUnknownOutcomeHappened) {
  const Content unknown = New();
  const Call put = BeginPut(unknown);
  Get(unknown, 1);
  Remove(1);
  history_.EndPut(put, Fate::kUnknown, 0);
  FindNothing();
  EXPECT_EQ(Verdict(), "OK");
  Get(unknown, 1);
  EXPECT_THAT(Verdict(), HasSubstr("not linearizable"));
}

TEST_F(Histories, BytesThatNobodyPutThereAreRefused) {
  Content rotten = Put(1);
  rotten.hash.low ^= 1;
  Get(rotten, 1);
  EXPECT_THAT(Verdict(), HasSubstr("bytes that nobody put anywhere"));
}

TEST_F(Histories, TheContentOfAnotherFileIsRefused) {
  const Content other = New("g");
  history_.EndPut(history_.Begin(1, "g", Action::kPut, other.value), Fate::kDone, 1);
  Get(other, 1);
  EXPECT_THAT(Verdict(), HasSubstr("the content of g"));
}

TEST_F(Histories, AContentUnderAnotherVersionIsRefused) {
  const Content a = Put(1);
  Get(a, 2);
  EXPECT_THAT(Verdict(), HasSubstr("two contents have one version"));
}

TEST_F(Histories, VersionsThatDoNotGrowAreRefused) {
  Put(7);
  Put(6);
  EXPECT_THAT(Verdict(), HasSubstr("versions do not grow"));
}

// A register that is right, used by clients that overlap; some answers of changes get lost, whether they happened or not.
class Model {
 public:
  Model(std::uint64_t seed, int clients, int names) : random_(seed), names_(names) {
    for (int i = 0; i < clients; ++i) clients_.emplace_back();
  }
  // `lying_read`: the how many'th of the reads that can lie does so, if there are so many: it gives the content that was
  // there before a put that had ended when the read began, and that had itself been put before that put began.
  void Run(ClientHistory& history, int operations, int lying_read) {
    reads_ = 0;
    for (step_ = 1; step_ <= operations; ++step_) {
      const std::size_t who = random_.Below(clients_.size());
      Client& client = clients_[who];
      // Begin, happen and end are steps of their own.
      if (!client.call) {
        Begin(history, client, static_cast<int>(who));
      } else if (!client.has_happened) {
        Happen(client);
      } else {
        End(history, client, lying_read);
      }
    }
    for (Client& client : clients_) {
      if (client.call && !client.has_happened) Happen(client);
      if (client.call) End(history, client, lying_read);
    }
  }
  [[nodiscard]] bool has_lied() const { return has_lied_; }

 private:
  struct State {
    Content content;  // value 0: none
    std::uint64_t version = 0;
  };
  struct Register {
    State now;
    State before;
  };
  // Steps; no end if the answer was lost or has not come.
  struct Put {
    int start = 0;
    std::optional<int> end;
  };
  struct Client {
    std::optional<Call> call;
    bool has_happened = false;
    bool is_lost = false;  // its answer
    Content content;
    State seen;
    std::optional<State> stale;
  };

  void Begin(ClientHistory& history, Client& client, int who) {
    const std::string name = "f" + std::to_string(random_.Below(static_cast<std::uint64_t>(names_)));
    const std::uint64_t kind = random_.Below(4);
    client = {};
    client.is_lost = random_.OneIn(1, 12);
    if (kind == 0) {
      const auto [value, bytes] = history.NewContent(name, 10);
      client.content = {value, Xxh3(bytes.data(), bytes.size())};
      client.call = history.Begin(who, name, Action::kPut, value);
      puts_[value].start = step_;
    } else {
      client.call = history.Begin(who, name, kind == 1 ? Action::kRemove : Action::kGet);
      const Register& r = registers_[name];
      const Put now = puts_[r.now.content.value];
      const Put before = puts_[r.before.content.value];
      if (kind != 1 && now.end && before.end && *before.end < now.start) client.stale = r.before;
    }
  }
  void Happen(Client& client) {
    client.has_happened = true;
    Register& r = registers_[client.call->name];
    client.seen = r.now;
    if (client.call->action == Action::kGet || (client.is_lost && random_.OneIn(1, 2))) return;
    const bool is_put = client.call->action == Action::kPut;
    if (!is_put && r.now.content.value == 0) return;
    r.before = r.now;
    r.now = is_put ? State{client.content, ++last_version_} : State{};
    if (is_put) client.seen = r.now;
  }
  void End(ClientHistory& history, Client& client, int lying_read) {
    const State& seen = client.seen;
    switch (client.call->action) {
      case Action::kPut:
        history.EndPut(*client.call, client.is_lost ? Fate::kUnknown : Fate::kDone,
                       client.is_lost ? 0 : seen.version);
        if (!client.is_lost) puts_[client.content.value].end = step_;
        break;
      case Action::kRemove:
        history.EndRemove(*client.call,
                          client.is_lost                 ? absl::DeadlineExceededError("")
                          : seen.content.value == 0 ? absl::NotFoundError("")
                                                    : absl::OkStatus(),
                          client.is_lost ? 0 : seen.version);
        break;
      default: {
        State told = seen;
        if (client.stale && client.stale->version != seen.version && ++reads_ == lying_read) {
          told = *client.stale;
          has_lied_ = true;
        }
        history.EndRead(*client.call,
                        told.content.value == 0 ? std::nullopt : std::optional(told.content.hash),
                        told.version);
      }
    }
    client.call.reset();
  }
  Random random_;
  const int names_;
  std::vector<Client> clients_;
  std::map<std::string, Register> registers_;
  std::map<std::uint64_t, Put> puts_;
  std::uint64_t last_version_ = 0;
  int step_ = 0;
  int reads_ = 0;
  bool has_lied_ = false;
};

TEST(HistoriesOfAModel, OneLieAmongThousandsOfAnswersIsFound) {
  int lies = 0;
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    ClientHistory honest;
    Model(seed, 8, 4).Run(honest, 6'000, 0);
    const absl::Status status = honest.Check();
    ASSERT_TRUE(status.ok()) << "seed " << seed << ": " << status;
    ClientHistory with_a_lie;
    Model model(seed, 8, 4);
    model.Run(with_a_lie, 6'000, 1 + static_cast<int>(seed % 20));
    if (!model.has_lied()) continue;
    ++lies;
    EXPECT_FALSE(with_a_lie.Check().ok()) << "seed " << seed;
  }
  EXPECT_GT(lies, 40);
}

TEST(HistoriesOfAModel, AHundredThousandOperationsAreDecided) {
  ClientHistory history;
  Model(1, 20, 50).Run(history, 310'000, 0);
  EXPECT_GT(history.counts().operations, 100'000u);
  EXPECT_GT(history.counts().unknown, 1'000u);
  const absl::Status status = history.Check();
  EXPECT_TRUE(status.ok()) << status;
}

}  // namespace
}  // namespace dfs::testing
