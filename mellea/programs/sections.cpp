#include "mellea/programs/sections.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <limits>
#include <memory>
#include <nlohmann/json.hpp>
#include <system_error>
#include <utility>

#include "mellea/backends/backend.h"
#include "mellea/core/error.h"
#include "mellea/core/image.h"
#include "mellea/core/text.h"
#include "mellea/programs/command.h"
#include "mellea/programs/script_section.h"

namespace mellea {
namespace {

constexpr std::array<std::string_view, 8> kKeyHeaders = {
    "api-key",   "authorization", "cookie",         "proxy-authorization",
    "x-api-key", "x-auth-token",  "x-goog-api-key", "x-litellm-api-key"};

constexpr std::string_view kNoKeys =
    ": a key does not belong in a file; write api_key_env: NAME and set NAME";

std::string lower(std::string_view text) {
  std::string all;
  for (const char c : text) all += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return all;
}

// What is not among `known`, in words.
std::string unknown(std::string_view word, Names known) {
  const std::string meant = did_you_mean(word, known);
  return in_quotes(word) + (meant.empty() ? ": known are " + listed(known) : meant);
}

template <class Map>
std::vector<std::string_view> keys_of(const Map& map) {
  std::vector<std::string_view> keys;
  for (const auto& [key, value] : map) keys.push_back(key);
  return keys;
}

bool is_word(std::string_view text) { return is_name(text) && text.size() <= 64; }

Headers read_headers(Reading& reading, const YamlNode& node) {
  Headers headers;
  if (!reading.is_map(node, "headers")) return headers;
  for (const YamlNode& child : node.children) {
    const std::string path = "headers." + one_line(child.key, 60);
    const std::string name = lower(child.key);
    if (std::find(kKeyHeaders.begin(), kKeyHeaders.end(), name) != kKeyHeaders.end()) {
      reading.fault(child.key_at, path + std::string(kNoKeys));
      continue;
    }
    const auto value = reading.text(child, path);
    if (!value) continue;
    const bool plain = is_word(child.key) && value->find_first_of("\r\n") == value->npos;
    if (plain)
      headers.emplace_back(child.key, *value);
    else
      reading.fault(child.key_at, path + ": is no header of HTTP");
  }
  return headers;
}

}  // namespace

ProgramBackend read_backend(Reading& reading, const YamlNode& node) {
  constexpr std::array<std::string_view, 6> kKeys = {"provider",    "model",   "base_url",
                                                     "api_key_env", "headers", "script"};
  ProgramBackend backend;
  if (!reading.is_map(node, "backend")) return backend;
  reading.require_known(node, kKeys, "in backend", "api_key");
  if (const YamlNode* key = node.find("api_key"))
    reading.fault(key->key_at, "api_key" + std::string(kNoKeys));
  const auto take = [&](const char* name, std::string& into) {
    if (const YamlNode* value = node.find(name)) into = reading.text(*value, name).value_or("");
  };
  take("provider", backend.provider);
  take("model", backend.model);
  take("base_url", backend.base_url);
  take("api_key_env", backend.api_key_env);
  const Names known = backend_names();
  if (!backend.provider.empty() &&
      std::find(known.begin(), known.end(), backend.provider) == known.end())
    reading.fault(node.find("provider")->at,
                  "provider: there is no " + unknown(backend.provider, known));
  if (const YamlNode* headers = node.find("headers"))
    backend.headers = read_headers(reading, *headers);
  if (const YamlNode* script = node.find("script")) {
    if (backend.provider != "scripted")
      reading.fault(script->key_at, "script: only the provider scripted has one");
    backend.script = read_script(reading, *script);
  }
  return backend;
}

void read_context(Reading& reading, const YamlNode& node, Program& program) {
  constexpr std::array<std::string_view, 2> kKinds = {"simple", "chat"};
  constexpr std::array<std::string_view, 4> kKeys = {"kind", "window", "tokens", "summarise"};
  const bool in_detail = node.kind == YamlNode::Kind::map;
  if (in_detail) reading.require_known(node, kKeys, "in context");
  const YamlNode* named = in_detail ? node.find("kind") : &node;
  if (!named) return reading.fault(node.at, "context: it has no kind");
  const auto kind = reading.text(*named, "context");
  if (!kind) return;
  if (*kind == "chat")
    program.context = Context::chat();
  else if (*kind != "simple")
    return reading.fault(named->at, "context: there is no " + unknown(*kind, kKinds));
  if (!in_detail) return;
  const auto number = [&](const char* key) {
    const YamlNode* value = node.find(key);
    return value ? reading.whole_number(*value, "context." + std::string(key), 1).value_or(0) : 0;
  };
  Compaction& compaction = program.compaction;
  compaction.window = static_cast<std::size_t>(number("window"));
  compaction.tokens = number("tokens");
  if (const YamlNode* summarise = node.find("summarise"))
    compaction.summarise = reading.boolean(*summarise, "context.summarise").value_or(false);
  const bool is_limited = node.find("window") || node.find("tokens");
  if (is_limited && *kind == "simple")
    reading.fault(node.at, "context: a simple one has nothing to forget: write kind: chat");
  if (compaction.summarise && !is_limited)
    reading.fault(node.find("summarise")->key_at,
                  "context.summarise: of what? Write a window or tokens too");
}

namespace {

using Type = OptionName::Type;

// The texts that set_option() is to be given, one after the other.
std::vector<std::string> values_of(Reading& reading, const YamlNode& node, Type type) {
  const std::string path = "options." + node.key;
  const auto as_written = [&](bool is_right) {
    return is_right ? std::vector{node.text} : std::vector<std::string>{};
  };
  switch (type) {
    case Type::texts: return reading.texts(node, path);
    case Type::number: return as_written(reading.number(node, path).has_value());
    case Type::boolean: return as_written(reading.boolean(node, path).has_value());
    case Type::whole_number:
      return as_written(
          reading.whole_number(node, path, std::numeric_limits<std::int64_t>::min()).has_value());
    case Type::text: break;
  }
  const auto text = reading.text(node, path);
  return text ? std::vector{*text} : std::vector<std::string>{};
}

void read_option(Reading& reading, const YamlNode& node, CallPlan& plan) {
  const auto names = option_names();
  const auto known = std::find_if(names.begin(), names.end(), [&](const OptionName& option) {
    return option.name == node.key;
  });
  if (known != names.end()) {
    try {
      for (const std::string& value : values_of(reading, node, known->type))
        set_option(plan.options, node.key, value);
    } catch (const Error& error) {
      reading.fault(node.at, error.what());
    }
  } else if (node.key == "timeout") {
    plan.timeout = reading.duration(node, "options.timeout");
  } else if (node.key == "extra") {
    if (reading.is_map(node, "options.extra")) plan.options.extra = Json(to_json(node));
  } else if (node.key == "stream") {
    reading.fault(node.key_at,
                  "options.stream: streaming belongs to a step: write stream: true there");
  } else {
    std::vector<std::string_view> all = {"timeout", "extra"};
    for (const OptionName& option : names) all.push_back(option.name);
    const std::string meant = did_you_mean(node.key, all);
    reading.fault(node.key_at, "unknown key " + in_quotes(node.key) + " in options" +
                                   (meant.empty() ? ": what a provider takes besides goes "
                                                    "under extra"
                                                  : meant));
  }
}

}  // namespace

CallPlan read_options(Reading& reading, const YamlNode& node) {
  CallPlan plan;
  if (!reading.is_map(node, "options")) return plan;
  for (const YamlNode& child : node.children) read_option(reading, child, plan);
  return plan;
}

Variables read_variables(Reading& reading, const YamlNode* node, const Variables& given) {
  Variables variables = given;
  for (const auto& [name, value] : given) reading.add_variable(name);
  if (!node || !reading.is_map(*node, "variables")) return variables;
  for (const YamlNode& child : node->children) {
    const std::string path = "variables." + one_line(child.key, 60);
    if (!is_word(child.key)) {
      reading.fault(child.key_at, path + ": a name has letters, digits, _ and -");
    } else if (child.kind == YamlNode::Kind::scalar) {
      if (variables.emplace(child.key, child.text).second) reading.add_variable(child.key);
    } else if (!given.contains(child.key)) {
      static_cast<void>(reading.text(child, path));
    }
  }
  return variables;
}

void read_formats(Reading& reading, const YamlNode& node, Definitions& definitions) {
  if (!reading.is_map(node, "formats")) return;
  for (const YamlNode& child : node.children) {
    const std::string path = "formats." + one_line(child.key, 60);
    if (!is_word(child.key)) {
      reading.fault(child.key_at,
                    path + ": a name has letters, digits, _ and -, and at most 64 of them");
    } else if (const Json schema = reading.schema(child, path)) {
      definitions.formats.emplace(child.key, Format{.name = child.key, .schema = schema});
    }
  }
}

namespace {

// Reads one tool.
class ToolReader {
 public:
  ToolReader(Reading& reading, const YamlNode& node, bool allow_commands)
      : reading_(reading), node_(node), allow_commands_(allow_commands) {}

