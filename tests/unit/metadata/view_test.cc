#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>

#include "server/metadata/trash_list.h"
#include "tests/unit/metadata/world.h"

namespace dfs::metadata {
namespace {

using Names = std::vector<std::string>;

TEST(List, IsOrderedByBytesAndFiltered) {
  World world;
  for (const char* name : {"b", "a/2", "a/10", "a", "a0", "\xC3\xA4", "B"}) world.Put(name);
  EXPECT_EQ(world.Names(), (Names{"B", "a", "a/10", "a/2", "a0", "b", "\xC3\xA4"}));
  EXPECT_EQ(world.Names("a/"), (Names{"a/10", "a/2"}));
  EXPECT_EQ(world.Names("a/", "a/10"), (Names{"a/2"}));
  EXPECT_EQ(world.Names("a/", "a/2"), (Names{}));
  EXPECT_EQ(world.Names("a/", "A"), (Names{"a/10", "a/2"})) << "after lies before the prefix";
  EXPECT_EQ(world.Names("a/", "z"), (Names{})) << "after lies behind the prefix";
  EXPECT_EQ(world.Names("", "b"), (Names{"\xC3\xA4"}));
  EXPECT_EQ(world.Names("\xC3"), (Names{"\xC3\xA4"}));
}

TEST(List, StopsWhenToldTo) {
  World world;
  for (const char* name : {"a", "b", "c"}) world.Put(name);
  int seen = 0;
  world.machine->View()->List(kBucket, "", "", [&](const rpc::VersionRow&) { return ++seen < 2; });
  EXPECT_EQ(seen, 2);
}

TEST(List, OtherBucketIsEmpty) {
  World world;
  world.Put("a");
  world.machine->View()->List(BucketId(2), "", "", [](const rpc::VersionRow&) {
    ADD_FAILURE();
    return true;
  });
}

TEST(View, DoesNotChange) {
  World world;
  world.Put("a");
  const auto view = world.machine->View();
  const LogIndex index = view->applied_index();
  world.Put("a");
  world.Clear("");
  world.Put("b");
  EXPECT_EQ(view->FindFile(kBucket, "a")->number(), 1u);
  EXPECT_FALSE(view->FindFile(kBucket, "b"));
  EXPECT_FALSE(view->HasPendingClear());
  EXPECT_EQ(view->GetTotals().files, 1u);
  EXPECT_EQ(view->applied_index(), index);
}

// Current names "f1000000" and so on, as if each had been put.
void AddNames(World* world, int count) {
  world->Put("x");
  const rpc::VersionRow row = *world->Find("x");
  RowBatch batch;
  for (int i = 0; i < count; ++i) {
    rpc::VersionRow other = row;
    other.set_name("f" + std::to_string(1'000'000 + i));
    batch.changes.emplace_back(std::string("F\0\0\0\0\0\0\0\1", 9) + other.name(), other.SerializeAsString());
  }
  world->store.Write(batch);
}

// Well under a second with optimisation; the bound leaves room for sanitizers and busy machines. What it
// would catch is a list that costs a look-up for each name, or grows with the square.
TEST(List, OfManyNamesIsFast) {
  constexpr int kNames = 100'000;
  World world;
  AddNames(&world, kNames);
  const auto view = world.machine->View();
  const auto start = std::chrono::steady_clock::now();
  int seen = 0;
  view->List(kBucket, "f", "", [&](const rpc::VersionRow& version) {
    seen += version.size() == 10 ? 1 : 0;
    return true;
  });
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
  EXPECT_EQ(seen, kNames);
  EXPECT_LT(took.count(), 5.0);
  RecordProperty("seconds", std::to_string(took.count()));
}

std::vector<std::string> TrashNames(const World& world, std::string_view prefix, const MetadataView::TrashPlace& after) {
  std::vector<std::string> names;
  world.machine->View()->ListTrash(
      kBucket, prefix, after, [](std::string_view, std::uint64_t) { return MetadataView::Choice::kVisit; },
      [&](const rpc::VersionRow& version) {
        EXPECT_NE(version.trashed_index(), 0U);
        EXPECT_NE(version.trashed_time_us(), 0U);
        names.push_back(version.name());
        return true;
      });
  return names;
}

TEST(ListTrash, IsByNameAndNewestFirst) {
  World world;
  for (const char* name : {"b", "a", "b", "a/x", "b"}) world.Put(name);
  world.Remove("a/x");
  EXPECT_EQ(TrashNames(world, "", {}), (Names{"a/x", "b", "b"}));
  EXPECT_EQ(TrashNames(world, "b", {}), (Names{"b", "b"}));
  EXPECT_EQ(TrashNames(world, "", {"a/x", 0}), (Names{"b", "b"}));
  EXPECT_EQ(TrashNames(world, "", {"b", 0}), (Names{}));
  world.Remove("b");
  std::vector<std::uint64_t> numbers;
  const auto visit = [&](const rpc::VersionRow& version) {
    numbers.push_back(version.number());
    return true;
  };
  const auto all = [](std::string_view, std::uint64_t) { return MetadataView::Choice::kVisit; };
  world.machine->View()->ListTrash(kBucket, "b", {}, all, visit);
  ASSERT_EQ(numbers.size(), 3U);
  EXPECT_GT(numbers[0], numbers[1]);
  EXPECT_GT(numbers[1], numbers[2]);
  const std::uint64_t middle = numbers[1];
  const std::uint64_t last = numbers[2];
  numbers.clear();
  world.machine->View()->ListTrash(kBucket, "", {"b", middle}, all, visit);
  EXPECT_EQ(numbers, std::vector<std::uint64_t>{last});
}

// More names than are held in memory, of two clears that overlap, among what lay in the trash before.
TEST(ListTrash, HasWhatClearsHideInItsPlace) {
  World world;
  for (int i = 0; i < 700; ++i) world.Put((i % 3 == 0 ? "t/x" : "t/") + std::to_string(1'000 + i));
  for (int i = 0; i < 700; i += 50) world.Put((i % 3 == 0 ? "t/x" : "t/") + std::to_string(1'000 + i));
  world.Put("s");
  world.Put("u");
  world.Clear("t/x");
  world.Clear("t/");
  world.Put("t/x1000");
  ASSERT_TRUE(world.machine->View()->HasPendingClear());
  EXPECT_EQ(TrashNames(world, "", {}).size(), 714U);
  EXPECT_EQ(TrashNames(world, "t/x", {}).size(), 234U + 5U);
  EXPECT_EQ(TrashNames(world, "t/x1003", {}), Names{"t/x1003"});
  EXPECT_EQ(TrashNames(world, "u", {}), Names{});
  EXPECT_EQ(FindViolations(*world.machine, world.store), Names());
}

// Passes reads on, and counts the rows.
class CountingRows final : public RowReader {
 public:
  explicit CountingRows(const RowReader* rows) : rows_(rows) {}
  [[nodiscard]] std::optional<std::string> Get(std::string_view key) const override {
    ++read;
    return rows_->Get(key);
  }
  void Scan(std::string_view first, std::string_view end,
            const std::function<bool(std::string_view, std::string_view)>& visit) const override {
    rows_->Scan(first, end, [&](std::string_view key, std::string_view value) {
      ++read;
      return visit(key, value);
    });
  }
  mutable std::size_t read = 0;

 private:
  const RowReader* const rows_;
};

rpc::ClearRow PendingClear(const std::string& prefix, std::uint64_t index) {
  rpc::ClearRow clear;
  clear.set_bucket_id(kBucket.value());
  clear.set_prefix(prefix);
  clear.set_index(index);
  return clear;
}

std::size_t CountTrash(const TrashList& trash, std::size_t shown_max) {
  std::size_t shown = 0;
  trash.Visit({}, [](std::string_view, std::uint64_t) { return MetadataView::Choice::kVisit; },
              [&](const rpc::VersionRow&) { return ++shown < shown_max; });
  return shown;
}

// With a scan for each clear and each page the second would read all that the first hides, page for page.
TEST(ListTrash, ReadsWhatClearsHideOnceHoweverManyArePending) {
  constexpr std::size_t kNames = 3'000;
  World world;
  AddNames(&world, kNames);
  const CountingRows rows(&world.store);
  const std::vector<rpc::ClearRow> clears = {PendingClear("f", 1'000'000), PendingClear("", 1'000'001), PendingClear("f1", 1'000'002)};
  EXPECT_EQ(CountTrash(TrashList(rows, clears, kBucket, ""), SIZE_MAX), kNames + 1);
  EXPECT_LE(rows.read, kNames + kNames / 100);
  rows.read = 0;
  EXPECT_EQ(CountTrash(TrashList(rows, clears, kBucket, ""), 1), 1u);
  EXPECT_LE(rows.read, TrashList::kHiddenNamesMax + 1) << "what is shown is not far behind what is read";
}

// What came after the clear is visible: it is passed over, but not all of it at once.
TEST(ListTrash, ReadsABoundedNumberOfVisibleNamesBeforeItShowsWhatItHas) {
  constexpr std::size_t kNames = 2 * TrashList::kHiddenScanMax + 100;
  World world;
  world.Put("a");
  world.Remove("a");
  AddNames(&world, kNames);
  const CountingRows rows(&world.store);
  const std::vector<rpc::ClearRow> clears = {PendingClear("", 1)};
  EXPECT_EQ(CountTrash(TrashList(rows, clears, kBucket, ""), 1), 1u);
  EXPECT_LE(rows.read, TrashList::kHiddenScanMax + 10);
  EXPECT_EQ(CountTrash(TrashList(rows, clears, kBucket, ""), SIZE_MAX), 1u);
}

// Names are bytes: composed and decomposed forms are two files.
TEST(View, NamesAreNeverNormalised) {
  World world;
  world.Put("\xC3\xA9", {.chunk_size = 1});
  world.Put("e\xCC\x81", {.chunk_size = 2});
  EXPECT_EQ(world.Find("\xC3\xA9")->size(), 1u);
  EXPECT_EQ(world.Find("e\xCC\x81")->size(), 2u);
  EXPECT_EQ(world.Names().size(), 2u);
}

TEST(View, FindsNodesByIdAndUuid) {
  World world(2);
  const auto view = world.machine->View();
  ASSERT_EQ(view->Nodes().size(), 2u);
  EXPECT_EQ(view->Nodes()[1].node_id(), 2u);
  EXPECT_FALSE(view->FindNode(NodeId(3)));
  EXPECT_FALSE(view->FindNode(StorageUuid{7, 3}));
  EXPECT_EQ(view->FindNode(StorageUuid{7, 2})->node_id(), 2u);
}

}  // namespace
}  // namespace dfs::metadata
