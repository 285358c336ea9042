// One test for each line of rules R18 and R19.
#include "server/leader/garbage_verdict.h"

#include <gtest/gtest.h>

#include <string>

namespace dfs::leader {
namespace {

VerdictFacts Facts() {
  VerdictFacts facts;
  facts.own_term = Term(5);
  facts.is_first_entry_applied = true;
  facts.txn = {Term(5), 1};
  facts.transaction = TransactionState::kClosed;
  return facts;
}

VerdictFacts OlderTerm() {
  VerdictFacts facts = Facts();
  facts.txn = {Term(4), 1};
  facts.transaction = TransactionState::kNotOurs;
  return facts;
}

VerdictFacts Outside() {
  VerdictFacts facts = Facts();
  facts.is_named = true;
  facts.is_set_fully_ok = true;
  return facts;
}

TEST(GarbageVerdict, OwnTermClosedAndNamedByNoVersionIsDead) {
  EXPECT_EQ(DecideVerdict(Facts()), Verdict::kDead);
}

TEST(GarbageVerdict, OwnTermOpenIsPending) {
  VerdictFacts facts = Facts();
  facts.transaction = TransactionState::kOpen;
  EXPECT_EQ(DecideVerdict(facts), Verdict::kPending);
}

TEST(GarbageVerdict, OwnTermProposedIsPending) {
  VerdictFacts facts = Facts();
  facts.transaction = TransactionState::kProposed;
  EXPECT_EQ(DecideVerdict(facts), Verdict::kPending);
}

TEST(GarbageVerdict, OwnTermWithANumberNeverGivenIsPending) {
  VerdictFacts facts = Facts();
  facts.transaction = TransactionState::kNotOurs;
  EXPECT_EQ(DecideVerdict(facts), Verdict::kPending);
}

TEST(GarbageVerdict, OlderTermNamedByNoVersionIsDead) {
  EXPECT_EQ(DecideVerdict(OlderTerm()), Verdict::kDead);
}

TEST(GarbageVerdict, OlderTermBeforeTheFirstEntryIsAppliedIsPending) {
  VerdictFacts facts = OlderTerm();
  facts.is_first_entry_applied = false;
  EXPECT_EQ(DecideVerdict(facts), Verdict::kPending);
}

TEST(GarbageVerdict, YoungerTermIsPending) {
  VerdictFacts facts = OlderTerm();
  facts.txn = {Term(6), 1};
  EXPECT_EQ(DecideVerdict(facts), Verdict::kPending);
}

TEST(GarbageVerdict, NamedWithThisNodeInTheSetIsLive) {
  for (const bool is_full : {false, true}) {
    VerdictFacts facts = OlderTerm();
    facts.is_named = true;
    facts.is_in_set = true;
    facts.is_set_fully_ok = is_full;
    EXPECT_EQ(DecideVerdict(facts), Verdict::kLive);
  }
}

TEST(GarbageVerdict, PurgeRowIsDeadWhateverTheTransaction) {
  for (const auto state : {TransactionState::kClosed, TransactionState::kNotOurs}) {
    VerdictFacts facts = OlderTerm();
    facts.transaction = state;
    facts.has_purge_row = true;
    EXPECT_EQ(DecideVerdict(facts), Verdict::kDead);
  }
}

TEST(GarbageVerdict, PurgeRowBeforeTheFirstEntryIsAppliedIsPending) {
  VerdictFacts facts = OlderTerm();
  facts.has_purge_row = true;
  facts.is_first_entry_applied = false;
  EXPECT_EQ(DecideVerdict(facts), Verdict::kPending);
}

TEST(GarbageVerdict, OutsideAFullSetIsExcess) {
  EXPECT_EQ(DecideVerdict(Outside()), Verdict::kExcess);
}

TEST(GarbageVerdict, OutsideAFullSetBeforeTheFirstEntryIsAppliedIsPending) {
  VerdictFacts facts = Outside();
  facts.is_first_entry_applied = false;
  EXPECT_EQ(DecideVerdict(facts), Verdict::kPending);
}

TEST(GarbageVerdict, OutsideASetThatLacksACopyIsPending) {
  VerdictFacts facts = Outside();
  facts.is_set_fully_ok = false;
  EXPECT_EQ(DecideVerdict(facts), Verdict::kPending);
}

TEST(GarbageVerdict, WhatTheLogLetGoStaysWhileTheSetLacksACopy) {
  VerdictFacts facts = Outside();
  facts.is_released = true;
  EXPECT_EQ(DecideVerdict(facts), Verdict::kExcess);
  facts.is_set_fully_ok = false;
  EXPECT_EQ(DecideVerdict(facts), Verdict::kPending);
}

TEST(GarbageVerdict, NeitherDeadNorExcessWhileAnOrderIsOpen) {
  VerdictFacts purged = OlderTerm();
  purged.has_purge_row = true;
  for (VerdictFacts facts : {Facts(), OlderTerm(), Outside(), purged}) {
    facts.has_open_order = true;
    EXPECT_EQ(DecideVerdict(facts), Verdict::kPending);
  }
}

// Every combination: DEAD and EXCESS only where a line of the rule allows it.
TEST(GarbageVerdict, NoCombinationDeletesOutsideTheRules) {
  int deletions = 0;
  for (int bits = 0; bits < 128; ++bits) {
    for (const std::uint64_t term : {4u, 5u, 6u}) {
      for (const auto state : {TransactionState::kNotOurs, TransactionState::kOpen,
                               TransactionState::kProposed, TransactionState::kClosed}) {
        VerdictFacts f;
        f.own_term = Term(5);
        f.txn = {Term(term), 1};
        f.transaction = state;
        f.is_first_entry_applied = (bits & 1) != 0;
        f.has_open_order = (bits & 2) != 0;
        f.is_named = (bits & 4) != 0;
        f.has_purge_row = (bits & 8) != 0;
        f.is_in_set = (bits & 16) != 0;
        f.is_set_fully_ok = (bits & 32) != 0;
        f.is_released = (bits & 64) != 0;
        const Verdict verdict = DecideVerdict(f);
        VerdictFacts other = f;
        other.is_released = !f.is_released;
        EXPECT_EQ(DecideVerdict(other), verdict) << "that the log let it go decides nothing";
        if (verdict != Verdict::kDead && verdict != Verdict::kExcess) continue;
        ++deletions;
        EXPECT_TRUE(f.is_first_entry_applied && !f.has_open_order);
        EXPECT_FALSE(f.is_named && f.is_in_set);
        const bool is_dead_by_rule =
            f.has_purge_row || (!f.is_named && (term < 5 || (term == 5 && state ==
                                                                   TransactionState::kClosed)));
        const bool is_excess_by_rule = f.is_named && f.is_set_fully_ok;
        EXPECT_TRUE(verdict == Verdict::kDead ? is_dead_by_rule : is_excess_by_rule) << bits;
      }
    }
  }
  EXPECT_GT(deletions, 0);
}

TEST(GarbageVerdict, SaysOnWhatGround) {
  VerdictFacts facts;
  facts.own_term = Term(5);
  facts.txn = {Term(4), 1};
  EXPECT_EQ(GroundOf(facts), Ground::kOlderTerm);
  facts.txn = {Term(5), 1};
  EXPECT_EQ(GroundOf(facts), Ground::kClosed);
  facts.is_named = true;
  EXPECT_EQ(GroundOf(facts), Ground::kNotInSet);
  facts.is_released = true;
  EXPECT_EQ(GroundOf(facts), Ground::kReleased);
  facts.is_named = false;
  EXPECT_EQ(GroundOf(facts), Ground::kClosed) << "a row without its version says nothing";
  facts.is_named = true;
  facts.has_purge_row = true;
  EXPECT_EQ(GroundOf(facts), Ground::kPurged);
}

}  // namespace
}  // namespace dfs::leader
