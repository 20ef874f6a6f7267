#include "mellea/telemetry/protoc_for_test.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <utility>

namespace mellea::telemetry {
namespace {

constexpr char kFolder[] = "/usr/include";

std::string service_of(const std::string& word) {
  return "opentelemetry/proto/collector/" + word + "/v1/" + word + "_service.proto";
}

bool available() {
  static const bool both =
      std::filesystem::exists(std::string(kFolder) + "/" + service_of("trace")) &&
      std::system("protoc --version > /dev/null 2>&1") == 0;
  return both;
}

}  // namespace

std::optional<std::string> decoded_by_protoc(const std::string& request, OtlpSignal signal) {
  if (!available()) return std::nullopt;
  const std::string file = testing::TempDir() + "mellea_request_" + std::to_string(::getpid());
  std::ofstream(file, std::ios::binary) << request;
  static constexpr std::pair<const char*, const char*> kNames[] = {
      {"trace", "Trace"}, {"metrics", "Metrics"}, {"logs", "Logs"}};
  const auto& [word, name] = kNames[static_cast<int>(signal)];
  const std::string command = std::string("protoc -I") + kFolder +
                              " --decode=opentelemetry.proto.collector." + word + ".v1.Export" +
                              name + "ServiceRequest " + service_of(word) + " < " + file + " 2>&1";
  std::string text;
  FILE* output = ::popen(command.c_str(), "r");
  for (char part[4096]; std::fgets(part, sizeof part, output);) text += part;
  EXPECT_EQ(::pclose(output), 0) << text;
  std::filesystem::remove(file);
  return text;
}

}  // namespace mellea::telemetry
