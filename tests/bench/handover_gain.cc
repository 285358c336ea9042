#include "tests/bench/handover_gain.h"

#include <fcntl.h>
#include <glog/logging.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "client/file_client.h"
#include "client/load.h"
#include "client/posix_byte_stream.h"
#include "common/checksum.h"
#include "common/clock.h"
#include "tests/support/file_checks.h"
#include "tests/support/process_cluster.h"

namespace dfs::bench {
namespace {

constexpr std::uint64_t kBytes = 100'000'000;
constexpr std::uintmax_t kLargeFileBytes = 1'000'000;
constexpr int kNodes = 3;

// Processor time, of user and kernel.
absl::Duration OwnCpu() {
  rusage usage{};
  PCHECK(getrusage(RUSAGE_SELF, &usage) == 0);
  return absl::DurationFromTimeval(usage.ru_utime) + absl::DurationFromTimeval(usage.ru_stime);
}
absl::Duration CpuOf(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  std::string text;
  std::getline(file, text);
  std::istringstream fields(text.substr(text.rfind(')') + 2));  // the name may hold anything
  std::string skipped;
  for (int i = 0; i < 11; ++i) fields >> skipped;
  std::int64_t user = 0;
  std::int64_t system = 0;
  fields >> user >> system;
  CHECK(!fields.fail()) << text;
  return absl::Seconds(user + system) / sysconf(_SC_CLK_TCK);
}

// Of this process, which is the client, and of each node.
struct Cpu {
  absl::Duration client;
  std::array<absl::Duration, kNodes> nodes;

  static Cpu Now(const testing::ProcessCluster& cluster) {
    Cpu out{OwnCpu(), {}};
    for (int n = 1; n <= kNodes; ++n) out.nodes.at(static_cast<std::size_t>(n - 1)) = CpuOf(cluster.PidOf(n));
    return out;
  }
  void AddSince(const Cpu& before, const testing::ProcessCluster& cluster) {
    const Cpu now = Now(cluster);
    client += now.client - before.client;
    for (std::size_t i = 0; i < nodes.size(); ++i) nodes.at(i) += now.nodes.at(i) - before.nodes.at(i);
  }
};

std::vector<std::string> ChunkFiles(const testing::ProcessCluster& cluster, int n) {
  std::vector<std::string> out;
  for (const auto& entry :
       std::filesystem::recursive_directory_iterator(cluster.DataFolder(n) + "/chunks/objects")) {
    if (entry.is_regular_file() && entry.file_size() >= kLargeFileBytes) out.push_back(entry.path());
  }
  return out;
}

// Returns a sum, so that nobody can leave the work out.
std::uint32_t MapAndSum(const std::vector<std::string>& paths) {
  std::uint32_t sum = 0;
  for (const auto& path : paths) {
    const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
    struct stat status {};
    PCHECK(fd >= 0 && fstat(fd, &status) == 0) << path;
    const auto size = static_cast<std::size_t>(status.st_size);
    void* const bytes = mmap(nullptr, size, PROT_READ, MAP_SHARED, fd, 0);
    PCHECK(bytes != MAP_FAILED) << path;
    sum ^= Crc32c(bytes, size);
    PCHECK(munmap(bytes, size) == 0);
    close(fd);
  }
  return sum;
}

struct Gets {
  client::Latencies latencies;
  Cpu cpu;
  std::string error;

