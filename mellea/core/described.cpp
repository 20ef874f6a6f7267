#include "mellea/core/described.h"

#include <algorithm>

#include "mellea/core/text.h"

namespace mellea {
namespace {

constexpr std::size_t kMaxDepth = 256;

[[noreturn]] void refuse(const std::string& what) {
  throw Error(Errc::parse_error, what, {.unfit = true});
}

// What stands within a fence of three backquotes, where the text is one.
std::string_view without_fence(std::string_view text) {
  constexpr std::string_view kFence = "```";
  constexpr std::string_view kBlank = " \t\r\n";
  const auto trim = [kBlank](std::string_view all) {
    const auto first = all.find_first_not_of(kBlank);
    if (first == all.npos) return std::string_view();
    return all.substr(first, all.find_last_not_of(kBlank) - first + 1);
  };
  text = trim(text);
  const auto line_end = text.find('\n');
  if (!text.starts_with(kFence) || !text.ends_with(kFence) || line_end == text.npos) return text;
  const auto inside = line_end + 1;
  return inside + kFence.size() > text.size()
             ? text
             : trim(text.substr(inside, text.size() - inside - kFence.size()));
}

}  // namespace

std::string plain_name(std::string_view described) {
  constexpr std::size_t kLongest = 64;  // OpenAI's limit
  std::string name(described.substr(0, kLongest));
  for (char& c : name) {
    const bool plain = c == '_' || c == '-' || (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
                       (c >= 'a' && c <= 'z');
    if (!plain) c = '_';
  }
  return name;
}

nlohmann::json described::SchemaWriter::nullable(nlohmann::json schema) {
  const auto type = schema.find("type");
  const bool simple = type != schema.end() && type->is_string() && !schema.contains("enum");
  if (!simple) return {{"anyOf", nlohmann::json::array({std::move(schema), {{"type", "null"}}})}};
  *type = nlohmann::json::array({*type, "null"});
  return schema;
}

std::string described::SchemaWriter::name_for(const void* type, std::string_view described) {
  for (const auto& [known, name] : names_)
    if (known == type) return name;
  const std::string wanted = plain_name(described);
  std::string name = wanted;
  const auto taken = [&] {
    return std::any_of(names_.begin(), names_.end(),
                       [&](const auto& known) { return known.second == name; });
  };
  for (int number = 2; taken(); ++number) name = wanted + '_' + std::to_string(number);
  return names_.emplace_back(type, name).second;
}

void described::Reader::refuse_integer(const nlohmann::json& from) {
  refuse("the answer has a number that is too large for its place: " + one_line(from.dump(), 40));
}

nlohmann::json read_answer(std::string_view text) {
  const std::string_view inside = without_fence(text);
  if (nests_deeper_than(inside, kMaxDepth))
    refuse("the answer is nested more than " + std::to_string(kMaxDepth) + " deep");
  try {
    return nlohmann::json::parse(inside);
  } catch (const nlohmann::json::parse_error& error) {
    refuse("the answer is not JSON at byte " + std::to_string(error.byte) + ": \"" +
           one_line(inside, 80) + '"');
  } catch (const nlohmann::json::exception&) {  // 1e999
    refuse("the answer has a number that is too large: \"" + one_line(inside, 80) + '"');
  }
}

void check_answer(const nlohmann::json& answer, const Schema& schema, std::string_view name) {
  std::string all;
  for (const SchemaProblem& problem : schema.check(answer))
    all.append(all.empty() ? "" : "; ").append(to_string(problem));
  if (!all.empty()) refuse("the answer is no " + std::string(name) + ": " + all);
}

}  // namespace mellea
