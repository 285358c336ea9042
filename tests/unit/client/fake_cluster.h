// A node in this process: dfs.v1 over a map in memory, on a loopback port that the system chooses,
// with faults put in by the test.
#ifndef DFS_TESTS_UNIT_CLIENT_FAKE_CLUSTER_H_
#define DFS_TESTS_UNIT_CLIENT_FAKE_CLUSTER_H_

#include <grpcpp/server.h>

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "common/sync.h"
#include "dfs/v1/cluster.grpc.pb.h"
#include "dfs/v1/files.grpc.pb.h"

namespace dfs::client {

// What happens to the next call of a method, instead of the ordinary.
enum class Fault {
  kNone,
  kNotLeader,    // UNAVAILABLE, nothing changed
  kNoQuorum,     // UNAVAILABLE with reason NO_QUORUM, nothing changed
  kOverloaded,   // RESOURCE_EXHAUSTED, nothing changed
  kBreakBefore,  // the connection breaks and nothing happened; the client cannot know
  kBreakAfter,   // it happened, and the connection breaks before the answer
  kBreakMidway,  // Put: after the first message, which is kept if there is a resume_token; Get: after one data message
  kBreakAndForget,  // Put: after the first message, and nothing is kept
  kBreakUnstored,   // Put: after the last message, and it did not happen; the client cannot know
  kHang,         // no answer until the call is cancelled
  kHangMidway,   // Get: after half of the bytes, List: after the first message; until it is cancelled
  kSessionExpired,
  kReplaceBefore,  // Remove, Get: another client stores the file anew just before
  kRemoveBefore,   // Get: another client removes it just before
  kIsOlder,  // List: as a server of an older version
  kDamage,  // Get: one byte is flipped; Put: answered as if one was
};

// Files and results that several nodes share.
struct FakeState {
  struct File {
    v1::FileInfo info;
    std::string bytes;
  };
  Mutex mutex;
  std::string cluster_id ABSL_GUARDED_BY(mutex) = std::string(31, '0') + "1";
  std::map<std::string, File> files ABSL_GUARDED_BY(mutex);  // by FileKeyOf
  // What ListBuckets tells; files of other buckets are taken all the same.
  std::map<std::string, v1::BucketOptions> buckets ABSL_GUARDED_BY(mutex) = {{"default", v1::BucketOptions()}};
  std::map<std::string, File> trash ABSL_GUARDED_BY(mutex);  // what was removed last under each name
  std::uint64_t version ABSL_GUARDED_BY(mutex) = 0;
  std::map<std::pair<std::string, std::uint64_t>, v1::SettleResponse> results
      ABSL_GUARDED_BY(mutex);
  std::map<std::string, std::uint64_t> acked_below ABSL_GUARDED_BY(mutex);  // by session; results below are forgotten
  std::vector<v1::RequestId> seen ABSL_GUARDED_BY(mutex);  // of all puts and removes
};

// Of bucket "default", or "", the name itself.
std::string FileKeyOf(const std::string& bucket, const std::string& name);

class FakeNode final : public v1::Files::Service, public v1::Cluster::Service {
 public:
  FakeNode(std::string name, std::shared_ptr<FakeState> state);
  ~FakeNode() override;

  [[nodiscard]] std::string address() const { return "127.0.0.1:" + std::to_string(port_); }
  // Breaks all connections; the port refuses from then on.
  void Kill();
  // No call is answered any more, Hello included, as with SIGSTOP; until Kill.
  void Freeze();
  // The next calls of "Put", "Get", … meet these, one after another.
  void Inject(const std::string& method, std::vector<Fault> faults) ABSL_LOCKS_EXCLUDED(mutex_);
  void ClearFaults() ABSL_LOCKS_EXCLUDED(mutex_);
  [[nodiscard]] int calls(const std::string& method) ABSL_LOCKS_EXCLUDED(mutex_);
  // Of all gets.
  [[nodiscard]] std::uint64_t bytes_sent() ABSL_LOCKS_EXCLUDED(mutex_);
  // What Repair answers, one after another; the last of them from then on. At least one.
  void SayOfRepair(std::deque<v1::RepairProgress> answers) ABSL_LOCKS_EXCLUDED(mutex_);
  // Of all puts.
  [[nodiscard]] std::uint64_t bytes_received() ABSL_LOCKS_EXCLUDED(mutex_);
  // The node has so much of a put; it says `is_open_times` times that a stream is still sending it.
  void Park(const v1::PutHeader& header, const std::string& bytes, int is_open_times = 0)
      ABSL_LOCKS_EXCLUDED(mutex_);
  void AddEndpoint(const std::string& address) ABSL_LOCKS_EXCLUDED(mutex_);

