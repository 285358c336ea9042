#include "server/http/metrics_page.h"

#include <prometheus/text_serializer.h>

#include <limits>
#include <sstream>
#include <utility>
#include <vector>

namespace dfs::http {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;
using Labels = std::vector<ClientMetric::Label>;

class Page {
 public:
  MetricFamily& Family(const std::string& name, const std::string& help, MetricType type) {
    MetricFamily& family = families_.emplace_back();
    family.name = name;
    family.help = help;
    family.type = type;
    return family;
  }
  void Gauge(const std::string& name, const std::string& help, double value) {
    AddGauge(Family(name, help, MetricType::Gauge), {}, value);
  }
  void Counter(const std::string& name, const std::string& help, double value) {
    AddCounter(Family(name, help, MetricType::Counter), {}, value);
  }
  static void AddGauge(MetricFamily& family, Labels labels, double value) {
    ClientMetric& metric = family.metric.emplace_back();
    metric.label = std::move(labels);
    metric.gauge.value = value;
  }
  static void AddCounter(MetricFamily& family, Labels labels, double value) {
    ClientMetric& metric = family.metric.emplace_back();
    metric.label = std::move(labels);
    metric.counter.value = value;
  }
  [[nodiscard]] std::string Text() const {
    std::ostringstream out;
    prometheus::TextSerializer().Serialize(out, families_);
    return out.str();
  }

