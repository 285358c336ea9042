// What the shells offer, and the manual page. Shells that are not here are not tried.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <iostream>
#include <string>

#include "tests/unit/client/cli_fixture.h"

namespace dfs::client {
namespace {

TEST_F(CliTest, BashCompletesVerbsFlagsChoicesAndRemoteNames) {
  WriteFile(folder / "local", "x");
  ASSERT_EQ(Run("put local 'reports/a b'").code, 0);
  ASSERT_EQ(Run("completion bash | tee script").code, 0);
  const auto complete = [&](const std::string& words) {
    WriteFile(folder / "ask", "export DFS_ENDPOINTS=" + a.address() + "\ndfs-cli() { " DFS_CLI_PATH " \"$@\"; }\n. ./script\nCOMP_WORDS=(dfs-cli " + words +
                                  ")\nCOMP_CWORD=$((${#COMP_WORDS[@]} - 1))\n_dfs_cli\nprintf '%s\\n' \"${COMPREPLY[@]}\"\n");
    const auto result = Run("version >/dev/null && bash ./ask");
    EXPECT_EQ(result.code, 0) << result.err;
    return result.out;
  };
  EXPECT_EQ(complete("lo"), "locate\n");
  EXPECT_EQ(complete("--timeout 3s und"), "undelete\n");
  EXPECT_EQ(complete("put --if-a"), "--if-absent\n");
  EXPECT_EQ(complete("stat --endp"), "--endpoints\n");
  EXPECT_EQ(complete("cert i"), "init\nissue\n");
  EXPECT_EQ(complete("stat rep"), "reports/a\\ b\n") << "as the shell would have to be told";
  EXPECT_EQ(complete("put loc"), "local\n");
  const std::string page = Run("help --man").out;
  EXPECT_NE(page.find(".SS put LOCAL... [REMOTE]"), std::string::npos);
  EXPECT_NE(page.find("\\-\\-if\\-absent"), std::string::npos);
  EXPECT_EQ(Run("completion tcsh").code, 64);
}

TEST_F(CliTest, FishCompletesVerbsFlagsChoicesAndRemoteNames) {
  if (Run("version >/dev/null && command -v fish").code != 0) {
    std::cout << "SKIPPED: fish is not here, so nothing was completed with it" << std::endl;
    GTEST_SKIP();
  }
  WriteFile(folder / "local", "x");
  ASSERT_EQ(Run("put local reports/a").code, 0);
  ASSERT_EQ(Run("completion fish | tee script").code, 0);
  const auto complete = [&](const std::string& words) {
    WriteFile(folder / "ask", "set -x DFS_ENDPOINTS " + a.address() + "\nfunction dfs-cli; " DFS_CLI_PATH
                                  " $argv; end\nsource ./script\ncomplete -C 'dfs-cli " + words + "' | string split -f1 \\t\ntrue\n");
    const auto result = Run("version >/dev/null && HOME=" + folder.string() + " fish --no-config ./ask");
    EXPECT_EQ(result.code, 0) << result.err;
    return result.out;
  };
  EXPECT_EQ(complete("lo"), "locate\n");
  EXPECT_EQ(complete("--timeout 3s und"), "undelete\n") << "3s is no verb";
  EXPECT_EQ(complete("put --if-a"), "--if-absent\n");
  EXPECT_EQ(complete("stat --endp"), "--endpoints\n");
  EXPECT_EQ(complete("cert i"), "init\nissue\n");
  EXPECT_EQ(complete("stat rep"), "reports/a\n");
  EXPECT_EQ(complete("put loc"), "local\n");
}

// Its functions are told what the shell would tell them, and say what the shell would choose from.
TEST_F(CliTest, ZshIsOfferedVerbsFlagsChoicesAndRemoteNames) {
  if (Run("version >/dev/null && command -v zsh").code != 0) {
    std::cout << "SKIPPED: zsh is not here, so nothing was completed with it" << std::endl;
    GTEST_SKIP();
  }
  WriteFile(folder / "local", "x");
  ASSERT_EQ(Run("put local 'reports/a b'").code, 0);
  ASSERT_EQ(Run("completion zsh | tee script").code, 0);
  const auto offered = [&](const std::string& words) {
    WriteFile(folder / "ask", "export DFS_ENDPOINTS=" + a.address() + "\ndfs-cli() { " DFS_CLI_PATH " \"$@\"; }\n"
                                  "compadd() { while [[ $1 != -- ]]; do shift; done; shift; print -rl -- \"$@\"; }\n"
                                  "_describe() { print -rl -- ${${(P)argv[-1]}%%:*}; }\n_files() { print files; }\ncompdef() { :; }\n"
                                  ". ./script\nwords=(dfs-cli " + words + ")\nCURRENT=$#words\n_dfs_cli\n");
    const auto result = Run("version >/dev/null && zsh -f ./ask");
    EXPECT_EQ(result.code, 0) << result.err;
    return "\n" + result.out;
  };
  EXPECT_THAT(offered("lo"), ::testing::HasSubstr("\nlocate\n"));
  EXPECT_THAT(offered("--timeout 3s und"), ::testing::HasSubstr("\nundelete\n"));
  EXPECT_THAT(offered("put --if-a"), ::testing::HasSubstr("\n--if-absent\n"));
  EXPECT_THAT(offered("stat --endp"), ::testing::HasSubstr("\n--endpoints\n"));
  EXPECT_EQ(offered("cert i"), "\ninit\nissue\nshow\nfiles\n");
  EXPECT_EQ(offered("stat rep"), "\nreports/a b\n");
  EXPECT_THAT(offered("put loc"), ::testing::HasSubstr("\nfiles\n"));
}

}  // namespace
}  // namespace dfs::client
