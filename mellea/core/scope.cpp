#include "mellea/core/scope.h"

#include <random>
#include <utility>

#include "mellea/core/fork.h"

namespace mellea {
namespace {

constexpr char kHex[] = "0123456789abcdef";

// xoshiro256** (Blackman, Vigna), one a thread, seeded anew after a fork: a child that went on with
// its parent's numbers would give out its parent's ids.
class RandomNumbers {
 public:
  std::uint64_t next() {
    if (epoch_ != fork_epoch()) seed();
    const auto rotate = [](std::uint64_t x, int by) { return (x << by) | (x >> (64 - by)); };
    const std::uint64_t result = rotate(state_[1] * 5, 7) * 9;
    const std::uint64_t shifted = state_[1] << 17;
    state_[2] ^= state_[0];
    state_[3] ^= state_[1];
    state_[1] ^= state_[2];
    state_[0] ^= state_[3];
    state_[2] ^= shifted;
    state_[3] = rotate(state_[3], 45);
    return result;
  }

 private:
  void seed() {
    std::random_device device;
    for (std::uint64_t& word : state_) word = (std::uint64_t{device()} << 32) | device() | 1U;
    epoch_ = fork_epoch();
  }

  std::array<std::uint64_t, 4> state_{};
  unsigned epoch_ = ~0U;  // none: not seeded
};

std::uint64_t random_number() {
  thread_local RandomNumbers numbers;
  return numbers.next();
}

// Writes hex digits into a text that has the room, and its separators, already.
class HexWriter {
 public:
  HexWriter(std::string& text, std::size_t at) : at_(text.data() + at) {}

  HexWriter& write(std::uint64_t value, int digits) {
    for (int digit = digits - 1; digit >= 0; --digit) *at_++ = kHex[(value >> (digit * 4)) & 0xF];
    return *this;
  }
  template <std::size_t n>
  HexWriter& write(const std::array<std::uint8_t, n>& bytes) {
    for (const std::uint8_t byte : bytes) {
      *at_++ = kHex[byte >> 4];
      *at_++ = kHex[byte & 0xF];
    }
    return *this;
  }
  HexWriter& skip() {
    ++at_;
    return *this;
  }

