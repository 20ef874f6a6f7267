#include "mellea/programs/command.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <stop_token>
#include <string>
#include <thread>

#include "mellea/core/error.h"
#include "mellea/core/folder_for_test.h"

namespace mellea {
namespace {

using namespace std::chrono_literals;

class CommandTest : public ::testing::Test {
 protected:
  Command script(const std::string& text) const {
    return {.words = {"/bin/sh", "-c", text}, .folder = folder_};
  }

  // What it throws.
  static Error failure(const Command& command, const std::stop_token& stop = {}) {
    try {
      return Error(Errc::unknown, "returned " + run_command(command, stop));
    } catch (const Error& error) {
      return error;
    }
  }

  // Whether the process whose id a script wrote into a file has ended, or is about to: the kernel
  // ends what was killed in its own time, and not every container's init waits for it.
  bool has_ended(const std::string& file) const {
    std::ifstream stream(folder_ / file);
    int process = 0;
    stream >> process;
    if (process <= 0) return false;
    const std::string status = "/proc/" + std::to_string(process) + "/stat";
    for (int i = 0; i < 100'000; ++i) {
      std::string line;
      if (!std::getline(std::ifstream(status), line)) return true;
      const std::size_t name = line.rfind(") ");
      if (name != line.npos && line.substr(name + 2, 1) == "Z") return true;
      std::this_thread::yield();
    }
    return false;
  }

