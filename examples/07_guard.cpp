// A plugin of twenty lines: it takes addresses out of what is sent, stops a prompt that holds a
// key, and writes down what every call took, failed and stopped ones too.
//
//   07_guard [BASE_URL [MODEL]]
#include <mellea/mellea.h>

#include <iostream>
#include <string>

namespace {

class House : public mellea::Plugin {
 public:
  std::string_view name() const override { return "house_rules"; }

  void subscribe(mellea::Subscriber& hooks) override {
    using namespace mellea;
    hooks.intercept<ComponentPreExecute>([](ComponentPreExecute& call) {
      return call.action->text.find("sk-") == std::string::npos
                 ? Verdict::go_on()
                 : Verdict::stop({.reason = "the prompt holds an API key", .code = "secret"});
    });
    hooks.transform<GenerationPreCall>([](GenerationPreCall& call) {
      for (Message& message : call.request.edit().messages) redact(message.text);
    });
    hooks.observe<GenerationPostCall>([](const GenerationPostCall& call) {
      std::cerr << call.opening->request->model << ": " << call.reply->text.size() << " bytes\n";
    });
    hooks.observe<GenerationError>([](const GenerationError& call) {
      std::cerr << "failed: " << to_string(call.ending.error->code()) << '\n';
    });
  }

 private:
  static void redact(std::string& text) {
    for (auto at = text.find('@'); at != std::string::npos; at = text.find('@', at)) {
      const auto begin = text.find_last_of(' ', at) + 1;
      text.replace(begin, text.find(' ', at) - begin, "[address]");
      at = begin;
    }
  }
};

}  // namespace

int main(int argc, char** argv) {
  mellea::Runtime runtime({.plugins = {std::make_shared<House>()}});
  try {
    auto session =
        runtime.start_session({.backend = "openai",
                               .model = argc > 2 ? argv[2] : "granite4:micro",
                               .base_url = argc > 1 ? argv[1] : "http://127.0.0.1:8080/v1"});
    std::cout << session.chat("Write to ann@example.org for me.").text() << '\n';
    session.chat("My key is sk-123.");
  } catch (const mellea::Error& error) {  // "plugin house_rules: the prompt holds an API key"
    std::cerr << error.what() << '\n';
    return error.code() == mellea::Errc::blocked ? 0 : 1;
  }
}
