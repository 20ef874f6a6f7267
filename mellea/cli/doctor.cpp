#include "mellea/cli/doctor.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "mellea/backends/llama_library.h"
#include "mellea/backends/local_backend.h"
#include "mellea/backends/ollama_backend.h"
#include "mellea/backends/watsonx_backend.h"
#include "mellea/cli/exit_code.h"
#include "mellea/cli/json_line.h"
#include "mellea/cli/probe.h"
#include "mellea/cli/tracing.h"
#include "mellea/core/text.h"
#include "mellea/net/network.h"
#include "mellea/net/url.h"
#include "mellea/version.h"

namespace mellea::cli {
namespace {

constexpr std::chrono::milliseconds kPatience{2'000};
constexpr std::chrono::milliseconds kRemotePatience{10'000};  // with a host that was asked for
constexpr const char* kLiteLlmUrl = "http://127.0.0.1:4000";
constexpr std::string_view kHuggingFaceUrl = "https://router.huggingface.co/v1";
constexpr std::string_view kOpenAiUrl = "https://api.openai.com/v1";

// One line of the table.
struct Row {
  std::string name{};
  std::string configured_by{};  // variables; empty: nothing
  std::optional<bool> works{};  // nothing: not asked
  std::string found{};          // where and how fast it answered, or what to do
  std::vector<std::string> models{};
};

// Those of the variables that are set.
std::string set_ones(const Environment& environment, std::initializer_list<const char*> names) {
  std::string list;
  for (const char* name : names)
    if (!value_of(environment, name).empty()) list.append(list.empty() ? "" : ", ").append(name);
  return list;
}

std::string answered(const std::string& where, std::chrono::nanoseconds took) {
  return where + "  " + std::to_string(milliseconds(took)) + " ms";
}

void ask(Row& row, const BackendOptions& options, const std::string& url,
         const std::shared_ptr<Network>& network) {
  try {
    const std::shared_ptr<Backend> backend = make_backend(options, network);
    const Endpoint endpoint = backend->endpoint();
    const auto patience =
        endpoint.local || is_this_machine(endpoint.address) ? kPatience : kRemotePatience;
    row.found = endpoint.local
                    ? "in this process"
                    : answered(parse_url(url).authority(),
                               probe(*network, {.method = "GET", .url = url}, patience).took);
    row.models = models_within(*backend, patience);
    row.works = true;
  } catch (const Error& error) {
    row.works = false;
    row.found = error.what();
  }
}

// Asks those on this machine, and the one that is `named`.
void ask_if_near(Row& row, const BackendOptions& options, const std::string& url, bool named,
                 const std::shared_ptr<Network>& network) {
  try {
    if (named || is_this_machine(parse_url(url).host))
      ask(row, options, url, network);
    else
      row.found = "not asked (--backend " + row.name + " asks)";
  } catch (const Error& error) {  // no URL
    row.works = false;
    row.found = error.what();
  }
}

Row ollama_row(const Environment& environment, bool named,
               const std::shared_ptr<Network>& network) {
  Row row{
      .name = "ollama",
      .configured_by = set_ones(environment, {"MELLEA_BASE_URL", "OLLAMA_HOST", "OLLAMA_API_KEY"})};
  if (row.configured_by.empty() && value_of(environment, "MELLEA_BACKEND") == "ollama")
    row.configured_by = "MELLEA_BACKEND";
  const bool configured = named || !row.configured_by.empty();
  if (row.configured_by.empty()) row.configured_by = named ? "--backend" : "default";
  const BackendOptions options = configured_model({.backend = "ollama"}, environment);
  const std::string url = ollama_url(options.base_url);
  ask_if_near(row, options, url, named, network);
  if (!configured && row.works == false) {  // then nothing that was wanted is missing
    row.works.reset();
    row.found = "none at " + parse_url(url).authority() + " (ollama serve)";
  }
  return row;
}

Row openai_row(const Environment& environment, bool named,
               const std::shared_ptr<Network>& network) {
  Row row{.name = "openai",
          .configured_by =
              set_ones(environment, {"MELLEA_BASE_URL", "OPENAI_BASE_URL", "OPENAI_API_KEY"})};
  const BackendOptions options = configured_model({.backend = "openai"}, environment);
  const std::string url = options.base_url.empty() ? std::string(kOpenAiUrl) : options.base_url;
  if (row.configured_by.empty() && !named)
    row.found = "set OPENAI_API_KEY, or OPENAI_BASE_URL for a server of your own";
  else
    ask_if_near(row, options, url, named, network);
  return row;
}

// Nothing where nobody has asked for it.
std::optional<Row> litellm_row(const Environment& environment, bool named,
                               const std::shared_ptr<Network>& network) {
  Row row{.name = "litellm",
          .configured_by =
              set_ones(environment, {"MELLEA_BASE_URL", "LITELLM_BASE_URL", "LITELLM_API_KEY"})};
  if (row.configured_by.empty() && !named) return {};
  if (row.configured_by.empty()) row.configured_by = "--backend";
  const BackendOptions options = configured_model({.backend = "litellm"}, environment);
  ask_if_near(row, options, options.base_url.empty() ? kLiteLlmUrl : options.base_url, named,
              network);
  return row;
}

// Nothing where nobody has asked for it.
std::optional<Row> huggingface_row(const Environment& environment, bool named,
                                   const std::shared_ptr<Network>& network) {
  Row row{.name = "huggingface",
          .configured_by =
              set_ones(environment, {"MELLEA_BASE_URL", "HF_INFERENCE_ENDPOINT", "HF_TOKEN"})};
  if (row.configured_by.empty() && !named) return {};
  if (row.configured_by.empty()) row.configured_by = "--backend";
  const BackendOptions options = configured_model({.backend = "huggingface"}, environment);
  ask_if_near(row, options,
              options.base_url.empty() ? std::string(kHuggingFaceUrl) : options.base_url, named,
              network);
  return row;
}

// The variables without which no call can be made.
std::string missing_of(const BackendOptions& watsonx) {
  std::string list;
  const auto demand = [&list](const char* name, bool is_there) {
    if (!is_there) list.append(list.empty() ? "" : ", ").append(name);
  };
  demand("WATSONX_API_KEY", !watsonx.api_key.empty() || !watsonx.headers.empty());
  demand("WATSONX_URL", !watsonx.base_url.empty());
  demand("WATSONX_PROJECT_ID", !watsonx.watsonx.project.empty() || !watsonx.watsonx.space.empty());
  return list;
}

Row watsonx_row(const Environment& environment, bool named,
                const std::shared_ptr<Network>& network) {
  Row row{.name = "watsonx",
          .configured_by =
              set_ones(environment, {"MELLEA_BASE_URL", "WATSONX_URL", "WATSONX_API_KEY",
                                     "WATSONX_APIKEY", "WATSONX_TOKEN", "WATSONX_ZENAPIKEY"})};
  const BackendOptions options = configured_model({.backend = "watsonx"}, environment);
  if (const std::string missing = missing_of(options); !missing.empty()) {
    if (named) row.works = false;
    row.found = "set " + missing;
    return row;
  }
  try {
    ask_if_near(row, options, watsonx_url(options.base_url), named, network);
  } catch (const Error& error) {  // no region
    row.works = false;
    row.found = error.what();
  }
  return row;
}

// The program that runs models on this machine, or the way to have one.
std::string runner(const LocalOptions& local) {
  if (local.run != LocalOptions::Run::server && !libllama().empty())
    return "in this process, libllama " + std::string(libllama());
  return one_line(local.server, 60);
}

// Nothing where there is neither a program nor a model for it, and nobody has asked.
std::optional<Row> local_row(const Environment& environment, bool named,
                             const std::shared_ptr<Network>& network) {
  Row row{.name = "local", .configured_by = set_ones(environment, {"MELLEA_LLAMA_SERVER"})};
  const bool configured =
      named || !row.configured_by.empty() || value_of(environment, "MELLEA_BACKEND") == "local";
  BackendOptions options = configured_model({.backend = "local"}, environment);
  options.base_url.clear();
  if (!names_gguf_file(options.model)) options.model.clear();  // of another backend, maybe
  if (!configured && options.local->server.empty()) return {};
  if (row.configured_by.empty()) row.configured_by = named ? "--backend" : "default";
  try {
    row.models = make_backend(options, network)->models({});
    row.found = runner(*options.local);
    row.works = ::access(options.local->server.c_str(), X_OK) == 0 || !libllama().empty();
    if (!*row.works) row.found += " is no program that can be started";
  } catch (const Error& error) {
    row.works = false;
    row.found = error.what();
  }
  return row;
}

// MELLEA_BASE_URL is one backend's: that of MELLEA_BACKEND, unless another is `named`.
Environment environment_of(const std::string& backend, const std::string& named,
                           const Environment& environment) {
  std::string owner = named.empty() ? value_of(environment, "MELLEA_BACKEND") : named;
  if (owner.empty()) owner = "openai";
  if (owner == backend) return environment;
  return [environment](const char* name) -> std::optional<std::string> {
    return std::string_view(name) == "MELLEA_BASE_URL" ? std::nullopt : environment(name);
  };
}

std::vector<Row> backend_rows(const std::string& named, const Environment& environment) {
  const std::shared_ptr<Network> network = make_network();
  std::vector<Row> rows{
      ollama_row(environment_of("ollama", named, environment), named == "ollama", network),
      openai_row(environment_of("openai", named, environment), named == "openai", network)};
  if (std::optional<Row> litellm =
          litellm_row(environment_of("litellm", named, environment), named == "litellm", network))
    rows.push_back(std::move(*litellm));
  if (std::optional<Row> huggingface = huggingface_row(
          environment_of("huggingface", named, environment), named == "huggingface", network))
    rows.push_back(std::move(*huggingface));
  if (std::optional<Row> local = local_row(environment, named == "local", network))
    rows.push_back(std::move(*local));
  rows.push_back(
      watsonx_row(environment_of("watsonx", named, environment), named == "watsonx", network));
  for (const std::string_view known :
       {"", "ollama", "openai", "litellm", "huggingface", "local", "watsonx"})
    if (named == known) return rows;
  try {
    static_cast<void>(make_backend({.backend = named}, network));
  } catch (const Error& error) {
    throw UsageError(error.what());
  }
  ask(rows.emplace_back(Row{.name = named, .configured_by = "--backend"}), {.backend = named}, "",
      network);
  return rows;
}

// An empty export is a valid one: a collector says 200 to it, and keeps nothing.
Row collector_row(const telemetry::OtlpHttp& collector, const std::string& configured_by) {
  Row row{.name = "traces", .configured_by = configured_by};
  Network network;
  try {
    const Url url = parse_url(collector.endpoint);
    HttpRequest request{.url = collector.endpoint,
                        .headers = collector.headers,
                        .body = std::make_shared<const std::string>(),
                        .ca_file = collector.ca_file};
    request.headers.emplace_back("content-type", "application/x-protobuf");
    row.found = url.authority() + " is the gRPC port; this build speaks HTTP: use 4318";
    const Probe answer = probe(network, std::move(request), kPatience);
    row.works = answer.status == 200;
    row.found = *row.works ? answered(url.authority(), answer.took)
                           : url.shown + " answers " + std::to_string(answer.status);
  } catch (const Error& error) {
    row.works = false;
    if (!collector.endpoint.starts_with("http://") ||
        collector.endpoint.find(":4317/") == std::string::npos)
      row.found = error.what();
  }
  return row;
}

std::vector<Row> trace_rows(const Environment& environment, Console& console) {
  const std::string endpoints =
      set_ones(environment, {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"});
  const telemetry::Config config = config_from(environment, console);
  std::vector<Row> rows;
  for (const telemetry::Exporter& exporter : config.exporters) {
    if (const auto* collector = std::get_if<telemetry::OtlpHttp>(&exporter))
      rows.push_back(collector_row(*collector, endpoints));
    else if (const auto* file = std::get_if<telemetry::OtlpFile>(&exporter))
      rows.push_back(
          {.name = "traces", .configured_by = "MELLEA_TRACES_FILE", .found = one_line(file->path)});
  }
  if (rows.empty())
    rows.push_back(
        {.name = "traces",
         .configured_by = endpoints,
         .found = endpoints.empty() ? "off" : "off (OTEL_TRACES_EXPORTER=otlp switches on)"});
  return rows;
}

std::string compiler() {
#ifdef __clang__
  return "clang " + std::to_string(__clang_major__) + '.' + std::to_string(__clang_minor__);
#else
  return "g++ " + std::to_string(__GNUC__) + '.' + std::to_string(__GNUC_MINOR__);
#endif
}

std::string reachable(const Row& row) {
  if (!row.works) return row.found;
  return (*row.works ? "yes  " : "no   ") + row.found;
}

// Fills up to the next column; what is too long for its own is kept apart.
void pad(std::string& line, std::size_t column) {
  line.resize(std::max(column, line.size() + 1), ' ');
}

std::string table_line(const std::string& name, const std::string& configured_by,
                       const std::string& reachable, const std::string& models) {
  std::string line = name;
  pad(line, 13);
  line += configured_by;
  pad(line, 41);
  line += reachable;
  if (models == "-" && line.size() > 78) return line + '\n';
  pad(line, 80);
  return line + models + '\n';
}

std::string table_of(const std::vector<Row>& rows) {
  std::string table = table_line("backend", "configured by", "reachable", "models");
  for (const Row& row : rows)
    table += table_line(row.name, row.configured_by.empty() ? "-" : row.configured_by,
                        reachable(row), row.models.empty() ? "-" : first_few(row.models));
  return table;
}

OrderedJson json_of(const Row& row) {
  OrderedJson object{{"name", row.name}};
  if (!row.configured_by.empty()) object["configured_by"] = row.configured_by;
  if (row.works) object["works"] = *row.works;
  object["found"] = row.found;
  if (!row.models.empty()) object["models"] = row.models;
  return object;
}

std::string json_of(const std::vector<Row>& rows, bool all_work) {
  OrderedJson list = OrderedJson::array();
  for (const Row& row : rows) list.push_back(json_of(row));
  return line_of({{"ok", all_work},
                  {"rows", std::move(list)},
                  {"version", kVersion},
                  {"compiler", compiler()},
                  {"libllama", libllama().empty() ? OrderedJson() : OrderedJson(libllama())},
                  {"opentelemetry", nullptr}});
}

std::string versions() {
  return "\nmellea " + std::string(kVersion) + ", " + compiler() +
         ", libllama: " + std::string(libllama().empty() ? "no" : libllama()) +
         ", OpenTelemetry: not in this build\n";
}

}  // namespace

int doctor(const DoctorArguments& arguments, Console& console, const Environment& environment) {
  std::vector<Row> rows = backend_rows(arguments.backend, environment);
  for (Row& row : trace_rows(environment, console)) rows.push_back(std::move(row));
  const bool all_work =
      std::none_of(rows.begin(), rows.end(), [](const Row& row) { return row.works == false; });
  console.write(arguments.json ? json_of(rows, all_work) : table_of(rows) + versions());
  return all_work ? kDone : kFailed;
}

}  // namespace mellea::cli
