#include "mellea/cli/progress_plugin.h"

#include <memory>
#include <string>

#include "mellea/core/text.h"

namespace mellea::cli {
namespace {

std::string retry_line(const Notice& retry) {
  std::string line = "mellea: attempt " + std::to_string(retry.attempt) + " failed: ";
  if (retry.http_status != 0) line += std::to_string(retry.http_status) + ' ';
  line.append(to_string(retry.category));
  return line + "; again in " + std::to_string(retry.delay.count()) + " ms";
}

class ProgressPlugin : public Plugin {
 public:
  explicit ProgressPlugin(Console& console) : console_(console) {}

  std::string_view name() const override { return "progress"; }

  void subscribe(Subscriber& hooks) override {
    hooks.observe<GenerationPreCall>([this](const GenerationPreCall& call) {
      const Endpoint& to = call.target->endpoint;
      console_.detail("mellea: asking " + one_line(call.request->model) + " of " +
                      std::string(call.target->provider) +
                      (to.local ? "" : " at " + to.address + ':' + std::to_string(to.port)));
    });
    hooks.observe<GenerationRetry>([this](const GenerationRetry& event) {
      if (console_.error_is_terminal())
        console_.warn(retry_line(event.notice));
      else
        console_.detail(retry_line(event.notice));
    });
    hooks.observe<Diagnostic>([this](const Diagnostic& event) {
      console_.warn("mellea: " + one_line(event.notice.text, 300));
    });
  }

 private:
  Console& console_;
};

}  // namespace

Plugins with_progress(Plugins plugins, Console& console) {
  plugins.push_back(std::make_shared<ProgressPlugin>(console));
  return plugins;
}

}  // namespace mellea::cli
