// What the tests of sessions share: a Runtime that is recorded, on a scripted provider.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <latch>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "mellea/backends/scripted_backend.h"
#include "mellea/hooks/testing/recorder.h"
#include "mellea/runtime/runtime.h"

namespace mellea {

using Names = std::vector<std::string>;

inline Instant in(std::chrono::milliseconds time) {
  return std::chrono::steady_clock::now() + time;
}

// A plugin of one function.
class Lambda : public Plugin {
 public:
  explicit Lambda(std::function<void(Subscriber&)> with, std::string name = "lambda")
      : with_(std::move(with)), name_(std::move(name)) {}
  std::string_view name() const override { return name_; }
  void subscribe(Subscriber& hooks) override { with_(hooks); }

 private:
  std::function<void(Subscriber&)> with_;
  std::string name_;
};

inline std::shared_ptr<Plugin> plugin(std::function<void(Subscriber&)> with) {
  return std::make_shared<Lambda>(std::move(with));
}

template <class E>
std::shared_ptr<Plugin> stops() {
  return plugin([](Subscriber& hooks) {
    hooks.intercept<E>([](E&) { return Verdict::stop({.reason = "not today", .code = "closed"}); });
  });
}

// Adds all of the text, by a reader that never blocks in a read.
inline void poll(Output& output, std::string& text) {
  for (Chunk chunk;;) {
    const Next next = output.try_next(chunk);
    if (next == Next::end) return;
    if (next == Next::chunk) {
      if (const auto* piece = std::get_if<std::string>(&chunk.what)) text += *piece;
      continue;
    }
    const auto woken = std::make_shared<std::latch>(1);
    if (output.when_ready([woken] { woken->count_down(); })) woken->wait();
  }
}

inline std::string polled(Output& output) {
  std::string text;
  poll(output, text);
  return text;
}

class SessionTest : public ::testing::Test {
 protected:
  void SetUp() override { make_runtime({}); }
  void TearDown() override {
    runtime_.reset();
    EXPECT_EQ(recorder_->problems(), std::vector<std::string>{});
  }

  void make_runtime(Plugins more, RuntimeOptions options = {}) {
    more.push_back(recorder_);
    options.plugins = std::move(more);
    options.on_diagnostic = [this](const Notice& notice) {
      std::lock_guard lock(mutex_);
      notices_.push_back(notice.text);
    };
    runtime_ = std::make_unique<Runtime>(std::move(options));
  }
  Session start(SessionOptions options = {}) {
    return runtime_->start_session(backend_, "demo", std::move(options));
  }
  void script(scripted::Line line) { backend_->add(std::move(line)); }
  // The names of the events so far.
  std::vector<std::string> heard() const {
    std::vector<std::string> names;
    for (const std::string& line : recorder_->lines())
      names.push_back(line.substr(0, line.find(' ')));
    return names;
  }
  // How the operations of a kind ended, in the order of their ends.
  std::vector<std::string> outcomes(const std::string& kind) const {
    std::vector<std::string> all;
    for (const std::string& line : recorder_->lines()) {
      const auto colon = line.find(": ");
      if (colon != line.npos && line.find(" " + kind + "#") < line.find(" in ") &&
          (line.starts_with("generation_post") || line.starts_with("generation_error") ||
           line.starts_with("component_post") || line.starts_with("session_cleanup")))
        all.push_back(line.substr(colon + 2));
    }
    return all;
  }
  void drain() { EXPECT_TRUE(runtime_->drain(in(std::chrono::seconds(5)))); }

  template <class Function>
  static Error error_of(Function function) {
    try {
      function();
    } catch (const Error& error) {
      return error;
    }
    ADD_FAILURE() << "threw nothing";
    return Error(Errc::unknown, "");
  }

  std::shared_ptr<testing::Recorder> recorder_ = std::make_shared<testing::Recorder>();
  std::shared_ptr<ScriptedBackend> backend_ = std::make_shared<ScriptedBackend>();
  std::mutex mutex_;
  std::vector<std::string> notices_;  // guarded by mutex_
  std::unique_ptr<Runtime> runtime_;
};

}  // namespace mellea
