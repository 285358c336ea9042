// Relinks, the node's own trash and the questions that empty it (rules R14, R18, R19).
#include "tests/unit/chunk/store_fixture.h"

namespace dfs::chunk {
namespace {

class Relinking : public StoreFixture {
 protected:
  static Relink Item(const ChunkId& from, const ChunkId& to, std::string_view bytes) {
    const ChunkInfo info = InfoOf(from, bytes);
    return {from, to, info.size, info.hash};
  }
  absl::Status RelinkOne(const ChunkId& from, const ChunkId& to, std::string_view bytes) {
    return store->RelinkAll(std::vector<Relink>{Item(from, to, bytes)});
  }
  const std::string small = BytesOfLength(5000);
  const std::string large = BytesOfLength(kLarge);
};
class Questions : public Relinking {};

TEST_F(Relinking, MakesStoredBytesCountForAnotherTransaction) {
  ASSERT_TRUE(Put(store.get(), Id(1, 0), large).ok());
  ASSERT_TRUE(Put(store.get(), Id(1, 1), small).ok());
  ASSERT_TRUE(store
                  ->RelinkAll(std::vector<Relink>{Item(Id(1, 0), Id(2, 0), large),
                                                  Item(Id(1, 1), Id(2, 1), small)})
                  .ok());
  Crash();
  EXPECT_TRUE(Holds(store.get(), Id(2, 0), large));
  EXPECT_TRUE(Holds(store.get(), Id(2, 1), small));
  EXPECT_TRUE(Holds(store.get(), Id(1, 0), large));
  EXPECT_EQ(store->GetSpace().stored_bytes, large.size() + small.size()) << "each object once";
  EXPECT_EQ(ObjectFiles().size(), 1u);
}

TEST_F(Relinking, IsAllOrNothing) {
  ASSERT_TRUE(Put(store.get(), Id(1, 0), large).ok());
  ASSERT_TRUE(Put(store.get(), Id(1, 1), small).ok());
  EXPECT_TRUE(absl::IsNotFound(store->RelinkAll(std::vector<Relink>{
      Item(Id(1, 0), Id(2, 0), large), Item(Id(1, 9), Id(2, 1), small)})));
  Relink other_hash = Item(Id(1, 1), Id(2, 1), small);
  other_hash.hash.low ^= 1;
  EXPECT_TRUE(absl::IsFailedPrecondition(
      store->RelinkAll(std::vector<Relink>{Item(Id(1, 0), Id(2, 0), large), other_hash})));
  Relink other_size = Item(Id(1, 1), Id(2, 1), small);
  ++other_size.size;
  EXPECT_TRUE(absl::IsFailedPrecondition(
      store->RelinkAll(std::vector<Relink>{Item(Id(1, 0), Id(2, 0), large), other_size})));
  EXPECT_FALSE(store->Find(Id(2, 0)));
  EXPECT_FALSE(store->Find(Id(2, 1)));
  Crash();
  EXPECT_FALSE(store->Find(Id(2, 0)));
}

TEST_F(Relinking, OnceMoreIsTheSame) {
  ASSERT_TRUE(Put(store.get(), Id(1), large).ok());
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(RelinkOne(Id(1), Id(2), large).ok());
  // Counted once: after both chunks are gone the bytes are too.
  for (const ChunkId& id : {Id(1), Id(2)}) {
    TrashNow(id);
    EXPECT_TRUE(RemoveNow(id).ok());
  }
  EXPECT_EQ(ObjectFiles().size(), 0u);
  EXPECT_EQ(store->GetSpace().stored_bytes, 0u);
}

TEST_F(Relinking, ChainInOneCall) {
  ASSERT_TRUE(Put(store.get(), Id(1), small).ok());
  ASSERT_TRUE(store
                  ->RelinkAll(std::vector<Relink>{Item(Id(1), Id(2), small),
                                                  Item(Id(2), Id(3), small)})
                  .ok());
  EXPECT_TRUE(Holds(store.get(), Id(3), small));
}

TEST_F(Relinking, ToAChunkWithAnotherContentIsRefused) {
  ASSERT_TRUE(Put(store.get(), Id(1), small).ok());
  ASSERT_TRUE(Put(store.get(), Id(2), large).ok());
  EXPECT_TRUE(absl::IsFailedPrecondition(RelinkOne(Id(1), Id(2), small)));
  EXPECT_TRUE(Holds(store.get(), Id(2), large));
}

TEST_F(Relinking, BytesStayWhileAnyChunkNamesThem) {
  for (const std::string* bytes : {&small, &large}) {
    ASSERT_TRUE(Put(store.get(), Id(1), *bytes).ok());
    ASSERT_TRUE(RelinkOne(Id(1), Id(2), *bytes).ok());
    TrashNow(Id(1));
    ASSERT_TRUE(RemoveNow(Id(1)).ok());
    EXPECT_FALSE(store->Find(Id(1)));
    EXPECT_TRUE(Holds(store.get(), Id(2), *bytes));
    Reopen();
    EXPECT_TRUE(Holds(store.get(), Id(2), *bytes));
    TrashNow(Id(2));
    ASSERT_TRUE(RemoveNow(Id(2)).ok());
    EXPECT_EQ(store->GetSpace().stored_bytes, 0u);
    EXPECT_EQ(ObjectFiles().size(), 0u);
  }
}

TEST_F(Relinking, TakesOutOfTheTrash) {
  ASSERT_TRUE(Put(store.get(), Id(1), large).ok());
  TrashNow(Id(1));
  ASSERT_TRUE(RelinkOne(Id(1), Id(2), large).ok());
  EXPECT_FALSE(Held(store.get(), Id(1))->is_trashed);
  EXPECT_FALSE(Held(store.get(), Id(2))->is_trashed);
  TrashNow(Id(2));
  ASSERT_TRUE(RelinkOne(Id(1), Id(2), large).ok());
  EXPECT_FALSE(Held(store.get(), Id(2))->is_trashed);
}

TEST_F(Questions, TrashThenRemove) {
  ASSERT_TRUE(Put(store.get(), Id(1), large).ok());
  EXPECT_TRUE(absl::IsFailedPrecondition(RemoveNow(Id(1)))) << "only from the trash";
  clock.now += absl::Hours(1);
  TrashNow(Id(1));
  auto held = Held(store.get(), Id(1));
  EXPECT_TRUE(held->is_trashed);
  EXPECT_EQ(held->trashed, clock.now);
  EXPECT_TRUE(Holds(store.get(), Id(1), large)) << "readers still get it";
  Crash();
  EXPECT_TRUE(Held(store.get(), Id(1))->is_trashed);
  EXPECT_TRUE(RemoveNow(Id(1)).ok());
  EXPECT_FALSE(store->Find(Id(1)));
  EXPECT_EQ(ObjectFiles().size(), 0u);
  Crash();
  EXPECT_FALSE(store->Find(Id(1)));
}

TEST_F(Questions, OneNonceAnswersOneQuestion) {
  EXPECT_FALSE(store->OpenQuestion(Id(1))) << "not held";
  ASSERT_TRUE(Put(store.get(), Id(1), small).ok());
  EXPECT_TRUE(absl::IsAborted(store->Trash(Id(1), 77)));
  const auto first = store->OpenQuestion(Id(1));
  const auto second = store->OpenQuestion(Id(1));
  EXPECT_TRUE(absl::IsAborted(store->Trash(Id(1), *first))) << "a newer question is open";
  EXPECT_TRUE(store->Trash(Id(1), *second).ok());
  EXPECT_TRUE(absl::IsAborted(store->Remove(Id(1), *second))) << "it must ask again";
  EXPECT_TRUE(store->Find(Id(1)));
}

TEST_F(Questions, NotAcrossARestart) {
  ASSERT_TRUE(Put(store.get(), Id(1), small).ok());
  const auto nonce = store->OpenQuestion(Id(1));
  Reopen();
  EXPECT_TRUE(absl::IsAborted(store->Trash(Id(1), *nonce)));
}

TEST_F(Questions, VoidedByWhateverMakesTheChunkCountAgain) {
  ASSERT_TRUE(Put(store.get(), Id(1), small).ok());
  ASSERT_TRUE(Put(store.get(), Id(2), small).ok());
  const std::vector<std::function<absl::Status()>> events = {
      [&] { return Put(store.get(), Id(1), small); },
      [&] {
        return store->PutSmall(std::vector<SmallWrite>{{InfoOf(Id(1), small), small}}).front();
      },
      [&] { return RelinkOne(Id(1), Id(3), small); },
      [&] { return RelinkOne(Id(2), Id(1), small); },
      [&] { return store->Vouch(Id(1)).status(); }};
  for (std::size_t i = 0; i < events.size(); ++i) {
    const auto trash = store->OpenQuestion(Id(1));
    ASSERT_TRUE(events[i]().ok()) << i;
    EXPECT_TRUE(absl::IsAborted(store->Trash(Id(1), *trash))) << i;
    EXPECT_FALSE(Held(store.get(), Id(1))->is_trashed);
    TrashNow(Id(1));
    const auto remove = store->OpenQuestion(Id(1));
    ASSERT_TRUE(events[i]().ok()) << i;
    EXPECT_FALSE(Held(store.get(), Id(1))->is_trashed) << i << ": taken back";
    EXPECT_TRUE(absl::IsAborted(store->Remove(Id(1), *remove))) << i;
    EXPECT_TRUE(Holds(store.get(), Id(1), small)) << i;
  }
}

TEST_F(Questions, WriteThatFailsVoidsNothing) {
  ASSERT_TRUE(Put(store.get(), Id(1), small).ok());
  const auto nonce = store->OpenQuestion(Id(1));
  EXPECT_FALSE(Put(store.get(), Id(1), "other").ok());
  EXPECT_TRUE(store->Trash(Id(1), *nonce).ok());
}

TEST_F(Questions, ReaderKeepsARemovedChunk) {
  for (const std::string* bytes : {&small, &large}) {
    ASSERT_TRUE(Put(store.get(), Id(1), *bytes).ok());
    const auto reader = store->Open(Id(1));
    ASSERT_TRUE(reader.ok());
    TrashNow(Id(1));
    ASSERT_TRUE(RemoveNow(Id(1)).ok());
    std::string out(bytes->size(), '\0');
    EXPECT_TRUE((*reader)->Read(0, out).ok());
    EXPECT_TRUE(out == *bytes);
  }
}

TEST_F(Questions, WrittenAgainAfterRemoval) {
  ASSERT_TRUE(Put(store.get(), Id(1), large).ok());
  TrashNow(Id(1));
  ASSERT_TRUE(RemoveNow(Id(1)).ok());
  ASSERT_TRUE(Put(store.get(), Id(1), small).ok());
  Crash();
  EXPECT_TRUE(Holds(store.get(), Id(1), small));
}

TEST_F(Questions, TouchedIsTheLastWriteOfTheTransaction) {
  const absl::Time start = clock.now;
  ASSERT_TRUE(Put(store.get(), Id(1, 0), small).ok());
  ASSERT_TRUE(Put(store.get(), Id(5, 0), small).ok());
  clock.now += absl::Minutes(9);
  ASSERT_TRUE(Put(store.get(), Id(1, 1), small).ok());
  Crash();
  EXPECT_EQ(Held(store.get(), Id(1, 0))->touched, clock.now) << "another chunk of it was written";
  EXPECT_EQ(Held(store.get(), Id(5, 0))->touched, start);
  clock.now += absl::Minutes(1);
  ASSERT_TRUE(store->Vouch(Id(1, 0)).ok());
  EXPECT_EQ(Held(store.get(), Id(1, 1))->touched, clock.now);
  clock.now += absl::Minutes(1);
  ASSERT_TRUE(RelinkOne(Id(5, 0), Id(6, 0), small).ok());
  Crash();
  EXPECT_EQ(Held(store.get(), Id(5, 0))->touched, clock.now);
  EXPECT_EQ(Held(store.get(), Id(6, 0))->touched, clock.now);
  clock.now += absl::Minutes(1);
  TrashNow(Id(1, 1));
  ASSERT_TRUE(RemoveNow(Id(1, 1)).ok());
  EXPECT_EQ(Held(store.get(), Id(1, 0))->touched, clock.now - absl::Minutes(2))
      << "kept, and not renewed, when another chunk goes";
}

}  // namespace
}  // namespace dfs::chunk
