#include "server/gateway/handover_desk.h"

#include <gtest/gtest.h>

#include <memory>
#include <set>
#include <string>
#include <vector>

namespace dfs::gateway {
namespace {

class SetClock final : public Clock {
 public:
  [[nodiscard]] MonotonicTime Now() const override { return now; }
  [[nodiscard]] absl::Time WallNow() const override { return absl::UnixEpoch(); }
  MonotonicTime now = absl::UnixEpoch() + absl::Hours(1);
};

class EmptyChunk final : public chunk::ChunkReader {
 public:
  [[nodiscard]] const chunk::ChunkInfo& info() const override { return info_; }
  [[nodiscard]] const std::vector<std::uint32_t>& table() const override { return table_; }
  [[nodiscard]] absl::Status Read(std::uint64_t, std::span<char>) const override { return absl::OkStatus(); }

 private:
  const chunk::ChunkInfo info_{};
  const std::vector<std::uint32_t> table_{};
};

TEST(HandoverDesk, ATicketIsGoodOnce) {
  SetClock clock;
  HandoverDesk desk(&clock);
  const auto reader = std::make_shared<EmptyChunk>();
  const auto ticket = desk.Offer(reader);
  ASSERT_TRUE(ticket);
  EXPECT_EQ(ticket->size(), HandoverDesk::kTicketBytes);
  EXPECT_EQ(desk.Take(std::string(HandoverDesk::kTicketBytes, '\0')), nullptr);
  EXPECT_EQ(desk.Take(*ticket), reader);
  EXPECT_EQ(desk.Take(*ticket), nullptr);
}

TEST(HandoverDesk, ATicketEndsByItselfAndLetsGoOfItsFile) {
  SetClock clock;
  HandoverDesk desk(&clock);
  auto reader = std::make_shared<EmptyChunk>();
  const std::weak_ptr<EmptyChunk> watched = reader;
  const auto ticket = desk.Offer(std::move(reader));
  clock.now += HandoverDesk::kValidFor;
  EXPECT_EQ(desk.Take(*ticket), nullptr);
  EXPECT_TRUE(watched.expired());
}

TEST(HandoverDesk, OnlySoManyFilesAreKeptOpen) {
  SetClock clock;
  HandoverDesk desk(&clock);
  const auto reader = std::make_shared<EmptyChunk>();
  std::set<std::string> tickets;
  for (std::size_t i = 0; i < HandoverDesk::kTicketsMax; ++i) tickets.insert(desk.Offer(reader).value());
  EXPECT_EQ(tickets.size(), HandoverDesk::kTicketsMax);
  EXPECT_FALSE(desk.Offer(reader));
  EXPECT_EQ(desk.Take(*tickets.begin()), reader);
  clock.now += HandoverDesk::kValidFor;
  EXPECT_TRUE(desk.Offer(reader));
}

}  // namespace
}  // namespace dfs::gateway
