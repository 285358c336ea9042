// For GoogleTest binaries whose sources are compiled with mistakes (common/mutant.h).
//
// --mutant=N switches the mistake N on and ends with 0 if a test noticed it, with 1 if all passed.
// --mutant=0 is the control: it ends with 0 if all passed.
#include <glog/logging.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <iostream>
#include <string>

#include "common/mutant.h"

namespace {

pid_t g_process = 0;  // that runs the tests; the children of death tests must die as they do without us

int Noticed(const std::string& by) {
  std::cout << "mutant " << dfs::ActiveMutant() << " noticed: " << by << std::endl;
  return dfs::ActiveMutant() == 0 ? 1 : 0;
}

// A CHECK of ours that fails has noticed the mistake too.
void CheckFailed() __attribute__((noreturn));
void CheckFailed() { _exit(getpid() == g_process ? Noticed("a CHECK failed") : 1); }
void Aborted(int /*signal*/) {
  _exit(getpid() == g_process ? Noticed("an assertion failed") : 1);
}

}  // namespace

int main(int argc, char** argv) {
  g_process = getpid();
  ::testing::InitGoogleTest(&argc, argv);
  ::testing::GTEST_FLAG(death_test_style) = "fast";
  google::InitGoogleLogging(argv[0]);
  const std::string flag = "--mutant=";
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    if (argument.starts_with(flag)) {
      dfs::SetActiveMutant(std::atoi(argument.c_str() + flag.size()));
    }
  }
  ::testing::GTEST_FLAG(fail_fast) = dfs::ActiveMutant() != 0;
  google::InstallFailureFunction(&CheckFailed);
  std::signal(SIGABRT, &Aborted);
  const int failed = RUN_ALL_TESTS();
  const auto* unit = ::testing::UnitTest::GetInstance();
  if (failed != 0) return Noticed(std::to_string(unit->failed_test_count()) + " tests failed");
  std::cout << "mutant " << dfs::ActiveMutant() << ": nothing noticed by "
            << unit->successful_test_count() << " tests" << std::endl;
  return dfs::ActiveMutant() == 0 ? 0 : 1;
}
