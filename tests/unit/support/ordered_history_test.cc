// The judge must refuse what no log that keeps its order can have answered.
#include "tests/support/ordered_history.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <optional>
#include <string>
#include <utility>

namespace dfs::testing {
namespace {

using ::testing::HasSubstr;
using Kind = DecidedChange::Kind;

class OrderedHistories : public ::testing::Test {
 protected:
  DecidedChange Ask(Kind kind, const std::string& name, const std::string& bucket = "default") {
    DecidedChange change;
    change.kind = kind;
    change.bucket = bucket;
    change.name = name;
    change.start = history_.Tick();
    return change;
  }
  // By the next entry.
  void Answer(DecidedChange change, Verdict verdict, FileVersion answered = {},
              std::uint64_t count = 0) {
    change.verdict = verdict;
    change.answered = answered;
    change.count = count;
    if (change.log_index == 0) change.log_index = ++index_;
    change.end = history_.Tick();
    history_.Record(std::move(change));
  }
  FileVersion Put(const std::string& name, std::uint64_t number, std::uint64_t size = 10,
                  const std::string& bucket = "default") {
    DecidedChange change = Ask(Kind::kPut, name, bucket);
    change.content = {0, ++value_, size};
    const FileVersion version{number, value_, size};
    Answer(std::move(change), Verdict::kDone, version);
    return version;
  }
  void Remove(const std::string& name, FileVersion version) {
    Answer(Ask(Kind::kRemove, name), Verdict::kDone, version);
  }
  void MakeBucket(std::uint64_t id, BucketPromise promise) {
    DecidedChange change = Ask(Kind::kMakeBucket, "", "b");
    change.promise = promise;
    Answer(std::move(change), Verdict::kDone, {}, id);
  }
  FileVersion Move(const std::string& source, const std::string& target, FileVersion version,
                   std::uint64_t number) {
    DecidedChange change = Ask(Kind::kMove, source);
    change.target = target;
    const std::uint64_t before = std::exchange(version.number, number);
    Answer(std::move(change), Verdict::kDone, version, before);
    return version;
  }
  SeenRead Look(const std::string& name, std::optional<FileVersion> found,
                const std::string& bucket = "default") {
    SeenRead read;
    read.bucket = bucket;
    read.name = name;
    read.found = found;
    read.start = history_.Tick();
    return read;
  }
  void See(SeenRead read) {
    read.end = history_.Tick();
    history_.Record(std::move(read));
  }
  std::string Judge(const std::optional<SeenState>& last = std::nullopt) {
    const absl::Status status = history_.Check(last);
    return status.ok() ? "OK" : std::string(status.message());
  }

