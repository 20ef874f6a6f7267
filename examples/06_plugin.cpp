// A plugin that counts what all calls took, and stops the program at a budget.
//
//   06_plugin [BASE_URL [MODEL]]
#include <mellea/mellea.h>

#include <atomic>
#include <iostream>

class Budget : public mellea::Plugin {
 public:
  explicit Budget(std::int64_t tokens) : left_(tokens) {}
  std::string_view name() const override { return "budget"; }

  void subscribe(mellea::Subscriber& hooks) override {
    hooks.intercept<mellea::GenerationPreCall>([this](mellea::GenerationPreCall&) {
      return left_ > 0 ? mellea::Verdict::go_on()
                       : mellea::Verdict::stop({.reason = "the budget is spent", .code = "budget"});
    });
    hooks.observe<mellea::GenerationPostCall>([this](const mellea::GenerationPostCall& call) {
      if (const auto& usage = call.reply->usage)
        left_ -= usage->input_tokens.value_or(0) + usage->output_tokens.value_or(0);
    });
  }

 private:
  std::atomic<std::int64_t> left_;
};

int main(int argc, char** argv) {
  mellea::Runtime runtime({.plugins = {std::make_shared<Budget>(50)}});
  int answers = 0;
  try {
    auto session =
        runtime.start_session({.backend = "openai",
                               .model = argc > 2 ? argv[2] : "granite4:micro",
                               .base_url = argc > 1 ? argv[1] : "http://127.0.0.1:8080/v1"});
    for (; answers < 100; ++answers) session.chat("Another line about the sea.");
  } catch (const mellea::Error& error) {  // "plugin budget: the budget is spent"
    std::cout << answers << " answers, then: " << error.what() << '\n';
    return error.code() == mellea::Errc::blocked ? 0 : 1;
  }
}
