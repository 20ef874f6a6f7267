#include "provider_test.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

namespace mellea::providers {

Chunk text(std::string text, int index) { return {.index = index, .what = std::move(text)}; }

Answer ended(Answer said, std::string finish) {
  said.push_back({.what = Finish{std::move(finish)}});
  said.push_back({.what = Usage{.input_tokens = 7, .output_tokens = 3, .total_tokens = 10}});
  said.push_back({.what = ResponseInfo{.id = "answer-1", .model = "m-2025"}});
  return said;
}

Answer says(std::initializer_list<std::string> pieces) {
  Answer said;
  for (const std::string& piece : pieces) said.push_back(text(piece));
  return ended(std::move(said));
}

std::string shown(const ToolCall& call) {
  const std::string arguments = call.arguments.empty() ? "{}" : call.arguments;
  return call.id + ' ' + call.name + nlohmann::json::parse(arguments).dump();
}

std::string shown(const std::vector<Message>& messages) {
  std::string all;
  for (const Message& message : messages) {
    all.append(to_string(message.role)).append(": ").append(message.text);
    if (!message.thinking.empty()) all += " thinking " + message.thinking;
    for (const ToolCall& call : message.tool_calls) all += " call " + shown(call);
    if (!message.tool_call_id.empty()) all += " answers " + message.tool_call_id;
    for (const Image& image : message.images) all += " image " + image.url;
    for (const Audio& audio : message.audio) all += " audio " + audio.format + ' ' + audio.data;
    all += '\n';
  }
  return all;
}

void PrintTo(const std::shared_ptr<const Dialect>& dialect, std::ostream* out) {
  *out << dialect->name();
}

std::string joined(const std::vector<std::string>& pieces) {
  std::string all;
  for (const std::string& piece : pieces) all += piece;
  return all;
}

bool is_utf8(std::string_view text) {
  try {
    static_cast<void>(nlohmann::json(text).dump());
    return true;
  } catch (const nlohmann::json::type_error&) {
    return false;
  }
}

void Provider::serve(std::vector<Script> scripts) {
  auto next = std::make_shared<std::size_t>(0);  // the server thread's own
  serve([scripts = std::move(scripts), next](const ReceivedRequest&) {
    return scripts[std::min((*next)++, scripts.size() - 1)];
  });
}

void Provider::serve(std::function<Script(const ReceivedRequest&)> script) {
  backend_.reset();
  server_.reset();
  asked_ = std::make_shared<Asked>();
  server_.emplace([dialect = GetParam(), asked = asked_,
                   script = std::move(script)](const ReceivedRequest& request) {
    std::optional<Script> aside = dialect->aside(request);
    {
      const std::lock_guard lock(asked->mutex);
      const std::size_t place = asked->seen++;
      if (aside) return std::move(*aside);
      asked->requests.push_back(request);
      asked->places.push_back(place);
    }
    asked->changed.notify_all();
    return script(request);
  });
  connect();
}

void Provider::connect(BackendOptions changes) {
  BackendOptions options = dialect().client(*server_);
  if (!changes.model.empty()) options.model = std::move(changes.model);
  options.api_key = kKey;
  options.headers = std::move(changes.headers);
  backend_ = make_backend(options, network_);
}

Script Provider::whole(const Answer& answer, Request::Kind kind) const {
  return whole_answer(dialect(), kind, answer);
}

Script Provider::begun() const { return begun_stream(dialect()); }

Script Provider::streamed(const Answer& answer, Request::Kind kind) const {
  return streamed_answer(dialect(), kind, answer);
}

Script Provider::stream_of(std::string_view body) const { return begun().chunk(body).end(); }

Script Provider::refused(int status, std::string_view message, Headers headers) const {
  const Fault fault = dialect().fault(status, message);
  headers.emplace_back("content-type", "application/json");
  return Script::answer(fault.status, fault.body, headers);
}

std::vector<std::string> Provider::pieces(const Answer& answer) const {
  return dialect().stream(Request::Kind::chat, answer);
}

std::string Provider::up_to(std::string_view word, const Answer& answer) const {
  std::string beginning;
  for (const std::string& piece : pieces(answer)) {
    beginning += piece;
    if (piece.find(word) != piece.npos) return beginning;
  }
  ADD_FAILURE() << "no piece has " << word;
  return beginning;
}

Request Provider::chat(bool stream) {
  return {.model = "m", .messages = {{.text = "Hi"}}, .stream = stream};
}

Request Provider::batch(Request::Kind kind, std::vector<std::string> prompts) {
  return {.kind = kind, .model = "m", .prompts = std::move(prompts)};
}

std::unique_ptr<ReplyStream> Provider::start(Request request, std::stop_token stop) {
  return backend_->start(std::move(request), std::move(stop));
}

Read Provider::ask(Request request) {
  const Read all = read(*start(std::move(request)));
  EXPECT_EQ(all.what().find(kKey), std::string::npos) << "a key is shown";
  return all;
}

std::vector<Read> Provider::ask_both(const Answer& answer) {
  serve({whole(answer), streamed(answer)});
  std::vector<Read> both;
  for (const bool stream : {false, true}) {
    both.push_back(ask(stream));
    EXPECT_EQ(both.back().what(), "") << (stream ? "streamed" : "plain");
  }
  return both;
}

std::string Provider::failure_of_models() {
  try {
    backend_->models({});
    return asked() == 0 ? "none: the server is not asked" : "none";
  } catch (const Error& error) {
    const std::string& message = error.details().provider_message;
    return std::string(to_string(error.code())) + (message.empty() ? "" : ": " + message);
  }
}

void Provider::expect_refusal(Request request, std::string_view words) {
  try {
    static_cast<void>(start(std::move(request)));
    FAIL() << "was not refused";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Errc::invalid_request);
    const std::string_view what = error.what();
    EXPECT_NE(what.find(words), what.npos) << what;
    EXPECT_TRUE(what.starts_with(dialect().client(*server_).backend)) << what;
  }
  EXPECT_EQ(asked(), 0U);
}

