// Calls as Asio has them: with a callback, a future or co_await. Header only; not part of mellea.h.
//
//   mellea::CallOptions options{.stream = true};
//   mellea::Result result = co_await mellea::async_chat(session, "Why is the sky blue?", options,
//                                                       boost::asio::use_awaitable);
//
// For Boost.Asio; for Asio without Boost where MELLEA_STANDALONE_ASIO is defined. The caller
// finds and links it.
//
// What completes does so on the executor associated with the handler, and counts as work there
// until then. Its context must outlive the Runtime, whose end completes all that is in flight.
// Where there is no such executor, on some other thread. Errors are given as the blocking calls
// throw them. A handler's cancellation slot, which Asio has from 1.22 (Boost 1.78), cancels the
// call: CancelReason::caller.
//
// Options and messages are taken by reference to something that has a name, and copied: g++ 12
// destroys temporaries of such types twice in a co_await expression.
#pragma once

#if defined(MELLEA_STANDALONE_ASIO)
#include <asio/associated_executor.hpp>
#include <asio/async_result.hpp>
#include <asio/dispatch.hpp>
#include <asio/executor_work_guard.hpp>
#include <asio/post.hpp>
#include <asio/version.hpp>
#if ASIO_VERSION >= 102200
#define MELLEA_ASIO_CANCELS 1
#include <asio/associated_cancellation_slot.hpp>
#endif
namespace mellea {
namespace asio = ::asio;
}
#else
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/version.hpp>
#if BOOST_ASIO_VERSION >= 102200
#define MELLEA_ASIO_CANCELS 1
#include <boost/asio/associated_cancellation_slot.hpp>
#endif
namespace mellea {
namespace asio = boost::asio;
}
#endif

#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "mellea/runtime/session.h"

namespace mellea {
namespace asio_detail {

// A handler on its way to being called. The executor has work until then.
template <class Handler>
class Pending {
 public:
  explicit Pending(Handler handler)
      : handler_(std::move(handler)), work_(asio::get_associated_executor(handler_)) {}

  auto executor() const { return work_.get_executor(); }

  // `cancel` is called where the caller cancels through the handler's slot.
  template <class Cancel>
  void on_cancel([[maybe_unused]] Cancel cancel) {
#if defined(MELLEA_ASIO_CANCELS)
    auto slot = asio::get_associated_cancellation_slot(handler_);
    if (slot.is_connected())
      slot.assign([cancel = std::move(cancel)](asio::cancellation_type) mutable { cancel(); });
#endif
  }

  // On the handler's executor.
  template <class... Values>
  void call(Values... values) {
#if defined(MELLEA_ASIO_CANCELS)
    auto slot = asio::get_associated_cancellation_slot(handler_);
    if (slot.is_connected()) slot.clear();
#endif
    Handler handler = std::move(handler_);
    work_.reset();
    std::move(handler)(std::move(values)...);
  }

 private:
  Handler handler_;
  asio::executor_work_guard<asio::associated_executor_t<Handler>> work_;
};

inline Result no_result() { return Result({.reply = std::make_shared<const Reply>()}); }

// What async_chat and async_instruct do once there is a handler.
template <class Start>
struct CallInitiation {
  Session session;
  CallOptions options;
  Start start;  // (Session&, CallOptions, Completion<Result>)

  CallInitiation(Session in, CallOptions with, Start begin)
      : session(std::move(in)), options(std::move(with)), start(std::move(begin)) {}

