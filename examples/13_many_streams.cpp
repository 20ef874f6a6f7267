// Many streams, few threads: a queue of those that have something to say.
//
//   13_many_streams [BASE_URL [MODEL [STREAMS]]]
#include <mellea/mellea.h>

#include <condition_variable>
#include <deque>
#include <iostream>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>

namespace {

class ReadyQueue {
 public:
  void push(int client) {
    {
      std::lock_guard lock(mutex_);
      ready_.push_back(client);
    }
    filled_.notify_one();
  }
  int pop() {
    std::unique_lock lock(mutex_);
    filled_.wait(lock, [&] { return !ready_.empty(); });
    const int client = ready_.front();
    ready_.pop_front();
    return client;
  }

 private:
  std::mutex mutex_;
  std::condition_variable filled_;
  std::deque<int> ready_;  // guarded by mutex_
};

// Reads what is there. False once the stream is over.
bool read(mellea::Output& stream, int client, const std::shared_ptr<ReadyQueue>& ready,
          std::size_t& bytes) {
  for (mellea::Chunk chunk;;) {
    const mellea::Next next = stream.try_next(chunk);
    if (next == mellea::Next::end) return false;
    if (next == mellea::Next::chunk) {
      if (const auto* text = std::get_if<std::string>(&chunk.what)) bytes += text->size();
    } else if (stream.when_ready([ready, client] { ready->push(client); })) {
      return true;
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  mellea::Runtime runtime;
  auto ready = std::make_shared<ReadyQueue>();  // outlives the wakes that hold it
  try {
    auto session =
        runtime.start_session({.backend = "openai",
                               .model = argc > 2 ? argv[2] : "granite4:micro",
                               .base_url = argc > 1 ? argv[1] : "http://127.0.0.1:8080/v1"});
    std::unordered_map<int, mellea::Output> streams;
    for (int client = 0; client < (argc > 3 ? std::stoi(argv[3]) : 256); ++client) {
      streams.emplace(client, session.start_chat("hello", {.stream = true}));
      ready->push(client);
    }
    std::size_t bytes = 0;
    int whole = 0;
    while (!streams.empty()) {
      const int client = ready->pop();
      const auto stream = streams.find(client);
      if (stream == streams.end() || read(stream->second, client, ready, bytes)) continue;
      streams.erase(stream);
      ++whole;
    }
    std::cout << whole << " streams, " << bytes << " bytes\n";
  } catch (const mellea::Error& error) {
    std::cerr << error.what() << '\n';
    return 1;
  }
}
