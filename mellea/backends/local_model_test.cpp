#include "mellea/backends/local_model.h"

#include <gtest/gtest.h>

#include "mellea/core/folder_for_test.h"
#include "mellea/backends/gguf_for_test.h"
#include "mellea/core/error.h"

namespace mellea {
namespace {

namespace fs = std::filesystem;

class LocalModelTest : public testing::Test {
 protected:
  std::string refusal(const std::string& name, const fs::path& cache = "/nowhere") const {
    try {
      find_local_model(name, cache);
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  }
  fs::path in_folder(const char* name) const { return folder_.path() / name; }

 private:
  const FolderForTest folder_;
};

TEST_F(LocalModelTest, IsAFileOrOneOfTheHubCache) {
  const fs::path file = in_folder("m.gguf");
  GgufForTest("qwen3").write(file);
  GgufForTest("llama").write(in_folder("hub/models--org--repo/snapshots/abc/m.gguf"));
  const LocalModel by_path = find_local_model(file, {});
  EXPECT_EQ(by_path.name, "m.gguf");
  EXPECT_EQ(by_path.file, file);
  EXPECT_EQ(by_path.header.architecture, "qwen3");
  const LocalModel of_hub = find_local_model("org/repo", in_folder("hub"));
  EXPECT_EQ(of_hub.name, "org/repo");
  EXPECT_EQ(of_hub.header.architecture, "llama");
}

TEST_F(LocalModelTest, SaysWhatANameWouldHaveToBe) {
  EXPECT_EQ(refusal("gpt-4"),
            "local: \"gpt-4\" names no model: name a GGUF file, or "
            "ORG/REPO:Q4_K_M of the Hub cache");
  EXPECT_EQ(refusal("org/m.gguf"), "local: org/m.gguf: No such file or directory");
  EXPECT_EQ(refusal("org/repo", {}),
            "local: org/repo: no Hub cache is known: set HF_HUB_CACHE or HOME");
  EXPECT_EQ(refusal("org/repo:m.gguf"),
            "local: org/repo:m.gguf: is not in /nowhere: hf download org/repo m.gguf");
}

TEST_F(LocalModelTest, NeedsAllOfItsParts) {
  const GgufForTest first = GgufForTest().uint16("split.no", 0).uint16("split.count", 2);
  const fs::path file = in_folder("m-00001-of-00002.gguf");
  first.write(file);
  EXPECT_EQ(refusal(file),
            "local: " + file.string() + ": part 2 of 2 is not beside it: download the model again");
  GgufForTest().write(in_folder("m-00002-of-00002.gguf"));
  EXPECT_EQ(find_local_model(file, {}).header.parts, 2U);
}

}  // namespace
}  // namespace mellea