  std::optional<Tool> read(std::vector<ProgramCommand>& commands) {
    constexpr std::array<std::string_view, 6> kKeys = {"name",    "description", "parameters",
                                                       "returns", "command",     "timeout"};
    if (!reading_.is_map(node_, "tools")) return {};
    reading_.require_known(node_, kKeys, "in a tool");
    const YamlNode* name = node_.find("name");
    if (!name) {
      reading_.fault(node_.at, "a tool has a name");
      return {};
    }
    const auto named = reading_.text(*name, "name");
    if (!named) return {};
    spec_.name = *named;
    if (!is_word(spec_.name)) {
      reading_.fault(name->at, "name: " + in_quotes(spec_.name) +
                                   ": the name of a tool has letters, digits, _ and -, and at "
                                   "most 64 of them");
      return {};
    }
    if (const YamlNode* description = node_.find("description"))
      spec_.description = reading_.text(*description, "description").value_or("");
    if (const YamlNode* parameters = node_.find("parameters"))
      spec_.parameters = reading_.schema(*parameters, "parameters");
    const YamlNode* returns = node_.find("returns");
    const YamlNode* command = node_.find("command");
    if ((returns == nullptr) == (command == nullptr)) {
      reading_.fault(node_.at, "a tool has exactly one of returns and command; this one has " +
                                   std::string(returns ? "both" : "none"));
      return {};
    }
    return made(returns ? returning(*returns) : running(*command, commands));
  }