  template <class Handler>
  void operator()(Handler&& handler) {
    using Kept = Pending<std::decay_t<Handler>>;
    const auto kept = std::make_shared<Kept>(std::forward<Handler>(handler));
    std::stop_source stop;  // by the caller's token or by the slot
    const auto by_token = std::make_shared<std::stop_callback<std::function<void()>>>(
        options.stop, [stop]() mutable { stop.request_stop(); });
    kept->on_cancel([stop]() mutable { stop.request_stop(); });
    options.stop = stop.get_token();
    try {
      start(session, std::move(options),
            [kept, by_token](std::exception_ptr error, std::optional<Result> result) {
              asio::dispatch(kept->executor(),
                             [kept, error, value = result ? *std::move(result) : no_result()] {
                               kept->call(error, value);
                             });
            });
    } catch (...) {
      asio::post(kept->executor(),
                 [kept, error = std::current_exception()] { kept->call(error, no_result()); });
    }
  }
};

// One read of an Output, which goes from wake to wake.
template <class Handler>
class Read : public std::enable_shared_from_this<Read<Handler>> {
 public:
  Read(Output output, Handler handler) : output_(std::move(output)), pending_(std::move(handler)) {}

  void start() {
    pending_.on_cancel([output = output_]() mutable { output.cancel(CancelReason::caller); });
    if (look()) asio::post(pending_.executor(), [self = this->shared_from_this()] { self->end(); });
  }

 private:
  // False if a wake will look again.
  bool look() {
    try {
      for (;;) {
        Chunk chunk;
        const Next next = output_.try_next(chunk);
        if (next == Next::chunk) chunk_ = std::move(chunk);
        if (next != Next::pending) return true;
        if (output_.when_ready([self = this->shared_from_this()] { self->woken(); })) return false;
      }
    } catch (...) {
      error_ = std::current_exception();
      return true;
    }
  }
  void woken() {
    asio::post(pending_.executor(), [self = this->shared_from_this()] {
      if (self->look()) self->end();
    });
  }
  void end() { pending_.call(std::move(error_), std::move(chunk_)); }

  Output output_;
  Pending<Handler> pending_;
  std::exception_ptr error_;    // null if there is a chunk, or the end
  std::optional<Chunk> chunk_;  // nothing at the end
};

struct ReadInitiation {
  Output output;

  template <class Handler>
  void operator()(Handler&& handler) {
    std::make_shared<Read<std::decay_t<Handler>>>(std::move(output), std::forward<Handler>(handler))
        ->start();
  }
};

template <class Token, class Start>
auto initiate_call(Session session, const CallOptions& options, Start start, Token&& token) {
  return asio::async_initiate<Token, void(std::exception_ptr, Result)>(
      CallInitiation<Start>(std::move(session), options, std::move(start)), token);
}

}  // namespace asio_detail

// As Session::chat_async. The handler gets (std::exception_ptr, Result): an empty Result where
// there is an error. Throws nothing itself.
template <class Token>
auto async_chat(Session session, std::string_view text, CallOptions& options, Token&& token) {
  return asio_detail::initiate_call(
      std::move(session), options,
      [text = std::string(text)](Session& in, CallOptions with, Completion<Result> done) {
        in.chat_async(text, std::move(with), std::move(done));
      },
      std::forward<Token>(token));
}

template <class Token>
auto async_chat(Session session, Message& message, CallOptions& options, Token&& token) {
  return asio_detail::initiate_call(
      std::move(session), options,
      [message](Session& in, CallOptions with, Completion<Result> done) {
        in.chat_async(message, std::move(with), std::move(done));
      },
      std::forward<Token>(token));
}

// As Session::instruct_async.
template <class Token>
auto async_instruct(Session session, std::string_view description, CallOptions& options,
                    Token&& token) {
  return asio_detail::initiate_call(
      std::move(session), options,
      [text = std::string(description)](Session& in, CallOptions with, Completion<Result> done) {
        in.instruct_async(text, std::move(with), std::move(done));
      },
      std::forward<Token>(token));
}

// As Output::next: the handler gets (std::exception_ptr, std::optional<Chunk>), with nothing at the
// end. One read at a time. No thread waits, and no plugin code runs on the executor.
template <class Token>
auto async_next(Output& output, Token&& token) {
  return asio::async_initiate<Token, void(std::exception_ptr, std::optional<Chunk>)>(
      asio_detail::ReadInitiation{output}, token);
}

}  // namespace mellea