Reply Provider::read_until(ReplyStream& stream, const std::function<bool(const Reply&)>& done) {
  Reply reply;
  Chunk chunk;
  while (!done(reply)) {
    const Next next = stream.try_next(chunk);
    if (next == Next::end) break;
    if (next == Next::pending)
      stream.wait(Instant::max());
    else
      add(reply, chunk);
  }
  return reply;
}

bool Provider::read_to_retry(ReplyStream& stream) {
  Chunk chunk;
  for (Next next{}; (next = stream.try_next(chunk)) != Next::end;) {
    if (next == Next::pending) {
      stream.wait(Instant::max());
      continue;
    }
    const auto* notice = std::get_if<Notice>(&chunk.what);
    if (notice != nullptr && notice->kind == Notice::Kind::retry) return true;
  }
  return false;
}

std::size_t Provider::asked() const {
  const std::lock_guard lock(asked_->mutex);
  return asked_->requests.size();
}

ReceivedRequest Provider::received(std::size_t index) const {
  const std::lock_guard lock(asked_->mutex);
  return asked_->requests.at(index);
}

bool Provider::wait_for_asked(std::size_t count, ReplyStream& stream) const {
  const auto limit = Instant::clock::now() + std::chrono::seconds(10);
  const auto is_asked = [&] { return asked_->requests.size() >= count; };
  for (;;) {
    const auto woken = std::make_shared<bool>(false);  // guarded by the mutex of `asked`
    const bool waits = stream.when_ready([asked = asked_, woken] {
      const std::lock_guard lock(asked->mutex);
      *woken = true;
      asked->changed.notify_all();
    });
    std::unique_lock lock(asked_->mutex);
    if (!waits) return asked_->changed.wait_until(lock, limit, is_asked);
    if (!asked_->changed.wait_until(lock, limit, [&] { return is_asked() || *woken; }))
      return false;
    if (is_asked()) return true;
  }
}

bool Provider::wait_for_close(std::size_t index) const {
  std::size_t place = 0;
  {
    const std::lock_guard lock(asked_->mutex);
    place = asked_->places.at(index);
  }
  return server_->wait_for_close(place).has_value();
}

INSTANTIATE_TEST_SUITE_P(Each, Provider, testing::ValuesIn(all_dialects()),
                         [](const auto& row) { return row.param->name(); });

}  // namespace mellea::providers
