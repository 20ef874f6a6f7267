#include "mellea/cli/model_choice.h"

#include <gtest/gtest.h>

#include <map>

#include "mellea/cli/exit_code.h"
#include "mellea/net/testing/loopback_server.h"

namespace mellea::cli {
namespace {

Environment environment_of(std::map<std::string, std::string> variables) {
  return [variables = std::move(variables)](const char* name) -> std::optional<std::string> {
    const auto found = variables.find(name);
    return found == variables.end() ? std::nullopt : std::optional(found->second);
  };
}

TEST(ModelChoice, FlagsWinOverTheEnvironment) {
  const auto environment = environment_of({{"MELLEA_BACKEND", "scripted"},
                                           {"MELLEA_MODEL", "theirs"},
                                           {"MELLEA_BASE_URL", "http://theirs"},
                                           {"OPENAI_BASE_URL", "http://openai"},
                                           {"OPENAI_API_KEY", "key"}});
  const BackendOptions typed = configured_model(
      {.backend = "openai", .model = "mine", .base_url = "http://mine"}, environment);
  EXPECT_EQ(typed.backend, "openai");
  EXPECT_EQ(typed.model, "mine");
  EXPECT_EQ(typed.base_url, "http://mine");
  EXPECT_EQ(typed.api_key, "key");
  const BackendOptions found = configured_model({}, environment);
  EXPECT_EQ(found.backend, "scripted");
  EXPECT_EQ(found.model, "theirs");
  EXPECT_EQ(found.base_url, "http://theirs");
  EXPECT_EQ(found.api_key, "");
}

TEST(ModelChoice, TakesTheProvidersOwnUrlLast) {
  EXPECT_EQ(
      configured_model({.backend = "openai"}, environment_of({{"OPENAI_BASE_URL", "http://o"}}))
          .base_url,
      "http://o");
}

TEST(ModelChoice, TakesTheKeyFromTheVariableThatIsNamed) {
  const auto environment = environment_of({{"OPENAI_API_KEY", "one"}, {"TEAM_KEY", "two"}});
  EXPECT_EQ(configured_model({.backend = "openai", .api_key_env = "TEAM_KEY"}, environment).api_key,
            "two");
  EXPECT_THROW(configured_model({.backend = "openai", .api_key_env = "NO_KEY"}, environment),
               UsageError);
}

TEST(ModelChoice, KnowsWhichServersAreTheProvidersOwnOrOurs) {
  const std::vector<std::pair<const char*, const char*>> own = {
      {"openai", "https://api.openai.com/v1"},
      {"openai", "http://127.0.0.1:8080/v1"},
      {"litellm", "http://localhost:4000"},
      {"ollama", "https://ollama.com"},
      {"ollama", "127.0.0.1"},
      {"watsonx", "https://us-south.ml.cloud.ibm.com"},
      {"huggingface", "https://router.huggingface.co/v1"},
  };
  for (const auto& [backend, url] : own) EXPECT_TRUE(may_have_key(backend, url)) << url;
  const std::vector<std::pair<const char*, const char*>> others = {
      {"openai", "http://api.openai.com/v1"},
      {"openai", "https://api.openai.com.evil.example/v1"},
      {"openai", "https://api.openai.com@evil.example/v1"},
      {"openai", "https://127.0.0.1.evil.example/v1"},
      {"openai", "https://ollama.com"},
      {"watsonx", "https://evil-ml.cloud.ibm.com"},
      {"litellm", "https://api.openai.com/v1"},
      {"openai", "no url"},
  };
  for (const auto& [backend, url] : others) EXPECT_FALSE(may_have_key(backend, url)) << url;
}

TEST(ModelChoice, AHuggingFaceTokenGoesWhereItIsMeantToGo) {
  const auto environment = environment_of({{"HF_TOKEN", "hf_x"}});
  const auto key = [&](const std::string& url, const std::string& api_key_env = "") {
    return configured_model({.backend = "huggingface", .base_url = url, .api_key_env = api_key_env},
                            environment)
        .api_key;
  };
  EXPECT_EQ(key(""), "hf_x");
  EXPECT_EQ(key("https://router.huggingface.co/novita/v1"), "hf_x");
  EXPECT_EQ(key("http://gpu-box:8080"), "");
  EXPECT_EQ(key("http://gpu-box:8080", "HF_TOKEN"), "hf_x");
  const BackendOptions both = configured_model(
      {.backend = "huggingface"},
      environment_of({{"HF_TOKEN", "hf_x"}, {"HF_INFERENCE_ENDPOINT", "http://gateway"}}));
  EXPECT_EQ(both.base_url, "http://gateway");
  EXPECT_EQ(both.api_key, "hf_x");
}

TEST(ModelChoice, OllamaHasItsOwnVariables) {
  const auto environment = environment_of(
      {{"OLLAMA_HOST", "gpu-box"}, {"OLLAMA_API_KEY", "key"}, {"OPENAI_BASE_URL", "http://o"}});
  const BackendOptions chosen = configured_model({.backend = "ollama"}, environment);
  EXPECT_EQ(chosen.base_url, "gpu-box");
  EXPECT_EQ(chosen.api_key, "key");
  EXPECT_EQ(configured_model({.backend = "ollama", .base_url = "mine"}, environment).base_url,
            "mine");
}

TEST(ModelChoice, WatsonxHasManyVariables) {
  const auto environment = environment_of({{"WATSONX_URL", "eu-de"},
                                           {"WATSONX_API_KEY", "key"},
                                           {"WATSONX_PROJECT_ID", "p"},
                                           {"WATSONX_API_VERSION", "2025-02-11"},
                                           {"WATSONX_IAM_URL", "https://iam"},
                                           {"WATSONX_USERNAME", "me"}});
  const BackendOptions chosen = configured_model({.backend = "watsonx"}, environment);
  EXPECT_EQ(chosen.base_url, "eu-de");
  EXPECT_EQ(chosen.api_key, "key");
  EXPECT_EQ(chosen.watsonx.project, "p");
  EXPECT_EQ(chosen.watsonx.space, "");
  EXPECT_EQ(chosen.watsonx.api_version, "2025-02-11");
  EXPECT_EQ(chosen.watsonx.iam_url, "https://iam");
  EXPECT_EQ(chosen.watsonx.user, "me");
  EXPECT_TRUE(chosen.headers.empty());
  EXPECT_EQ(configured_model({.backend = "watsonx"}, environment_of({{"WATSONX_SPACE_ID", "s"}}))
                .watsonx.space,
            "s");
  EXPECT_EQ(configured_model({.backend = "openai"}, environment).watsonx.project, "");
}

TEST(ModelChoice, WatsonxTakesOtherKeysToo) {
  const auto options = [](std::map<std::string, std::string> variables, std::string named = {}) {
    return configured_model({.backend = "watsonx", .api_key_env = std::move(named)},
                            environment_of(std::move(variables)));
  };
  EXPECT_EQ(options({{"WATSONX_APIKEY", "key"}}).api_key, "key");
  EXPECT_EQ(options({{"WATSONX_TOKEN", "t"}, {"WATSONX_ZENAPIKEY", "z"}}).headers,
            (Headers{{"authorization", "Bearer t"}}));
  EXPECT_EQ(options({{"WATSONX_ZENAPIKEY", "z"}}).headers,
            (Headers{{"authorization", "ZenApiKey z"}}));
  const BackendOptions named =
      options({{"WATSONX_TOKEN", "t"}, {"WATSONX_APIKEY", "k"}, {"TEAM_KEY", "mine"}}, "TEAM_KEY");
  EXPECT_EQ(named.api_key, "mine");
  EXPECT_TRUE(named.headers.empty());
}

TEST(ModelChoice, ALocalModelHasWhatTheEnvironmentSaysOfIt) {
  const auto environment = environment_of({{"MELLEA_LLAMA_SERVER", "/opt/llama-server"},
                                           {"HF_HUB_CACHE", "/models"},
                                           {"MELLEA_BASE_URL", ""}});
  Console console({.quiet = true});
  for (const BackendOptions& chosen :
       {configured_model({.backend = "local"}, environment),
        choose_model({.model = "/models/m.gguf"}, environment, console)}) {
    EXPECT_EQ(chosen.backend, "local");
    ASSERT_TRUE(chosen.local);
    EXPECT_EQ(chosen.local->server, "/opt/llama-server");
    EXPECT_EQ(chosen.local->hub_cache, "/models");
  }
  EXPECT_FALSE(configured_model({.backend = "openai"}, environment).local);
}

// What is said where nobody names a backend and none is found.
std::string refusal(const ModelArguments& arguments, const Environment& environment) {
  Console console({.quiet = true});
  try {
    choose_model(arguments, environment, console);
  } catch (const UsageError& error) {
    return error.what();
  }
  return "";
}

TEST(ModelChoice, WithoutABackendItIsTheOllamaOfThisMachine) {
  LoopbackServer server({Script::answer(200, R"({"version":"0.12.0"})")});
  const std::string host = "127.0.0.1:" + std::to_string(server.port());
  Console console({.quiet = true});
  const BackendOptions chosen =
      choose_model({.model = "m"}, environment_of({{"OLLAMA_HOST", host}}), console);
  EXPECT_EQ(chosen.backend, "ollama");
  EXPECT_EQ(chosen.base_url, host);
  EXPECT_EQ(chosen.model, "m");
  EXPECT_EQ(server.requests().at(0).path, "/api/version");
}

TEST(ModelChoice, AServerThatIsNoOllamaIsNotTaken) {
  LoopbackServer server({Script::answer(404, "")});
  const std::string host = "127.0.0.1:" + std::to_string(server.port());
  EXPECT_NE(refusal({}, environment_of({{"OLLAMA_HOST", host}})), "");
}

TEST(ModelChoice, NeedsABackendOrAnOllama) {
  std::optional<LoopbackServer> server(std::vector<Script>{Script::raw()});
  const std::string host = "127.0.0.1:" + std::to_string(server->port());
  server.reset();
  EXPECT_EQ(refusal({}, environment_of({{"OLLAMA_HOST", host}})),
            "mellea: no backend given, and no Ollama answers at " + host +
                ": start it (ollama serve), pass --backend openai (and --base-url URL for a "
                "server of your own) or --model FILE.gguf, or set MELLEA_BACKEND");
}

TEST(ModelChoice, WithoutABackendNoOtherMachineIsAsked) {
  EXPECT_EQ(refusal({}, environment_of({{"OLLAMA_HOST", "gpu-box.invalid"}})),
            "mellea: no backend given, and OLLAMA_HOST is not this machine: pass --backend ollama "
            "to use it, pass --backend openai (and --base-url URL for a server of your own) or "
            "--model FILE.gguf, or set MELLEA_BACKEND");
  EXPECT_TRUE(refusal({.base_url = "http://h"}, environment_of({}))
                  .starts_with("mellea: no backend given for the base URL: "));
  EXPECT_TRUE(refusal({}, environment_of({{"OLLAMA_HOST", "ftp://h"}}))
                  .starts_with("mellea: no backend given, and OLLAMA_HOST is wrong: "));
}

TEST(ModelChoice, ShowsAFewOfManyModels) {
  EXPECT_EQ(first_few({"a", "b"}), "a, b");
  EXPECT_EQ(first_few({"a", "b", "c", "d", "e", "f", "g", "h"}), "a, b, c, d, e, f and 2 more");
}

}  // namespace
}  // namespace mellea::cli
