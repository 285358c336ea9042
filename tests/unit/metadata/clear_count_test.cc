// A ClearPrefix over more files than one entry may read: it hides all of them, and the counters follow with
// the steps. (The limit is lowered here: a million files would take too long.)
#include <gtest/gtest.h>

#include "server/metadata/commands.h"
#include "server/metadata/machine_cache.h"
#include "server/metadata/row_overlay.h"
#include "server/metadata/version_table.h"
#include "tests/unit/metadata/world.h"

namespace dfs::metadata {
namespace {

TEST(ClearPrefix, BeyondTheCountTheCountersFollowTheSteps) {
  World world;
  for (int i = 0; i < 10; ++i) world.Put("f" + std::to_string(i));
  world.Put("g");
  MachineCache cache = LoadCache(world.store);
  RowOverlay rows(&world.store);
  ApplyContext context{.rows = &rows,
                       .cache = &cache,
                       .index = world.machine->applied_index().Next(),
                       .term = world.term,
                       .clear_count_max = 4};
  rpc::ClearPrefix clear;
  *clear.mutable_request_id() = World::Request(2, 1);
  clear.set_bucket_id(1);
  clear.set_prefix("f");
  EXPECT_EQ(Apply(&context, clear).count(), 4u);
  EXPECT_EQ(cache.counters.files(), 7u) << "six hidden ones are not counted out yet";
  for (int i = 0; i < 10; ++i) {
    EXPECT_FALSE(FindVisible(context, kBucket, "f" + std::to_string(i)));
  }
  EXPECT_TRUE(FindVisible(context, kBucket, "g"));
  context.index = context.index.Next();
  rpc::ClearStep step;
  step.set_rows(5);
  EXPECT_EQ(Apply(&context, step).count(), 5u);
  EXPECT_EQ(cache.counters.files(), 6u);
  // A hidden one that was not counted out is counted out when it makes way.
  rpc::CommitPut put = world.PutCommand("f9");
  *put.mutable_request_id() = World::Request(2, 2);
  context.index = context.index.Next();
  EXPECT_EQ(Apply(&context, put).code(), Code::DONE);
  EXPECT_EQ(cache.counters.files(), 6u);
  EXPECT_EQ(Apply(&context, step).count(), 4u);
  EXPECT_EQ(cache.counters.files(), 2u) << "g and the new f9";
  EXPECT_EQ(cache.counters.bytes(), 20u);
  EXPECT_EQ(cache.counters.trashed(), 10u);
  EXPECT_TRUE(FindVisible(context, kBucket, "f9"));
}

}  // namespace
}  // namespace dfs::metadata
