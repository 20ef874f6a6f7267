// The only file that sees libllama. It serves libllama of 2025-07 and newer.
#include "mellea/backends/llama_library.h"

#include <ggml-backend.h>
#include <llama.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <mutex>
#include <string>
#include <thread>
#include <utility>

#include "mellea/core/error.h"
#include "mellea/core/text.h"

namespace mellea {
namespace {

using Token = LlamaModel::Token;
using Cancelled = LlamaModel::Cancelled;

template <auto free>
struct Free {
  template <class Thing>
  void operator()(Thing* thing) const {
    free(thing);
  }
};
using Model = std::unique_ptr<llama_model, Free<llama_model_free>>;
using Context = std::unique_ptr<llama_context, Free<llama_free>>;
using Sampler = std::unique_ptr<llama_sampler, Free<llama_sampler_free>>;

[[noreturn]] void fail(Errc code, const std::string& what) { throw Error(code, "local: " + what); }
[[noreturn]] void throw_cancelled() { fail(Errc::cancelled, "cancelled"); }

// What libllama says of an error on this thread while this lives: it has no other way to tell.
class Said {
 public:
  Said() : outer_(std::exchange(listening(), this)) {}
  ~Said() { listening() = outer_; }
  Said(const Said&) = delete;
  Said& operator=(const Said&) = delete;

  // ": unknown model architecture", or nothing.
  std::string last() const { return last_.empty() ? "" : ": " + one_line(last_); }

  static void hear(ggml_log_level level, const char* text, void*) {
    if (level == GGML_LOG_LEVEL_ERROR && listening()) listening()->last_ = text;
  }

 private:
  static Said*& listening() {
    thread_local Said* said = nullptr;
    return said;
  }

  Said* const outer_;
  std::string last_;
};

void begin_once() {
  static std::once_flag begun;
  std::call_once(begun, [] {
    llama_log_set(&Said::hear, nullptr);
    ggml_backend_load_all();
    llama_backend_init();
  });
}

// About as many as the machine has without counting twice those that share their units; threads
// beyond that wait for each other.
int cores() {
  const unsigned threads = std::max(1U, std::thread::hardware_concurrency());
  return static_cast<int>(threads > 4 ? threads / 2 : threads);
}

// Newer versions want the size of the vocabulary first.
template <class Init>
llama_sampler* penalties(Init init, int vocabulary, float frequency, float presence) {
  constexpr std::int32_t kLast = 64;
  if constexpr (requires { init(vocabulary, kLast, 1.0F, frequency, presence); })
    return init(vocabulary, kLast, 1.0F, frequency, presence);
  else
    return init(kLast, 1.0F, frequency, presence);
}

class LibraryModel final : public LlamaModel {
 public:
  LibraryModel(Model model, const LocalModel& file, const LocalOptions& options)
      : model_(std::move(model)),
        vocabulary_(llama_model_get_vocab(model_.get())),
        file_(file),
        options_(options),
        context_(make_context(false)) {}

  std::size_t context() const override { return llama_n_ctx(context_.get()); }

  std::string prompt_of(const std::vector<LlamaTurn>& turns) override {
    std::vector<llama_chat_message> messages;
    for (const LlamaTurn& turn : turns) messages.push_back({turn.role.c_str(), turn.text.c_str()});
    const std::string& form =
        file_.header.chat_template.empty() ? kPlainTemplate : file_.header.chat_template;
    const auto apply = [&](std::string& into) {
      return llama_chat_apply_template(form.c_str(), messages.data(), messages.size(),
                                       /*add_ass=*/true, into.data(),
                                       static_cast<std::int32_t>(into.size()));
    };
    std::string prompt(1024, '\0');
    std::int32_t size = apply(prompt);
    if (size > static_cast<std::int32_t>(prompt.size())) {
      prompt.resize(static_cast<std::size_t>(size));
      size = apply(prompt);
    }
    if (size < 0)
      fail(
          Errc::invalid_request,
          "the model's chat template is none that libllama knows: MELLEA_LLAMA_SERVER=llama-server "
          "reads any");
    prompt.resize(static_cast<std::size_t>(size));
    return prompt;
  }