  void Run(const testing::ProcessCluster& cluster, client::FileClient& client, bool counts) {
    const std::uint64_t handed_before = client.bytes_handed_over();
    const Cpu before = Cpu::Now(cluster);
    const MonotonicTime start = SystemClock().Now();
    client::CountingSink sink;
    const auto got = client.Get("large", sink);
    const absl::Duration took = SystemClock().Now() - start;
    handed = client.bytes_handed_over() - handed_before;
    if (!counts) return;
    if (!got.ok()) error = got.status().ToString();
    if (got.ok() && sink.bytes() != kBytes) error = "SHORT";
    latencies.Add(took);
    cpu.AddSince(before, cluster);
  }
  std::uint64_t handed = 0;  // bytes, in the last one
};

void AddCpu(Report& report, const std::string& name, absl::Duration cpu, int files) {
  report.Add({.name = name, .value = absl::ToDoubleSeconds(cpu) / (static_cast<double>(kBytes) / 1e9) / files,
              .unit = "s/GB", .raw = std::nullopt, .target = std::nullopt, .note = ""});
}

void MeasureGets(Report& report, testing::ProcessCluster& cluster, client::FileClient& taker, int rounds) {
  const std::vector<std::string> chunk_files = ChunkFiles(cluster, 1);
  client::FileClientOptions as_bytes;
  as_bytes.takes_files = false;
  client::FileClient reader({cluster.EndpointOf(1)}, as_bytes);
  client::Latencies mapped;
  Gets handed;
  Gets sent;
  std::uint32_t sum = 0;
  for (int round = -1; round < rounds; ++round) {
    const bool counts = round >= 0;  // the first round warms up
    const MonotonicTime start = SystemClock().Now();
    sum ^= MapAndSum(chunk_files);
    if (counts) mapped.Add(SystemClock().Now() - start);
    handed.Run(cluster, taker, counts);
    if (counts && handed.handed != kBytes) handed.error = "NOT HANDED OVER: " + std::to_string(handed.handed) + " bytes";
    sent.Run(cluster, reader, counts);
  }
  VLOG(1) << "sums " << sum;
  report.Add({.name = "get 100 MB handed over, p50 (raw: map and sum)", .value = handed.latencies.QuantileMs(0.5), .unit = "ms",
              .raw = mapped.QuantileMs(0.5), .target = Target{Target::Sense::kAtMost, 1.5}, .note = handed.error});
  report.Add({.name = "the same (raw: through gRPC)", .value = handed.latencies.QuantileMs(0.5), .unit = "ms",
              .raw = sent.latencies.QuantileMs(0.5), .target = std::nullopt, .note = sent.error});
  AddCpu(report, "CPU of a get handed over, client", handed.cpu.client, rounds);
  AddCpu(report, "CPU of a get handed over, its node", handed.cpu.nodes[0], rounds);
  AddCpu(report, "CPU of a get through gRPC, client", sent.cpu.client, rounds);
  AddCpu(report, "CPU of a get through gRPC, its node", sent.cpu.nodes[0], rounds);
}

// One behind the other; of the last one, third copies may be cut off.
void MeasurePuts(Report& report, testing::ProcessCluster& cluster, client::FileClient& client, const std::string& path,
                 int count) {
  client::Latencies latencies;
  std::string error;
  const Cpu before = Cpu::Now(cluster);
  for (int i = 0; i < count; ++i) {
    const MonotonicTime start = SystemClock().Now();
    auto source = client::OpenFileSource(path);
    CHECK(source.ok()) << source.status();
    const auto put = client.Put("put/" + std::to_string(i), **source);
    latencies.Add(SystemClock().Now() - start);
    if (!put.ok()) error = put.status().ToString();
  }
  Cpu cpu;
  cpu.AddSince(before, cluster);
  report.Add({.name = "put 100 MB from a file, p50", .value = latencies.QuantileMs(0.5), .unit = "ms", .raw = std::nullopt,
              .target = std::nullopt, .note = error});
  AddCpu(report, "CPU of a put, client", cpu.client, count);
  AddCpu(report, "CPU of a put, the node it goes to", cpu.nodes[0], count);
  AddCpu(report, "CPU of a put, each other node", (cpu.nodes[1] + cpu.nodes[2]) / 2, count);
}

}  // namespace

void MeasureHandover(Report& report, bool is_quick) {
  testing::TemporaryFolder folder;
  testing::ProcessCluster::Options options;
  options.environment = [&folder](int n) {
    return testing::Environment{{"DFS_UNIX_SOCKET", folder.File("socket" + std::to_string(n))},
                                {"DFS_UNIX_SOCKET_OWN_USER", "true"}};
  };
  testing::ProcessCluster cluster(std::move(options));
  const absl::Status up = cluster.Up(kNodes);
  CHECK(up.ok()) << up;
  const std::string path = folder.File("large");
  testing::WriteFile(path, testing::MakeBytes(42, kBytes));
  client::FileClient client({cluster.EndpointOf(1)});
  auto source = client::OpenFileSource(path);
  CHECK(source.ok()) << source.status();
  const auto put = client.Put("large", **source);
  CHECK(put.ok()) << put.status();
  const absl::Status whole = cluster.WaitFullyReplicated(1);
  CHECK(whole.ok()) << whole;
  MeasureGets(report, cluster, client, is_quick ? 7 : 15);
  MeasurePuts(report, cluster, client, path, is_quick ? 5 : 10);
}

}  // namespace dfs::bench