 private:
  char* at_;
};

int hex_value(char c) noexcept {  // W3C ids are lower case
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

// False if `text` is not two hex digits for each of `bytes`.
template <class Bytes>
bool read_hex(std::string_view text, Bytes& bytes) noexcept {
  if (text.size() != bytes.size() * 2) return false;
  for (std::size_t at = 0; at < bytes.size(); ++at) {
    const int high = hex_value(text[2 * at]);
    const int low = hex_value(text[2 * at + 1]);
    if (high < 0 || low < 0) return false;
    bytes[at] = static_cast<std::uint8_t>(high * 16 + low);
  }
  return true;
}

}  // namespace

std::string_view to_string(Kind kind) noexcept {
  switch (kind) {
    case Kind::session: return "session";
    case Kind::agent: return "agent";
    case Kind::action: return "action";
    case Kind::sampling: return "sampling";
    case Kind::generation: return "generation";
    case Kind::batch: return "batch";
    case Kind::validation: return "validation";
    case Kind::tool: return "tool";
    case Kind::stream: break;
  }
  return "stream";
}

Id Id::random() {
  Id id;
  while (!id) id = {random_number(), random_number()};
  return id;
}

std::string Id::text() const {
  std::string text = "00000000-0000-0000-0000-000000000000";
  HexWriter(text, 0)
      .write(high >> 32, 8)
      .skip()
      .write(high >> 16, 4)
      .skip()
      .write(high, 4)
      .skip()
      .write(low >> 48, 4)
      .skip()
      .write(low, 12);
  return text;
}

std::string TraceRef::traceparent() const {
  if (!*this) return {};
  std::string header = "00-00000000000000000000000000000000-0000000000000000-00";
  HexWriter(header, 3).write(trace).skip().write(span).skip().write(flags, 2);
  return header;
}

// After W3C Trace Context, section 3.2: a later version may be longer, ff is none, zero ids are
// none.
TraceRef TraceRef::from_traceparent(std::string_view header) noexcept {
  TraceRef ref;
  std::array<std::uint8_t, 1> version{};
  std::array<std::uint8_t, 1> flags{};
  if (header.size() < 55 || header[2] != '-' || header[35] != '-' || header[52] != '-') return {};
  if (!read_hex(header.substr(0, 2), version) || version[0] == 0xFF) return {};
  if (version[0] == 0 && header.size() != 55) return {};
  if (header.size() > 55 && header[55] != '-') return {};
  if (!read_hex(header.substr(3, 32), ref.trace) || !read_hex(header.substr(36, 16), ref.span) ||
      !read_hex(header.substr(53, 2), flags))
    return {};
  if (ref.trace == std::array<std::uint8_t, 16>{} || !ref) return {};
  ref.flags = flags[0];
  return ref;
}

// The labels from the root to here; of each kind the nearest win.
struct Scope::LabelSet {
  Labels program{};
  Labels caller{};
  Labels all{};  // those of the program before the caller's
};

struct Scope::Node {
  Kind kind = Kind::session;
  Id id{};
  std::shared_ptr<const Node> parent{};      // null at the root
  int iteration = 0;                         // 0: that of the parent, up to the action
  std::shared_ptr<const LabelSet> labels{};  // null: none
  std::shared_ptr<const Origin> origin{};    // null: entered from `parent`
  TraceRef trace{};
};

std::shared_ptr<const Scope::LabelSet> Scope::joined(
    const std::shared_ptr<const LabelSet>& inherited, Labels program, Labels caller) {
  if (program.empty() && caller.empty()) return inherited;
  auto set = std::make_shared<LabelSet>();
  set->program = std::move(program);
  set->caller = std::move(caller);
  if (inherited) {  // what is there stays: nearest
    set->program.insert(inherited->program.begin(), inherited->program.end());
    set->caller.insert(inherited->caller.begin(), inherited->caller.end());
  }
  set->all = set->program;
  set->all.insert(set->caller.begin(), set->caller.end());
  return set;
}

Scope::Scope(std::shared_ptr<const Node> node) : node_(std::move(node)) {}

Scope Scope::root(Kind kind, Options options) { return Scope().child(kind, std::move(options)); }

Scope Scope::child(Kind kind, Options options) const {
  auto node = std::make_shared<Node>();
  node->kind = kind;
  node->id = Id::random();
  node->parent = node_;
  node->iteration = options.iteration;
  node->labels = joined(node_ ? node_->labels : nullptr, std::move(options.labels),
                        std::move(options.caller_labels));
  node->origin = std::move(options.origin);
  return Scope(std::move(node));
}

Scope Scope::traced(TraceRef trace) const {
  if (!node_ || !trace) return *this;
  auto node = std::make_shared<Node>(*node_);
  node->trace = trace;
  return Scope(std::move(node));
}

Scope Scope::entered(std::shared_ptr<const Origin> origin) const {
  if (!node_ || !origin) return *this;
  auto node = std::make_shared<Node>(*node_);
  node->origin = std::move(origin);
  node->trace = {};
  return Scope(std::move(node));
}

Scope Scope::labelled(const Labels& more) const {
  if (!node_ || more.empty()) return *this;
  auto node = std::make_shared<Node>(*node_);
  node->labels = joined(node->labels, more, {});
  return Scope(std::move(node));
}

Kind Scope::kind() const noexcept { return node_->kind; }
Id Scope::id() const noexcept { return node_ ? node_->id : Id{}; }
Id Scope::parent() const noexcept { return node_ && node_->parent ? node_->parent->id : Id{}; }

Id Scope::id(Kind kind) const noexcept {
  const bool outside = kind == Kind::session || kind == Kind::agent;
  for (const Node* node = node_.get(); node; node = node->parent.get()) {
    if (node->kind == kind) return node->id;
    if (node->kind == Kind::action && !outside) break;
  }
  return {};
}

int Scope::iteration() const noexcept {
  for (const Node* node = node_.get(); node; node = node->parent.get()) {
    if (node->iteration != 0) return node->iteration;
    if (node->kind == Kind::action) break;
  }
  return 0;
}

const Scope::LabelSet& Scope::label_set() const noexcept {
  static const LabelSet none;
  return node_ && node_->labels ? *node_->labels : none;
}

const Labels& Scope::labels() const noexcept { return label_set().all; }
const Labels& Scope::program_labels() const noexcept { return label_set().program; }
const Labels& Scope::caller_labels() const noexcept { return label_set().caller; }

TraceRef Scope::trace() const noexcept { return node_ ? node_->trace : TraceRef{}; }

TraceRef Scope::parent_trace() const noexcept {
  for (const Node* node = node_ ? node_->parent.get() : nullptr; node; node = node->parent.get())
    if (node->trace) return node->trace;
  return {};
}

const Origin* Scope::origin() const noexcept { return node_ ? node_->origin.get() : nullptr; }

const Origin* Scope::nearest_origin() const noexcept {
  for (const Node* node = node_.get(); node; node = node->parent.get())
    if (node->origin) return node->origin.get();
  return nullptr;
}

}  // namespace mellea