  std::vector<Token> tokens_of(const std::string& text) override {
    if (text.size() > static_cast<std::size_t>(std::numeric_limits<std::int32_t>::max()))
      fail(Errc::context_length, "the prompt is too long");
    std::vector<Token> tokens(text.size() / 2 + 16);
    const auto tokenize = [&] {
      return llama_tokenize(vocabulary_, text.data(), static_cast<std::int32_t>(text.size()),
                            tokens.data(), static_cast<std::int32_t>(tokens.size()),
                            /*add_special=*/true, /*parse_special=*/true);
    };
    std::int32_t count = tokenize();
    if (count < 0) {  // so many there are
      tokens.resize(static_cast<std::size_t>(-static_cast<std::int64_t>(count)));
      count = tokenize();
    }
    tokens.resize(static_cast<std::size_t>(std::max(count, 0)));
    return tokens;
  }

  std::size_t read(const std::vector<Token>& prompt, const LlamaSampling& sampling,
                   const Cancelled& cancelled) override {
    sampler_ = make_sampler(sampling);
    // At least one token is read anew: the next one follows from it.
    const auto mismatch =
        std::mismatch(known_.begin(), known_.end(), prompt.begin(), prompt.end() - 1);
    auto same = static_cast<std::size_t>(mismatch.first - known_.begin());
    llama_memory_t memory = llama_get_memory(context_.get());
    if (!llama_memory_seq_rm(memory, 0, static_cast<llama_pos>(same), -1)) {
      llama_memory_clear(memory, true);  // it can't be forgotten in part
      same = 0;
    }
    known_.resize(same);
    decode(std::vector<Token>(prompt.begin() + static_cast<std::ptrdiff_t>(same), prompt.end()),
           cancelled);
    return same;
  }

  std::optional<std::string> next(const Cancelled& cancelled) override {
    if (pending_) decode({*std::exchange(pending_, {})}, cancelled);
    const Token token = llama_sampler_sample(sampler_.get(), context_.get(), -1);
    if (llama_vocab_is_eog(vocabulary_, token)) return {};
    pending_ = token;
    return bytes_of(token);
  }

  std::vector<float> embed(const std::vector<Token>& text, const Cancelled& cancelled) override {
    if (!embedding_) embedding_ = make_context(true);
    if (cancelled()) throw_cancelled();
    llama_memory_t memory = llama_get_memory(embedding_.get());
    if (memory) llama_memory_clear(memory, true);
    std::vector<Token> tokens = text;
    const llama_batch batch =
        llama_batch_get_one(tokens.data(), static_cast<std::int32_t>(tokens.size()));
    const bool encodes = llama_model_has_encoder(model_.get()) || !memory;
    const std::int32_t result =
        encodes ? llama_encode(embedding_.get(), batch) : llama_decode(embedding_.get(), batch);
    const float* values = result == 0 ? llama_get_embeddings_seq(embedding_.get(), 0) : nullptr;
    if (!values) fail(Errc::server_error, "the model makes no embedding of this text");
    return of_length_one(values, static_cast<std::size_t>(llama_model_n_embd(model_.get())));
  }

 private:
  // What most models take that name no template.
  inline static const std::string kPlainTemplate = "chatml";

  Context make_context(bool embeddings) {
    llama_context_params params = llama_context_default_params();
    const auto known = static_cast<std::int64_t>(llama_model_n_ctx_train(model_.get()));
    const std::int64_t size = options_.context > 0 ? std::min(options_.context, known) : known;
    params.n_ctx = static_cast<std::uint32_t>(std::max<std::int64_t>(size, 0));
    params.n_threads = params.n_threads_batch = options_.threads > 0 ? options_.threads : cores();
    params.no_perf = true;
    if (embeddings) {
      params.embeddings = true;
      params.n_batch = params.n_ubatch = params.n_ctx;  // a text is read in one go
      if (!file_.header.pooling) params.pooling_type = LLAMA_POOLING_TYPE_MEAN;
    }
    const Said said;
    Context context(llama_init_from_model(model_.get(), params));
    if (!context)
      fail(Errc::server_error,
           "no room for a context of " + std::to_string(params.n_ctx) + " tokens" + said.last());
    return context;
  }

