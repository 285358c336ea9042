#include "server/node/join.h"

#include <glog/logging.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/clock.h"
#include "common/random.h"
#include "common/status_macros.h"
#include "dfs/internal/v1/leader.grpc.pb.h"
#include "proto/channel_arguments.h"
#include "proto/wire_status.h"

namespace dfs::node {
namespace {

constexpr absl::Duration kCallTimeout = absl::Seconds(2);
constexpr absl::Duration kJoinPause = absl::Milliseconds(200);
constexpr absl::Duration kSayEvery = absl::Seconds(5);

std::unique_ptr<rpc::Leader::Stub> StubOf(const Dialer& dialer, const std::string& address) {
  return rpc::Leader::NewStub(dialer.Dial(address, ChannelUse::kControl));
}

void SetDeadline(grpc::ClientContext& context) {
  context.set_deadline(std::chrono::system_clock::now() + absl::ToChronoMilliseconds(kCallTimeout));
}

// A clear refusal is final; everything else may pass.
bool IsFinal(const absl::Status& status) {
  return status.code() == absl::StatusCode::kFailedPrecondition ||
         status.code() == absl::StatusCode::kInvalidArgument;
}

}  // namespace

absl::StatusOr<rpc::JoinResponse> JoinThrough(const Others& others,
                                              const rpc::JoinRequest& request,
                                              absl::Duration timeout,
                                              const Interrupted& interrupted) {
  std::map<std::string, std::unique_ptr<rpc::Leader::Stub>> stubs;
  for (const auto& address : others.addresses) stubs[address] = StubOf(others.dialer, address);
  const Clock& clock = SystemClock();
  const MonotonicTime start = clock.Now();
  MonotonicTime said = absl::InfinitePast();
  while (true) {
    absl::Status last;
    for (const auto& address : others.addresses) {
      grpc::ClientContext context;
      SetDeadline(context);
      rpc::JoinResponse response;
      const absl::Status status = FromGrpc(stubs[address]->Join(&context, request, &response));
      if (status.ok()) return response;
      if (IsFinal(status)) return status;
      last = status;
      if (interrupted(absl::ZeroDuration())) return absl::CancelledError("stopped while joining");
    }
    if (clock.Now() - start >= timeout) return absl::UnavailableError(last.message());
    if (clock.Now() - said >= kSayEvery) {
      LOG(INFO) << "waiting for a member to take this node in: " << last.message();
      said = clock.Now();
    }
    if (interrupted(kJoinPause)) return absl::CancelledError("stopped while joining");
  }
}

absl::Status BelongsToNoCluster(const std::string& data_dir) {
  return absl::InvalidArgumentError(absl::StrCat(
      data_dir, " belongs to no cluster: pass --join=<peer address of a member>, or --bootstrap to form a new cluster"));
}

absl::Status StoppedBeforeTheLog(const std::string& data_dir) {
  return absl::InvalidArgumentError(
      absl::StrCat(data_dir, " was stopped before it got the log: pass --join=<peer address of a member> once more"));
}

bool HasConfiguration(const consensus::InitialState& log) {
  return !log.base_configuration.members.empty() ||
         std::any_of(log.entries.begin(), log.entries.end(),
                     [](const consensus::Entry& entry) { return entry.configuration != nullptr; });
}

absl::Status RegisterThrough(const Others& others, const rpc::RegisterRequest& request) {
  absl::Status last = absl::UnavailableError("no other member's address is known");
  for (const auto& address : others.addresses) {
    grpc::ClientContext context;
    SetDeadline(context);
    rpc::RegisterResponse response;
    last = FromGrpc(StubOf(others.dialer, address)->Register(&context, request, &response));
    if (last.ok() || IsFinal(last)) return last;
  }
  return last;
}

absl::Status FormCluster(replicated_log::LogStore& store, const rpc::NodeRow& node) {
  const ClusterId cluster{SystemRandom64(), SystemRandom64()};
  const NodeId self(node.node_id());
  consensus::Configuration configuration;
  configuration.members[self] = {UuidFromWire<StorageUuid>(node.storage_uuid()),
                                 node.peer_address(), true};
  configuration.voters.insert(self);

  rpc::Command command;
  command.set_time_us(static_cast<std::uint64_t>(absl::ToUnixMicros(SystemClock().WallNow())));
  *command.mutable_form_cluster()->mutable_cluster_id() = ToWire(cluster);
  *command.mutable_form_cluster()->mutable_node() = node;

  consensus::Entry entry;
  entry.term = Term(1);
  entry.index = LogIndex(1);
  entry.configuration = std::make_shared<const consensus::Configuration>(std::move(configuration));
  entry.command = std::make_shared<const std::string>(command.SerializeAsString());
  // The log first: a crash between the two leaves a directory without a cluster id, which is formed anew
  // (the entry is then replaced). The other way round it would be a member without a log.
  DFS_RETURN_IF_ERROR(store.Append(consensus::HardState{Term(1), NodeId()}, {entry}));
  return store.SetMembership(cluster, self, /*gets_no_commands=*/false);
}

}  // namespace dfs::node
