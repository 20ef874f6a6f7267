// An answer as it comes: read it, leave it early, ask for it without ever blocking.
//
//   02_streaming [BASE_URL [MODEL]]
#include <mellea/mellea.h>

#include <chrono>
#include <iostream>
#include <thread>

namespace {

// Blocks for each piece. Leaving the loop early would cancel the call: the Output goes.
void read(mellea::Session session) {
  mellea::Output answer = session.start_chat("Tell me of the sea.", {.stream = true});
  while (const auto chunk = answer.next())
    if (const auto* text = std::get_if<std::string>(&chunk->what)) std::cout << *text << std::flush;
  std::cout << '\n';
}

// A stop token ends it from any thread; what had arrived is in the Error.
void stop_it(mellea::Session session) {
  std::stop_source stop;
  mellea::Output answer =
      session.start_chat("Tell me of the sea.", {.stream = true, .stop = stop.get_token()});
  (void)answer.next();
  std::jthread elsewhere([&] { stop.request_stop(); });
  try {
    answer.wait();
    std::cout << "whole before it was stopped\n";
  } catch (const mellea::Error& error) {
    std::cout << to_string(error.code()) << '\n';
  }
}

// A frame loop looks once a frame; no frame waits for the network.
void every_frame(mellea::Session session) {
  mellea::Output answer = session.start_chat("Tell me of the sea.", {.stream = true});
  int pieces = 0;
  for (bool over = false; !over;) {
    mellea::Chunk chunk;
    mellea::Next next{};
    while ((next = answer.try_next(chunk)) == mellea::Next::chunk) ++pieces;
    over = next == mellea::Next::end;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));  // the rest of the frame
  }
  std::cout << pieces << " pieces\n";
}

}  // namespace

int main(int argc, char** argv) {
  mellea::Runtime runtime;
  try {
    auto session =
        runtime.start_session({.backend = "openai",
                               .model = argc > 2 ? argv[2] : "granite4:micro",
                               .base_url = argc > 1 ? argv[1] : "http://127.0.0.1:8080/v1"});
    read(session);
    stop_it(session);
    every_frame(session);
  } catch (const mellea::Error& error) {
    std::cerr << error.what() << '\n';
    return 1;
  }
}
