// The program mellea, ended in the middle of an answer.
#include <gtest/gtest.h>
#include <signal.h>

#include <chrono>
#include <map>
#include <string>

#include "mellea/cli/running_program.h"
#include "mellea/net/testing/loopback_server.h"

namespace mellea::cli {
namespace {

using namespace std::chrono_literals;

// A chat whose answer stops coming, and what becomes of it when SIGTERM comes.
Ended terminated(const LoopbackServer& collector) {
  LoopbackServer provider(
      {Script::stream()
           .chunk("data: "
                  "{\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"One\"}}]}\n\n")
           .hang()});
  RunningProgram program({"chat", "--backend", "openai", "--base-url", provider.url("/v1"),
                          "--model", "m", "--stream", "Hi"},
                         {.environment = {{"OTEL_TRACES_EXPORTER", "otlp"},
                                          {"OTEL_METRICS_EXPORTER", "otlp"},
                                          {"OTEL_EXPORTER_OTLP_ENDPOINT", collector.url()}}});
  EXPECT_TRUE(program.prints("One"));
  program.signal(SIGTERM);
  return program.wait();
}

TEST(Terminated, WhatWasRecordedIsDelivered) {
  LoopbackServer collector({Script::answer(200, "")});
  const Ended ended = terminated(collector);
  EXPECT_EQ(ended.code, 128 + SIGTERM);
  EXPECT_EQ(ended.out, "One\n");
  EXPECT_EQ(ended.err.find("lost"), std::string::npos) << ended.err;
  std::map<std::string, std::string> bodies;
  for (const ReceivedRequest& request : collector.requests()) bodies[request.path] += request.body;
  EXPECT_NE(bodies["/v1/traces"].find("chat m"), std::string::npos);
  EXPECT_NE(bodies["/v1/traces"].find("cancelled"), std::string::npos);
  EXPECT_NE(bodies["/v1/metrics"].find("gen_ai.client.operation.duration"), std::string::npos);
}

TEST(Terminated, ACollectorThatNeverAnswersDelaysTheEndByItsLimitOnly) {
  LoopbackServer collector({Script::raw().hang()});
  const auto began = std::chrono::steady_clock::now();
  const Ended ended = terminated(collector);
  EXPECT_LT(std::chrono::steady_clock::now() - began, 20s);
  EXPECT_EQ(ended.code, 128 + SIGTERM);
  EXPECT_EQ(ended.out, "One\n");
  EXPECT_NE(ended.err.find(" spans lost: "), std::string::npos) << ended.err;
}

}  // namespace
}  // namespace mellea::cli
