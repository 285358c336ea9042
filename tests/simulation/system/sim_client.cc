#include "tests/simulation/system/sim_client.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "tests/simulation/system/sim_node.h"

namespace dfs::simulation {
namespace {

using Kind = DecidedChange::Kind;

constexpr int kAttemptsMax = 5;
constexpr int kSettlesMax = 6;
constexpr int kSettlesAtEnd = 300;
constexpr std::int64_t kPauseNs = 100'000'000;
constexpr absl::Duration kRequestTimeout = absl::Seconds(12);

bool HasUnknownOutcome(const absl::Status& status) {
  return OutcomeOf(status) == api::ErrorDetail::UNKNOWN;
}

// Said of a put by the entry that decided it, and so kept.
bool IsDecided(const absl::Status& status) {
  const auto detail = DetailOf(status);
  return detail && (detail->reason() == api::ErrorDetail::PRECONDITION ||
                    detail->reason() == api::ErrorDetail::OVER_QUOTA);
}

// Whether each read quorum meets each write quorum.
bool NeedsNoPermission(const api::BucketOptions& options) {
  if (options.all_members()) return true;
  const std::uint32_t replicas = options.replicas() == 0 ? 3 : options.replicas();
  const std::uint32_t majority = replicas / 2 + 1;
  const std::uint32_t write = options.write_quorum() == 0 ? majority : options.write_quorum();
  const std::uint32_t read = options.read_quorum() == 0 ? majority : options.read_quorum();
  return write + read > replicas;
}

// Durable before a put is answered, whoever is there: one quorum cannot be greater than the
// members.
std::uint64_t CopiesLeast(const api::BucketOptions& options, std::uint64_t members) {
  if (options.write_quorum() != 0) return std::min<std::uint64_t>(options.write_quorum(), members);
  if (options.all_members()) return members / 2 + 1;
  return std::min<std::uint64_t>(options.replicas() / 2 + 1, members);
}

const char* NameOf(const DecidedChange& change) {
  switch (change.kind) {
    case Kind::kPut:
      return change.if_version || change.if_absent ? "put_if" : "put";
    case Kind::kRemove:
      return change.version ? "remove_version" : "remove";
    case Kind::kMove:
      return change.if_version || change.if_absent ? "mv_if" : "mv";
    case Kind::kUndelete:
      return "undelete";
    case Kind::kClear:
      return "clear";
    case Kind::kMakeBucket:
      return "mb";
    case Kind::kRemoveBucket:
      return "rb";
  }
  return "";
}

}  // namespace

SimClient::SimClient(int number, int machines, std::uint64_t members_least,
                     FiberScheduler* scheduler, SimWire* wire, SimHistory* history,
                     std::uint64_t* next_value, ClientCounts* counts)
    : number_(number),
      machines_(machines),
      members_least_(members_least),
      scheduler_(scheduler),
      wire_(wire),
      history_(history),
      next_value_(next_value),
      counts_(counts),
      random_(scheduler->random().Next()) {}

int SimClient::AnyMachine() {
  return 1 + static_cast<int>(random_.Below(static_cast<std::uint64_t>(machines_)));
}

std::optional<std::uint64_t> SimClient::KnownVersion(const std::string& bucket,
                                                     const std::string& name, std::uint64_t back) {
  const auto& known = history_->VersionsOf(bucket, name);
  if (known.empty()) return std::nullopt;
  const std::size_t ago = std::min<std::size_t>(known.size(), 1 + random_.Below(back));
  return known[known.size() - ago].number;
}

bool SimClient::OpenSession() {
  if (!session_.empty()) return true;
  const auto birth = wire_->Ask<std::uint64_t>(
      kClientsMachine, AnyMachine(), NodeId(), kRequestTimeout,
      [](SimNode& node) { return node.machine_state()->applied_index().value(); });
  if (!birth.ok() || *birth == 0) return false;
  birth_ = *birth;
  session_ = BytesOf(random_.Next(), random_.Next());
  sequence_ = 0;
  return true;
}

api::RequestId SimClient::NextId() {
  api::RequestId id;
  id.set_session(session_);
  id.set_sequence(++sequence_);
  id.set_birth(birth_);
  id.set_acked_below(sequence_);
  return id;
}

void SimClient::Count(const DecidedChange& change, const char* fate) {
  ++(*counts_)[absl::StrCat(NameOf(change), ".", fate)];
}

absl::StatusOr<rpc::CommandResult> SimClient::Settle(const api::RequestId& id) {
  rpc::Command settle;
  *settle.mutable_settle()->mutable_request_id() = id;
  return wire_->Ask<rpc::CommandResult>(kClientsMachine, AnyMachine(), NodeId(), kRequestTimeout,
                                        [settle](SimNode& node) { return node.Submit(settle); });
}

bool SimClient::Decide(const api::RequestId& id, DecidedChange change, const Attempt& attempt) {
  bool is_unknown = false;
  std::optional<rpc::CommandResult> decided;
  absl::Status last;
  for (int i = 0; i < kAttemptsMax && !decided; ++i) {
    auto result = attempt(AnyMachine());
    if (result.ok()) {
      decided = *std::move(result);
      break;
    }
    last = result.status();
    if (HasUnknownOutcome(last)) {
      is_unknown = true;
    } else if (IsDecided(last) ||
               (!absl::IsUnavailable(last) && !absl::IsResourceExhausted(last))) {
      break;
    }
    if (random_.OneIn(1, 4)) break;
    scheduler_->SleepFor(kPauseNs);
  }
  change.end = history_->Tick();
  // Whoever was refused for good can hear it again, with the entry that said so.
  const bool was_refused = !decided && IsDecided(last);
  bool is_nothing = !decided && !is_unknown && !was_refused;
  for (int i = 0; !decided && !is_nothing && i < kSettlesMax; ++i) {
    const auto settled = Settle(id);
    if (settled.ok() && settled->settled_kind() != 0) {
      decided = *settled;
    } else if (settled.ok() && settled->code() == rpc::CommandResult::SETTLED) {
      is_nothing = true;
    } else {
      scheduler_->SleepFor(kPauseNs);
    }
  }
  if (!was_refused) change.end = history_->Tick();
  if (is_nothing && was_refused) {
    history_->RecordViolation(
        absl::StrCat(ToText(change), " was refused (", last.ToString(), "), and that is not kept"));
  }
  if (decided) {
    const bool is_done = decided->code() == rpc::CommandResult::DONE;
    Count(change, is_done ? "done" : "refused");
    if (is_done && was_refused) {
      history_->RecordViolation(
          absl::StrCat(ToText(change), " was refused (", last.ToString(), ") and done"));
    }
    history_->Record(std::move(change), *decided);
    return is_done;
  }
  if (is_nothing) {
    if (absl::IsNotFound(last) && !is_unknown) RecordAbsence(change);
    Count(change, "failed");
    return false;
  }
  // A session that is in doubt is left: its sequence may not be passed.
  session_.clear();
  Count(change, "unknown");
  change.end = DecidedChange::kNever;
  history_->RecordOpen({id, std::move(change)});
  return false;
}

bool SimClient::SettleAll() {
  for (auto& open : history_->TakeOpen()) {
    bool is_settled = false;
    for (int i = 0; !is_settled && i < kSettlesAtEnd; ++i) {
      const auto settled = Settle(open.id);
      if (settled.ok() && settled->settled_kind() != 0) {
        history_->Record(open.change, *settled);
        is_settled = true;
      } else if (settled.ok() && settled->code() == rpc::CommandResult::SETTLED) {
        is_settled = true;
      } else {
        scheduler_->SleepFor(kPauseNs);
      }
    }
    if (!is_settled) return false;
  }
  return true;
}

// There was no such bucket, as of a strong read.
void SimClient::RecordAbsence(const DecidedChange& change) {
  SeenRead read;
  read.kind = SeenRead::Kind::kNoBucket;
  read.bucket = change.bucket;
  read.client = number_;
  read.start = change.start;
  read.end = change.end;
  history_->Record(std::move(read));
}

bool SimClient::Put(DecidedChange change, std::size_t size) {
  if (!OpenSession()) return false;
  const std::uint64_t value = ++*next_value_;
  const std::string content = ContentOf(value, size);
  history_->RecordContent(value, content);
  api::PutHeader header;
  header.set_bucket(change.bucket);
  header.set_name(change.name);
  *header.mutable_request_id() = NextId();
  if (change.if_version) header.set_if_version(*change.if_version);
  header.set_if_absent(change.if_absent);
  change.kind = Kind::kPut;
  change.content = {0, value, content.size()};
  change.client = number_;
  change.start = history_->Tick();
  return Decide(header.request_id(), std::move(change), [&](int machine) {
    return wire_->Ask<rpc::CommandResult>(
        kClientsMachine, machine, NodeId(), kRequestTimeout,
        [header, content](SimNode& node) -> absl::StatusOr<rpc::CommandResult> {
          const auto response = node.Put(header, content);
          if (!response.ok()) return response.status();
          rpc::CommandResult done;
          done.set_code(rpc::CommandResult::DONE);
          done.set_applied_index(response->info().commit_index());
          done.set_replicas(response->replicas());
          done.mutable_version()->set_number(response->info().version());
          done.mutable_version()->set_size(response->info().size());
          done.mutable_version()->set_crc32c(response->info().crc32c());
          return done;
        });
  });
}

bool SimClient::SubmitTo(const api::RequestId& id, DecidedChange change,
                         const rpc::Command& command) {
  change.client = number_;
  change.start = history_->Tick();
  const std::string bucket = change.bucket;
  return Decide(id, std::move(change), [&](int machine) {
    return wire_->Ask<rpc::CommandResult>(
        kClientsMachine, machine, NodeId(), kRequestTimeout,
        [bucket, command](SimNode& node) { return node.Change(bucket, command); });
  });
}

bool SimClient::Remove(DecidedChange change) {
  if (!OpenSession()) return false;
  rpc::Command command;
  rpc::RemoveFile& remove = *command.mutable_remove_file();
  *remove.mutable_request_id() = NextId();
  remove.set_name(change.name);
  if (change.if_version) remove.set_if_version(*change.if_version);
  if (change.version) remove.set_version(*change.version);
  change.kind = Kind::kRemove;
  return SubmitTo(remove.request_id(), std::move(change), command);
}

bool SimClient::Undelete(DecidedChange change) {
  if (!OpenSession()) return false;
  rpc::Command command;
  rpc::UndeleteFile& undelete = *command.mutable_undelete_file();
  *undelete.mutable_request_id() = NextId();
  undelete.set_name(change.name);
  undelete.set_replaces(change.replaces);
  if (change.version) undelete.set_version(*change.version);
  change.kind = Kind::kUndelete;
  return SubmitTo(undelete.request_id(), std::move(change), command);
}

bool SimClient::Move(DecidedChange change) {
  if (!OpenSession()) return false;
  rpc::Command command;
  rpc::MoveFile& move = *command.mutable_move_file();
  *move.mutable_request_id() = NextId();
  move.set_source(change.name);
  move.set_target(change.target);
  if (change.if_version) move.set_if_version(*change.if_version);
  move.set_if_absent(change.if_absent);
  change.kind = Kind::kMove;
  return SubmitTo(move.request_id(), std::move(change), command);
}

bool SimClient::Clear(DecidedChange change) {
  if (!OpenSession()) return false;
  rpc::Command command;
  *command.mutable_clear_prefix()->mutable_request_id() = NextId();
  command.mutable_clear_prefix()->set_prefix(change.name);
  change.kind = Kind::kClear;
  return SubmitTo(command.clear_prefix().request_id(), std::move(change), command);
}

bool SimClient::MakeBucket(DecidedChange change, const api::BucketOptions& options) {
  if (!OpenSession()) return false;
  rpc::Command command;
  rpc::MakeBucket& make = *command.mutable_make_bucket();
  *make.mutable_request_id() = NextId();
  make.set_name(change.bucket);
  *make.mutable_options() = options;
  change.kind = Kind::kMakeBucket;
  change.promise = {std::max(options.versions_kept(), 1u), options.quota_bytes(),
                    options.quota_files(), CopiesLeast(options, members_least_)};
  const std::string name = change.bucket;
  const bool is_done = SubmitTo(make.request_id(), std::move(change), command);
  if (is_done && !NeedsNoPermission(options) && !options.allow_no_overlap()) {
    history_->RecordViolation(absl::StrCat(
        "bucket ", name, " has quorums that need not meet: ", options.ShortDebugString()));
  }
  return is_done;
}

bool SimClient::RemoveBucket(DecidedChange change) {
  if (!OpenSession()) return false;
  rpc::Command command;
  *command.mutable_remove_bucket()->mutable_request_id() = NextId();
  change.kind = Kind::kRemoveBucket;
  return SubmitTo(command.remove_bucket().request_id(), std::move(change), command);
}

bool SimClient::Get(const std::string& bucket, const std::string& name,
                    api::Consistency consistency, std::optional<std::uint64_t> version,
                    int machine) {
  api::GetRequest request;
  request.set_bucket(bucket);
  request.set_name(name);
  request.set_consistency(consistency);
  if (version) request.set_version(*version);
  SeenRead read;
  read.is_strong = consistency != api::EVENTUAL;
  read.bucket = bucket;
  read.name = name;
  read.version = version;
  read.client = number_;
  read.start = history_->Tick();
  const std::string kind = absl::StrCat(version ? "get_version" : "get_",
                                        version ? "" : api::Consistency_Name(consistency));
  const auto got =
      wire_->Ask<SimNode::Gotten>(kClientsMachine, machine, NodeId(), kRequestTimeout,
                                  [request](SimNode& node) { return node.Get(request); });
  read.end = history_->Tick();
  if (got.ok()) {
    read.found = FileVersion{got->info.version(), ValueOf(got->content), got->content.size()};
    if (read.found->value == 0) {
      history_->RecordViolation(absl::StrCat("file ", bucket, ":", name, ": a get of ",
                                             got->content.size(), " bytes that nobody put"));
      return true;
    }
  } else if (!absl::IsNotFound(got.status())) {
    ++(*counts_)[kind + ".failed"];
    last_failure_ = got.status();
    return false;
  }
  ++(*counts_)[kind + (got.ok() ? ".done" : ".none")];
  history_->Record(std::move(read));
  return true;
}

bool SimClient::List(const std::string& bucket, const std::string& prefix,
                     api::Consistency consistency, int machine) {
  SeenRead read;
  read.kind = SeenRead::Kind::kList;
  read.is_strong = consistency != api::EVENTUAL;
  read.bucket = bucket;
  read.name = prefix;
  read.client = number_;
  read.start = history_->Tick();
  const std::string kind = absl::StrCat("ls_", api::Consistency_Name(consistency));
  const auto listing = wire_->Ask<SimNode::Listing>(kClientsMachine, machine, NodeId(), kRequestTimeout,
                                                    [bucket, prefix, consistency](SimNode& node) {
                                                      return node.List(bucket, prefix, consistency);
                                                    });
  read.end = history_->Tick();
  if (!listing.ok()) {
    ++(*counts_)[kind + ".failed"];
    last_failure_ = listing.status();
    return false;
  }
  ++(*counts_)[kind + ".done"];
  read.applied_index = listing->applied_index.value();
  if (listing->has_bucket) {
    read.listed.emplace();
    for (const api::FileInfo& file : listing->files) {
      (*read.listed)[file.name()] = history_->VersionOf(file.version(), file.size(), file.crc32c());
    }
  }
  history_->Record(std::move(read));
  return true;
}

}  // namespace dfs::simulation
