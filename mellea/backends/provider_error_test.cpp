#include "mellea/backends/provider_error.h"

#include <gtest/gtest.h>

#include <array>

#include "mellea/core/text.h"

namespace mellea {
namespace {

const RequestNames kNames{.provider = "openai",
                          .request = "POST https://api.openai.com/v1/chat/completions",
                          .auth_hint = "check OPENAI_API_KEY"};

Error error(int status, std::string_view body) {
  return answer_error(kNames, {.status = status, .body = body});
}

TEST(ProviderError, TheSentenceNamesWhatWhereWhyAndTheWayOut) {
  const Error refused = answer_error(
      kNames, {.status = 401,
               .body = R"({"error":{"message":"Incorrect API key provided","type":)"
                       R"("invalid_request_error","param":null,"code":"invalid_api_key"}})",
               .request_id = "req_8f2"});
  EXPECT_STREQ(refused.what(),
               "openai: POST https://api.openai.com/v1/chat/completions: 401 auth: \"Incorrect API "
               "key provided\" (request req_8f2): check OPENAI_API_KEY");
  EXPECT_EQ(refused.details().status, 401);
  EXPECT_EQ(refused.details().provider_code, "invalid_api_key");
  EXPECT_EQ(refused.details().provider_message, "Incorrect API key provided");
  EXPECT_EQ(refused.details().request_id, "req_8f2");
  EXPECT_FALSE(refused.retryable());
}

TEST(ProviderError, ARedirectSaysThatItIsNotFollowed) {
  EXPECT_STREQ(error(301, "").what(),
               "openai: POST https://api.openai.com/v1/chat/completions: 301 unknown: redirects "
               "are not followed: give the base URL to which this one leads");
}

TEST(ProviderError, EachStatusHasItsCategory) {
  struct Row {
    int status;
    Errc code;
    bool retryable;
  };
  for (const Row& row :
       {Row{400, Errc::invalid_request, false}, Row{401, Errc::auth, false},
        Row{402, Errc::rate_limit, false}, Row{403, Errc::auth, false},
        Row{404, Errc::not_found, false}, Row{405, Errc::not_found, false},
        Row{408, Errc::timeout, true}, Row{410, Errc::not_found, false},
        Row{409, Errc::invalid_request, true}, Row{413, Errc::invalid_request, false},
        Row{422, Errc::invalid_request, false}, Row{429, Errc::rate_limit, true},
        Row{500, Errc::server_error, true}, Row{501, Errc::invalid_request, false},
        Row{503, Errc::server_error, true}, Row{529, Errc::server_error, true},
        Row{302, Errc::unknown, false}}) {
    EXPECT_EQ(error(row.status, "").code(), row.code) << row.status;
    EXPECT_EQ(error(row.status, "").retryable(), row.retryable) << row.status;
  }
}

TEST(ProviderError, TheProvidersWordIsMoreExactThanTheStatus) {
  EXPECT_EQ(error(400, R"({"error":{"code":"context_length_exceeded"}})").code(),
            Errc::context_length);
  EXPECT_EQ(
      error(400, R"({"object":"error","message":"This model's maximum context length is 4096 )"
                 R"(tokens.","type":"BadRequestError","code":400})")
          .code(),
      Errc::context_length);
  EXPECT_EQ(error(400, R"({"error":{"code":400,"type":"exceed_context_size_error","message":)"
                       R"("the request exceeds the available context size"}})")
                .code(),
            Errc::context_length);
  EXPECT_EQ(error(400, R"({"error":{"code":"content_filter"}})").code(), Errc::content_policy);
  EXPECT_EQ(error(400, R"({"error":{"code":null,"type":"content_policy_violation"}})").code(),
            Errc::content_policy);
  EXPECT_EQ(error(500, R"({"error":{"code":"content_filter"}})").code(), Errc::server_error);
  const Error quota = error(429, R"({"error":{"code":"insufficient_quota"}})");
  EXPECT_EQ(quota.code(), Errc::rate_limit);
  EXPECT_FALSE(quota.retryable());
}

TEST(ProviderError, BodiesComeInManyShapes) {
  for (const char* body :
       {R"({"error":{"message":"no such thing"}})", R"({"error":"no such thing"})",
        R"({"message":"no such thing"})", R"({"detail":"no such thing"})",
        R"({"detail":[{"loc":["body"],"msg":"no such thing"}]})",
        R"([{"error":{"code":404,"message":"no such thing"}}])"}) {
    EXPECT_EQ(error(404, body).details().provider_message, "no such thing") << body;
    EXPECT_STREQ(
        error(404, body).what(),
        "openai: POST https://api.openai.com/v1/chat/completions: 404 not_found: \"no such "
        "thing\": check the model's name and the base URL");
  }
  EXPECT_EQ(error(422, R"({"error":"x","error_type":"validation"})").details().provider_code,
            "validation");
}

// What servers really say, as found in recordings, their documentation and bug reports.
struct Told {
  const char* who;
  int status;
  const char* body;
  Errc code;
  bool retryable;
  const char* word;      // ErrorDetails::provider_code
  const char* sentence;  // how ErrorDetails::provider_message begins
};

constexpr auto kTold = std::to_array<Told>({
    {"OpenAI", 401,
     R"({"error":{"message":"Incorrect API key provided: sk-no***key. You can find your )"
     R"(API key at https://platform.openai.com/account/api-keys.","type":"invalid_request_error",)"
     R"("param":null,"code":"invalid_api_key"}})",
     Errc::auth, false, "invalid_api_key", "Incorrect API key"},
    {"OpenAI", 403,
     R"({"error":{"code":"unsupported_country_region_territory","message":"Country, region,)"
     R"( or territory not supported","param":null,"type":"request_forbidden"}})",
     Errc::auth, false, "unsupported_country_region_territory", "Country"},
    {"OpenAI", 404,
     R"({"error":{"message":"The model `gpt-9` does not exist or you do not have access )"
     R"(to it.","type":"invalid_request_error","param":null,"code":"model_not_found"}})",
     Errc::not_found, false, "model_not_found", "The model `gpt-9`"},
    {"OpenAI", 400,
     R"({"error":{"message":"This model's maximum context length is 128000 tokens. However,)"
     R"( your messages resulted in 140012 tokens. Please reduce the length of the messages.",)"
     R"("type":"invalid_request_error","param":"messages","code":"context_length_exceeded"}})",
     Errc::context_length, false, "context_length_exceeded", "This model's maximum"},
    {"OpenAI", 400,
     R"({"error":{"message":"Invalid 'messages[0].content': string too long. Expected )"
     R"(a string with maximum length 10485760, but got a string with length 12000000 instead.",)"
     R"("type":"invalid_request_error","param":"messages[0].content","code":"string_above_max_leng)"
     R"(th"}})",
     Errc::context_length, false, "string_above_max_length", "Invalid 'messages"},
    {"OpenAI", 400,
     R"({"error":{"message":"Invalid prompt: your prompt was flagged as potentially violating )"
     R"(our usage policy. Please try again with a different prompt.","type":"invalid_request_error)"
     R"(","param":null,"code":"invalid_prompt"}})",
     Errc::content_policy, false, "invalid_prompt", "Invalid prompt"},
    {"OpenAI", 400,
     R"({"error":{"message":"Unsupported parameter: 'max_tokens' is not supported with )"
     R"(this model. Use 'max_completion_tokens' instead.","type":"invalid_request_error",)"
     R"("param":"max_tokens","code":"unsupported_parameter"}})",
     Errc::invalid_request, false, "unsupported_parameter", "Unsupported parameter"},
    {"OpenAI", 429,
     R"({"error":{"message":"Rate limit reached for gpt-4o in organization org-x on tokens )"
     R"(per min (TPM): Limit 30000, Used 29000, Requested 2000. Please try again in 2s.",)"
     R"("type":"tokens","param":null,"code":"rate_limit_exceeded"}})",
     Errc::rate_limit, true, "rate_limit_exceeded", "Rate limit reached"},
    {"OpenAI", 429,
     R"({"error":{"message":"Request too large for gpt-4o in organization org-x on tokens )"
     R"(per min (TPM): Limit 30000, Requested 342389. The input or output tokens must )"
     R"(be reduced in order to run successfully.","type":"tokens","param":null,"code":)"
     R"("rate_limit_exceeded"}})",
     Errc::rate_limit, false, "rate_limit_exceeded", "Request too large"},
    {"OpenAI", 429,
     R"({"error":{"message":"You exceeded your current quota, please check your plan and )"
     R"(billing details.","type":"insufficient_quota","param":null,"code":"insufficient_quota"}})",
     Errc::rate_limit, false, "insufficient_quota", "You exceeded"},
    {"OpenAI", 500,
     R"({"error":{"message":"The server had an error while processing your request. Sorry )"
     R"(about that!","type":"server_error","param":null,"code":null}})",
     Errc::server_error, true, "server_error", "The server had"},
    {"Azure", 400,
     R"({"error":{"message":"The response was filtered due to the prompt triggering Azure )"
     R"(OpenAI's content management policy. Please modify your prompt and retry.","type":)"
     R"(null,"param":"prompt","code":"content_filter","status":400,"innererror":{"code":)"
     R"("ResponsibleAIPolicyViolation","content_filter_result":{"violence":{"filtered":)"
     R"(true,"severity":"medium"}}}}})",
     Errc::content_policy, false, "content_filter", "The response was filtered"},
    {"Azure", 404,
     R"({"error":{"code":"DeploymentNotFound","message":"The API deployment for this resource )"
     R"(does not exist."}})",
     Errc::not_found, false, "DeploymentNotFound", "The API deployment"},
    {"Azure", 401,
     R"({"error":{"code":"401","message":"Access denied due to invalid subscription key )"
     R"(or wrong API endpoint."}})",
     Errc::auth, false, "401", "Access denied"},
    {"Azure", 429,
     R"({"error":{"code":"429","message":"Requests to the ChatCompletions_Create Operation )"
     R"(have exceeded token rate limit of your current pricing tier. Please retry after )"
     R"(26 seconds."}})",
     Errc::rate_limit, true, "429", "Requests to"},
    {"Azure", 404, R"({ "statusCode": 404, "message": "Resource not found" })", Errc::not_found,
     false, "", "Resource not found"},
    {"OpenRouter", 402,
     R"({"error":{"message":"This request requires more credits, or fewer max_tokens. )"
     R"(You requested up to 65536 tokens, but can only afford 4000.","code":402,"metadata":)"
     R"({"provider_name":null}},"user_id":"user_x"})",
     Errc::rate_limit, false, "402", "This request requires"},
    {"OpenRouter", 403,
     R"({"error":{"message":"openai/o1-mini requires moderation on OpenInference. Your )"
     R"(input was flagged for \"violence\". No credits were charged.","code":403,"metadata":)"
     R"({"reasons":["violence"],"flagged_input":"...","provider_name":"OpenInference",)"
     R"("model_slug":"openai/o1-mini"}}})",
     Errc::content_policy, false, "403", "openai/o1-mini requires"},
    {"OpenRouter", 400,
     R"({"error":{"message":"Provider returned error","code":400,"metadata":{"raw":"{\"error\":)"
     R"({\"message\":\"This model's maximum context length is 262144 tokens. However, )"
     R"(your messages resulted in 262897 tokens.\",\"type\":\"Bad Request\",\"code\":400}}",)"
     R"("provider_name":"Nvidia","is_byok":false}}})",
     Errc::context_length, false, "Bad Request", "Provider returned error: This model's"},
    {"OpenRouter", 429,
     R"({"error":{"message":"Provider returned error","code":429,"metadata":{"raw":"z-ai/glm )"
     R"(is temporarily rate-limited upstream. Please retry shortly.","provider_name":"BaseTen"}}})",
     Errc::rate_limit, true, "429", "Provider returned error: z-ai/glm is"},
    {"OpenRouter", 400,
     R"({"error":{"message":"Provider returned error","code":400,"metadata":{"raw":{"error":)"
     R"({"message":"The input token count (2800010) exceeds the maximum number of tokens )"
     R"(allowed (1048575).","code":400,"status":"INVALID_ARGUMENT"}},"provider_name":"Google"}}})",
     Errc::context_length, false, "INVALID_ARGUMENT", "Provider returned error: The input"},
    {"OpenRouter", 502,
     R"({"error":{"message":"Upstream idle timeout exceeded","code":502,"metadata":{"error_type":)"
     R"("provider_unavailable"}}})",
     Errc::server_error, true, "provider_unavailable", "Upstream idle"},
    {"Groq", 400,
     R"({"error":{"message":"Failed to call a function. Please adjust your prompt. See )"
     R"('failed_generation' for more details.","type":"invalid_request_error","code":"tool_use_fai)"
     R"(led","failed_generation":"web_search{\"query\": \"2016\"}</function>"}})",
     Errc::invalid_request, false, "tool_use_failed", "Failed to call"},
    {"Groq", 400,
     R"({"error":{"message":"Failed to generate JSON. Please adjust your prompt. See 'failed_gener)"
     R"(ation' for more details.","type":"invalid_request_error","code":"json_validate_failed",)"
     R"("failed_generation":""}})",
     Errc::invalid_request, false, "json_validate_failed", "Failed to generate"},
    {"Groq", 400,
     R"({"error":{"message":"'messages.1' : for 'role:assistant' the following must be )"
     R"(satisfied[('messages.1' : property 'reasoning_content' is unsupported)]","type":)"
     R"("invalid_request_error"}})",
     Errc::invalid_request, false, "invalid_request_error", "'messages.1'"},
    {"Groq", 413,
     R"({"error":{"message":"Request too large for model `llama-3.1-8b-instant` in organization )"
     R"(`org_x` service tier `on_demand` on tokens per minute (TPM): Limit 6000, Requested )"
     R"(12328, please reduce your message size and try again.","type":"tokens","code":)"
     R"("rate_limit_exceeded"}})",
     Errc::rate_limit, false, "rate_limit_exceeded", "Request too large"},
    {"DeepSeek", 402,
     R"({"error":{"message":"Insufficient Balance","type":"unknown_error","param":null,)"
     R"("code":"invalid_request_error"}})",
     Errc::rate_limit, false, "invalid_request_error", "Insufficient Balance"},
    {"DeepSeek", 400,
     R"({"error":{"message":"Content Exists Risk","type":"invalid_request_error","param":)"
     R"(null,"code":"invalid_request_error"}})",
     Errc::content_policy, false, "invalid_request_error", "Content Exists Risk"},
    {"DeepSeek", 401,
     R"({"error":{"message":"Authentication Fails, Your api key: ****none is invalid",)"
     R"("type":"authentication_error","param":null,"code":"invalid_request_error"}})",
     Errc::auth, false, "invalid_request_error", "Authentication Fails"},
    {"vLLM", 400,
     R"({"object":"error","message":"This model's maximum context length is 131072 tokens. )"
     R"(However, you requested 156632 tokens (152536 in the messages, 4096 in the completion).",)"
     R"("type":"BadRequestError","param":null,"code":400})",
     Errc::context_length, false, "BadRequestError", "This model's"},
    {"vLLM", 400,
     R"({"error":{"message":"You passed 1015 input tokens and requested 10 output tokens. )"
     R"(However, the model's context length is only 1024 tokens, resulting in a maximum )"
     R"(input length of 1014 tokens.","type":"BadRequestError","param":"input_tokens",)"
     R"("code":400}})",
     Errc::context_length, false, "BadRequestError", "You passed"},
    {"vLLM", 400,
     R"({"error":{"message":"The decoder prompt (length 5000) is longer than the maximum )"
     R"(model length of 4096.","type":"BadRequestError","param":null,"code":400}})",
     Errc::context_length, false, "BadRequestError", "The decoder prompt"},
    {"vLLM", 404,
     R"({"object":"error","message":"The model `m` does not exist.","type":"NotFoundError",)"
     R"("param":"model","code":404})",
     Errc::not_found, false, "NotFoundError", "The model `m`"},
    {"LM Studio", 400,
     R"({"error":"Trying to keep the first 14538 tokens when context the overflows. However,)"
     R"( the model is loaded with context length of only 2048 tokens, which is not enough."})",
     Errc::context_length, false, "", "Trying to keep"},
    {"LM Studio", 404,
     R"({"error":{"message":"No models loaded. Please load a model in the developer page )"
     R"(or use the 'lms load' command.","type":"invalid_request_error","param":"model",)"
     R"("code":"model_not_found"}})",
     Errc::not_found, false, "model_not_found", "No models loaded"},
    {"llama-server", 400,
     R"({"error":{"code":400,"message":"request (13392 tokens) exceeds the available context )"
     R"(size (8192 tokens), try increasing it","type":"exceed_context_size_error","n_prompt_tokens)"
     R"(":13392,"n_ctx":8192}})",
     Errc::context_length, false, "exceed_context_size_error", "request (13392"},
    {"llama-server", 503,
     R"({"error":{"code":503,"message":"Loading model","type":"unavailable_error"}})",
     Errc::server_error, true, "unavailable_error", "Loading model"},
    {"llama-server", 501,
     R"({"error":{"code":501,"message":"This server does not support embeddings. Start )"
     R"(it with `--embeddings`","type":"not_supported_error"}})",
     Errc::invalid_request, false, "not_supported_error", "This server"},
    {"llama-server", 500,
     R"({"error":{"code":500,"message":"input (744 tokens) is too large to process. increase )"
     R"(the physical batch size (current batch size: 512))"
     R"(","type":"server_error"}})",
     Errc::context_length, false, "server_error", "input (744"},
    {"Ollama", 404, R"({"error":"model 'granite9' not found"})", Errc::not_found, false, "",
     "model 'granite9'"},
    {"Ollama", 400, R"({"error":"registry.ollama.ai/library/gemma:2b does not support tools"})",
     Errc::invalid_request, false, "", "registry.ollama.ai"},
    {"Ollama", 400, R"({"error":"the input length exceeds the context length"})",
     Errc::context_length, false, "", "the input length"},
    {"Ollama", 401,
     R"({"error":"unauthorized","signin_url":"https://ollama.com/connect?name=x&key=y"})",
     Errc::auth, false, "", "unauthorized"},
    {"Ollama", 500,
     R"({"error":"model requires more system memory (8.4 GiB) than is available (5.2 GiB))"
     R"("})",
     Errc::server_error, true, "", "model requires"},
    {"Ollama", 503,
     R"({"error":"server busy, please try again.  maximum pending requests exceeded"})",
     Errc::server_error, true, "", "server busy"},
    {"LiteLLM", 400,
     R"({"error":{"message":"litellm.ContextWindowExceededError: litellm.BadRequestError:)"
     R"( AnthropicException - prompt is too long: 209303 tokens > 200000 maximum. Received )"
     R"(Model Group=claude\nAvailable Model Group Fallbacks=None","type":null,"param":)"
     R"(null,"code":"400"}})",
     Errc::context_length, false, "400", "litellm.ContextWindow"},
    {"LiteLLM", 400,
     R"({"error":{"message":"litellm.BadRequestError: litellm.ContentPolicyViolationError:)"
     R"( AzureException - The response was filtered due to the prompt","type":null,"param":)"
     R"(null,"code":"400","provider_specific_fields":{"innererror":{"code":"ResponsibleAIPolicyVio)"
     R"(lation"}}}})",
     Errc::content_policy, false, "400", "litellm.BadRequest"},
    {"LiteLLM", 400,
     R"({"error":{"message":"Budget has been exceeded! Current cost: 0.0021, Max budget:)"
     R"( 0.002","type":"budget_exceeded","param":null,"code":"400"}})",
     Errc::rate_limit, false, "budget_exceeded", "Budget has been"},
    {"LiteLLM", 401,
     R"({"error":{"message":"Authentication Error, Invalid proxy server token passed.",)"
     R"("type":"auth_error","param":"None","code":"401"}})",
     Errc::auth, false, "auth_error", "Authentication Error"},
    {"LiteLLM", 429,
     R"({"error":{"message":"No deployments available for selected model, Try again in )"
     R"(5 seconds. Passed model=gpt-4o.","type":"None","param":"None","code":"429"}})",
     Errc::rate_limit, true, "429", "No deployments"},
    {"Anthropic", 529,
     R"({"type":"error","error":{"type":"overloaded_error","message":"Overloaded"},"request_id":)"
     R"("req_x"})",
     Errc::server_error, true, "overloaded_error", "Overloaded"},
    {"Gemini", 400,
     R"([{"error":{"code":400,"message":"API key not valid. Please pass a valid API key.",)"
     R"("status":"INVALID_ARGUMENT"}}])",
     Errc::invalid_request, false, "INVALID_ARGUMENT", "API key not valid"},
    {"Mistral", 422,
     R"({"object":"error","message":{"detail":[{"type":"extra_forbidden","loc":["body",)"
     R"("x"],"msg":"Extra inputs are not permitted"}]},"type":"invalid_request_error",)"
     R"("param":null,"code":null})",
     Errc::invalid_request, false, "invalid_request_error", "Extra inputs"},
    {"TGI", 422,
     R"({"error":"Input validation error: `inputs` tokens + `max_new_tokens` must be <= )"
     R"(4096. Given: 4000 `inputs` tokens and 200 `max_new_tokens`","error_type":"validation"})",
     Errc::context_length, false, "validation", "Input validation"},
    {"TGI", 422,
     R"({"error":"Input validation error: `max_new_tokens` must be strictly positive",)"
     R"("error_type":"validation"})",
     Errc::invalid_request, false, "validation", "Input validation"},
    {"TGI", 424,
     R"({"error":"Request failed during generation: Server error: CUDA out of memory.",)"
     R"("error_type":"generation"})",
     Errc::server_error, false, "generation", "Request failed"},
    {"TGI", 429, R"({"error":"Model is overloaded","error_type":"overloaded"})", Errc::rate_limit,
     true, "overloaded", "Model is overloaded"},
    {"TGI", 500, R"({"error":"Incomplete generation","error_type":"incomplete_generation"})",
     Errc::server_error, true, "incomplete_generation", "Incomplete"},
    {"TEI", 413,
     R"({"error":"Input validation error: `inputs` must have less than 512 tokens. Given: 514",)"
     R"("error_type":"Validation"})",
     Errc::context_length, false, "Validation", "Input validation"},
    {"TEI", 422,
     R"({"error":"batch size 64 > maximum allowed batch size 32","error_type":"Validation"})",
     Errc::invalid_request, false, "Validation", "batch size 64"},
    {"TEI", 429, R"({"message":"Model is overloaded","code":429,"type":"Overloaded"})",
     Errc::rate_limit, true, "Overloaded", "Model is overloaded"},
    {"Hugging Face", 402,
     R"({"error":"You have exceeded your monthly included credits for Inference Providers. )"
     R"(Subscribe to PRO to get 20x more monthly included credits."})",
     Errc::rate_limit, false, "", "You have exceeded"},
    {"Hugging Face", 403,
     R"({"error":"This authentication method does not have sufficient permissions to call )"
     R"(Inference Providers on behalf of user x"})",
     Errc::auth, false, "", "This authentication"},
    {"Hugging Face", 403,
     R"({"error":"Access to model google/gemma-3-4b-pt is restricted and you are not in the )"
     R"(authorized list. Visit https://huggingface.co/google/gemma-3-4b-pt to ask for access."})",
     Errc::auth, false, "", "Access to model"},
    {"Hugging Face", 400,
     R"({"error":{"message":"The requested model 'a/b' is not supported by any provider you )"
     R"(have enabled.","type":"invalid_request_error","param":"model","code":)"
     R"("model_not_supported"}})",
     Errc::invalid_request, false, "model_not_supported", "The requested model"},
    {"Hugging Face", 503, R"({"error":"Model a/b is currently loading","estimated_time":20.0})",
     Errc::server_error, true, "", "Model a/b is"},
    {"Hugging Face", 400,
     R"({"error":["Error in `parameters.top_k`: ensure this value is greater"]})",
     Errc::invalid_request, false, "", "Error in `parameters"},
    {"watsonx", 404,
     R"({"errors":[{"code":"model_not_supported","message":"Model 'ibm/granite-9' is not )"
     R"(supported for this environment.","more_info":"https://cloud.ibm.com/apidocs/watsonx-ai"}],)"
     R"("trace":"7e3","status_code":404})",
     Errc::not_found, false, "model_not_supported", "Model 'ibm/granite-9'"},
    {"a proxy", 405, R"({"detail":"Method Not Allowed"})", Errc::not_found, false, "",
     "Method Not"},
    {"a proxy", 524, "error code: 524", Errc::server_error, true, "", ""},
});