 private:
  std::vector<MetricFamily> families_;
};

double ToDouble(std::uint64_t number) { return static_cast<double>(number); }

Labels LabelsOf(const OperationMetrics::Row& row) {
  return {{"door", std::string(NameOf(row.door))},
          {"operation", std::string(NameOf(row.operation))}};
}

void AddHistogram(MetricFamily& family, Labels labels, const OperationMetrics::Latencies& latencies) {
  ClientMetric& metric = family.metric.emplace_back();
  metric.label = std::move(labels);
  std::uint64_t count = 0;
  for (std::size_t i = 0; i < latencies.buckets.size(); ++i) {
    count += latencies.buckets.at(i);
    ClientMetric::Bucket& bucket = metric.histogram.bucket.emplace_back();
    bucket.cumulative_count = count;
    bucket.upper_bound = i < OperationMetrics::kBounds.size()
                             ? OperationMetrics::kBounds.at(i)
                             : std::numeric_limits<double>::infinity();
  }
  metric.histogram.sample_count = count;
  metric.histogram.sample_sum = latencies.seconds;
}

void AddOperations(const OperationMetrics& operations, Page& page) {
  const auto rows = operations.Read();
  MetricFamily& ended = page.Family("dfs_operations_total", "operations of clients that have ended",
                                    MetricType::Counter);
  for (const auto& row : rows) {
    for (std::size_t i = 0; i < row.results.size(); ++i) {
      Labels labels = LabelsOf(row);
      labels.push_back({"result", std::string(OperationMetrics::kResults.at(i))});
      Page::AddCounter(ended, std::move(labels), ToDouble(row.results.at(i)));
    }
  }
  MetricFamily& seconds = page.Family("dfs_operation_seconds", "how long they took, transfers included",
                                      MetricType::Histogram);
  for (const auto& row : rows) AddHistogram(seconds, LabelsOf(row), row.latencies);
  MetricFamily& phases = page.Family("dfs_operation_phase_seconds", "where their time went", MetricType::Histogram);
  for (const auto& row : operations.ReadPhases()) {
    AddHistogram(phases, {{"operation", std::string(NameOf(OperationOf(row.phase)))}, {"phase", std::string(NameOf(row.phase))}},
                 row.latencies);
  }
  MetricFamily& in = page.Family("dfs_received_bytes_total", "bytes of files taken from clients",
                                 MetricType::Counter);
  for (const auto& row : rows) Page::AddCounter(in, LabelsOf(row), ToDouble(row.bytes_in));
  MetricFamily& out =
      page.Family("dfs_sent_bytes_total", "bytes of files given to clients", MetricType::Counter);
  for (const auto& row : rows) Page::AddCounter(out, LabelsOf(row), ToDouble(row.bytes_out));
  page.Counter("dfs_handover_offered_bytes_total", "bytes of chunk files offered to clients on this machine",
               ToDouble(operations.handover_bytes()));
}

void AddParkedPuts(const coordinator::ParkCounts& puts, Page& page) {
  page.Gauge("dfs_parked_puts", "interrupted puts whose bytes are kept here to go on with", ToDouble(puts.parked));
  page.Counter("dfs_resumed_puts_total", "interrupted puts that another stream went on with", ToDouble(puts.resumed));
  page.Counter("dfs_resumed_bytes_total", "bytes that these had already", ToDouble(puts.resumed_bytes));
  MetricFamily& dropped = page.Family("dfs_parked_puts_dropped_total", "interrupted puts that nobody went on with",
                                      MetricType::Counter);
  Page::AddCounter(dropped, {{"why", "expired"}}, ToDouble(puts.expired));
  Page::AddCounter(dropped, {{"why", "displaced"}}, ToDouble(puts.displaced));
}

void AddNodes(const v1::StatusResponse& status, Page& page) {
  MetricFamily& up =
      page.Family("dfs_node_alive", "1: this node sees that one alive", MetricType::Gauge);
  for (const auto& node : status.nodes()) {
    Page::AddGauge(up, {{"node", node.name()}, {"state", node.state()}, {"role", node.role()}},
                   node.state() == "alive" ? 1 : 0);
  }
}

void AddOwn(const v1::NodeStatus& own, Page& page) {
  page.Gauge("dfs_disk_free_bytes", "room on this node's disk", ToDouble(own.free_bytes()));
  page.Gauge("dfs_disk_total_bytes", "size of this node's disk", ToDouble(own.total_bytes()));
  page.Gauge("dfs_corrupt_chunks", "damaged or missing copies here that are being made anew",
             ToDouble(own.corrupt_chunks()));
  page.Gauge("dfs_quarantined_objects", "damaged objects kept aside here",
             ToDouble(own.quarantined_objects()));
  page.Gauge("dfs_garbage_withheld_bytes", "garbage here that waits for a word (gc --confirm)",
             ToDouble(own.withheld_bytes()));
}

void AddGossip(const v1::GossipStatus& gossip, Page& page) {
  page.Gauge("dfs_gossip_names", "names in gossip buckets here, removed ones that are remembered among them",
             ToDouble(gossip.names()));
  page.Gauge("dfs_gossip_tombstones", "removed names among them", ToDouble(gossip.tombstones()));
  const auto add = [&page](const char* name, const char* help, std::uint64_t value) {
    page.Counter(name, help, ToDouble(value));
  };
  add("dfs_gossip_rounds_total", "exchanges after which all that the other node had was here", gossip.rounds());
  add("dfs_gossip_rounds_failed_total", "exchanges that ended without effect", gossip.rounds_failed());
  add("dfs_gossip_messages_total", "messages sent", gossip.messages_sent());
  add("dfs_gossip_messages_dropped_total", "messages that were not sent", gossip.messages_dropped());
  add("dfs_gossip_fetches_total", "files taken over from others", gossip.fetches());
  add("dfs_gossip_fetches_failed_total", "files that could not be", gossip.fetches_failed());
  add("dfs_gossip_refused_total", "records that had been superseded and forgotten", gossip.refused());
  add("dfs_gossip_held_back_total", "records from the future", gossip.held_back());
}

void AddCluster(const v1::StatusResponse& status, Page& page) {
  page.Gauge("dfs_health", "0: OK, 1: WARN, 2: ERR, as this node sees it",
             status.health() == v1::HEALTH_OK ? 0 : status.health() == v1::HEALTH_WARN ? 1 : 2);
  page.Gauge("dfs_raft_term", "term of the log", ToDouble(status.term()));
  page.Gauge("dfs_raft_commit_index", "committed up to", ToDouble(status.commit_index()));
  page.Gauge("dfs_raft_applied_index", "applied here up to", ToDouble(status.applied_index()));
  page.Gauge("dfs_raft_leader_id", "node that leads; 0: none is known", status.leader_id());
  page.Gauge("dfs_leader_silence_seconds", "since the leader was heard of",
             ToDouble(status.age_ms()) / 1'000);
  page.Gauge("dfs_files", "current versions", ToDouble(status.files()));
  page.Gauge("dfs_file_bytes", "of current versions, each counted once", ToDouble(status.bytes()));
  page.Gauge("dfs_trashed_files", "versions in the trash", ToDouble(status.trashed()));
  page.Gauge("dfs_under_replicated_files", "files with fewer copies than wanted",
             ToDouble(status.under_replicated()));
  if (!status.has_repair()) return;
  const v1::RepairProgress& repair = status.repair();
  page.Gauge("dfs_repair_chunks_incomplete", "chunks that lack a copy", ToDouble(repair.chunks_incomplete()));
  page.Gauge("dfs_repair_chunks_one_copy", "of these, with one live copy", ToDouble(repair.chunks_one_copy()));
  page.Gauge("dfs_repair_chunks_no_copy", "of these, with none", ToDouble(repair.chunks_no_copy()));
  page.Gauge("dfs_repair_bytes_missing", "bytes of copies that are missing", ToDouble(repair.bytes_missing()));
  page.Gauge("dfs_repair_bytes_per_second", "over the last 10 s", ToDouble(repair.bytes_per_s()));
  page.Counter("dfs_repair_copies_made_total", "by this leader", ToDouble(repair.copies_made()));
  page.Counter("dfs_repair_bytes_made_total", "by this leader", ToDouble(repair.bytes_made()));
  page.Gauge("dfs_rebalance_bytes_to_move", "in this round, at most", ToDouble(repair.bytes_to_move()));
  page.Counter("dfs_rebalance_bytes_moved_total", "by this leader", ToDouble(repair.bytes_moved()));
}

}  // namespace

std::string MetricsText(const MetricsSources& sources) {
  Page page;
  AddOperations(*sources.operations, page);
  page.Gauge("dfs_http_requests_running", "requests to the HTTP door", sources.http_requests);
  page.Gauge("dfs_is_serving", "1: this node can serve", sources.is_serving ? 1 : 0);
  page.Gauge("dfs_is_leader", "1: this node leads",
             sources.status->leader_id() == sources.self ? 1 : 0);
  for (const auto& node : sources.status->nodes()) {
    if (node.node_id() == sources.self) AddOwn(node, page);
  }
  AddParkedPuts(sources.puts, page);
  AddNodes(*sources.status, page);
  AddCluster(*sources.status, page);
  AddGossip(sources.status->gossip(), page);
  return page.Text();
}

}  // namespace dfs::http
