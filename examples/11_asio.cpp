// Conversations as coroutines of Boost.Asio, any number on one thread.
//
//   11_asio [BASE_URL [MODEL]]
#include <mellea/asio.h>
#include <mellea/mellea.h>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <iostream>
#include <string>
#include <variant>

namespace {

namespace asio = boost::asio;

struct Counts {
  std::size_t answers = 0;
  std::size_t pieces = 0;
};

// An answer as a whole, and one as it comes. Options have a name: see mellea/asio.h.
asio::awaitable<void> converse(mellea::Session session, Counts& counts) {
  mellea::CallOptions options;
  const mellea::Result answer =
      co_await mellea::async_chat(session, "Tell me of the sea.", options, asio::use_awaitable);
  if (!answer.text().empty()) ++counts.answers;

  options.stream = true;
  mellea::Output output = session.start_chat("Again, but slowly.", options);
  while (const auto chunk = co_await mellea::async_next(output, asio::use_awaitable))
    if (std::holds_alternative<std::string>(chunk->what)) ++counts.pieces;
}

}  // namespace

int main(int argc, char** argv) {
  Counts counts;
  std::exception_ptr failure;
  asio::io_context context;
  mellea::Runtime runtime;  // its end completes what is in flight, on the context
  try {
    auto session =
        runtime.start_session({.backend = "openai",
                               .model = argc > 2 ? argv[2] : "granite4:micro",
                               .base_url = argc > 1 ? argv[1] : "http://127.0.0.1:8080/v1"});
    for (int client = 0; client < 50; ++client)
      asio::co_spawn(context, converse(session, counts), [&](std::exception_ptr error) {
        if (error) failure = error;
      });
    context.run();
    if (failure) std::rethrow_exception(failure);
    std::cout << counts.answers << " answers, " << counts.pieces << " pieces\n";
  } catch (const mellea::Error& error) {
    std::cerr << error.what() << '\n';
    return 1;
  }
}
