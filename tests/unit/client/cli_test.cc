// The parts of dfs-cli that need no server.
#include <gtest/gtest.h>

#include <cstdlib>
#include <set>
#include <string>
#include <vector>

#include "client/caller.h"
#include "client/cli/command_line.h"
#include "client/cli/exit_code.h"
#include "client/cli/json.h"
#include "client/cli/progress_line.h"
#include "client/cli/shell_words.h"
#include "client/cli/text.h"
#include "client/posix_byte_stream.h"
#include "proto/wire_status.h"

namespace dfs::client::cli {
namespace {

using v1::ErrorDetail;

absl::Status Error(absl::StatusCode code,
                   ErrorDetail::Reason reason = ErrorDetail::REASON_UNSPECIFIED,
                   ErrorDetail::Outcome outcome = ErrorDetail::NOTHING_CHANGED) {
  return ErrorWithReason(code, "text", reason, outcome);
}

// Feature 14.
TEST(ExitCode, FollowsTheTable) {
  using enum absl::StatusCode;
  EXPECT_EQ(ExitCodeOf(absl::OkStatus()), 0);
  EXPECT_EQ(ExitCodeOf(Error(kNotFound)), 12);
  EXPECT_EQ(ExitCodeOf(Error(kAlreadyExists)), 13);
  EXPECT_EQ(ExitCodeOf(Error(kAborted)), 13);
  EXPECT_EQ(ExitCodeOf(Error(kFailedPrecondition, ErrorDetail::PRECONDITION)), 14);
  EXPECT_EQ(ExitCodeOf(Error(kFailedPrecondition, ErrorDetail::WRONG_CLUSTER)), 14);
  EXPECT_EQ(ExitCodeOf(Error(kUnavailable, ErrorDetail::NO_QUORUM)), 15);
  EXPECT_EQ(ExitCodeOf(Error(kUnavailable, ErrorDetail::NO_QUORUM, ErrorDetail::UNKNOWN)), 16);
  EXPECT_EQ(ExitCodeOf(Error(kDeadlineExceeded, {}, ErrorDetail::UNKNOWN)), 16);
  EXPECT_EQ(ExitCodeOf(Error(kInvalidArgument, ErrorDetail::BAD_NAME)), 64);
  EXPECT_EQ(ExitCodeOf(Error(kOutOfRange)), 64);
  EXPECT_EQ(ExitCodeOf(Error(kDataLoss, ErrorDetail::BAD_CHECKSUM)), 65);
  EXPECT_EQ(ExitCodeOf(Error(kInvalidArgument, ErrorDetail::SIZE_MISMATCH)), 65);
  EXPECT_EQ(ExitCodeOf(LocalError("read", "f", EIO)), 74);
  EXPECT_EQ(ExitCodeOf(Error(kUnavailable, ErrorDetail::NOT_LEADER)), 75);
  EXPECT_EQ(ExitCodeOf(Error(kResourceExhausted, ErrorDetail::NO_SPACE)), 75);
  EXPECT_EQ(ExitCodeOf(Error(kDeadlineExceeded)), 75);
  EXPECT_EQ(ExitCodeOf(Error(kPermissionDenied)), 77);
  EXPECT_EQ(ExitCodeOf(Error(kUnauthenticated)), 77);
  EXPECT_EQ(ExitCodeOf(Unreachable("h:1")), 111);
  EXPECT_EQ(ExitCodeOf(Error(kUnimplemented)), 1);
}

TEST(ExitCode, SentenceSaysWhetherAnythingHappenedAndWhoIsMissing) {
  ErrorDetail detail;
  detail.set_reason(ErrorDetail::NO_QUORUM);
  detail.set_outcome(ErrorDetail::NOTHING_CHANGED);
  detail.add_missing_nodes("n2");
  detail.add_missing_nodes("n3");
  EXPECT_EQ(SentenceOf(ErrorWithDetail(absl::StatusCode::kUnavailable, "1 of 3 nodes", detail)),
            "quorum not met, nothing was changed: 1 of 3 nodes; no answer from n2, n3");
}

TEST(Json, ErrorHasMessageCodeTypeAndOutcome) {
  const Json json = JsonOfError(Error(absl::StatusCode::kNotFound), "a");
  EXPECT_EQ(Line(json), R"({"status":"error","name":"a","error":{"message":"text","code":12,)"
                        R"("type":"not_found","outcome":"nothing_changed"}})");
}

TEST(Json, FileHasItsFieldsInOrder) {
  v1::FileInfo file;
  file.set_name("a/\"b\"");
  file.set_bucket("default");
  file.set_size(5);
  file.set_version(7);
  file.set_crc32c(0xE3069283);
  file.set_content_hash(std::string(2, '\xAB'));
  file.set_time_us(1'700'000'000'123'456);
  file.set_replicas_wanted(3);
  file.set_replicas_ok(2);
  file.set_chunks(1);
  file.set_commit_index(9);
  EXPECT_EQ(Line(JsonOf(file)),
            R"({"status":"success","name":"a/\"b\"","bucket":"default","size":5,"version":7,)"
            R"("replicas":2,"replicas_wanted":3,"health":"2/3","time":"2023-11-14T22:13:20Z",)"
            R"("time_us":1700000000123456,"crc32c":"e3069283","content_hash":"abab","chunks":1,)"
            R"("commit_index":9})");
}

TEST(Json, BytesThatAreNotTextDoNotStopIt) {
  EXPECT_NE(Line(Json{{"name", "\xFF\xFE"}}).find("name"), std::string::npos);
}

TEST(Text, BytesInBinaryUnits) {
  EXPECT_EQ(FormatBytes(1234, false), "1234");
  EXPECT_EQ(FormatBytes(1023, true), "1023");
  EXPECT_EQ(FormatBytes(1234, true), "1.205 KiB");
  EXPECT_EQ(FormatBytes(std::uint64_t{5} << 30, true), "5.000 GiB");
  EXPECT_EQ(FormatBytes(~std::uint64_t{0}, true), "16.000 EiB");
}

TEST(Text, SizesAsPeopleWriteThem) {
  EXPECT_EQ(*ParseBytes("0"), 0U);
  EXPECT_EQ(*ParseBytes("64K"), 65'536U);
  EXPECT_EQ(*ParseBytes("1MiB"), 1'048'576U);
  EXPECT_EQ(*ParseBytes("100MB"), 100'000'000U);
  EXPECT_EQ(*ParseBytes("1g"), std::uint64_t{1} << 30);
  EXPECT_EQ(*ParseBytes("12b"), 12U);
  for (const char* text :
       {"", "K", "-1", "1X", "1KK", "1.5M", "99999999999999999999", "20000000T", " 1"}) {
    EXPECT_FALSE(ParseBytes(text).ok()) << text;
  }
}

TEST(Text, Timeouts) {
  EXPECT_EQ(*ParseTimeout("30s"), absl::Seconds(30));
  EXPECT_EQ(*ParseTimeout("500ms"), absl::Milliseconds(500));
  EXPECT_EQ(*ParseTimeout("2m"), absl::Minutes(2));
  EXPECT_EQ(*ParseTimeout("7"), absl::Seconds(7));
  for (const char* text : {"", "0", "-1s", "soon", "0ms"}) EXPECT_FALSE(ParseTimeout(text).ok());
}

TEST(Text, Ranges) {
  EXPECT_EQ(ParseRange("0-99")->length, 100U);
  EXPECT_EQ(ParseRange("5-5")->offset, 5U);
  EXPECT_EQ(ParseRange("5-5")->length, 1U);
  EXPECT_FALSE(ParseRange("7-")->length.has_value());
  for (const char* text : {"", "-", "-5", "5", "5-4", "a-b", "1-2-3", "0-18446744073709551615"}) {
    EXPECT_FALSE(ParseRange(text).ok()) << text;
  }
}

TEST(Text, NearestWord) {
  const std::vector<std::string> words = {"put", "get", "remove", "status", "locate"};
  EXPECT_EQ(NearestWord("statsu", words), "status");
  EXPECT_EQ(NearestWord("gte", words), "get");
  EXPECT_EQ(NearestWord("gett", words), "get");
  EXPECT_EQ(NearestWord("remvoe", words), "remove");
  EXPECT_EQ(NearestWord("banana", words), "");
}

TEST(Text, TableAlignsByCharactersNotBytes) {
  EXPECT_EQ(FormatTable({{"1", "\xC3\xA4", "x"}, {"22", "bb", "y"}}, "><<"),
            " 1  \xC3\xA4   x\n22  bb  y\n");
}

TEST(Text, BaseNames) {
  EXPECT_EQ(BaseName("a/b/c"), "c");
  EXPECT_EQ(BaseName("c"), "c");
}

TEST(Progress, IsShownOnlyWhereItIsWanted) {
  GlobalFlags flags;
  EXPECT_EQ(StyleFor(flags, true), ProgressStyle::kBar);
  EXPECT_EQ(StyleFor(flags, false), ProgressStyle::kNone);
  flags.shows_progress = true;
  EXPECT_EQ(StyleFor(flags, false), ProgressStyle::kLines);
  flags.is_quiet = true;
  EXPECT_EQ(StyleFor(flags, true), ProgressStyle::kNone);
  flags.is_quiet = false;
  flags.is_json = true;
  EXPECT_EQ(StyleFor(flags, true), ProgressStyle::kJson);
  flags.shows_progress = false;
  EXPECT_EQ(StyleFor(flags, true), ProgressStyle::kNone);
  EXPECT_EQ(FormatProgress("f", 1 << 20, 4 << 20, absl::Seconds(2)),
            "f  25%  1.000 MiB  512.000 KiB/s");
  EXPECT_EQ(FormatProgress("f", 10, 0, absl::ZeroDuration()), "f  10  0/s");
}

TEST(CommandLine, GlobalFlagsStandBeforeAndAfterTheVerb) {
  for (const std::vector<std::string>& words :
       {std::vector<std::string>{"--endpoints=a:1", "--json", "ls"},
        std::vector<std::string>{"ls", "--json", "--endpoints", "a:1"}}) {
    const CommandLine line = ParseCommandLine(words);
    EXPECT_TRUE(static_cast<bool>(line.run)) << line.error;
    EXPECT_EQ(line.flags.endpoints, "a:1");
    EXPECT_TRUE(line.flags.is_json);
  }
}

TEST(CommandLine, HMeansHumanReadableAndHelpIsSpeltOut) {
  EXPECT_TRUE(ParseCommandLine({"ls", "-l", "-h"}).flags.is_human);
  EXPECT_NE(ParseCommandLine({"ls", "--help"}).output.find("EXAMPLES"), std::string::npos);
}

TEST(CommandLine, UsageErrorsAre64) {
  for (const std::vector<std::string>& words :
       {std::vector<std::string>{}, std::vector<std::string>{"put"},
        std::vector<std::string>{"ls", "--nonsense"}, std::vector<std::string>{"mv", "x"},
        std::vector<std::string>{"put", "a", "b", "c"}, std::vector<std::string>{"remove"},
        std::vector<std::string>{"bench", "--count=x"}, std::vector<std::string>{"help", "nope"}}) {
    const CommandLine line = ParseCommandLine(words);
    EXPECT_FALSE(static_cast<bool>(line.run));
    EXPECT_EQ(line.exit_code, 64);
    EXPECT_FALSE(line.error.empty());
    EXPECT_TRUE(line.output.empty());
  }
}

// CLI11 takes a word in brackets for a list of words.
TEST(CommandLine, AWordInBracketsIsThatWord) {
  const auto value = [](const std::vector<std::string>& words, const std::string& flag) {
    for (const auto& [verb, setting] : ParseCommandLine(words).flags.settings) {
      if (setting.flag == flag) return setting.value;
    }
    return std::string("(not said)");
  };
  EXPECT_EQ(value({"--bucket", "[a,b]", "ls"}, "--bucket"), "[a,b]");
  EXPECT_EQ(value({"ls", "--bucket", "[]"}, "--bucket"), "[]");
  EXPECT_EQ(value({"ls", "--bucket=[a]"}, "--bucket"), "[a]");
  EXPECT_TRUE(static_cast<bool>(ParseCommandLine({"put", "[a,b]", "[c]"}).run)) << "one file, and its name";
  EXPECT_FALSE(static_cast<bool>(ParseCommandLine({"put", "[a,b]", "[c]", "[d]"}).run)) << "[d] is no folder";
  EXPECT_FALSE(static_cast<bool>(ParseCommandLine({"clear", "[ab]"}).run)) << "a pattern";
}

// A variable that is not set must not mean the default.
TEST(CommandLine, AnEmptyWordIsRefused) {
  using Words = std::vector<std::string>;
  for (const Words& words :
       {Words{"--bucket", "", "clear", "--yes"}, Words{"ls", "--bucket", ""}, Words{"--endpoints", "", "ls"}, Words{"--tls-ca", "", "ls"},
        Words{"check", "disk", ""}, Words{"gc", "--confirm", ""}, Words{"gc", ""}, Words{"scrub", ""}, Words{"lshere", "--node", ""},
        Words{"remove", "a", ""}, Words{"remove", "-r", ""}, Words{"stat", ""}, Words{"mv", "a", ""}, Words{"put", "a", ""},
        Words{"get", "a", ""}, Words{"remove", "--max-delete", "", "a"}, Words{"clear", ""}, Words{"ok-to-stop", ""},
        Words{"get", "-r", "--include", "", "a"}}) {
    const CommandLine line = ParseCommandLine(words);
    EXPECT_FALSE(static_cast<bool>(line.run)) << words[0] << " " << words[1];
    EXPECT_EQ(line.exit_code, 64);
    EXPECT_NE(line.error.find("empty"), std::string::npos) << words[0] << " " << words[1] << ": " << line.error;
  }
  for (const Words& words : {Words{"ls", ""}, Words{"ls", "--after", ""}, Words{"get", "-r", "", "all"}}) {
    EXPECT_TRUE(static_cast<bool>(ParseCommandLine(words).run)) << words[0] << " " << words[1];
  }
}

TEST(CommandLine, MisspeltVerbGetsASuggestion) {
  EXPECT_NE(ParseCommandLine({"statsu"}).error.find("did you mean \"status\""), std::string::npos);
}

TEST(CommandLine, EveryVerbHasHelpThatBeginsWithExamples) {
  std::set<std::string> names;
  for (const auto& verb : Verbs()) {
    EXPECT_TRUE(names.insert(verb.name).second);
    const CommandLine line = ParseCommandLine({"help", verb.name});
    EXPECT_EQ(line.exit_code, 0);
    EXPECT_TRUE(line.output.starts_with("EXAMPLES\n  1. dfs-cli ")) << verb.name;
    EXPECT_NE(line.output.find("usage: dfs-cli " + verb.usage), std::string::npos);
    EXPECT_NE(ParseCommandLine({"help"}).output.find(verb.summary), std::string::npos);
  }
  EXPECT_TRUE(names.contains("put") && names.contains("lshere") && names.contains("bench"));
  EXPECT_EQ(FindVerb("report")->name, "status");
}

// Each example of the help parses.
TEST(CommandLine, ExamplesOfTheHelpAreValid) {
  for (const auto& verb : Verbs()) {
    for (const auto& example : verb.examples) {
      std::string text = example.substr(example.find("dfs-cli") + 8);
      text = text.substr(0, text.find(" |"));
      std::vector<std::string> words;
      for (std::size_t at = 0; at <= text.size();) {
        const auto end = std::min(text.find(' ', at), text.size());
        if (end > at) words.push_back(text.substr(at, end - at));
        at = end + 1;
      }
      EXPECT_TRUE(static_cast<bool>(ParseCommandLine(words).run)) << example;
    }
  }
}

TEST(Session, MalformedFlagsAreRefused) {
  GlobalFlags flags;
  EXPECT_TRUE(Session::Make(flags).ok());
  flags.timeout = "never";
  EXPECT_FALSE(Session::Make(flags).ok());
  flags.timeout = "1s";
  flags.endpoints = "nowhere";
  EXPECT_FALSE(Session::Make(flags).ok());
}

TEST(ShellWords, AreThoseOfAShell) {
  const auto words = [](std::string_view line) { return SplitWords(line).value(); };
  using Words = std::vector<std::string>;
  EXPECT_EQ(words(""), Words());
  EXPECT_EQ(words("  put  a\tb "), (Words{"put", "a", "b"}));
  EXPECT_EQ(words("put 'a b' \"c 'd\" e\\ f ''"), (Words{"put", "a b", "c 'd", "e f", ""}));
  EXPECT_EQ(words("a'b'\"c\"d # rest"), Words{"abcd"});
  EXPECT_EQ(words("a#b"), Words{"a#b"});
  EXPECT_FALSE(SplitWords("put 'a").ok());
  for (const std::string word : {"a b", "#x", "it's", "back\\slash", "\"q\"", "plain"}) {
    EXPECT_EQ(words(QuotedWord(word)), Words{word});
  }
}

TEST(ShellWords, AreCompletedByVerbFlagAndName) {
  const std::vector<VerbShape> verbs = ShapesOfVerbs();
  const std::vector<FlagShape> global = {{"--timeout", "", true, "", ""}, {"--json", "", false, "", ""}};
  NameSources names;
  names.remote = [](const std::string&) { return std::vector<std::string>{"a b", "a/c", "other"}; };
  names.nodes = [] { return std::vector<std::string>{"n1", "n2"}; };
  const auto complete = [&](std::string_view line) { return Complete(line, verbs, global, names); };
  using Words = std::vector<std::string>;
  EXPECT_EQ(complete("loc").candidates, Words{"locate"});
  EXPECT_EQ(complete("--timeout loc").candidates, Words()) << "that is its value";
  EXPECT_EQ(complete("--timeout 3s loc").candidates, Words{"locate"});
  EXPECT_EQ(complete("help loc").candidates, Words{"locate"});
  EXPECT_EQ(complete("sta").common, "stat");
  EXPECT_EQ(complete("cert ").candidates, (Words{"init", "issue", "show"}));
  EXPECT_EQ(complete("put --if-a").candidates, Words{"--if-absent"});
  EXPECT_EQ(complete("stat --j").candidates, Words{"--json"});
  EXPECT_EQ(complete("put --j").candidates, (Words{"--jobs", "--json"}));
  EXPECT_EQ(complete("drain ").candidates, (Words{"n1", "n2"}));
  const Completion remote = complete("stat a");
  EXPECT_EQ(remote.candidates, (Words{"a/c", "a\\ b"}));
  EXPECT_EQ(remote.typed, "a");
  EXPECT_EQ(complete("stat 'a ").candidates, Words{"a\\ b"});
  EXPECT_EQ(complete("stat 'a ").typed, "'a ") << "what is replaced";
  EXPECT_EQ(complete("nonsense x").candidates, Words());
}

}  // namespace
}  // namespace dfs::client::cli