  grpc::Status Put(grpc::ServerContext* context, grpc::ServerReader<v1::PutRequest>* reader,
                   v1::PutResponse* response) override;
  grpc::Status PutProgress(grpc::ServerContext* context, const v1::PutProgressRequest* request,
                           v1::PutProgressResponse* response) override;
  grpc::Status Get(grpc::ServerContext* context, const v1::GetRequest* request,
                   grpc::ServerWriter<v1::GetResponse>* writer) override;
  grpc::Status Remove(grpc::ServerContext* context, const v1::RemoveRequest* request,
                      v1::RemoveResponse* response) override;
  grpc::Status Move(grpc::ServerContext* context, const v1::MoveRequest* request,
                    v1::MoveResponse* response) override;
  grpc::Status Stat(grpc::ServerContext* context, const v1::StatRequest* request,
                    v1::StatResponse* response) override;
  grpc::Status Locate(grpc::ServerContext* context, const v1::LocateRequest* request,
                      v1::LocateResponse* response) override;
  grpc::Status List(grpc::ServerContext* context, const v1::ListRequest* request,
                    grpc::ServerWriter<v1::ListResponse>* writer) override;
  grpc::Status ListHere(grpc::ServerContext* context, const v1::ListHereRequest* request,
                        grpc::ServerWriter<v1::ListHereResponse>* writer) override;
  grpc::Status Clear(grpc::ServerContext* context, const v1::ClearRequest* request,
                     v1::ClearResponse* response) override;
  grpc::Status MakeBucket(grpc::ServerContext* context, const v1::MakeBucketRequest* request,
                          v1::MakeBucketResponse* response) override;
  grpc::Status ListBuckets(grpc::ServerContext* context, const v1::ListBucketsRequest* request,
                           v1::ListBucketsResponse* response) override;
  grpc::Status Settle(grpc::ServerContext* context, const v1::SettleRequest* request,
                      v1::SettleResponse* response) override;
  grpc::Status Hello(grpc::ServerContext* context, const v1::HelloRequest* request,
                     v1::HelloResponse* response) override;
  grpc::Status Status(grpc::ServerContext* context, const v1::StatusRequest* request,
                      v1::StatusResponse* response) override;
  grpc::Status Members(grpc::ServerContext* context, const v1::MembersRequest* request,
                       v1::MembersResponse* response) override;
  grpc::Status Repair(grpc::ServerContext* context, const v1::RepairRequest* request,
                      v1::RepairResponse* response) override;

 private:
  struct Begun {
    Fault fault;
    grpc::Status status;  // if not OK: the answer
  };
  Begun Begin(const std::string& method, grpc::ServerContext& context) ABSL_LOCKS_EXCLUDED(mutex_);
  grpc::Status TakeParked(const v1::PutHeader& header, std::string* bytes) ABSL_LOCKS_EXCLUDED(mutex_);
  grpc::Status Store(const v1::PutHeader& header, std::string bytes, std::uint32_t crc,
                     v1::PutResponse* response);
  grpc::Status Fill(v1::NodeStatus* node);
  [[nodiscard]] std::vector<v1::FileInfo> Listed(const std::string& bucket, bool of_trash);

  const std::string name_;
  const std::shared_ptr<FakeState> state_;
  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;

  Mutex mutex_;
  CondVar changed_;
  bool is_frozen_ ABSL_GUARDED_BY(mutex_) = false;
  bool is_killed_ ABSL_GUARDED_BY(mutex_) = false;
  std::map<std::string, std::deque<Fault>> faults_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, int> calls_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::string> endpoints_ ABSL_GUARDED_BY(mutex_);
  struct Parked {
    std::uint64_t sequence = 0;
    std::string bytes;
    int is_open_times = 0;
  };
  std::map<std::string, Parked> parked_ ABSL_GUARDED_BY(mutex_);  // by token
  std::uint64_t bytes_received_ ABSL_GUARDED_BY(mutex_) = 0;
  std::uint64_t bytes_sent_ ABSL_GUARDED_BY(mutex_) = 0;
  std::deque<v1::RepairProgress> repair_ ABSL_GUARDED_BY(mutex_) = {v1::RepairProgress()};
};

}  // namespace dfs::client

#endif  // DFS_TESTS_UNIT_CLIENT_FAKE_CLUSTER_H_
