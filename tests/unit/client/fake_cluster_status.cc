// What a fake node says of buckets, of members and of itself.
#include <utility>

#include "proto/error_detail.h"
#include "proto/wire_status.h"
#include "tests/unit/client/fake_cluster.h"

namespace dfs::client {

grpc::Status FakeNode::MakeBucket(grpc::ServerContext* context, const v1::MakeBucketRequest* request,
                                  v1::MakeBucketResponse* response) {
  const Begun begun = Begin("MakeBucket", *context);
  if (!begun.status.ok()) return begun.status;
  MutexLock lock(&state_->mutex);
  if (!state_->buckets.try_emplace(request->bucket(), request->options()).second) {
    return ToGrpc(ErrorWithReason(absl::StatusCode::kAlreadyExists, "there is a bucket of this name",
                                  v1::ErrorDetail::REASON_UNSPECIFIED));
  }
  response->mutable_info()->set_name(request->bucket());
  *response->mutable_info()->mutable_options() = request->options();
  return grpc::Status::OK;
}

grpc::Status FakeNode::ListBuckets(grpc::ServerContext* context, const v1::ListBucketsRequest*,
                                   v1::ListBucketsResponse* response) {
  const Begun begun = Begin("ListBuckets", *context);
  if (!begun.status.ok()) return begun.status;
  MutexLock lock(&state_->mutex);
  for (const auto& [name, options] : state_->buckets) {
    v1::BucketInfo& bucket = *response->add_buckets();
    bucket.set_name(name);
    *bucket.mutable_options() = options;
  }
  return grpc::Status::OK;
}

grpc::Status FakeNode::Hello(grpc::ServerContext* context, const v1::HelloRequest* request,
                             v1::HelloResponse* response) {
  const Begun begun = Begin("Hello", *context);
  if (!begun.status.ok()) return begun.status;
  {
    MutexLock lock(&state_->mutex);
    if (!request->cluster_id().empty() && request->cluster_id() != state_->cluster_id) {
      return ToGrpc(
          ErrorWithReason(absl::StatusCode::kFailedPrecondition, "another cluster", v1::ErrorDetail::WRONG_CLUSTER));
    }
    response->set_cluster_id(state_->cluster_id);
    response->set_applied_index(100 + state_->version);
  }
  response->set_node(name_);
  response->set_server_version("0.1.0");
  MutexLock lock(&mutex_);
  for (const auto& address : endpoints_) response->add_endpoints()->set_address(address);
  return grpc::Status::OK;
}

grpc::Status FakeNode::Fill(v1::NodeStatus* node) {
  node->set_node_id(1);
  node->set_name(name_);
  node->set_address(address());
  node->set_zone("z");
  node->set_state("alive");
  node->set_role("leader");
  return grpc::Status::OK;
}

grpc::Status FakeNode::Status(grpc::ServerContext* context, const v1::StatusRequest*,
                              v1::StatusResponse* response) {
  const Begun begun = Begin("Status", *context);
  if (!begun.status.ok()) return begun.status;
  response->set_health(begun.fault == Fault::kDamage ? v1::HEALTH_ERR : v1::HEALTH_WARN);
  auto* reason = response->add_reasons();
  reason->set_code("NODE_DOWN");
  reason->set_severity(response->health());
  reason->set_text("n2 is dead");
  reason->set_advice("dfs-cli members");
  response->set_leader(name_);
  response->set_term(3);
  Fill(response->add_nodes());
  auto* dead = response->add_nodes();
  dead->set_node_id(2);
  dead->set_name("n2");
  dead->set_state("dead");
  return grpc::Status::OK;
}

grpc::Status FakeNode::Members(grpc::ServerContext* context, const v1::MembersRequest*,
                               v1::MembersResponse* response) {
  const Begun begun = Begin("Members", *context);
  if (!begun.status.ok()) return begun.status;
  response->set_answered_by(name_);
  return Fill(response->add_nodes());
}

void FakeNode::SayOfRepair(std::deque<v1::RepairProgress> answers) {
  MutexLock lock(&mutex_);
  repair_ = std::move(answers);
}

grpc::Status FakeNode::Repair(grpc::ServerContext* context, const v1::RepairRequest*,
                              v1::RepairResponse* response) {
  const Begun begun = Begin("Repair", *context);
  if (!begun.status.ok()) return begun.status;
  MutexLock lock(&mutex_);
  *response->mutable_progress() = repair_.front();
  if (repair_.size() > 1) repair_.pop_front();
  return grpc::Status::OK;
}

}  // namespace dfs::client