  OrderedHistory history_;
  std::uint64_t index_ = 10;
  std::uint64_t value_ = 0;
};

TEST_F(OrderedHistories, WhatALogMayAnswerPasses) {
  MakeBucket(2, {2, 25, 2});
  const FileVersion a = Put("x", 1, 10, "b");
  const FileVersion b = Put("x", 2, 10, "b");
  See(Look("x", b, "b"));
  SeenRead old = Look("x", a, "b");
  old.version = 1;
  See(old);
  DecidedChange large = Ask(Kind::kPut, "y", "b");
  large.content = {0, 99, 6};
  Answer(large, Verdict::kOverQuota);
  const FileVersion c = Put("x", 3, 10, "b");  // the oldest goes
  old.start = history_.Tick();
  old.found.reset();
  See(old);
  DecidedChange late = Ask(Kind::kPut, "x", "b");
  late.content = {0, 98, 6};
  late.if_version = 2;
  Answer(late, Verdict::kPreconditionFailed);
  Answer(Ask(Kind::kRemoveBucket, "", "b"), Verdict::kNotEmpty);
  Answer(Ask(Kind::kClear, "", "b"), Verdict::kDone, {}, 1);
  DecidedChange back = Ask(Kind::kUndelete, "x", "b");
  back.version = 3;
  Answer(back, Verdict::kDone, {5, c.value, 10});
  SeenState last;
  last.buckets["default"].id = 1;
  last.buckets["b"] = {2, {{"x", {{5, c.value, 10}}}}, 1, 10, 0, 0};
  EXPECT_EQ(Judge(last), "OK");
  last.buckets["b"].bytes_counted = 20;
  EXPECT_THAT(Judge(last), HasSubstr("counts"));
  last.buckets["b"].files.clear();
  EXPECT_THAT(Judge(last), HasSubstr("at the end bucket b holds"));
}

TEST_F(OrderedHistories, AStaleReadIsRefusedUnlessItIsEventual) {
  const FileVersion a = Put("x", 1);
  Put("x", 2);
  SeenRead read = Look("x", a);
  read.is_strong = false;
  See(read);
  EXPECT_EQ(Judge(), "OK");
  read.is_strong = true;
  See(read);
  EXPECT_THAT(Judge(), HasSubstr("explained by no state"));
}

TEST_F(OrderedHistories, AnEventualReadOfWhatIsNotYetAskedForIsRefused) {
  SeenRead read = Look("x", FileVersion{1, 1, 10});
  read.is_strong = false;
  See(read);
  Put("x", 1);
  EXPECT_THAT(Judge(), HasSubstr("explained by no state"));
}

TEST_F(OrderedHistories, AFileAtBothNamesOrAtNoneIsRefused) {
  const FileVersion a = Put("x", 1);
  SeenRead both;
  both.kind = SeenRead::Kind::kList;
  both.bucket = "default";
  both.start = history_.Tick();
  const FileVersion moved = Move("x", "y", a, 2);
  both.listed = {{"x", a}, {"y", moved}};
  SeenRead one = both;
  one.listed = {{"y", moved}};
  See(one);
  EXPECT_EQ(Judge(), "OK");
  OrderedHistory before = history_;
  See(both);
  EXPECT_THAT(Judge(), HasSubstr("explained by no state"));
  history_ = before;
  both.listed = std::map<std::string, FileVersion>{};
  See(both);
  EXPECT_THAT(Judge(), HasSubstr("explained by no state"));
}

TEST_F(OrderedHistories, ReadsThatGoBackAreRefusedWhileTheMoveIsOpen) {
  const FileVersion a = Put("x", 1);
  DecidedChange move = Ask(Kind::kMove, "x");
  move.target = "y";
  See(Look("y", FileVersion{2, a.value, a.size}));
  OrderedHistory before = history_;
  See(Look("x", std::nullopt));
  Answer(move, Verdict::kDone, {2, a.value, a.size}, 1);
  EXPECT_EQ(Judge(), "OK");
  history_ = before;
  See(Look("x", a));
  Answer(move, Verdict::kDone, {2, a.value, a.size}, 1);
  EXPECT_THAT(Judge(), HasSubstr("explained by no state"));
}

TEST_F(OrderedHistories, TwoWinnersOfOneConditionAreRefused) {
  for (const std::uint64_t number : {1u, 2u}) {
    DecidedChange put = Ask(Kind::kPut, "x");
    put.if_absent = true;
    put.content = {0, number, 10};
    Answer(put, Verdict::kDone, {number, number, 10});
  }
  EXPECT_THAT(Judge(), HasSubstr("must be exists"));
}

TEST_F(OrderedHistories, AChangeThatWasDoneTwiceIsRefused) {
  Put("x", 1);
  Put("x", 3);
  EXPECT_THAT(Judge(), HasSubstr("must be version 2"));
}

TEST_F(OrderedHistories, AnOrderAgainstTimeIsRefused) {
  DecidedChange first = Ask(Kind::kRemove, "x");
  first.log_index = 30;
  Answer(first, Verdict::kNotFound);
  DecidedChange second = Ask(Kind::kRemove, "x");
  second.log_index = 20;
  Answer(second, Verdict::kNotFound);
  EXPECT_THAT(Judge(), HasSubstr("an earlier entry was asked for later"));
}

TEST_F(OrderedHistories, ARefusalWhereThereIsRoomIsRefused) {
  MakeBucket(2, {1, 0, 1});
  const FileVersion a = Put("x", 1, 10, "b");
  DecidedChange put = Ask(Kind::kPut, "y", "b");
  put.content = {0, 99, 5};
  Answer(put, Verdict::kOverQuota);
  EXPECT_EQ(Judge(), "OK");
  Answer(Ask(Kind::kRemove, "x", "b"), Verdict::kDone, a);
  put.start = history_.Tick();
  put.log_index = 0;
  Answer(put, Verdict::kOverQuota);
  EXPECT_THAT(Judge(), HasSubstr("must be done"));
}

TEST_F(OrderedHistories, APutWithFewerCopiesThanPromisedIsRefused) {
  MakeBucket(2, {.copies_least = 2});
  DecidedChange put = Ask(Kind::kPut, "x", "b");
  put.content = {0, 1, 10};
  Answer(put, Verdict::kDone, {1, 1, 10}, 2);
  EXPECT_EQ(Judge(), "OK");
  put = Ask(Kind::kPut, "x", "b");
  put.content = {0, 2, 10};
  Answer(put, Verdict::kDone, {2, 2, 10}, 1);
  EXPECT_THAT(Judge(), HasSubstr("with 1 copies, must be 2"));
}

TEST_F(OrderedHistories, WhatWasNeverRemovedIsNotBroughtBack) {
  Put("x", 1);
  DecidedChange back = Ask(Kind::kUndelete, "y");
  Answer(back, Verdict::kDone, {2, 1, 10});
  EXPECT_THAT(Judge(), HasSubstr("must be not found"));
}

TEST_F(OrderedHistories, ARemovedFileThatComesBackIsRefused) {
  const FileVersion a = Put("x", 1);
  Remove("x", a);
  See(Look("x", a));
  EXPECT_THAT(Judge(), HasSubstr("explained by no state"));
}

TEST_F(OrderedHistories, AListingOfAnotherStateThanItSaysIsRefused) {
  const FileVersion a = Put("x", 1);
  SeenRead list;
  list.kind = SeenRead::Kind::kList;
  list.bucket = "default";
  list.is_strong = false;
  list.start = history_.Tick();
  list.listed = {{"x", a}};
  list.applied_index = index_;
  See(list);
  EXPECT_EQ(Judge(), "OK");
  list.applied_index = index_ - 1;
  See(list);
  EXPECT_THAT(Judge(), HasSubstr("explained by no state"));
}

}  // namespace
}  // namespace dfs::testing
