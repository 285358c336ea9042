#include "server/gateway/name_listing.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace dfs::gateway {
namespace {

std::string NameOf(int i) { return "n/" + std::to_string(1'000'000 + i); }

// Lists `names` names as the state would be listed, from `after` on. Returns the messages.
std::vector<api::ListResponse> ListNames(const api::ListRequest& request, int names) {
  std::vector<api::ListResponse> out;
  const ListSink sink = [&out](const api::ListResponse& page) {
    out.push_back(page);
    return true;
  };
  auto listing = NameListing::Make(request, sink);
  EXPECT_TRUE(listing.ok()) << listing.status();
  for (int i = 0; i < names; ++i) {
    if (NameOf(i) <= request.after()) continue;
    const auto choice = listing->Choose(NameOf(i));
    if (choice == NameListing::Choice::kStop) break;
    if (choice == NameListing::Choice::kPass) continue;
    api::FileInfo file;
    file.set_name(NameOf(i));
    if (!listing->Add(file)) break;
  }
  listing->Finish();
  return out;
}

std::vector<std::string> NamesIn(const std::vector<api::ListResponse>& messages) {
  std::vector<std::string> out;
  for (const auto& message : messages) {
    for (const auto& file : message.files()) out.push_back(file.name());
  }
  return out;
}

TEST(NameListing, OneCallLooksSoFarForAPatternAndTheNextGoesOn) {
  constexpr int kNames = 250'000;
  api::ListRequest request;
  request.set_pattern("n/1??9999");
  std::vector<std::string> found;
  int calls = 0;
  for (bool is_cut = true; is_cut;) {
    const auto messages = ListNames(request, kNames);
    EXPECT_GE(messages.size(), 5U) << "messages in between tell how far it is";
    for (const auto& message : messages) {
      EXPECT_TRUE(message.is_by_pattern());
      EXPECT_EQ(message.is_cut(), &message == &messages.back() && calls < 2);
    }
    for (auto& name : NamesIn(messages)) found.push_back(std::move(name));
    is_cut = messages.back().is_cut();
    request.set_after(messages.back().looked_through());
    ASSERT_LT(++calls, 5);
  }
  EXPECT_EQ(calls, 3);
  ASSERT_EQ(found.size(), 25U);
  EXPECT_EQ(found.front(), NameOf(9'999));
  EXPECT_EQ(found.back(), NameOf(249'999));
}

// Whoever loses the connection behind any message goes on from what it says, and misses nothing.
TEST(NameListing, WhatAMessageSaysItHasLookedThroughIsInItOrBefore) {
  constexpr int kNames = 30'000;
  api::ListRequest request;
  request.set_pattern("n/*[13579]");
  const auto messages = ListNames(request, kNames);
  const auto all = NamesIn(messages);
  ASSERT_EQ(all.size(), 15'000U);
  std::size_t told = 0;
  for (std::size_t i = 0; i < messages.size(); ++i) {
    EXPECT_LE(messages[i].files_size(), NameListing::kPageSize);
    told += static_cast<std::size_t>(messages[i].files_size());
    if (i % 4 != 0) continue;
    api::ListRequest rest = request;
    rest.set_after(messages[i].looked_through());
    const auto others = NamesIn(ListNames(rest, kNames));
    ASSERT_EQ(told + others.size(), all.size()) << i;
  }
}

TEST(NameListing, ACostlyPatternEndsTheCallEarly) {
  api::ListRequest request;
  request.set_pattern("*" + std::string(500, 'a') + "b");
  int sent = 0;
  const ListSink sink = [&sent](const api::ListResponse& page) {
    ++sent;
    return page.is_cut();
  };
  auto listing = NameListing::Make(request, sink);
  ASSERT_TRUE(listing.ok());
  const std::string name(1'024, 'a');
  int names = 0;
  while (listing->Choose(name) != NameListing::Choice::kStop) ASSERT_LT(++names, 1'000);
  EXPECT_GE(names, 1) << "or it would never end";
  listing->Finish();
  EXPECT_EQ(sent, 1);
}

TEST(NameListing, WithoutAPatternNothingIsCut) {
  const auto messages = ListNames({}, 150'000);
  EXPECT_EQ(NamesIn(messages).size(), 150'000U);
  EXPECT_FALSE(messages.back().is_cut());
  EXPECT_EQ(ListNames({}, 0).size(), 1U) << "an empty listing is one message";
  api::ListRequest request;
  request.set_limit(1'500);
  EXPECT_EQ(NamesIn(ListNames(request, 3'000)).size(), 1'500U);
}

TEST(NameListing, WalksWhatPrefixAndPatternBothBeginWith) {
  const ListSink sink = [](const api::ListResponse&) { return true; };
  const auto prefix_of = [&](const char* prefix, const char* pattern) {
    api::ListRequest request;
    request.set_prefix(prefix);
    request.set_pattern(pattern);
    return NameListing::Make(request, sink)->prefix().value_or("(none)");
  };
  EXPECT_EQ(prefix_of("", "logs/2026-*/x"), "logs/2026-");
  EXPECT_EQ(prefix_of("logs/2026-11", "logs/*/x"), "logs/2026-11");
  EXPECT_EQ(prefix_of("lo", "logs/*"), "logs/");
  EXPECT_EQ(prefix_of("tmp/", "logs/*"), "(none)");
  EXPECT_EQ(prefix_of("tmp/", ""), "tmp/");
  api::ListRequest request;
  request.set_pattern(std::string(1'025, '?'));
  EXPECT_TRUE(absl::IsInvalidArgument(NameListing::Make(request, sink).status()));
  request.set_pattern("");
  request.set_trash(true);
  request.set_old_versions(true);
  EXPECT_TRUE(absl::IsInvalidArgument(NameListing::Make(request, sink).status()));
}

}  // namespace
}  // namespace dfs::gateway
