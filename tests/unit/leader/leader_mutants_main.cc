// With --mutant=N the mistake N (common/mutant.h) is switched on, and the run passes if and only if a test fails.
#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

#include "common/mutant.h"

int main(int argc, char** argv) {
  ::testing::InitGoogleTest(&argc, argv);
  const std::string flag = "--mutant=";
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    if (argument.starts_with(flag)) {
      dfs::SetActiveMutant(std::atoi(argument.c_str() + flag.size()));
    }
  }
  const bool has_failed = RUN_ALL_TESTS() != 0;
  return has_failed == (dfs::ActiveMutant() != 0) ? 0 : 1;
}