 private:
  std::optional<Tool> made(Tool::Run run) {
    if (!run) return {};
    try {
      return Tool(spec_, std::move(run));
    } catch (const Error& error) {
      const YamlNode* parameters = node_.find("parameters");
      reading_.fault(parameters ? parameters->at : node_.at, error.what());
      return {};
    }
  }

  Tool::Run returning(const YamlNode& value) {
    if (const YamlNode* timeout = node_.find("timeout"))
      reading_.fault(timeout->key_at, "timeout: only a command has one");
    const nlohmann::json json = to_json(value);
    return [text = json.is_string() ? json.get<std::string>() : json.dump()](
               const Json&, const Call&) { return text; };
  }

  Tool::Run running(const YamlNode& node, std::vector<ProgramCommand>& commands) {
    if (node.kind != YamlNode::Kind::list || node.children.empty()) {
      reading_.fault(node.at,
                     "command: must be a list of the program and its arguments: there is "
                     "no shell");
      return {};
    }
    Command command{.words = reading_.texts(node, "command"), .folder = reading_.folder()};
    if (command.words.size() != node.children.size()) return {};
    if (const YamlNode* timeout = node_.find("timeout"))
      command.timeout = reading_.duration(*timeout, "timeout").value_or(command.timeout);
    if (!can_start(node.children.front())) return {};
    if (!allow_commands_)
      reading_.fault(node.key_at, "tool " + spec_.name + " runs " +
                                      one_line(command.words.front(), 200) +
                                      ": pass --allow-commands");
    commands.push_back({.tool = spec_.name, .words = command.words, .at = node.at});
    return [command = std::move(command)](const Json& arguments, const Call& call) {
      Command with_input = command;
      with_input.input = arguments ? arguments.text() : "{}";
      const std::string output = to_utf8(run_command(with_input, call.stop));
      return std::string(trimmed(output));
    };
  }

