#include "dfs/client.h"

#include <utility>

#include "client/file_client.h"
#include "client/library/stream_adapters.h"
#include "client/library/translation.h"
#include "client/posix_byte_stream.h"
#include "common/tls_identity.h"

namespace dfs {
namespace {

using client::ToPublic;
using client::ToWire;

bool IsEndpoint(const std::string& endpoint) {
  const auto colon = endpoint.rfind(':');
  if (colon == std::string::npos || colon == 0 || colon + 1 == endpoint.size()) return false;
  const std::string port = endpoint.substr(colon + 1);
  return port.find_first_not_of("0123456789") == std::string::npos && port.size() <= 5 &&
         std::stoi(port) <= 65'535;
}

template <class T>
Result<FileInfo> FileOf(const absl::StatusOr<T>& file) {
  if (!file.ok()) return ToPublic(file.status());
  return ToPublic(*file);
}

// What the caller's own stream said is for the caller.
dfs::Status ErrorOf(const absl::Status& status, const std::optional<Status>& own) {
  const Status error = ToPublic(status);
  if (!own.has_value() || error.code() != Code::kLocal) return error;
  return {own->code(), own->message(), error.outcome()};
}

}  // namespace

class Client::Connected {
 public:
  Connected(std::vector<std::string> endpoints, const client::FileClientOptions& options)
      : files(std::move(endpoints), options) {}

