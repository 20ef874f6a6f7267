#include "mellea/core/child_process.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <array>
#include <thread>

#include "mellea/core/error.h"

namespace mellea {
namespace {

ProgramStart shell(const std::string& script) {
  return {.program = "/bin/sh", .arguments = {"-c", script}, .environment = {"GREETING=hello"}};
}

bool readable(int descriptor) {
  pollfd look{.fd = descriptor, .events = POLLIN, .revents = 0};
  return ::poll(&look, 1, 10'000) == 1;
}

// All that it prints until it has ended.
std::string output_of(ChildProcess& process) {
  EXPECT_TRUE(readable(process.ended()));
  std::string text;
  std::array<char, 4096> buffer;
  for (ssize_t got = 0; (got = ::read(process.output(), buffer.data(), buffer.size())) > 0;)
    text.append(buffer.data(), static_cast<std::size_t>(got));
  return text;
}

TEST(ChildProcess, PrintsAndEnds) {
  ChildProcess process(shell("echo $GREETING; echo trouble >&2; exit 3"));
  EXPECT_EQ(output_of(process), "hello\ntrouble\n");
  EXPECT_EQ(process.wait(), "ended with code 3");
}

TEST(ChildProcess, IsSpokenWith) {
  ChildProcess process(
      {.program = "/bin/sh",
       .arguments = {"-c", "read line; echo \"$line, $PWD\"; echo trouble >&2; cat"},
       .folder = "/",
       .conversation = true});
  ASSERT_EQ(::write(process.input(), "hello\n", 6), 6);
  process.close_input();
  EXPECT_EQ(process.input(), -1);
  EXPECT_EQ(output_of(process), "hello, /\n");
  std::array<char, 16> errors{};
  EXPECT_EQ(::read(process.errors(), errors.data(), errors.size()), 8);
  EXPECT_STREQ(errors.data(), "trouble\n");
}

TEST(ChildProcess, WhatItHasStartedIsSignalledWithIt) {
  ChildProcess process(shell("sleep 600 & echo started; wait"));
  ASSERT_TRUE(readable(process.output()));
  process.signal_all(SIGKILL);
  EXPECT_EQ(output_of(process), "started\n");
  std::array<char, 1> byte{};
  ASSERT_TRUE(readable(process.output()));
  EXPECT_EQ(::read(process.output(), byte.data(), byte.size()), 0);  // nobody holds the other end
}

TEST(ChildProcess, HasTheEnvironmentThatItIsGiven) {
  ::setenv("KEPT", "kept", 1);
  ::setenv("LEFT_OUT", "out", 1);
  ChildProcess process({.program = "/bin/sh",
                        .arguments = {"-c", "echo $KEPT $LEFT_OUT"},
                        .environment = environment_without("LEFT_OUT")});
  EXPECT_EQ(output_of(process), "kept\n");
}

TEST(ChildProcess, HasNothingOfOursButItsEnvironment) {
  const Descriptor ours(::open("/dev/null", O_RDONLY));  // not closed by exec of itself
  ::signal(SIGPIPE, SIG_IGN);
  sigset_t most, before;
  ::sigfillset(&most);
  ::pthread_sigmask(SIG_SETMASK, &most, &before);
  ChildProcess process(
      shell("read line; echo input: $?; cd /proc/self/fd && echo *; grep -E '^Sig(Blk|Ign)' "
            "/proc/self/status;"
            "cut -d' ' -f5 /proc/$$/stat"));
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  ::signal(SIGPIPE, SIG_DFL);
  const std::string said = output_of(process);
  EXPECT_EQ(said, "input: 1\n0 1 2 3\nSigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n" +
                      std::to_string(process.id()) + '\n');  // 3 is the folder itself
}

TEST(ChildProcess, IsEndedByASignal) {
  ChildProcess process(shell("exec sleep 600"));
  process.signal(SIGTERM);
  EXPECT_EQ(process.wait(), "was ended by signal 15");
}

TEST(ChildProcess, IsGoneWithItsObject) {
  Descriptor watch;
  {
    const ChildProcess process(shell("exec sleep 600"));
    watch = Descriptor(::dup(process.ended()));
  }
  EXPECT_TRUE(readable(watch.get()));
}

TEST(ChildProcess, IsGoneWithTheThreadThatStartedIt) {
  std::optional<ChildProcess> process;
  std::thread([&] { process.emplace(shell("exec sleep 600")); }).join();
  EXPECT_EQ(process->wait(), "was ended by signal 9");
}

TEST(ChildProcess, AHostThatWaitsForAllChildrenTakesNothingFromUs) {
  ::signal(SIGCHLD, SIG_IGN);
  ChildProcess process(shell("read line"));
  EXPECT_EQ(process.wait(), "has ended");
  ::signal(SIGCHLD, SIG_DFL);
}

TEST(ChildProcess, WhatIsNoProgramIsRefused) {
  const auto refusal = [](const std::string& program,
                          const std::string& folder = "") -> std::string {
    try {
      const ChildProcess process({.program = program, .folder = folder, .user = "local"});
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  };
  EXPECT_EQ(refusal("/nowhere/llama-server"),
            "local: /nowhere/llama-server: can't be started: No such file or directory");
  EXPECT_EQ(refusal("/dev/null"), "local: /dev/null: can't be started: Permission denied");
  EXPECT_EQ(refusal("/bin/sh", "/nowhere"),
            "local: /bin/sh: can't be started in /nowhere: No such file or directory");
}

}  // namespace
}  // namespace mellea
