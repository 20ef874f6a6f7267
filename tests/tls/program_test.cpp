// The program and a server whose certificate nobody vouches for.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "mellea/cli/running_program.h"
#include "mellea/net/testing/certificates.h"
#include "mellea/net/testing/loopback_server.h"
#include "mellea/net/testing/server_tls.h"

namespace mellea::cli {
namespace {

TEST(ProgramTlsTest, DoesNotSpeakToAServerThatNobodyVouchesForAndSaysSoInOneLine) {
  const LoopbackServer server({Script::answer(200, "{}")}, {.tls = server_tls(self_signed())});
  const std::string address = "localhost:" + std::to_string(server.port());
  const Ended ended = RunningProgram({"chat", "--backend", "openai", "--base-url",
                                      "https://" + address + "/v1", "--model", "m", "hi"})
                          .wait();
  EXPECT_EQ(ended.code, 1);
  EXPECT_EQ(ended.out, "");
  EXPECT_EQ(std::count(ended.err.begin(), ended.err.end(), '\n'), 1) << ended.err;
  EXPECT_NE(ended.err.find("certificate"), std::string::npos) << ended.err;
  EXPECT_NE(ended.err.find(address), std::string::npos) << ended.err;
  EXPECT_TRUE(server.requests().empty());
}

}  // namespace
}  // namespace mellea::cli
