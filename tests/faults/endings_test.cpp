// Programs that end, or split, while telemetry is at work.
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "faults_for_test.h"

namespace mellea {
namespace {

std::string temporary_file(const std::string& name) {
  return testing::TempDir() + "mellea_faults_" + name + "_" + std::to_string(::getpid());
}

TEST(EndingsTest, AChildOfForkHasItsOwnTelemetryAndItsParentLosesNothing) {
  Receiver receiver([](int request) {
    Script script = Script::raw();
    if (request == 0) script.hold();
    return script.bytes("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
  });
  const auto start = [&] {
    return std::make_unique<Telemetry>(
        telemetry::Config{.exporters = {receiver.traces()}, .batch = {.queue = 2048, .batch = 16}});
  };
  auto telemetry = start();
  make_calls(*telemetry, 20);
  ASSERT_TRUE(receiver.server().wait_for_requests(1));  // one batch is under way, and some wait
  const pid_t child = ::fork();
  if (child == 0) {
    ::alarm(30);
    make_calls(*telemetry, 5);  // recorded by nobody
    telemetry = nullptr;
    const auto own = start();
    make_calls(*own, 3);
    ::_exit(own->shutdown(20s) ? 0 : 1);
  }
  int status = -1;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
  receiver.server().release();
  EXPECT_TRUE(telemetry->shutdown());
  EXPECT_EQ(receiver.spans_from(0), spans_of(20) + spans_of(3));
}

// In a program of their own: the statement is run there, and std::exit() with what that destroys.
class ExitTest : public testing::Test {
 protected:
  void SetUp() override { GTEST_FLAG_SET(death_test_style, "threadsafe"); }
};

TEST_F(ExitTest, WithoutAShutdownNothingHangsOrCrashes) {
  const auto leave = [] {
    static Receiver receiver([](int) { return Script::raw().hang(); });
    auto* const telemetry = new Telemetry({.exporters = {receiver.traces()},
                                           .batch = {.queue = 64, .batch = 16},
                                           .metrics = {.exporters = {receiver.metrics()}}});
    make_calls(*telemetry, 50);
    receiver.server().wait_for_requests(1);
    std::exit(testing::Test::HasFailure() ? 1 : 0);
  };
  EXPECT_EXIT(leave(), testing::ExitedWithCode(0), "");
}

TEST_F(ExitTest, ATelemetryOfStaticLifetimeDeliversWhatThereIs) {
  const std::string file = testing::TempDir() + "mellea_faults_static";
  std::filesystem::remove(file);
  const auto leave = [&] {
    static const Telemetry telemetry({.exporters = {telemetry::OtlpFile{file}}});
    make_calls(telemetry, 3);
    std::exit(testing::Test::HasFailure() ? 1 : 0);
  };
  EXPECT_EXIT(leave(), testing::ExitedWithCode(0), "");
  std::ifstream in(file);
  std::string line;
  EXPECT_TRUE(std::getline(in, line));
  EXPECT_NE(line.find("chat demo"), std::string::npos);
  std::filesystem::remove(file);
}

TEST(EndingsTest, ACallThatIsUnderWayAtTheShutdownIsDeliveredAsUnfinished) {
  const std::string file = temporary_file("unfinished");
  const auto backend = std::make_shared<ScriptedBackend>();
  backend->add(scripted::Line().text("half").hang());
  Telemetry telemetry({.exporters = {telemetry::OtlpFile{file}}});
  Runtime runtime({.plugins = telemetry.plugins()});
  Session session = runtime.start_session(backend, "demo");
  Output output = session.start_chat("hi", {.stream = true});
  while (const auto chunk = output.next())
    if (std::holds_alternative<std::string>(chunk->what)) break;
  EXPECT_TRUE(telemetry.shutdown());
  std::ifstream in(file);
  const std::string text((std::istreambuf_iterator<char>(in)), {});
  EXPECT_NE(text.find("chat demo"), std::string::npos);
  EXPECT_NE(text.find("mellea.span.unfinished"), std::string::npos);
  std::filesystem::remove(file);
}

}  // namespace
}  // namespace mellea