  // A program that is named by a path is there; others are looked for when they are started.
  bool can_start(const YamlNode& program) {
    const std::string& word = program.text;
    if (word.empty()) reading_.fault(program.at, "command: the program has no name");
    if (word.find('/') == word.npos) return !word.empty();
    const std::filesystem::path path = reading_.folder() / word;
    std::error_code failed;
    const bool is_file = std::filesystem::is_regular_file(path, failed);
    if (is_file && ::access(path.c_str(), X_OK) == 0) return true;
    reading_.fault(program.at,
                   "command: " + one_line(word, 200) +
                       (is_file ? ": is not executable: chmod +x" : ": there is no such program"));
    return false;
  }

  Reading& reading_;
  const YamlNode& node_;
  const bool allow_commands_;
  ToolSpec spec_;
};

}  // namespace

void read_tools(Reading& reading, const YamlNode& node, bool allow_commands,
                Definitions& definitions, std::vector<ProgramCommand>& commands) {
  if (!reading.is_list(node, "tools")) return;
  for (const YamlNode& child : node.children) {
    auto tool = ToolReader(reading, child, allow_commands).read(commands);
    if (!tool) continue;
    const std::string name = tool->name();
    if (!definitions.tools.emplace(name, std::move(*tool)).second)
      reading.fault(child.find("name")->at, "tool " + in_quotes(name) + " is here twice");
  }
}

Tools read_tool_list(Reading& reading, const YamlNode& node, const Definitions& definitions) {
  Tools tools;
  if (!reading.is_list(node, "tools")) return tools;
  for (const YamlNode& child : node.children) {
    const auto name = reading.text(child, "tools");
    if (!name) continue;
    const auto tool = definitions.tools.find(*name);
    if (tool != definitions.tools.end()) {
      tools.push_back(tool->second);
      continue;
    }
    reading.fault(child.at, "tool " + in_quotes(*name) + " is not under tools" +
                                did_you_mean(*name, keys_of(definitions.tools)));
  }
  return tools;
}

std::optional<Format> read_format(Reading& reading, const YamlNode& node,
                                  const Definitions& definitions) {
  const auto name = reading.text(node, node.key);
  if (!name) return {};
  const auto format = definitions.formats.find(*name);
  if (format != definitions.formats.end()) return format->second;
  reading.fault(node.at, "format " + in_quotes(*name) + " is not under formats" +
                             did_you_mean(*name, keys_of(definitions.formats)));
  return {};
}

std::optional<ProgramStream> read_stream(Reading& reading, const YamlNode& node,
                                         const Definitions& definitions) {
  constexpr std::array<std::string_view, 3> kKeys = {"chunking", "checks", "retries"};
  constexpr std::int64_t kMostRetries = 1'000;
  if (node.kind != YamlNode::Kind::map) {
    const auto wanted = reading.boolean(node, "stream");
    return wanted && *wanted ? std::optional(ProgramStream{}) : std::nullopt;
  }
  reading.require_known(node, kKeys, "in stream");
  ProgramStream stream;
  if (const YamlNode* chunking = node.find("chunking")) {
    const auto name = reading.text(*chunking, "stream.chunking");
    try {
      if (name) stream.chunking = Chunking::named(*name);
    } catch (const Error& error) {
      reading.fault(chunking->at, "stream.chunking: " + std::string(error.what()));
    }
  }
  if (const YamlNode* checks = node.find("checks"))
    stream.checks = read_requirement_list(reading, *checks, definitions, "stream.checks");
  if (const YamlNode* retries = node.find("retries")) {
    const auto number = reading.whole_number(*retries, "stream.retries", 0, kMostRetries);
    stream.retries = static_cast<int>(number.value_or(0));
    if (stream.retries > 0 && !node.find("checks"))
      reading.fault(retries->key_at, "stream.retries: of what? Write checks too");
  }
  return stream;
}

std::vector<Image> read_images(Reading& reading, const YamlNode& node) {
  std::vector<Image> images;
  if (!reading.is_list(node, "images")) return images;
  for (const YamlNode& child : node.children) {
    const auto name = reading.text(child, "images");
    if (!name) continue;
    if (is_image_url(*name)) {
      images.push_back({.url = *name});
      continue;
    }
    const auto bytes = reading.file(child, "images", kLargestImage);
    if (!bytes) continue;
    if (auto image = image_of(*bytes))
      images.push_back(std::move(*image));
    else
      reading.fault(child.at, "images: " + one_line(*name, 200) + ": is no PNG, JPEG, WebP or GIF");
  }
  return images;
}

}  // namespace mellea