TEST(ProviderError, WhatServersReallySayHasItsCategory) {
  for (const Told& told : kTold) {
    const Error error = answer_error(kNames, {.status = told.status, .body = told.body});
    const std::string row = std::string(told.who) + ": " + told.body;
    EXPECT_EQ(error.code(), told.code) << row;
    EXPECT_EQ(error.retryable(), told.retryable) << row;
    EXPECT_EQ(error.details().provider_code, told.word) << row;
    EXPECT_TRUE(error.details().provider_message.starts_with(told.sentence))
        << row << error.details().provider_message;
  }
}

// The same in a stream of status 200, where only the words can tell.
TEST(ProviderError, AnErrorInAStreamHasItsCategory) {
  const auto rows = std::to_array<Told>({
      {"OpenRouter", 0,
       R"({"id":"gen-1","error":{"code":502,"message":"Provider disconnected"},"choices":)"
       R"([{"index":0,"delta":{"content":""},"finish_reason":"error"}]})",
       Errc::server_error, true, "502", "Provider disconnected"},
      {"Groq", 0,
       R"({"error":{"message":"Failed to call a function.","type":"invalid_request_error",)"
       R"("code":"tool_use_failed","failed_generation":"<f>","status_code":400}})",
       Errc::invalid_request, false, "tool_use_failed", "Failed to call"},
      {"vLLM", 0,
       R"({"error":{"object":"error","message":"This model's maximum context length is 1024 )"
       R"(tokens.","type":"BadRequestError","param":null,"code":400}})",
       Errc::context_length, false, "BadRequestError", "This model's"},
      {"LM Studio", 0,
       R"({"error":"The number of tokens to keep from the initial prompt is greater than )"
       R"(the context length. Try to load the model with a larger context length, or provide )"
       R"(a shorter input"})",
       Errc::context_length, false, "", "The number of tokens"},
      {"LM Studio", 0,
       R"({"error":"Unexpected endpoint or method. (POST /chat/completions). Returning 200 )"
       R"(anyway"})",
       Errc::not_found, false, "", "Unexpected endpoint"},
      {"LiteLLM", 0,
       R"({"error":{"message":"litellm.RateLimitError: AnthropicException - Overloaded",)"
       R"("type":"throttling_error","param":"None","code":"429"}})",
       Errc::rate_limit, true, "throttling_error", "litellm.RateLimitError"},
      {"TGI", 0, R"({"error":"Model is overloaded","error_type":"overloaded"})", Errc::rate_limit,
       true, "overloaded", "Model is overloaded"},
      {"TGI", 0,
       R"({"error":"Input validation error: `inputs` cannot be empty","error_type":"validation"})",
       Errc::invalid_request, false, "validation", "Input validation"},
      {"TGI", 0,
       R"({"error":"Request failed during generation: out of memory","error_type":"generation"})",
       Errc::server_error, true, "generation", "Request failed"},
      {"TGI", 0, R"({"error":{"message":"Input validation error: x","http_status_code":422}})",
       Errc::invalid_request, false, "", "Input validation"},
      {"Ollama", 0, R"({"error":"pull model manifest: file does not exist"})", Errc::not_found,
       false, "", "pull model"},
      {"Ollama", 0,
       R"({"error":"an error was encountered while running the model: unexpected EOF"})",
       Errc::server_error, true, "", "an error was"},
      {"Anthropic", 0,
       R"({"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}})",
       Errc::server_error, true, "overloaded_error", "Overloaded"},
      {"OpenAI", 0, R"({"error":{"message":"no","type":"authentication_error","code":null}})",
       Errc::auth, false, "authentication_error", "no"},
  });
  for (const Told& told : rows) {
    const Error error = stream_error(kNames, told.body, 1);
    EXPECT_EQ(error.code(), told.code) << told.who << told.body;
    EXPECT_EQ(error.retryable(), told.retryable) << told.who << told.body;
    EXPECT_EQ(error.details().provider_code, told.word) << told.who << told.body;
    EXPECT_TRUE(error.details().provider_message.starts_with(told.sentence)) << told.body;
  }
}

