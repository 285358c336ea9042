// /metrics. Only metrics_page.cc includes the library.
#ifndef DFS_SERVER_HTTP_METRICS_PAGE_H_
#define DFS_SERVER_HTTP_METRICS_PAGE_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "common/operation_metrics.h"
#include "dfs/v1/cluster.pb.h"
#include "server/coordinator/park_limits.h"

namespace dfs::http {

inline constexpr char kMetricsType[] = "text/plain; version=0.0.4; charset=utf-8";

struct MetricsSources {
  const OperationMetrics* operations = nullptr;
  const v1::StatusResponse* status = nullptr;
  std::uint32_t self = 0;
  bool is_serving = false;
  std::uint32_t http_requests = 0;  // running now
  coordinator::ParkCounts puts;
};

// In Prometheus' text format. README.md lists the names.
std::string MetricsText(const MetricsSources& sources);

}  // namespace dfs::http

#endif  // DFS_SERVER_HTTP_METRICS_PAGE_H_
