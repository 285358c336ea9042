// The ring under faults, in simulated time. `--seeds=A-B` chooses the seeds (default 1-20; each seed runs every
// test of this file that takes seeds).
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <functional>
#include <iostream>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "tests/simulation/membership/sim_ring.h"

namespace dfs::membership {
namespace {

std::uint64_t g_first_seed = 1;
std::uint64_t g_last_seed = 20;

// Times within which views must agree (simulated). Not goals: those are printed as percentiles.
constexpr absl::Duration kStart = absl::Seconds(2);
constexpr absl::Duration kCrashSeenLimit = absl::Seconds(2);
constexpr absl::Duration kSilenceSeenLimit = absl::Seconds(3);
constexpr absl::Duration kHealLimit = absl::Seconds(15);

struct Totals {
  absl::Duration simulated;
  FaultCounts faults;
  std::uint64_t messages = 0, steps = 0, false_suspects = 0, false_dead = 0;
  std::set<std::uint64_t> seeds;
  std::map<std::string, std::vector<double>> times_ms;
};
Totals& totals() {
  static Totals* const totals = new Totals;
  return *totals;
}

void Count(const SimRing& ring, std::uint64_t seed) {
  Totals& all = totals();
  all.simulated += ring.now() - absl::UnixEpoch();
  all.seeds.insert(seed);
  all.messages += ring.messages();
  all.steps += ring.steps();
  all.false_suspects += ring.false_suspects();
  all.false_dead += ring.false_dead();
  const FaultCounts& faults = ring.faults();
  all.faults.crashes += faults.crashes;
  all.faults.restarts += faults.restarts;
  all.faults.pauses += faults.pauses;
  all.faults.cuts += faults.cuts;
  all.faults.heals += faults.heals;
  all.faults.lost += faults.lost;
  all.faults.slow += faults.slow;
}

void RecordTime(const std::string& what, absl::Duration time) {
  totals().times_ms[what].push_back(absl::ToDoubleMilliseconds(time));
}

std::string Replay(std::uint64_t seed) {
  const auto* const test = testing::UnitTest::GetInstance()->current_test_info();
  return "seed " + std::to_string(seed) + "; replay: ring_simulation_test --seeds=" +
         std::to_string(seed) + "-" + std::to_string(seed) + " --gtest_filter=" +
         test->test_suite_name() + "." + test->name();
}

class RingSimulation : public testing::Test {
 protected:
  // Runs `body` for each seed on a ring of a size drawn from `sizes`; stops at the first seed that fails.
  void ForEachSeed(const std::vector<std::size_t>& sizes, FaultPlan plan,
                   const std::function<void(SimRing&, Random&)>& body) {
    for (std::uint64_t seed = g_first_seed; seed <= g_last_seed; ++seed) {
      Random random(seed * 7'919);
      const std::size_t size = sizes[random.Below(sizes.size())];
      SimRing ring(seed, size, plan);
      SCOPED_TRACE(Replay(seed) + " (" + std::to_string(size) + " nodes)");
      ASSERT_TRUE(ring.RunUntil([&] { return ring.Up().size() == size && ring.IsAgreed(); }, kStart))
          << ring.Describe();
      ring.Run(absl::Seconds(1));
      ring.ForgetFalseVerdicts();
      body(ring, random);
      Count(ring, seed);
      ASSERT_EQ(ring.violation(), "");
      if (HasFatalFailure() || HasNonfatalFailure()) return;
    }
  }
  static void ExpectAgreement(SimRing& ring, const std::string& what, absl::Duration limit) {
    // What was started at this moment is up one event later.
    ring.Run(absl::Milliseconds(1));
    const auto time = ring.RunUntil([&] { return ring.IsAgreed(); }, limit);
    ASSERT_TRUE(time) << what << ": no agreement within " << absl::FormatDuration(limit) << "\n"
                      << ring.Describe();
    RecordTime(what, *time + absl::Milliseconds(1));
  }
};

const std::vector<std::size_t> kSmall = {2, 3, 4, 5, 6, 7, 8, 9};
const std::vector<std::size_t> kFiveUp = {5, 6, 7, 8, 9, 30};

// ---- nothing happens ----

// Feature 28; defect "false failure detection".
TEST_F(RingSimulation, NobodyIsDeadWhileNothingFails) {
  for (const std::size_t size : std::vector<std::size_t>{1, 2, 3, 4, 5, 6, 7, 8, 9, 30}) {
    SimRing ring(g_first_seed, size, {.slow_percent = 1, .tick_delay_max = absl::Milliseconds(20)});
    SCOPED_TRACE(Replay(g_first_seed) + " size " + std::to_string(size));
    ASSERT_TRUE(ring.RunUntil([&] { return ring.Up().size() == size && ring.IsAgreed(); }, kStart));
    ring.Run(absl::Seconds(1));
    ring.ForgetFalseVerdicts();
    ring.Run(absl::Minutes(10));
    Count(ring, g_first_seed);
    EXPECT_EQ(ring.violation(), "");
    EXPECT_EQ(ring.false_dead(), 0u) << ring.Describe();
    EXPECT_TRUE(ring.IsAgreed()) << ring.Describe();
  }
}

// Defect "false failure detection".
TEST_F(RingSimulation, NobodyIsDeadWhileThirtyPercentOfHeartbeatsAreLost) {
  for (const std::size_t size : std::vector<std::size_t>{2, 3, 5, 9, 30}) {
    SimRing ring(g_first_seed, size, {.heartbeat_loss_percent = 30});
    SCOPED_TRACE(Replay(g_first_seed) + " size " + std::to_string(size));
    ring.Run(absl::Seconds(3));
    ring.ForgetFalseVerdicts();
    ring.Run(absl::Minutes(10));
    Count(ring, g_first_seed);
    EXPECT_EQ(ring.violation(), "");
    EXPECT_EQ(ring.false_dead(), 0u) << ring.Describe();
  }
}

TEST_F(RingSimulation, IdleRingSendsHeartbeatsAndLittleElse) {
  SimRing ring(g_first_seed, 3, {});
  ring.Run(absl::Seconds(10));
  const std::uint64_t before = ring.messages();
  ring.Run(absl::Seconds(100));
  Count(ring, g_first_seed);
  // 3 nodes with 2 neighbours each at 10 Hz; full exchanges and rounding above that.
  EXPECT_LE(ring.messages() - before, 6u * 1'000 + 100);
  EXPECT_GE(ring.messages() - before, 6u * 900);
}

// ---- detection ----

TEST_F(RingSimulation, KilledNodeIsDeadEverywhere) {
  ForEachSeed(kSmall, {}, [](SimRing& ring, Random& random) {
    ring.Run(absl::Milliseconds(2'000 + random.Between(0, 100)));
    const auto up = ring.Up();
    const NodeId victim = up[random.Below(up.size())];
    ring.Crash(victim);
    const auto time = ring.RunUntil([&] { return ring.IsDeadEverywhere(victim); }, kCrashSeenLimit);
    ASSERT_TRUE(time) << ring.Describe();
    RecordTime("killed, up to 9 nodes", *time);
    EXPECT_EQ(ring.false_dead(), 0u);
  });
}

TEST_F(RingSimulation, KilledNodeIsDeadEverywhereAmongThirty) {
  ForEachSeed({30}, {}, [](SimRing& ring, Random& random) {
    ring.Run(absl::Milliseconds(2'000 + random.Between(0, 100)));
    const NodeId victim(static_cast<std::uint32_t>(1 + random.Below(30)));
    ring.Crash(victim);
    const auto time = ring.RunUntil([&] { return ring.IsDeadEverywhere(victim); }, kCrashSeenLimit);
    ASSERT_TRUE(time) << ring.Describe();
    RecordTime("killed, 30 nodes", *time);
    EXPECT_EQ(ring.false_dead(), 0u);
  });
}

TEST_F(RingSimulation, SilentNodeIsDeadEverywhereElse) {
  ForEachSeed(kSmall, {}, [](SimRing& ring, Random& random) {
    ring.Run(absl::Milliseconds(3'000 + random.Between(0, 100)));
    const auto up = ring.Up();
    const NodeId victim = up[random.Below(up.size())];
    ring.Pause(victim, absl::Seconds(10));
    const auto is_seen = [&] {
      return std::all_of(up.begin(), up.end(), [&](NodeId node) {
        return node == victim || ring.View(node, victim) == LivenessState::kDead;
      });
    };
    const auto time = ring.RunUntil(is_seen, kSilenceSeenLimit);
    ASSERT_TRUE(time) << ring.Describe();
    RecordTime("hung, up to 9 nodes", *time);
    // It wakes up, accuses nobody, and everybody has it back.
    ring.Run(absl::Seconds(10) - *time);
    const std::uint64_t false_dead = ring.false_dead();
    ExpectAgreement(ring, "hung node wakes up", absl::Seconds(3));
    EXPECT_EQ(ring.false_dead(), false_dead);
  });
}

TEST_F(RingSimulation, CutOffNodeIsDeadAndComesBack) {
  ForEachSeed(kSmall, {}, [](SimRing& ring, Random& random) {
    ring.Run(absl::Seconds(2));
    const auto up = ring.Up();
    const NodeId victim = up[random.Below(up.size())];
    ring.CutOff(victim);
    const auto is_seen = [&] {
      return std::all_of(up.begin(), up.end(), [&](NodeId node) {
        return node == victim || ring.View(node, victim) == LivenessState::kDead;
      });
    };
    const auto time = ring.RunUntil(is_seen, kSilenceSeenLimit);
    ASSERT_TRUE(time) << ring.Describe();
    RecordTime("cut off, up to 9 nodes", *time);
    ring.Run(absl::Seconds(5));
    ring.HealAll();
    ExpectAgreement(ring, "cut-off node healed", kHealLimit);
  });
}

TEST_F(RingSimulation, RestartedNodeIsAliveSoon) {
  ForEachSeed({2, 3, 4, 5, 6, 7, 8, 9}, {}, [](SimRing& ring, Random& random) {
    ring.Run(absl::Seconds(2));
    const auto up = ring.Up();
    const NodeId victim = up[random.Below(up.size())];
    ring.Crash(victim);
    ring.Run(absl::Milliseconds(random.Between(0, 3'000)));
    ring.Restart(victim);
    ExpectAgreement(ring, "restarted, up to 9 nodes", absl::Seconds(2));
  });
}

TEST_F(RingSimulation, AnySetOfKilledNodesIsDeadAtTheSurvivors) {
  ForEachSeed(kSmall, {}, [](SimRing& ring, Random& random) {
    ring.Run(absl::Seconds(2));
    auto up = ring.Up();
    const std::size_t count = 1 + random.Below(up.size() - 1);
    for (std::size_t i = 0; i < count; ++i) {
      const std::size_t at = random.Below(up.size());
      ring.Crash(up[at]);
      up.erase(up.begin() + static_cast<std::ptrdiff_t>(at));
    }
    ExpectAgreement(ring, "several killed at once", kCrashSeenLimit);
  });
}

// ---- the shapes that a ring is weak against ----

void SilenceAll(SimRing& ring, const std::vector<NodeId>& victims) {
  for (const NodeId node : victims) ring.CutOff(node);
  for (const NodeId node : victims) ring.Crash(node);
}

std::vector<NodeId> Pick(const SimRing& ring, Random& random, const std::vector<std::size_t>& places) {
  const auto order = ring.InRingOrder();
  const std::size_t start = random.Below(order.size());
  std::vector<NodeId> out;
  for (const std::size_t place : places) out.push_back(order[(start + place) % order.size()]);
  return out;
}

// Silent (no connection is refused), so that only the watchers can tell.
TEST_F(RingSimulation, FourAdjacentSilentNodesAreSeen) {
  ForEachSeed({6, 7, 8, 9, 30}, {}, [](SimRing& ring, Random& random) {
    ring.Run(absl::Seconds(2));
    SilenceAll(ring, Pick(ring, random, {0, 1, 2, 3}));
    ExpectAgreement(ring, "4 adjacent silent", kSilenceSeenLimit);
  });
}

TEST_F(RingSimulation, TwoSilentPairsAreSeen) {
  ForEachSeed({8, 9, 30}, {}, [](SimRing& ring, Random& random) {
    ring.Run(absl::Seconds(2));
    const std::size_t gap = 3 + random.Below(ring.All().size() - 6);
    SilenceAll(ring, Pick(ring, random, {0, 1, gap, gap + 1}));
    ExpectAgreement(ring, "2+2 silent", kSilenceSeenLimit);
  });
}

// The middle one of five has no live watcher until its neighbours are off the ring.
TEST_F(RingSimulation, FiveAdjacentSilentNodesAreSeen) {
  ForEachSeed({7, 8, 9, 30}, {}, [](SimRing& ring, Random& random) {
    ring.Run(absl::Seconds(2));
    SilenceAll(ring, Pick(ring, random, {0, 1, 2, 3, 4}));
    ExpectAgreement(ring, "5 adjacent silent", kSilenceSeenLimit);
  });
}

TEST_F(RingSimulation, PartitionMergesAgain) {
  ForEachSeed(kFiveUp, {}, [](SimRing& ring, Random& random) {
    ring.Run(absl::Seconds(2));
    std::set<NodeId> side;
    for (const NodeId node : ring.All()) {
      if (random.OneIn(1, 2)) side.insert(node);
    }
    ring.Partition(side);
    ring.Run(absl::Seconds(5));
    for (const NodeId a : ring.All()) {
      for (const NodeId b : ring.All()) {
        const auto wanted = side.contains(a) == side.contains(b) ? LivenessState::kAlive
                                                                 : LivenessState::kDead;
        ASSERT_EQ(ring.View(a, b), wanted) << a << " of " << b << "\n" << ring.Describe();
      }
    }
    const std::uint64_t before = ring.false_dead();
    ring.HealAll();
    ExpectAgreement(ring, "partition healed", kHealLimit);
    RecordTime("DEAD of live nodes while healing (count)",
               absl::Milliseconds(static_cast<std::int64_t>(ring.false_dead() - before)));
  });
}

// One direction of one link is gone: everybody else vouches for both ends, so neither is ever DEAD.
TEST_F(RingSimulation, OneWayCutOfOneLinkKillsNobody) {
  ForEachSeed(kFiveUp, {}, [](SimRing& ring, Random& random) {
    ring.Run(absl::Seconds(2));
    const auto up = ring.Up();
    const NodeId from = up[random.Below(up.size())];
    const auto near = Ring(up).Neighbours(from);
    const NodeId to = near[random.Below(near.size())];
    ring.Cut(from, to);
    const std::uint64_t before = ring.false_suspects();
    ring.Run(absl::Seconds(60));
    EXPECT_EQ(ring.false_dead(), 0u) << "from " << from << " to " << to << "\n" << ring.Describe();
    RecordTime("suspicions in 60 s of a one-way cut (count)",
               absl::Milliseconds(static_cast<std::int64_t>(ring.false_suspects() - before)));
    ring.HealAll();
    ExpectAgreement(ring, "one-way cut healed", kHealLimit);
  });
}

// A node that hears nobody but is heard by all, and the reverse.
TEST_F(RingSimulation, OneWayCutOffNodeComesBack) {
  ForEachSeed(kSmall, {}, [](SimRing& ring, Random& random) {
    ring.Run(absl::Seconds(2));
    const auto up = ring.Up();
    const NodeId victim = up[random.Below(up.size())];
    const bool is_deaf = random.OneIn(1, 2);
    for (const NodeId other : up) {
      if (other != victim) ring.Cut(is_deaf ? other : victim, is_deaf ? victim : other);
    }
    ring.Run(absl::Seconds(10));
    ring.HealAll();
    ExpectAgreement(ring, "one-way cut-off node healed", kHealLimit);
  });
}

TEST_F(RingSimulation, FlappingNodeDoesNotDisturbTheOthers) {
  ForEachSeed(kSmall, {}, [](SimRing& ring, Random& random) {
    ring.Run(absl::Seconds(2));
    const auto up = ring.Up();
    const NodeId victim = up[random.Below(up.size())];
    std::uint64_t wrong = 0;
    for (int round = 0; round < 20; ++round) {
      ring.Restart(victim);
      ring.Run(absl::Milliseconds(random.Between(50, 1'500)));
      for (const NodeId a : up) {
        for (const NodeId b : up) {
          if (a == victim || b == victim) continue;
          if (ring.View(a, b) != LivenessState::kAlive) ++wrong;
        }
      }
    }
    EXPECT_EQ(wrong, 0u) << ring.Describe();
    ExpectAgreement(ring, "flapping ended", absl::Seconds(3));
  });
}

TEST_F(RingSimulation, RollingRestartOfAll) {
  ForEachSeed(kSmall, {}, [](SimRing& ring, Random& random) {
    ring.Run(absl::Seconds(2));
    for (const NodeId node : ring.All()) {
      ring.Crash(node);
      ring.Run(absl::Milliseconds(random.Between(100, 800)));
      ring.Restart(node);
      ring.Run(absl::Milliseconds(random.Between(100, 800)));
    }
    ExpectAgreement(ring, "rolling restart ended", absl::Seconds(3));
  });
}

// Short pauses, as of a machine whose CPU is stolen: nobody dies of them, and no sleeper kills anybody.
TEST_F(RingSimulation, ShortPausesKillNobody) {
  ForEachSeed(kSmall, {.slow_percent = 1}, [](SimRing& ring, Random& random) {
    ring.Run(absl::Seconds(2));
    const auto up = ring.Up();
    for (int round = 0; round < 60; ++round) {
      ring.Pause(up[random.Below(up.size())], absl::Milliseconds(random.Between(20, 200)));
      ring.Run(absl::Seconds(1));
    }
    EXPECT_EQ(ring.false_dead(), 0u) << ring.Describe();
    EXPECT_TRUE(ring.IsAgreed()) << ring.Describe();
  });
}

// ---- all at once ----

TEST_F(RingSimulation, ChaosThenAgreement) {
  const FaultPlan bad = {.heartbeat_loss_percent = 10, .message_loss_percent = 5, .slow_percent = 5,
                         .tick_delay_max = absl::Milliseconds(30)};
  ForEachSeed({1, 2, 3, 4, 5, 6, 7, 8, 9, 30}, {}, [&](SimRing& ring, Random& random) {
    ring.SetPlan(bad);
    const auto all = ring.All();
    const auto any = [&] { return all[random.Below(all.size())]; };
    for (int round = 0; round < 60; ++round) {
      switch (random.Below(8)) {
        case 0: ring.Crash(any()); break;
        case 1:
        case 2: ring.Restart(any()); break;
        case 3: ring.Pause(any(), absl::Milliseconds(random.Between(10, 5'000))); break;
        case 4: {
          const NodeId a = any();
          const NodeId b = any();
          if (a != b) ring.Cut(a, b);
          break;
        }
        case 5: ring.CutOff(any()); break;
        case 6: ring.HealAll(); break;
        default: break;
      }
      ring.Run(absl::Milliseconds(random.Between(0, 2'000)));
    }
    ring.HealAll();
    ring.SetPlan({});
    ring.Run(absl::Seconds(5));  // pauses end
    ExpectAgreement(ring, "chaos ended (after 5 s)", kHealLimit);
  });
}

TEST_F(RingSimulation, SameSeedSameHistory) {
  const auto run = [](std::uint64_t seed) {
    SimRing ring(seed, 7, {.heartbeat_loss_percent = 20, .slow_percent = 5});
    ring.Run(absl::Seconds(5));
    ring.Crash(NodeId(3));
    ring.Run(absl::Seconds(5));
    ring.Restart(NodeId(3));
    ring.Run(absl::Seconds(5));
    return ring.trace_hash();
  };
  EXPECT_EQ(run(g_first_seed), run(g_first_seed));
  EXPECT_NE(run(g_first_seed), run(g_first_seed + 1));
}

void PrintTotals() {
  Totals& all = totals();
  std::cout << "seeds " << g_first_seed << "-" << g_last_seed << ", "
            << absl::ToDoubleHours(all.simulated) << " simulated hours, " << all.messages
            << " messages, " << all.steps << " steps\nfaults: " << all.faults.crashes << " crashes, "
            << all.faults.restarts << " restarts, " << all.faults.pauses << " pauses, "
            << all.faults.cuts << " links cut, " << all.faults.heals << " heals, " << all.faults.lost
            << " messages lost, " << all.faults.slow << " slow\n"
            << "suspicions of nodes that were up " << all.false_suspects << ", DEAD of nodes that were up "
            << all.false_dead << " (cuts and pauses included)\n"
            << "simulated ms (count): p50 / p90 / p99 / max\n";
  for (auto& [what, unsorted] : all.times_ms) {
    std::vector<double> times = unsorted;
    std::sort(times.begin(), times.end());
    const auto at = [&](double share) {
      return times[static_cast<std::size_t>(share * static_cast<double>(times.size() - 1))];
    };
    std::printf("  %-44s (%zu): %.0f / %.0f / %.0f / %.0f\n", what.c_str(), times.size(), at(0.5),
                at(0.9), at(0.99), times.back());
  }
}

}  // namespace
}  // namespace dfs::membership

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    unsigned long long first = 0;
    unsigned long long last = 0;
    if (std::sscanf(argument.c_str(), "--seeds=%llu-%llu", &first, &last) != 2 || first > last) {
      std::cerr << "unknown argument " << argument << "; --seeds=A-B is known\n";
      return 2;
    }
    dfs::membership::g_first_seed = first;
    dfs::membership::g_last_seed = last;
  }
  const int result = RUN_ALL_TESTS();
  dfs::membership::PrintTotals();
  return result;
}
