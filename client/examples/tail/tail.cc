// Prints a file of the cluster, and then what is added to it, as `tail -f` does, until standard input ends:
//
//   c++ -std=c++20 tail.cc $(pkg-config --cflags --libs dfs-client) -o dfs-tail
//   dfs-tail HOST:PORT NAME
//
// A file changes as a whole, from version to version. Of a version that is longer, what is behind the length printed so far is
// printed; one that is shorter is printed from its begin.
#include <dfs/client.h>
#include <poll.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <string>

namespace {

constexpr int kLookEveryMs = 200;

// False when standard input has ended.
bool WaitForNextLook() {
  pollfd input{STDIN_FILENO, POLLIN, 0};
  if (::poll(&input, 1, kLookEveryMs) == 0) return true;
  char ignored[256];
  return ::read(STDIN_FILENO, ignored, sizeof(ignored)) > 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "dfs-tail HOST:PORT NAME\n");
    return 64;
  }
  const std::string name = argv[2];
  dfs::ClientOptions options;
  options.endpoints = {argv[1]};
  auto client = dfs::Client::Open(options);
  if (!client.ok()) {
    std::fprintf(stderr, "%s\n", client.status().ToString().c_str());
    return 64;
  }
  const auto out = dfs::ToDescriptor(STDOUT_FILENO);
  std::uint64_t version = 0;
  std::uint64_t printed = 0;
  do {
    const auto file = client->Stat(name);
    if (!file.ok() && file.status().code() != dfs::Code::kNotFound) {
      std::fprintf(stderr, "%s: %s\n", name.c_str(), file.status().ToString().c_str());
      continue;  // the cluster may be back at the next look
    }
    if (!file.ok() || file->version == version) continue;
    dfs::GetOptions get;
    get.version = file->version;  // not one that is newer still
    get.offset = file->size >= printed ? printed : 0;
    const auto read = client->Get(name, *out, get);
    if (!read.ok()) {
      // What was printed of it cannot be taken back.
      std::fprintf(stderr, "%s: %s\n", name.c_str(), read.status().ToString().c_str());
      return 1;
    }
    version = file->version;
    printed = file->size;
  } while (WaitForNextLook());
  return 0;
}
