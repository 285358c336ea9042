// Files of a dfs cluster, from C++20.
//
//   dfs::ClientOptions options;
//   options.endpoints = {"10.0.0.1:7710", "10.0.0.2:7710"};
//   auto client = dfs::Client::Open(options);
//   if (!client.ok()) …client.status().ToString()…
//   auto stored = client->StoreFile("report.pdf", "archive/report.pdf");
//
// Contract of every call:
//   * It blocks until the result is known, an error is certain, or nothing has moved for `timeout`.
//   * It may be made from any thread, many at once, on one Client. The Client outlives the calls.
//   * OK means done: a Store is answered when the bucket's write quorum (2 of 3, unless it says otherwise) holds all bytes durably.
//   * An error says by outcome() whether anything happened. A change carries one number through all its repetitions, to
//     whichever node, so it is made once at most; where an attempt broke off, the cluster is asked what became of it before
//     anything is reported. kUnknown remains only if nobody can be asked.
//   * The endpoints are tried in turn, and further nodes are learned from the first that answers. One that refuses, does not
//     answer, or takes bytes and stays silent is left for the next within 2 s.
//   * Memory: a transfer of any size holds some MiB.
//   * Names: 1 to 1,024 bytes of UTF-8 without control characters; no empty, "." or ".." part between slashes.
//
// A Client has one thread, beside gRPC's, and one more for each Get that copies a large file of this machine's server. No call is made before the first one that needs the cluster. A process that forks uses
// it in one of the two processes only.
#ifndef DFS_CLIENT_H_
#define DFS_CLIENT_H_

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "dfs/status.h"
#include "dfs/stream.h"

namespace dfs {

// How fresh an answer must be.
enum class Consistency {
  kStrong,    // what was acknowledged before the call is seen; a read quorum confirms it
  kLeader,    // what the leader has acknowledged; no second confirmation
  kEventual,  // what the node that answers knows; works without a quorum, and may be stale
};

struct ClientOptions {
  std::vector<std::string> endpoints;   // "host:port", at least one
  std::string bucket;                   // empty: "default"
  std::string writer;                   // what this client calls itself to other writers; may be empty
  // Time without progress after which a call is given up. "No quorum" is reported within 5 s whatever it is.
  std::chrono::milliseconds timeout = std::chrono::seconds(30);
  // Files (PEM): own certificate, its key, the cluster's authority. All three, or none: plaintext. With TLS the first Client of a
  // process is opened before other threads read the environment: gRPC takes its least TLS version, 1.3, from there.
  std::string tls_certificate;
  std::string tls_key;
  std::string tls_authority;
};

// One version of a file.
struct FileInfo {
  std::string bucket;
  std::string name;
  std::uint64_t size = 0;
  std::uint64_t version = 0;        // grows with each change of any file of the cluster
  std::uint32_t crc32c = 0;         // of the whole content
  std::string content_hash;         // XXH3-128 of it, 32 hexadecimal digits
  std::uint64_t commit_index = 0;   // of the log, when it became visible
  std::chrono::system_clock::time_point time;  // of that; never less than that of an earlier change
  std::uint32_t chunks = 0;
  std::uint32_t replicas_wanted = 0;  // copies that each chunk is to have
  std::uint32_t replicas = 0;         // of the chunk that has fewest
  bool is_old = false;                // an older version that the bucket keeps
  std::string writer;
};

struct StoreOptions {
  std::optional<std::uint64_t> if_version;  // kPreconditionFailed unless the current version is this one (0: there is none)
  bool if_absent = false;                   // kAlreadyExists if there is a file of this name
  // kConflict if another writer stored the name within so many seconds (0: never; the bucket's own window counts first).
  std::uint32_t conflict_window_s = 0;
  bool ignores_conflict = false;            // whatever the bucket says
  // Bytes so far, and in all (0: not known). On the caller's thread.
  std::function<void(std::uint64_t, std::uint64_t)> on_progress;
};

struct Stored {
  FileInfo file;
  std::uint32_t replicas = 0;  // copies that were durable when it was answered
};

struct GetOptions {
  Consistency consistency = Consistency::kStrong;
  std::uint64_t offset = 0;              // kOutOfRange if greater than the size
  std::optional<std::uint64_t> length;   // absent: to the end; cut at the end of the file
  std::optional<std::uint64_t> version;  // absent: the current one
  std::function<void(std::uint64_t, std::uint64_t)> on_progress;
};

struct StatOptions {
  Consistency consistency = Consistency::kStrong;
  std::optional<std::uint64_t> version;
};

struct MoveOptions {
  std::optional<std::uint64_t> if_version;  // of the source
  bool if_absent = false;                   // kAlreadyExists if there is a file of the new name
};

struct ListOptions {
  std::string prefix;
  std::string after;        // only names greater than this
  std::uint64_t limit = 0;  // names; 0: all
  Consistency consistency = Consistency::kStrong;
  bool old_versions = false;  // behind each current version the older ones that the bucket keeps
};

// One copy of one chunk.
struct Replica {
  enum class State { kOk, kMissing, kCorrupt };
  std::uint32_t chunk = 0;  // from 0
  std::uint64_t chunk_size = 0;
  std::string chunk_hash;   // 32 hexadecimal digits
  std::uint32_t node_id = 0;
  std::string node;         // its name
  std::string address;      // for clients
  std::string zone;
  State state = State::kOk;
  bool node_is_alive = false;
};

struct Placement {
  FileInfo file;
  std::vector<Replica> replicas;  // by chunk
};

struct BucketOptions {
  std::uint32_t replicas = 0;       // 1 to 7; 0: 3. Not with all_members
  bool all_members = false;         // a copy on every member
  std::uint32_t write_quorum = 0;   // 0: a majority
  std::uint32_t read_quorum = 0;
  bool allow_no_overlap = false;    // else write_quorum + read_quorum must be more than the replicas
  std::uint32_t versions_kept = 0;  // 1 to 64; 0: 1
  std::uint64_t quota_bytes = 0;    // 0: none
  std::uint64_t quota_files = 0;
};

struct BucketInfo {
  std::string name;
  BucketOptions options;  // with every default filled in
  std::uint64_t files = 0;
  std::uint64_t bytes = 0;
};

class Client {
 public:
  // Reads the certificates, asks nobody. kInvalidArgument, kDenied (a certificate whose time is over): a sentence.
  static Result<Client> Open(const ClientOptions& options);
  ~Client();
  Client(Client&& other) noexcept;  // `other` may only be destroyed or assigned to
  Client& operator=(Client&& other) noexcept;