TEST(ProviderError, HowLongAModelTakesToLoadIsHowLongToWait) {
  using std::chrono::milliseconds;
  const auto wait = [](std::string_view time, std::optional<milliseconds> header = {}) {
    const std::string body = R"({"error":"loading","estimated_time":)" + std::string(time) + '}';
    return answer_error(kNames, {.status = 503, .body = body, .retry_after = header})
        .details()
        .retry_after;
  };
  EXPECT_EQ(wait("44.49033436"), milliseconds(44'490));
  EXPECT_EQ(wait("20", milliseconds(5)), milliseconds(5)) << "the header is meant for us";
  EXPECT_EQ(wait("-1"), milliseconds(0));
  EXPECT_EQ(wait("1e300"), std::chrono::hours(365 * 24));
  EXPECT_EQ(wait("\"soon\""), std::nullopt);
}

TEST(ProviderError, TheWayOutIsTold) {
  const auto ends_with = [](int status, std::string_view body, std::string_view end) {
    EXPECT_TRUE(std::string_view(error(status, body).what()).ends_with(end))
        << error(status, body).what();
  };
  ends_with(402, R"({"error":{"message":"Insufficient Balance"}})",
            "402 rate_limit: \"Insufficient Balance\": the quota or the credit is used up");
  ends_with(413, R"({"error":{"message":"Request too large","code":"rate_limit_exceeded"}})",
            ": send less, or have the limit raised");
  ends_with(400, R"({"error":{"message":"See 'failed_generation'","failed_generation":"f{\n}"}})",
            ": the model wrote: \"f{ }\"");
  ends_with(400, R"({"error":{"code":"context_length_exceeded"}})",
            ": send less, or take a model with a larger context");
}

TEST(ProviderError, ABodyThatIsNoJsonIsShownAndIsNoProviderMessage) {
  const Error page = error(502, "<html>\r\n<h1>Bad gateway</h1>\n\xFF");
  EXPECT_STREQ(page.what(),
               "openai: POST https://api.openai.com/v1/chat/completions: 502 server_error: "
               "\"<html>  <h1>Bad gateway</h1> \xEF\xBF\xBD\"");
  EXPECT_EQ(page.details().provider_message, "");
  EXPECT_STREQ(error(500, "").what(),
               "openai: POST https://api.openai.com/v1/chat/completions: 500 server_error");
}

TEST(ProviderError, NoBodyBreaksIt) {
  const std::string deep(100'000, '[');
  for (const std::string& body :
       {deep, "{\"error\":" + deep, std::string(R"({"error":[]})"),
        std::string(R"({"error":[[[]]]})"), std::string(R"({"error":{"message":{"message":[5]}}})"),
        std::string("[]"), std::string("5"), std::string(R"({"code":99999999999999999999})"),
        std::string(R"({"status":-9})"), std::string(R"({"message":"a\u0000b\nc"})")}) {
    const Error any = error(400, body);
    EXPECT_EQ(any.code(), Errc::invalid_request);
    EXPECT_TRUE(is_utf8(any.what()));
    EXPECT_EQ(std::string(any.what()).find('\n'), std::string::npos);
    EXPECT_LT(std::string(any.what()).size(), 1'000U);
  }
}

TEST(ProviderError, OfWatsonxHasItsCodeItsSentenceAndItsTrace) {
  const Error refused = error(
      404, R"({"errors":[{"code":"model_not_supported","message":"Model 'x' is not supported for )"
           R"(this environment.","more_info":"https://cloud.ibm.com"}],"trace":"9d0f1e2d",)"
           R"("status_code":404})");
  EXPECT_EQ(refused.code(), Errc::not_found);
  EXPECT_EQ(refused.details().provider_code, "model_not_supported");
  EXPECT_EQ(refused.details().provider_message, "Model 'x' is not supported for this environment.");
  EXPECT_EQ(refused.details().request_id, "9d0f1e2d");
  EXPECT_NE(std::string(refused.what()).find("(request 9d0f1e2d)"), std::string::npos);
  const Error expired = error(
      401, R"({"errors":[{"code":"authentication_token_expired","message":"Failed to authenticate)"
           R"( the request due to an expired token"}],"trace":"1","status_code":401})");
  EXPECT_EQ(expired.code(), Errc::auth);
  EXPECT_EQ(expired.details().provider_code, "authentication_token_expired");
  const Error busy =
      stream_error(kNames,
                   R"({"errors":[{"code":"rate_limit_reached_requests","message":"slow"}],)"
                   R"("trace":"2","status_code":429})",
                   3);
  EXPECT_EQ(busy.code(), Errc::rate_limit);
  EXPECT_TRUE(busy.retryable());
  EXPECT_EQ(busy.details().request_id, "2");
}

TEST(ProviderError, OfIamIsAboutTheKeyWhateverItsStatus) {
  const Error refused = error(
      400, R"({"errorCode":"BXNIM0415E","errorMessage":"Provided API key could not be found.",)"
           R"("context":{"requestId":"aWQ","url":"https://iam.cloud.ibm.com"}})");
  EXPECT_STREQ(refused.what(),
               "openai: POST https://api.openai.com/v1/chat/completions: 400 auth: \"Provided API "
               "key could not be found.\" (request aWQ): check OPENAI_API_KEY");
  EXPECT_EQ(refused.code(), Errc::auth);
  EXPECT_EQ(refused.details().provider_code, "BXNIM0415E");
  EXPECT_FALSE(refused.retryable());
}

TEST(ProviderError, WhatHasTheNamesOfIbmAndOtherTypesIsNoHarm) {
  for (const char* body : {R"({"errors":[]})", R"({"errors":["a"]})", R"({"errors":{"code":1}})",
                           R"({"trace":{},"context":[],"errorCode":null,"status_code":"4"})",
                           R"({"context":{"requestId":[]},"errorMessage":{}})"})
    EXPECT_EQ(error(400, body).code(), Errc::invalid_request) << body;
}

}  // namespace
}  // namespace mellea
