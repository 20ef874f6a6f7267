#include "mellea/backends/hub_cache.h"

#include <gtest/gtest.h>

#include <fstream>

#include "mellea/core/folder_for_test.h"
#include "mellea/core/error.h"

namespace mellea {
namespace {

namespace fs = std::filesystem;

TEST(HubModel, IsARepositoryAndPerhapsOneOfItsFiles) {
  const auto model = HubModel::parse("org/Some.Repo-7B_it:Q4_K_M");
  ASSERT_TRUE(model);
  EXPECT_EQ(model->repository, "org/Some.Repo-7B_it");
  EXPECT_EQ(model->which, "Q4_K_M");
  EXPECT_EQ(HubModel::parse("org/repo")->which, "");
  EXPECT_EQ(HubModel::parse("org/repo:sub/m.gguf")->which, "sub/m.gguf");
}

TEST(HubModel, NamesNothingOutsideOfTheCache) {
  for (const char* text : {"", "repo", "/repo", "org/", "org/repo/file", "../repo", "org/..", "./m",
                           "org/repo:", "org/repo:../../m.gguf", "org/repo:/m.gguf", "o rg/repo"})
    EXPECT_FALSE(HubModel::parse(text)) << text;
}

class HubCache : public testing::Test {
 protected:
  // As the Hub's tools lay it down: a snapshot's files are links to blobs.
  void add(const std::string& folder, const std::string& revision, const std::string& file) {
    const fs::path blob = cache() / folder / "blobs" / std::to_string(blobs_++);
    const fs::path link = cache() / folder / "snapshots" / revision / file;
    fs::create_directories(blob.parent_path());
    fs::create_directories(link.parent_path());
    std::ofstream(blob) << file;
    fs::create_symlink(blob, link);
  }
  void main_is(const std::string& folder, const std::string& revision) {
    fs::create_directories(cache() / folder / "refs");
    std::ofstream(cache() / folder / "refs" / "main") << revision;
  }
  fs::path cache() const { return folder_.path() / "hub"; }

  // The file below the snapshots, or what is said instead.
  std::string find(const char* model) const {
    try {
      return fs::relative(find_in_hub_cache(cache(), *HubModel::parse(model)).parent_path(),
                          cache())
                 .generic_string() +
             '/' + find_in_hub_cache(cache(), *HubModel::parse(model)).filename().string();
    } catch (const Error& error) {
      std::string what = error.what();
      if (const auto at = what.find(cache().string()); at != what.npos)
        what.replace(at, cache().string().size(), "CACHE");
      return what;
    }
  }

 private:
  const FolderForTest folder_;
  int blobs_ = 0;
};

constexpr const char* kRepo = "models--org--repo";

TEST_F(HubCache, FindsTheOnlyModelOfARepository) {
  add(kRepo, "abc", "README.md");
  add(kRepo, "abc", "mmproj-F16.gguf");
  add(kRepo, "abc", "repo-Q8_0.gguf");
  EXPECT_EQ(find("org/repo"), "models--org--repo/snapshots/abc/repo-Q8_0.gguf");
}

TEST_F(HubCache, TakesTheRevisionThatIsMain) {
  add(kRepo, "abc", "m.gguf");
  add(kRepo, "def", "m.gguf");
  EXPECT_EQ(find("org/repo"),
            "local: org/repo: several revisions, and no \"main\", are in CACHE/models--org--repo: "
            "hf download org/repo --include \"*Q4_K_M*.gguf\"");
  main_is(kRepo, "def");
  EXPECT_EQ(find("org/repo"), "models--org--repo/snapshots/def/m.gguf");
  main_is(kRepo, "../snapshots/abc");
  EXPECT_TRUE(find("org/repo").starts_with("local: org/repo: several"));
}

TEST_F(HubCache, TakesTheQuantisationThatIsNamed) {
  for (const char* file :
       {"m-Q4_K.gguf", "m-Q4_K_M.gguf", "m.IQ4_K.gguf", "m-BF16.gguf", "m-F16.gguf",
        "Q6_K/m-Q6_K-00001-of-00002.gguf", "Q6_K/m-Q6_K-00002-of-00002.gguf"})
    add(kRepo, "abc", file);
  const std::string snapshot = "models--org--repo/snapshots/abc/";
  EXPECT_EQ(find("org/repo:Q4_K"), snapshot + "m-Q4_K.gguf");
  EXPECT_EQ(find("org/repo:q4_k_m"), snapshot + "m-Q4_K_M.gguf");
  EXPECT_EQ(find("org/repo:F16"), snapshot + "m-F16.gguf");
  EXPECT_EQ(find("org/repo:Q6_K"), snapshot + "Q6_K/m-Q6_K-00001-of-00002.gguf");
  EXPECT_EQ(find("org/repo:m-BF16.gguf"), snapshot + "m-BF16.gguf");
}

TEST_F(HubCache, SaysWhatThereIsWhereItIsNotClear) {
  EXPECT_EQ(
      find("org/repo:Q8_0"),
      "local: org/repo:Q8_0: is not in CACHE: hf download org/repo --include \"*Q8_0*.gguf\"");
  add(kRepo, "abc", "config.json");
  EXPECT_EQ(
      find("org/repo"),
      "local: org/repo: there is no GGUF file among config.json: name a repository that has some");
  add(kRepo, "abc", "m-Q4_0.gguf");
  add(kRepo, "abc", "m-Q8_0.gguf");
  EXPECT_EQ(find("org/repo"),
            "local: org/repo: may be m-Q4_0.gguf, m-Q8_0.gguf: name one, org/repo:m-Q4_0.gguf");
  EXPECT_EQ(
      find("org/repo:m-Q5_0.gguf"),
      "local: org/repo:m-Q5_0.gguf: is not in CACHE, which has m-Q4_0.gguf, m-Q8_0.gguf of it: "
      "hf download org/repo m-Q5_0.gguf");
}

TEST_F(HubCache, AFileThatIsNotWholeIsNotThere) {
  add(kRepo, "abc", "m.gguf");
  fs::remove_all(cache() / kRepo / "blobs");
  EXPECT_TRUE(find("org/repo").starts_with("local: org/repo: is not in CACHE: "));
}

TEST_F(HubCache, ListsItsModels) {
  EXPECT_TRUE(models_in_hub_cache(cache()).empty());
  add("models--org--one", "abc", "m.gguf");
  add("models--org--two", "abc", "m-Q4_0.gguf");
  add("models--org--two", "abc", "m-Q8_0.gguf");
  add("models--org--weights", "abc", "model.safetensors");
  add("datasets--org--data", "abc", "m.gguf");
  EXPECT_EQ(models_in_hub_cache(cache()),
            (std::vector<std::string>{"org/one", "org/two:m-Q4_0.gguf", "org/two:m-Q8_0.gguf"}));
}

}  // namespace
}  // namespace mellea