  client::FileClient files;
};

Result<Client> Client::Open(const ClientOptions& options) {
  if (options.endpoints.empty()) return Status(Code::kInvalidArgument, "no endpoint is given");
  for (const auto& endpoint : options.endpoints) {
    if (IsEndpoint(endpoint)) continue;
    return Status(Code::kInvalidArgument, "endpoint " + endpoint + " is not host:port, for example 127.0.0.1:7710");
  }
  if (options.timeout <= std::chrono::milliseconds::zero()) {
    return Status(Code::kInvalidArgument, "the timeout must be positive");
  }
  client::FileClientOptions out;
  out.bucket = options.bucket;
  out.writer = options.writer;
  out.calls.retry.timeout = absl::FromChrono(options.timeout);
  out.calls.tls_words = {"tls_certificate", "tls_key", "tls_authority", " of dfs::ClientOptions"};
  const TlsFiles tls{options.tls_certificate, options.tls_key, options.tls_authority};
  if (tls.has_any()) {
    const auto identity = LoadTlsIdentity(tls, SystemClock().WallNow(), out.calls.tls_words);
    if (!identity.ok()) return ToPublic(identity.status());
    out.calls.dialer = Dialer(*identity, TlsDoor::kServer);
  }
  return Client(std::make_unique<Connected>(options.endpoints, out));
}

Client::Client(std::unique_ptr<Connected> connected) : connected_(std::move(connected)) {}
Client::~Client() = default;
Client::Client(Client&&) noexcept = default;
Client& Client::operator=(Client&&) noexcept = default;

Result<Stored> Client::Store(std::string_view name, Source& from, const StoreOptions& options) {
  client::PutOptions put;
  put.if_version = options.if_version;
  put.if_absent = options.if_absent;
  put.conflict_window_s = options.conflict_window_s;
  put.ignores_conflict = options.ignores_conflict;
  put.on_progress = options.on_progress;
  client::AdaptedSource adapted(from);
  auto* const wrapped = dynamic_cast<client::WrappedSource*>(&from);
  client::ByteSource& source = wrapped != nullptr ? wrapped->inner() : adapted;
  const auto response = connected_->files.Put(name, source, put);
  if (!response.ok()) return ErrorOf(response.status(), adapted.error());
  return Stored{ToPublic(response->info()), response->replicas()};
}

Result<Stored> Client::StoreFile(const std::string& local_path, std::string_view name,
                                 const StoreOptions& options) {
  auto source = FromFile(local_path);
  if (!source.ok()) return source.status();
  return Store(name, **source, options);
}

namespace {

client::GetOptions OwnOptions(const GetOptions& options) {
  client::GetOptions get;
  get.consistency = ToWire(options.consistency);
  get.offset = options.offset;
  get.length = options.length;
  get.version = options.version;
  get.on_progress = options.on_progress;
  return get;
}

}  // namespace

Result<FileInfo> Client::Get(std::string_view name, Sink& to, const GetOptions& options) {
  client::AdaptedSink adapted(to);
  auto* const wrapped = dynamic_cast<client::WrappedSink*>(&to);
  client::ByteSink& sink = wrapped != nullptr ? wrapped->inner() : adapted;
  const auto file = connected_->files.Get(name, sink, OwnOptions(options));
  if (!file.ok()) return ErrorOf(file.status(), adapted.error());
  return ToPublic(*file);
}

Result<FileInfo> Client::GetFile(std::string_view name, const std::string& local_path,
                                 const GetOptions& options) {
  const auto sink = client::FileSink::Create(local_path);
  if (!sink.ok()) return ToPublic(sink.status());
  const auto file = connected_->files.Get(name, **sink, OwnOptions(options));
  if (!file.ok()) return ToPublic(file.status());
  if (const absl::Status committed = (*sink)->Commit(); !committed.ok()) return ToPublic(committed);
  return ToPublic(*file);
}

Result<std::uint64_t> Client::Delete(std::string_view name, std::optional<std::uint64_t> if_version) {
  const auto version = connected_->files.Remove(name, if_version);
  if (!version.ok()) return ToPublic(version.status());
  return *version;
}

Result<FileInfo> Client::Undelete(std::string_view name, std::optional<std::uint64_t> version,
                                  bool replaces) {
  return FileOf(connected_->files.Undelete(name, version, replaces));
}

Result<std::uint64_t> Client::Clear(std::string_view prefix) {
  const auto removed = connected_->files.Clear(prefix);
  if (!removed.ok()) return ToPublic(removed.status());
  return *removed;
}

Result<FileInfo> Client::Move(std::string_view from, std::string_view to, const MoveOptions& options) {
  client::MoveOptions move;
  move.if_version = options.if_version;
  move.if_absent = options.if_absent;
  return FileOf(connected_->files.Move(from, to, move));
}

Result<FileInfo> Client::Stat(std::string_view name, const StatOptions& options) {
  return FileOf(connected_->files.Stat(name, ToWire(options.consistency), options.version));
}

Result<Placement> Client::Locate(std::string_view name, const StatOptions& options) {
  const auto found = connected_->files.Locate(name, ToWire(options.consistency), options.version);
  if (!found.ok()) return ToPublic(found.status());
  return ToPublic(*found);
}

Status Client::List(const ListOptions& options, const std::function<bool(const FileInfo&)>& visit) {
  client::ListOptions list;
  list.prefix = options.prefix;
  list.after = options.after;
  list.limit = options.limit;
  list.consistency = ToWire(options.consistency);
  list.old_versions = options.old_versions;
  return ToPublic(connected_->files.ListWhile(
      list, [&](const v1::FileInfo& file) noexcept { return visit(ToPublic(file)); }));
}

Status Client::MakeBucket(std::string_view bucket, const BucketOptions& options) {
  return ToPublic(connected_->files.MakeBucket(bucket, ToWire(options)).status());
}

Status Client::RemoveBucket(std::string_view bucket) {
  return ToPublic(connected_->files.RemoveBucket(bucket));
}

Result<std::vector<BucketInfo>> Client::Buckets(Consistency consistency) {
  const auto response = connected_->files.Buckets(ToWire(consistency));
  if (!response.ok()) return ToPublic(response.status());
  std::vector<BucketInfo> out;
  for (const auto& bucket : response->buckets()) out.push_back(ToPublic(bucket));
  return out;
}

std::vector<std::string> Client::Endpoints() const { return connected_->files.Addresses(); }

}  // namespace dfs
