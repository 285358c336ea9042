#include "tests/support/child_process.h"

#include <fcntl.h>
#include <glog/logging.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <sstream>
#include <utility>

#include "common/clock.h"

extern char** environ;
// The header of this glibc forgets to say that it is C.
extern "C" int pidfd_open(pid_t pid, unsigned int flags) noexcept;

namespace dfs::testing {
namespace {

constexpr int kCannotExecute = 127;

std::vector<std::string> EnvironmentWith(const Environment& changes) {
  std::vector<std::string> out;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string text = *entry;
    if (!changes.contains(text.substr(0, text.find('=')))) out.push_back(text);
  }
  for (const auto& [name, value] : changes) {
    if (!value.empty()) out.push_back(std::string(name).append("=").append(value));
  }
  return out;
}

std::vector<char*> Pointers(std::vector<std::string>& strings) {
  std::vector<char*> out;
  out.reserve(strings.size() + 1);
  for (auto& text : strings) out.push_back(text.data());
  out.push_back(nullptr);
  return out;
}

// Only calls that are safe between fork and exec of a process with threads.
[[noreturn]] void BecomeProgram(char* const* arguments, char* const* environment, const char* in,
                                const char* out, const char* err, pid_t parent) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(kCannotExecute);  // it died before the line above
  constexpr int kAppend = O_WRONLY | O_CREAT | O_APPEND;
  const int in_fd = open(in, O_RDONLY);
  const int out_fd = open(out, kAppend, 0600);
  const int err_fd = open(err, kAppend, 0600);
  if (in_fd < 0 || out_fd < 0 || err_fd < 0) _exit(kCannotExecute);
  dup2(in_fd, STDIN_FILENO);
  dup2(out_fd, STDOUT_FILENO);
  dup2(err_fd, STDERR_FILENO);
  // The test's own sockets and logs are not for the child.
  close_range(3, ~0U, 0);
  sigset_t none;
  sigemptyset(&none);
  pthread_sigmask(SIG_SETMASK, &none, nullptr);
  execvpe(arguments[0], arguments, environment);
  _exit(kCannotExecute);
}

const char* PathOrNull(const std::string& path) {
  return path.empty() ? "/dev/null" : path.c_str();
}

}  // namespace

ChildProcess::ChildProcess(const std::vector<std::string>& command, const ChildStreams& streams,
                           const Environment& environment) {
  std::vector<std::string> arguments = command;
  std::vector<std::string> variables = EnvironmentWith(environment);
  const auto argument_pointers = Pointers(arguments);
  const auto variable_pointers = Pointers(variables);
  const pid_t parent = getpid();
  const pid_t pid = fork();
  PCHECK(pid >= 0) << "fork";
  if (pid == 0) {
    BecomeProgram(argument_pointers.data(), variable_pointers.data(), PathOrNull(streams.in),
                  PathOrNull(streams.out), PathOrNull(streams.err), parent);
  }
  pid_ = pid;
  handle_ = pidfd_open(pid, 0);
  PCHECK(handle_ >= 0) << "pidfd_open";
}

ChildProcess::~ChildProcess() { Kill(); }

ChildProcess::ChildProcess(ChildProcess&& other) noexcept
    : pid_(std::exchange(other.pid_, 0)),
      handle_(std::exchange(other.handle_, -1)),
      exit_status_(other.exit_status_),
      peak_mb_(other.peak_mb_) {}

ChildProcess& ChildProcess::operator=(ChildProcess&& other) noexcept {
  if (this != &other) {
    Kill();
    pid_ = std::exchange(other.pid_, 0);
    handle_ = std::exchange(other.handle_, -1);
    exit_status_ = other.exit_status_;
    peak_mb_ = other.peak_mb_;
  }
  return *this;
}

bool ChildProcess::IsAlive() { return pid_ != 0 && !WaitFor(absl::ZeroDuration()).has_value(); }

void ChildProcess::Signal(int signal) {
  if (pid_ != 0) kill(pid_, signal);
}

std::optional<int> ChildProcess::WaitFor(absl::Duration timeout) {
  if (pid_ == 0) return exit_status_;
  pollfd ended{.fd = handle_, .events = POLLIN, .revents = 0};
  const MonotonicTime end = SystemClock().Now() + timeout;
  while (true) {
    const absl::Duration left = std::max(end - SystemClock().Now(), absl::ZeroDuration());
    const int ready = poll(&ended, 1, static_cast<int>(absl::ToInt64Milliseconds(
                                          absl::Ceil(left, absl::Milliseconds(1)))));
    if (ready > 0) break;
    if (ready == 0) return std::nullopt;
    PCHECK(errno == EINTR) << "poll";
  }
  int status = 0;
  rusage usage{};
  PCHECK(wait4(pid_, &status, 0, &usage) == pid_) << "wait4";
  peak_mb_ = static_cast<double>(usage.ru_maxrss) / 1'000;
  close(handle_);
  handle_ = -1;
  pid_ = 0;
  exit_status_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return exit_status_;
}

void ChildProcess::Kill() {
  Signal(SIGKILL);
  CHECK(WaitFor(absl::Minutes(1)).has_value()) << "process " << pid_ << " does not die";
}

CommandResult RunCommand(const std::vector<std::string>& command, std::string_view in,
                         const Environment& environment, absl::Duration timeout) {
  const TemporaryFolder folder(TemporaryFolder::Removal::kAlways);
  ChildStreams streams{.in = folder.File("in"), .out = folder.File("out"), .err = folder.File("err")};
  WriteFile(streams.in, in);
  const MonotonicTime start = SystemClock().Now();
  ChildProcess child(command, streams, environment);
  CommandResult result;
  result.exit_code = child.WaitFor(timeout).value_or(-1);
  result.elapsed = SystemClock().Now() - start;
  child.Kill();
  result.peak_mb = child.peak_mb();
  result.out = ReadFile(streams.out);
  result.err = ReadFile(streams.err);
  return result;
}

bool HasFailedHere() {
  const auto& all = *::testing::UnitTest::GetInstance();
  if (all.current_test_info() != nullptr) return ::testing::Test::HasFailure();
  return all.current_test_suite() != nullptr && all.current_test_suite()->Failed();
}

double StatusMb(pid_t pid, const std::string& name) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/status");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with(name + ":")) return std::stod(line.substr(name.size() + 1)) / 1'000;
  }
  return 0;
}

absl::Duration ProcessorTime(pid_t pid) {
  clockid_t clock{};
  timespec used{};
  if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &used) != 0) return absl::ZeroDuration();
  return absl::DurationFromTimespec(used);
}

std::string ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream out;
  out << file.rdbuf();
  return std::move(out).str();
}

void WriteFile(const std::string& path, std::string_view content) {
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file.write(content.data(), static_cast<std::streamsize>(content.size()));
  file.close();
  PCHECK(file.good()) << "cannot write " << path;
}

TemporaryFolder::TemporaryFolder(Removal removal) : removal_(removal) {
  std::string path = (std::filesystem::temp_directory_path() / "dfs_test.XXXXXX").string();
  PCHECK(mkdtemp(path.data()) != nullptr) << path;
  path_ = path;
}

TemporaryFolder::~TemporaryFolder() {
  if (removal_ == Removal::kNever ||
      (removal_ == Removal::kUnlessFailed && HasFailedHere())) {
    std::cerr << "kept for a look: " << path_ << "\n";
    return;
  }
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

std::string TemporaryFolder::File(std::string_view name) const {
  return path_ + "/" + std::string(name);
}

}  // namespace dfs::testing
