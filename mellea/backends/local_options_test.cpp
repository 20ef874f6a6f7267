#include "mellea/backends/local_options.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>

#include "mellea/core/folder_for_test.h"

namespace mellea {
namespace {

namespace fs = std::filesystem;

LocalOptions options_of(std::map<std::string, std::string> variables) {
  return LocalOptions::from([&](const char* name) -> std::optional<std::string> {
    const auto found = variables.find(name);
    return found == variables.end() ? std::nullopt : std::optional(found->second);
  });
}

TEST(LocalOptions, TheHubCacheIsWhereTheHubsToolsHaveIt) {
  EXPECT_EQ(options_of({}).hub_cache, "");
  std::map<std::string, std::string> variables{{"HOME", "/home/me"}};
  EXPECT_EQ(options_of(variables).hub_cache, "/home/me/.cache/huggingface/hub");
  variables["XDG_CACHE_HOME"] = "/caches";
  EXPECT_EQ(options_of(variables).hub_cache, "/caches/huggingface/hub");
  variables["HF_HOME"] = "/hf";
  EXPECT_EQ(options_of(variables).hub_cache, "/hf/hub");
  variables["HF_HUB_CACHE"] = "/models";
  EXPECT_EQ(options_of(variables).hub_cache, "/models");
}

TEST(LocalOptions, TheServerIsTheOneThatIsNamedOrElseTheFirstOnThePath) {
  const FolderForTest folder;
  const auto add = [&](const char* name, bool program) {
    const fs::path file = folder.path() / name;
    fs::create_directories(file.parent_path());
    std::ofstream(file) << "#!/bin/sh\n";
    if (program) fs::permissions(file, fs::perms::owner_all);
    return file.string();
  };
  add("one/llama-server", false);
  const std::string second = add("two/llama-server", true);
  const std::string own = add("two/my-server", true);
  const std::string path = folder.path().string() + "/one::" + folder.path().string() + "/two";
  EXPECT_EQ(options_of({{"PATH", path}}).server, second);
  EXPECT_EQ(options_of({{"PATH", path}}).run, LocalOptions::Run::automatic);
  EXPECT_EQ(options_of({{"PATH", "/nowhere"}}).server, "");
  const LocalOptions named = options_of({{"PATH", path}, {"MELLEA_LLAMA_SERVER", "/opt/server"}});
  EXPECT_EQ(named.server, "/opt/server");
  EXPECT_EQ(named.run, LocalOptions::Run::server);
  EXPECT_EQ(options_of({{"PATH", path}, {"MELLEA_LLAMA_SERVER", "my-server"}}).server, own);
}

TEST(LocalOptions, TheLogIsKeptWhereItIsNamed) {
  EXPECT_EQ(options_of({}).log_file, "");
  EXPECT_EQ(options_of({{"MELLEA_LLAMA_LOG", "/tmp/llama.log"}}).log_file, "/tmp/llama.log");
}

}  // namespace
}  // namespace mellea
