#include "tests/simulation/system/sim_workload.h"

#include <utility>

#include "absl/strings/str_cat.h"

namespace dfs::simulation {
namespace {

constexpr char kDefault[] = "default";
constexpr std::uint64_t kNamesOfDefault = 10;
constexpr std::uint64_t kNamesOfOthers = 6;
constexpr std::uint64_t kVersionsBack = 4;  // that a client remembers of a name

}  // namespace

std::vector<std::string> SimWorkload::Buckets() { return {kDefault, "b1", "b2", "b3"}; }

std::vector<std::string> SimWorkload::NamesIn(const std::string& bucket) {
  const std::uint64_t count = bucket == kDefault ? kNamesOfDefault : kNamesOfOthers;
  std::vector<std::string> names;
  for (std::uint64_t i = 0; i < count; ++i)
    names.push_back(absl::StrCat(i % 2 == 0 ? "a/" : "b/", i / 2));
  return names;
}

std::string SimWorkload::DrawBucket() {
  const auto buckets = Buckets();
  return random_.OneIn(1, 2) ? buckets[0] : buckets[1 + random_.Below(buckets.size() - 1)];
}

std::string SimWorkload::DrawName(const std::string& bucket) {
  const auto names = NamesIn(bucket);
  return names[random_.Below(names.size())];
}

DecidedChange SimWorkload::Of(const std::string& bucket) {
  DecidedChange change;
  change.bucket = bucket;
  change.name = DrawName(bucket);
  return change;
}

void SimWorkload::MakeBuckets() {
  for (const std::string& bucket : Buckets()) {
    if (bucket != kDefault) MakeBucket(bucket);
  }
}

void SimWorkload::ActOnce() {
  const std::string bucket = DrawBucket();
  const std::uint64_t kind = random_.Below(100);
  if (kind < 33) return Put(bucket);
  if (kind < 40) return Remove(bucket);
  if (kind < 46) return Undelete(bucket);
  if (kind < 53) return Move(bucket);
  if (kind < 54) return Clear(bucket);
  if (kind < 57) return bucket == kDefault ? List(bucket) : MakeBucket(bucket);
  if (kind < 59) return bucket == kDefault ? List(bucket) : RemoveBucket(bucket);
  if (kind < 65) return List(bucket);
  Read(bucket);
}

void SimWorkload::Put(const std::string& bucket) {
  DecidedChange change = Of(bucket);
  const std::uint64_t condition = random_.Below(8);
  if (condition == 0) change.if_absent = true;
  if (condition == 1) change.if_version = 0;
  if (condition == 2) change.if_version = client_->KnownVersion(bucket, change.name, 2);
  // Mostly small ones; some that are files on the disk.
  const bool is_file = random_.OneIn(1, 14);
  const std::size_t size = is_file ? static_cast<std::size_t>(random_.Between(262'145, 600'000))
                                   : 8 + static_cast<std::size_t>(random_.Below(3'000));
  client_->Put(std::move(change), size);
}

void SimWorkload::Remove(const std::string& bucket) {
  DecidedChange change = Of(bucket);
  const std::uint64_t condition = random_.Below(6);
  if (condition == 0) change.if_version = client_->KnownVersion(bucket, change.name, 2);
  if (condition == 1 || (condition == 2 && bucket != kDefault)) {
    change.version = client_->KnownVersion(bucket, change.name, kVersionsBack);
  }
  client_->Remove(std::move(change));
}

void SimWorkload::Undelete(const std::string& bucket) {
  DecidedChange change = Of(bucket);
  change.replaces = random_.OneIn(1, 2);
  if (random_.OneIn(1, 2))
    change.version = client_->KnownVersion(bucket, change.name, kVersionsBack);
  client_->Undelete(std::move(change));
}

// In a third of the cases back again, over what may be there by then.
void SimWorkload::Move(const std::string& bucket) {
  DecidedChange change = Of(bucket);
  change.target = DrawName(bucket);
  if (change.target == change.name) change.target = absl::StrCat("c/", random_.Below(4));
  const std::uint64_t condition = random_.Below(5);
  if (condition == 0) change.if_absent = true;
  if (condition == 1) change.if_version = client_->KnownVersion(bucket, change.name, 2);
  DecidedChange back;
  back.bucket = bucket;
  back.name = change.target;
  back.target = change.name;
  if (client_->Move(std::move(change)) && random_.OneIn(1, 3)) client_->Move(std::move(back));
}

void SimWorkload::Clear(const std::string& bucket) {
  DecidedChange change;
  change.bucket = bucket;
  const char* const prefixes[] = {"", "a/", "b/", "a/1", "c"};
  change.name = prefixes[random_.Below(5)];
  client_->Clear(std::move(change));
}

void SimWorkload::MakeBucket(const std::string& bucket) {
  DecidedChange change;
  change.bucket = bucket;
  client_->MakeBucket(std::move(change), DrawOptions());
}

void SimWorkload::RemoveBucket(const std::string& bucket) {
  DecidedChange change;
  change.bucket = bucket;
  // Else it hardly ever is empty.
  if (random_.OneIn(2, 3)) client_->Clear(change);
  client_->RemoveBucket(std::move(change));
}

void SimWorkload::Read(const std::string& bucket) {
  const std::string name = DrawName(bucket);
  const std::uint64_t kind = random_.Below(10);
  const auto level = kind < 2 ? api::EVENTUAL : kind < 4 ? api::LEADER : api::STRONG;
  std::optional<std::uint64_t> version;
  if (random_.OneIn(1, bucket == kDefault ? 10 : 3))
    version = client_->KnownVersion(bucket, name, kVersionsBack);
  client_->Get(bucket, name, level, version, client_->AnyMachine());
}

void SimWorkload::List(const std::string& bucket) {
  const std::uint64_t kind = random_.Below(6);
  const auto level = kind < 2 ? api::EVENTUAL : kind < 3 ? api::LEADER : api::STRONG;
  client_->List(bucket, random_.OneIn(1, 3) ? "a/" : "", level, client_->AnyMachine());
}

// All sorts; some that must be refused.
api::BucketOptions SimWorkload::DrawOptions() {
  const std::uint32_t least = may_lose_disks_ ? 2 : 1;
  api::BucketOptions options;
  const std::uint32_t replicas[] = {3, 2, 5, 1, 7, 0};
  const std::uint32_t drawn = replicas[random_.Below(6)];
  std::uint32_t most = drawn;
  if (drawn == 0) {
    options.set_all_members(true);
    most = 5;  // of a quorum: with more it could hardly ever be met
  } else {
    most = std::max(drawn, least);
    options.set_replicas(most);
  }
  if (random_.OneIn(1, 2)) {
    options.set_write_quorum(least + static_cast<std::uint32_t>(random_.Below(most - least + 1)));
    options.set_read_quorum(1 + static_cast<std::uint32_t>(random_.Below(most)));
    options.set_allow_no_overlap(random_.OneIn(1, 2));
  }
  if (options.all_members() && options.write_quorum() != 0) options.set_allow_no_overlap(true);
  if (random_.OneIn(3, 4))
    options.set_versions_kept(2 + static_cast<std::uint32_t>(random_.Below(4)));
  if (random_.OneIn(1, 3)) options.set_quota_files(2 + random_.Below(4));
  if (random_.OneIn(1, 3)) options.set_quota_bytes(3'000 + random_.Below(12'000));
  return options;
}

}  // namespace dfs::simulation