  // Stores all of `from` as a new version. Until it is done nobody sees any of it.
  Result<Stored> Store(std::string_view name, Source& from, const StoreOptions& options = {});
  Result<Stored> StoreFile(const std::string& local_path, std::string_view name,
                           const StoreOptions& options = {});
  // Returns what was read from. After an error the sink may have a beginning of the bytes, all of them verified.
  Result<FileInfo> Get(std::string_view name, Sink& to, const GetOptions& options = {});
  // `local_path` appears, or changes, when all bytes are there.
  Result<FileInfo> GetFile(std::string_view name, const std::string& local_path,
                           const GetOptions& options = {});
  // Removes a file, older versions too; returns the version that was current. It can be taken back for a while (Undelete).
  Result<std::uint64_t> Delete(std::string_view name,
                               std::optional<std::uint64_t> if_version = std::nullopt);
  // The newest version in the trash, or this one, is the current one again. kPreconditionFailed: there is a file of this name, and
  // `replaces` is false.
  Result<FileInfo> Undelete(std::string_view name, std::optional<std::uint64_t> version = std::nullopt,
                            bool replaces = false);
  // Removes every file of the bucket whose name begins with `prefix` ("": all), in one step; returns how many.
  Result<std::uint64_t> Clear(std::string_view prefix);
  // Gives a file another name, in one step; no bytes are moved. Replaces what has the name.
  Result<FileInfo> Move(std::string_view from, std::string_view to, const MoveOptions& options = {});

  Result<FileInfo> Stat(std::string_view name, const StatOptions& options = {});
  Result<Placement> Locate(std::string_view name, const StatOptions& options = {});
  // Calls `visit` for each file in byte order of names, until it returns false. Names come in messages of up to 1,000, all
  // of one state, so memory stays small; if a node fails midway the rest comes from another one, as of then.
  Status List(const ListOptions& options, const std::function<bool(const FileInfo&)>& visit);

  Status MakeBucket(std::string_view bucket, const BucketOptions& options = {});
  // kAlreadyExists: it is not empty.
  Status RemoveBucket(std::string_view bucket);
  Result<std::vector<BucketInfo>> Buckets(Consistency consistency = Consistency::kStrong);

  // Endpoints given, and those learned since.
  [[nodiscard]] std::vector<std::string> Endpoints() const;
  // Of the library: "0.1.0".
  static const char* Version() noexcept;

 private:
  class Connected;
  explicit Client(std::unique_ptr<Connected> connected);
  std::unique_ptr<Connected> connected_;
};

}  // namespace dfs

#endif  // DFS_CLIENT_H_