  Sampler make_sampler(const LlamaSampling& sampling) const {
    llama_sampler_chain_params params = llama_sampler_chain_default_params();
    params.no_perf = true;
    Sampler chain(llama_sampler_chain_init(params));
    const auto add = [&](llama_sampler* sampler) { llama_sampler_chain_add(chain.get(), sampler); };
    if (!sampling.grammar.empty()) {
      const Said said;
      llama_sampler* grammar =
          llama_sampler_init_grammar(vocabulary_, sampling.grammar.c_str(), "root");
      if (!grammar)
        fail(Errc::invalid_request, "libllama can't read the grammar of the format" + said.last());
      add(grammar);
    }
    const auto narrow = [](double number) { return static_cast<float>(number); };
    if (sampling.frequency_penalty != 0 || sampling.presence_penalty != 0)
      add(penalties(&llama_sampler_init_penalties, llama_vocab_n_tokens(vocabulary_),
                    narrow(sampling.frequency_penalty), narrow(sampling.presence_penalty)));
    if (sampling.temperature <= 0) {
      add(llama_sampler_init_greedy());
      return chain;
    }
    add(llama_sampler_init_top_k(
        static_cast<std::int32_t>(std::clamp<std::int64_t>(sampling.top_k, 0, 1 << 30))));
    add(llama_sampler_init_top_p(narrow(sampling.top_p), 1));
    add(llama_sampler_init_min_p(narrow(sampling.min_p), 1));
    add(llama_sampler_init_temp(narrow(sampling.temperature)));
    add(llama_sampler_init_dist(sampling.seed));
    return chain;
  }

  // Reads tokens after those that are known. On a failure all is forgotten.
  void decode(const std::vector<Token>& tokens, const Cancelled& cancelled) {
    const std::size_t most = llama_n_batch(context_.get());
    for (std::size_t done = 0; done < tokens.size();) {
      if (cancelled()) throw_cancelled();
      std::vector<Token> part(
          tokens.begin() + static_cast<std::ptrdiff_t>(done),
          tokens.begin() + static_cast<std::ptrdiff_t>(std::min(done + most, tokens.size())));
      const Said said;
      const std::int32_t result = llama_decode(
          context_.get(), llama_batch_get_one(part.data(), static_cast<std::int32_t>(part.size())));
      if (result != 0) {
        llama_memory_clear(llama_get_memory(context_.get()), true);
        known_.clear();
        fail(Errc::server_error,
             "the model failed, with code " + std::to_string(result) + said.last());
      }
      known_.insert(known_.end(), part.begin(), part.end());
      done += part.size();
    }
    pending_.reset();
  }

  // As it is shown: control tokens are not.
  std::string bytes_of(Token token) const {
    std::string bytes(64, '\0');
    const auto write = [&] {
      return llama_token_to_piece(vocabulary_, token, bytes.data(),
                                  static_cast<std::int32_t>(bytes.size()), /*lstrip=*/0,
                                  /*special=*/false);
    };
    std::int32_t size = write();
    if (size < 0) {
      bytes.resize(static_cast<std::size_t>(-size));
      size = write();
    }
    bytes.resize(static_cast<std::size_t>(std::max(size, 0)));
    return bytes;
  }

  static std::vector<float> of_length_one(const float* values, std::size_t count) {
    double squares = 0;
    for (std::size_t i = 0; i < count; ++i) squares += double{values[i]} * double{values[i]};
    const double length = squares > 0 ? std::sqrt(squares) : 1;
    std::vector<float> vector(count);
    std::transform(values, values + count, vector.begin(),
                   [&](float value) { return static_cast<float>(value / length); });
    return vector;
  }

  const Model model_;
  const llama_vocab* const vocabulary_;  // the model's
  const LocalModel file_;
  const LocalOptions options_;
  const Context context_;
  Context embedding_;             // null before the first text to embed
  Sampler sampler_;               // null before the first prompt
  std::vector<Token> known_;      // read into the context
  std::optional<Token> pending_;  // the last that was made, not read yet
};

}  // namespace

std::string_view libllama() noexcept { return MELLEA_LIBLLAMA; }

std::unique_ptr<LlamaModel> load_llama_model(const LocalModel& model, const LocalOptions& options,
                                             const Cancelled& cancelled) {
  begin_once();
  llama_model_params params = llama_model_default_params();
  if (options.gpu_layers) params.n_gpu_layers = *options.gpu_layers;
  params.progress_callback = [](float, void* asked) {
    return !(*static_cast<const Cancelled*>(asked))();
  };
  params.progress_callback_user_data = const_cast<Cancelled*>(&cancelled);
  const Said said;
  Model loaded(llama_model_load_from_file(model.file.c_str(), params));
  if (!loaded && cancelled()) throw_cancelled();
  if (!loaded)
    fail(Errc::server_error,
         one_line(model.file.string(), 400) + ": libllama can't load it" + said.last());
  return std::make_unique<LibraryModel>(std::move(loaded), model, options);
}

}  // namespace mellea
