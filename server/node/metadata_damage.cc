#include "server/node/metadata_damage.h"

#include <glog/logging.h>

#include <chrono>
#include <memory>
#include <span>
#include <string_view>

#include "absl/strings/str_cat.h"
#include "common/clock.h"
#include "common/damage.h"
#include "common/status_macros.h"
#include "dfs/internal/v1/raft.grpc.pb.h"
#include "proto/channel_arguments.h"
#include "server/node/set_aside.h"

namespace dfs::node {
namespace {

constexpr char kNote[] = "metadata-damaged";
constexpr std::size_t kNoteBytesMax = 4'096;
constexpr auto kAskTimeout = std::chrono::seconds(1);
constexpr absl::Duration kAskPause = absl::Milliseconds(200);

// A stranger may ask this: who it was is what was lost.
bool KnowsLeader(const Dialer& dialer, const std::string& address) {
  const auto stub = rpc::Raft::NewStub(dialer.Dial(address, ChannelUse::kControl));
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + kAskTimeout);
  rpc::GreetResponse response;
  return stub->Greet(&context, rpc::GreetRequest(), &response).ok() && response.leader() != 0;
}

absl::Status Refused(const absl::Status& damage, std::string_view why) {
  return DamageError(absl::StrCat(std::string(damage.message()), ". Nothing was changed: ",
                                  std::string(why)));
}

}  // namespace

absl::Status NoteMetadataDamage(Disk& disk, const std::string& data_dir,
                                const std::string& what) {
  const auto file = disk.Create(absl::StrCat(data_dir, "/", kNote));
  if (absl::IsAlreadyExists(file.status())) return absl::OkStatus();
  DFS_RETURN_IF_ERROR(file.status());
  const std::string_view text = std::string_view(what).substr(0, kNoteBytesMax);
  DFS_RETURN_IF_ERROR((*file)->Write(0, std::span(&text, 1)));
  DFS_RETURN_IF_ERROR((*file)->SyncData());
  return disk.SyncFolder(data_dir);
}

absl::Status NotedMetadataDamage(Disk& disk, const std::string& data_dir) {
  const std::string path = absl::StrCat(data_dir, "/", kNote);
  const auto file = disk.Open(path);
  if (absl::IsNotFound(file.status())) return absl::OkStatus();
  DFS_RETURN_IF_ERROR(file.status());
  return DamageError(absl::StrCat("an earlier run of this node met damage in ", data_dir,
                                  "/meta (see ", path, ")"));
}

absl::Status OrderSetAsideIfClusterServes(Disk& disk, const std::string& data_dir,
                                          const Others& others,
                                          const absl::Status& damage, absl::Duration timeout,
                                          const Interrupted& interrupted) {
  if (others.addresses.empty()) {
    return Refused(damage, "pass --join=<peer address of a member>, and this node sets the "
                           "directory aside and joins anew");
  }
  LOG(ERROR) << "THE LOG OF THIS NODE IS DAMAGED: " << damage.message();
  const Clock& clock = SystemClock();
  const MonotonicTime start = clock.Now();
  while (true) {
    for (const auto& address : others.addresses) {
      if (!KnowsLeader(others.dialer, address)) continue;
      LOG(ERROR) << "the cluster serves without this node, says " << address
                 << ": the data directory is set aside, and the node joins under a new id";
      return OrderSetAside(disk, data_dir, absl::StrCat(absl::ToUnixMicros(clock.WallNow())),
                           std::string(damage.message()));
    }
    if (clock.Now() - start >= timeout) {
      return Refused(damage,
                     "no --join address knows of a leader, so this directory may be needed. Start "
                     "the other members first, then this one again");
    }
    if (interrupted(kAskPause)) return absl::CancelledError("stopped while asking the cluster");
  }
}

}  // namespace dfs::node
