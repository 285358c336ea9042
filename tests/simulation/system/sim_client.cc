#include "tests/simulation/system/sim_client.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "tests/simulation/system/sim_node.h"

namespace dfs::simulation {
namespace {

constexpr int kClients = 0;  // their machine
constexpr int kAttemptsMax = 5;
constexpr int kSettlesMax = 6;
constexpr int kSettlesForCertain = 10'000;  // nothing goes wrong any more long before
constexpr std::uint64_t kVersionsBack = 4;
constexpr std::int64_t kPauseNs = 100'000'000;
constexpr absl::Duration kCallTimeout = absl::Seconds(12);

bool HasUnknownOutcome(const absl::Status& status) {
  return OutcomeOf(status) == api::ErrorDetail::UNKNOWN;
}

}  // namespace

SimClient::SimClient(int number, int machines, FiberScheduler* scheduler, SimWire* wire,
                     SimHistory* history, std::uint64_t* next_value, ClientCounts* counts)
    : number_(number),
      machines_(machines),
      scheduler_(scheduler),
      wire_(wire),
      history_(history),
      next_value_(next_value),
      counts_(counts),
      random_(scheduler->random().Next()) {}

int SimClient::AnyMachine() {
  return 1 + static_cast<int>(random_.Below(static_cast<std::uint64_t>(machines_)));
}

bool SimClient::OpenSession() {
  if (!session_.empty()) return true;
  const auto birth = wire_->Ask<std::uint64_t>(
      kClients, AnyMachine(), NodeId(), kCallTimeout,
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

absl::StatusOr<rpc::CommandResult> SimClient::Decide(
    const api::RequestId& id, int settles_max, Fate* fate,
    const std::function<absl::StatusOr<rpc::CommandResult>(int)>& attempt) {
  *fate = Fate::kNothing;
  absl::Status last;
  for (int i = 0; i < kAttemptsMax; ++i) {
    const auto result = attempt(AnyMachine());
    if (result.ok()) {
      *fate = Fate::kDone;
      return result;
    }
    last = result.status();
    if (HasUnknownOutcome(last)) {
      *fate = Fate::kUnknown;
    } else if (!absl::IsUnavailable(last) && !absl::IsResourceExhausted(last)) {
      break;
    }
    if (random_.OneIn(1, 4)) break;
    scheduler_->SleepFor(kPauseNs);
  }
  for (int i = 0; *fate == Fate::kUnknown && i < settles_max; ++i) {
    rpc::Command settle;
    *settle.mutable_settle()->mutable_request_id() = id;
    const auto settled = wire_->Ask<rpc::CommandResult>(
        kClients, AnyMachine(), NodeId(), kCallTimeout,
        [settle](SimNode& node) { return node.Submit(settle); });
    if (settled.ok() && settled->settled_kind() != 0) {
      *fate = Fate::kDone;  // decided; perhaps with an error
      return settled;
    }
    if (settled.ok() && (settled->code() == rpc::CommandResult::SETTLED ||
                         settled->code() == rpc::CommandResult::DONE)) {
      *fate = Fate::kNothing;
    }
    scheduler_->SleepFor(kPauseNs);
  }
  // A session that is in doubt is left: its sequence may not be passed.
  if (*fate == Fate::kUnknown) session_.clear();
  return last;
}

void SimClient::Put(const std::string& name, std::size_t size) {
  if (!OpenSession()) return;
  const std::uint64_t value = ++*next_value_;
  const std::string content = ContentOf(value, size);
  api::PutHeader header;
  header.set_name(name);
  *header.mutable_request_id() = NextId();
  history_->RecordContent(value, content);
  RegisterOperation operation;
  operation.kind = RegisterOperation::Kind::kWrite;
  operation.value = value;
  operation.client = number_;
  operation.start = history_->Tick();
  Fate fate = Fate::kUnknown;
  const auto result = Decide(header.request_id(), kSettlesMax, &fate, [&](int machine) {
    return wire_->Ask<rpc::CommandResult>(
        kClients, machine, NodeId(), kCallTimeout,
        [header, content](SimNode& node) -> absl::StatusOr<rpc::CommandResult> {
          const auto response = node.Put(header, content);
          if (!response.ok()) return response.status();
          rpc::CommandResult done;
          done.set_code(rpc::CommandResult::DONE);
          done.mutable_version()->set_number(response->info().version());
          return done;
        });
  });
  operation.end = history_->Tick();
  const bool is_done = fate == Fate::kDone && coordinator::StatusOf(*result).ok();
  if (fate == Fate::kUnknown) {
    ++counts_->puts_unknown;
    operation.is_outcome_unknown = true;
  } else if (!is_done) {
    ++counts_->puts_failed;
    return;
  } else {
    ++counts_->puts_done;
    history_->RecordVersion(name, result->version().number(), value);
  }
  history_->Record(name, operation);
}

void SimClient::Remove(const std::string& name) {
  if (!OpenSession()) return;
  rpc::Command command;
  *command.mutable_remove_file()->mutable_request_id() = NextId();
  command.mutable_remove_file()->set_bucket_id(1);
  command.mutable_remove_file()->set_name(name);
  RegisterOperation operation;
  operation.kind = RegisterOperation::Kind::kWrite;
  operation.value = 0;
  operation.client = number_;
  operation.start = history_->Tick();
  Fate fate = Fate::kUnknown;
  const auto result = Decide(
      command.remove_file().request_id(), kSettlesMax, &fate, [&](int machine) {
        return wire_->Ask<rpc::CommandResult>(
            kClients, machine, NodeId(), kCallTimeout,
            [command](SimNode& node) { return node.Submit(command); });
      });
  operation.end = history_->Tick();
  if (fate == Fate::kNothing) return;
  if (fate == Fate::kUnknown) {
    operation.is_outcome_unknown = true;
  } else {
    const absl::Status status = coordinator::StatusOf(*result);
    // "There is none" is what a read would have found.
    if (absl::IsNotFound(status)) {
      operation.kind = RegisterOperation::Kind::kRead;
    } else if (!status.ok()) {
      return;
    }
    ++counts_->removes_done;
  }
  history_->Record(name, operation);
}

void SimClient::Undelete(const std::string& name) {
  if (!OpenSession()) return;
  rpc::Command command;
  rpc::UndeleteFile& undelete = *command.mutable_undelete_file();
  *undelete.mutable_request_id() = NextId();
  undelete.set_bucket_id(1);
  undelete.set_name(name);
  undelete.set_replaces(random_.OneIn(1, 2));
  RegisterOperation operation;
  operation.kind = RegisterOperation::Kind::kWrite;
  operation.client = number_;
  operation.brings_back = true;
  if (!undelete.replaces()) operation.over = 0;
  const auto& known = history_->VersionsOf(name);
  if (!known.empty() && random_.OneIn(1, 2)) {
    const std::size_t back = std::min<std::size_t>(known.size(), 1 + random_.Below(kVersionsBack));
    undelete.set_version(known[known.size() - back].number);
    operation.value = known[known.size() - back].value;
  }
  operation.start = history_->Tick();
  Fate fate = Fate::kUnknown;
  // Nobody but the answer tells what the newest one was.
  const auto result = Decide(
      undelete.request_id(), undelete.has_version() ? kSettlesMax : kSettlesForCertain, &fate,
      [&](int machine) {
        return wire_->Ask<rpc::CommandResult>(
            kClients, machine, NodeId(), kCallTimeout,
            [command](SimNode& node) { return node.Submit(command); });
      });
  operation.end = history_->Tick();
  if (fate == Fate::kNothing) return;
  if (fate == Fate::kUnknown) {
    operation.is_outcome_unknown = true;
    if (!undelete.has_version()) {
      history_->RecordViolation(absl::StrCat("file ", name, ": an undelete that is never settled"));
    }
  } else if (absl::IsNotFound(coordinator::StatusOf(*result)) && !undelete.replaces()) {
    // It would have been refused if there were a file.
    operation = {RegisterOperation::Kind::kRead, 0, operation.start, operation.end};
    operation.client = number_;
  } else if (!coordinator::StatusOf(*result).ok()) {
    return;
  } else {
    const rpc::VersionRow& version = result->version();
    const std::uint64_t value = history_->ValueOfSummary(version.size(), version.crc32c());
    if (value == 0 || (operation.value != 0 && value != operation.value)) {
      history_->RecordViolation(absl::StrCat("file ", name, ": brought back ", value,
                                             ", meant was ", operation.value));
    }
    operation.value = value;
    ++counts_->undeletes_done;
    history_->RecordVersion(name, version.number(), value);
  }
  history_->Record(name, operation);
}

void SimClient::Move(const std::string& name) {
  const std::string other = absl::StrCat("moved", number_, "-", ++moves_);
  if (!MoveOnce(name, other, false)) return;
  history_->RecordName(other);
  if (random_.OneIn(1, 2)) MoveOnce(other, name, true);
}

bool SimClient::MoveOnce(const std::string& source, const std::string& target, bool is_back) {
  if (!OpenSession()) return false;
  rpc::Command command;
  rpc::MoveFile& move = *command.mutable_move_file();
  *move.mutable_request_id() = NextId();
  move.set_bucket_id(1);
  move.set_source(source);
  move.set_target(target);
  // One change of two names: each history has its half of it, at the same time.
  RegisterOperation gone{RegisterOperation::Kind::kWrite, 0, history_->Tick(), 0};
  RegisterOperation came{RegisterOperation::Kind::kWrite, 0, history_->Tick(), 0};
  gone.client = came.client = number_;
  came.brings_back = is_back;
  Fate fate = Fate::kUnknown;
  // Nobody but the answer tells what was moved.
  const auto result =
      Decide(move.request_id(), kSettlesForCertain, &fate, [&](int machine) {
        return wire_->Ask<rpc::CommandResult>(
            kClients, machine, NodeId(), kCallTimeout,
            [command](SimNode& node) { return node.Submit(command); });
      });
  gone.end = history_->Tick();
  came.end = history_->Tick();
  if (fate == Fate::kUnknown) {
    history_->RecordViolation(absl::StrCat("file ", source, ": a move that is never settled"));
  }
  if (fate != Fate::kDone) return false;
  const absl::Status status = coordinator::StatusOf(*result);
  if (absl::IsNotFound(status)) {
    gone.kind = RegisterOperation::Kind::kRead;
    history_->Record(source, gone);
  }
  if (!status.ok()) return false;
  const rpc::VersionRow& version = result->version();
  came.value = history_->ValueOfSummary(version.size(), version.crc32c());
  gone.over = came.value;
  if (came.value == 0) {
    history_->RecordViolation(absl::StrCat("file ", source, ": moved was what nobody put"));
  }
  ++counts_->moves_done;
  history_->RecordVersion(target, version.number(), came.value);
  history_->Record(source, gone);
  history_->Record(target, came);
  return true;
}

bool SimClient::Get(const std::string& name, int machine) {
  api::GetRequest request;
  request.set_name(name);
  request.set_consistency(api::STRONG);
  RegisterOperation operation;
  operation.client = number_;
  operation.start = history_->Tick();
  const auto content = wire_->Ask<std::string>(kClients, machine, NodeId(), kCallTimeout,
                                               [request](SimNode& node) { return node.Get(request); });
  operation.end = history_->Tick();
  if (content.ok()) {
    operation.value = ValueOf(*content);
    if (operation.value == 0) {
      history_->RecordViolation(absl::StrCat("file ", name, ": a get of ", content->size(),
                                             " bytes that nobody put"));
      return true;
    }
  } else if (!absl::IsNotFound(content.status())) {
    ++counts_->gets_failed;
    last_failure_ = content.status();
    return false;
  }
  ++counts_->gets_done;
  history_->Record(name, operation);
  return true;
}

}  // namespace dfs::simulation
