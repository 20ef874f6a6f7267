// A plugin for tests: writes down what it is told, and checks that operations begin and end as they
// should.
//
//   auto recorder = std::make_shared<mellea::testing::Recorder>();
//   Runtime runtime({.plugins = {recorder}});
//   ...
//   EXPECT_EQ(recorder->lines().front(), "session_pre_init session#1");
//   EXPECT_EQ(recorder->problems(), std::vector<std::string>{});
#pragma once

#include <array>
#include <cstddef>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "mellea/hooks/catalogue.h"
#include "mellea/hooks/hook.h"

namespace mellea::testing {

// Any thread may call anything.
class Recorder : public Plugin {
 public:
  struct Options {
    bool chunks = true;  // false: generation_event is not asked for, and so perhaps not fired
  };
  explicit Recorder(Options options) : options_(options) {}
  Recorder() : Recorder(Options{}) {}

  std::string_view name() const override { return "recorder"; }
  void subscribe(Subscriber& hooks) override;

  // What was told, oldest first: the event, its operation and the one around it, numbered by kind
  // in the order of their appearance, and how it ended or what it is about:
  //   "generation_error generation#2 in action#1: error rate_limit"
  std::vector<std::string> lines() const;

  // How often an event was told.
  std::size_t count(std::string_view event) const;

  // What has begun and not ended.
  std::vector<std::string> open_operations() const;

  // What is wrong with what was told, what has not ended included. Each is a sentence.
  std::vector<std::string> problems() const;

  void clear();

 private:
  // What one event says of its operation.
  struct Told {
    std::size_t event;  // its place in Events
    const Scope& scope;
    std::string detail{};
  };
  struct Operation {
    std::string label{};  // "generation#2"
    Id parent{};          // none: it has none
    enum { unknown, open, ended } state = unknown;
    int open_children = 0;
  };

  template <class E>
  void watch(Subscriber& hooks);
  void record(const Told& told);

  // These expect mutex_ to be held.
  Operation& operation(const Scope& scope);
  std::string label(const Operation& operation) const;  // "generation#2 in action#1"
  void check(const EventDescription& event, const Scope& scope);
  void begin(std::string_view event, Operation& operation);
  void end(std::string_view event, Operation& operation);
  void problem(std::string_view event, const Operation& operation, std::string_view what);

  const Options options_;
  mutable std::mutex mutex_;
  // All guarded by mutex_:
  std::vector<std::string> lines_;
  std::vector<std::string> problems_;
  std::map<Id, Operation> operations_;
  std::array<int, static_cast<std::size_t>(Kind::stream) + 1> numbers_{};  // the last given out
  std::array<std::size_t, kEventCount> counts_{};
};

}  // namespace mellea::testing
