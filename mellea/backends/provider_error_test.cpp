#include "mellea/backends/provider_error.h"

#include <gtest/gtest.h>

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
        Row{402, Errc::unknown, false}, Row{403, Errc::auth, false},
        Row{404, Errc::not_found, false}, Row{408, Errc::timeout, true},
        Row{409, Errc::invalid_request, true}, Row{413, Errc::invalid_request, false},
        Row{422, Errc::invalid_request, false}, Row{429, Errc::rate_limit, true},
        Row{500, Errc::server_error, true}, Row{503, Errc::server_error, true},
        Row{529, Errc::server_error, true}, Row{302, Errc::unknown, false}}) {
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
