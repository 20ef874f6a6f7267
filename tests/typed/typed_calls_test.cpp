#include <gtest/gtest.h>

#include <future>
#include <memory>
#include <optional>
#include <string>

#include "mellea/backends/scripted_backend.h"
#include "mellea/mellea.h"
#include "mellea/typed.h"

namespace kitchen {

struct Dish {
  std::string title;
  int minutes = 0;
};
MELLEA_DESCRIBE(Dish, title, minutes)

}  // namespace kitchen

namespace mellea {
namespace {

using kitchen::Dish;
using scripted::say;

constexpr char kSoup[] = R"({"title":"Soup","minutes":20})";

class TypedCallsTest : public testing::Test {
 protected:
  struct Came {
    std::exception_ptr error;
    std::optional<Typed<Dish>> result;
  };
  // Asks in that way and waits for what comes.
  template <class Ask>
  Came asked(const Ask& ask) {
    std::promise<Came> came;
    ask([&came](std::exception_ptr error, std::optional<Typed<Dish>> result) {
      came.set_value({std::move(error), std::move(result)});
    });
    return came.get_future().get();
  }

  const std::shared_ptr<ScriptedBackend> backend_ = std::make_shared<ScriptedBackend>();
  Runtime runtime_;
  const Session session_ = runtime_.start_session(backend_, "demo");
};

TEST_F(TypedCallsTest, AskForTheSchemaAndGiveTheValue) {
  for (int i = 0; i < 3; ++i) backend_->add(say(kSoup));
  EXPECT_EQ(session_.instruct<Dish>("A soup.").value().minutes, 20);
  EXPECT_EQ(session_.chat<Dish>("A soup.").value().title, "Soup");
  EXPECT_EQ(session_.query<Dish>("a menu", "Which soup?").value().title, "Soup");
  for (const Request& request : backend_->requests()) {
    ASSERT_TRUE(request.format);
    EXPECT_EQ(request.format->name, "Dish");
  }
}

TEST_F(TypedCallsTest, GiveTheValueToACallback) {
  backend_->add(say(kSoup));
  backend_->add(say(kSoup));
  const Came instructed =
      asked([&](auto done) { session_.instruct_async<Dish>("A soup.", {}, std::move(done)); });
  ASSERT_TRUE(instructed.result);
  EXPECT_EQ(instructed.result->value().title, "Soup");
  const Came chatted =
      asked([&](auto done) { session_.chat_async<Dish>("A soup.", {}, std::move(done)); });
  ASSERT_TRUE(chatted.result);
  EXPECT_EQ(chatted.result->value().minutes, 20);
}

TEST_F(TypedCallsTest, AnAnswerThatDoesNotFitIsTheErrorOfTheCallback) {
  backend_->add(say(R"({"title":"Soup"})"));
  const Came came =
      asked([&](auto done) { session_.chat_async<Dish>("A soup.", {}, std::move(done)); });
  ASSERT_TRUE(came.error);
  EXPECT_FALSE(came.result);
  try {
    std::rethrow_exception(came.error);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Errc::parse_error);
    EXPECT_EQ(error.partial_text(), R"({"title":"Soup"})");
  }
}

}  // namespace
}  // namespace mellea