  const FolderForTest own_folder_;
  const std::filesystem::path& folder_ = own_folder_.path();
};

TEST_F(CommandTest, ReadsItsInputAndWorksInItsFolder) {
  Command command = script("cat; pwd");
  command.input = "{\"city\":\"Boston\"}\n";
  EXPECT_EQ(run_command(command, {}),
            "{\"city\":\"Boston\"}\n" + std::filesystem::canonical(folder_).string() + "\n");
}

TEST_F(CommandTest, ItsWordsAreNoShell) {
  EXPECT_EQ(run_command({.words = {"echo", "$HOME; `true` *"}, .folder = folder_}, {}),
            "$HOME; `true` *\n");
}

TEST_F(CommandTest, AProgramWithoutASlashIsLookedForAndOneWithIsOfTheFolder) {
  std::ofstream(folder_ / "greet") << "#!/bin/sh\necho hi\n";
  std::filesystem::permissions(folder_ / "greet", std::filesystem::perms::owner_all);
  EXPECT_EQ(run_command({.words = {"./greet"}, .folder = folder_}, {}), "hi\n");
  const Error missing = failure({.words = {"greet-that-is-nowhere"}, .folder = folder_});
  EXPECT_EQ(missing.code(), Errc::not_found);
  EXPECT_EQ(std::string(missing.what()).find("greet-that-is-nowhere: can't be started: "), 0U);
}

TEST_F(CommandTest, HasADefaultForEverySignalAndNoneBlocked) {
  ::signal(SIGPIPE, SIG_IGN);
  EXPECT_EQ(run_command(script("grep SigBlk /proc/self/status"), {}),
            "SigBlk:\t0000000000000000\n");
  EXPECT_STREQ(failure(script("kill -PIPE $$")).what(), "/bin/sh: was ended by signal 13");
  ::signal(SIGPIPE, SIG_DFL);
}

TEST_F(CommandTest, HasAHomeAndNoneOfOurKeys) {
  ::setenv("OPENAI_API_KEY", "secret", 1);
  const std::string environment = run_command({.words = {"env"}, .folder = folder_}, {});
  ::unsetenv("OPENAI_API_KEY");
  EXPECT_NE(environment.find("PATH="), std::string::npos);
  EXPECT_EQ(environment.find("OPENAI_API_KEY"), std::string::npos);
}

TEST_F(CommandTest, IsNotLookedForInItsFolder) {
  std::ofstream(folder_ / "greet-that-is-here") << "#!/bin/sh\necho hi\n";
  std::filesystem::permissions(folder_ / "greet-that-is-here", std::filesystem::perms::owner_all);
  EXPECT_EQ(failure({.words = {"greet-that-is-here"}, .folder = folder_}).code(), Errc::not_found);
}

TEST_F(CommandTest, EndsWithTheProcessThatStartedIt) {
  const pid_t starter = ::fork();
  if (starter == 0) {
    failure(script("echo $$ > pid; mv pid parent; exec sleep 600"));
    ::_exit(0);
  }
  while (!std::filesystem::exists(folder_ / "parent")) std::this_thread::yield();
  ::kill(starter, SIGKILL);
  ::waitpid(starter, nullptr, 0);
  EXPECT_TRUE(has_ended("parent"));
}

TEST_F(CommandTest, AFloodOfComplaintsIsNoReasonToMissTheTime) {
  Command command = script("exec yes >&2");
  command.timeout = 300ms;
  EXPECT_EQ(failure(command).code(), Errc::timeout);
}

TEST_F(CommandTest, HasNoneOfOurFiles) {
  // Its own: the three, and the folder that ls reads.
  std::ifstream ours("/dev/null");
  EXPECT_EQ(run_command(script("ls /proc/self/fd | wc -l"), {}), "4\n");
}

TEST_F(CommandTest, AnEndThatIsNoneOfSuccessTellsWhatItComplainedOf) {
  const Error error = failure(script("echo out; echo one >&2; echo 'no such city' >&2; exit 3"));
  EXPECT_EQ(error.code(), Errc::server_error);
  EXPECT_STREQ(error.what(), "/bin/sh: ended with code 3: no such city");
  EXPECT_STREQ(failure(script("kill -9 $$")).what(), "/bin/sh: was ended by signal 9");
}

TEST_F(CommandTest, WhatIsLateIsKilledWithItsGroup) {
  Command command = script("sleep 600 & echo $! > child; echo $$ > parent; wait");
  command.timeout = 300ms;
  const Error error = failure(command);
  EXPECT_EQ(error.code(), Errc::timeout);
  EXPECT_STREQ(error.what(), "/bin/sh: did not end within 300 ms");
  EXPECT_TRUE(has_ended("child"));
  EXPECT_TRUE(has_ended("parent"));
}

TEST_F(CommandTest, WhatItLeavesBehindHoldsNobodyUpAndIsKilled) {
  EXPECT_EQ(run_command(script("sleep 600 & echo $! > child; echo done"), {}), "done\n");
  EXPECT_TRUE(has_ended("child"));
}

TEST_F(CommandTest, WhatWritesWithoutEndIsKilled) {
  Command command = script("echo $$ > parent; exec yes");
  command.longest = 100'000;
  const Error error = failure(command);
  EXPECT_EQ(error.code(), Errc::server_error);
  EXPECT_STREQ(error.what(), "/bin/sh: wrote more than 100000 bytes");
  EXPECT_TRUE(has_ended("parent"));
}

TEST_F(CommandTest, ALongOutputArrivesWhole) {
  EXPECT_EQ(run_command(script("head -c 1000000 /dev/zero | tr '\\0' x; "
                               "head -c 1000000 /dev/zero >&2"),
                        {}),
            std::string(1'000'000, 'x'));
}

TEST_F(CommandTest, AStopKillsIt) {
  std::stop_source stop;
  std::jthread stopper([&](const std::stop_token& over) {
    const std::filesystem::path began = folder_ / "began";
    while (!std::filesystem::exists(began) && !over.stop_requested()) std::this_thread::yield();
    stop.request_stop();
  });
  const Error error = failure(script("echo $$ > parent; touch began; sleep 600"), stop.get_token());
  EXPECT_EQ(error.code(), Errc::cancelled);
  EXPECT_TRUE(has_ended("parent"));
}

}  // namespace
}  // namespace mellea
