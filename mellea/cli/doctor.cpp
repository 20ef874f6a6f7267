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
// One line of the table.
struct Row {
  std::string name{};
  std::string configured_by{};  // variables; empty: nothing
  std::optional<bool> works{};  // nothing: not asked
  std::string found{};          // where and how fast it answered, or what to do
  std::vector<std::string> models{};
};

// What is done about a provider that nothing configures and nobody has named.
enum class Unasked {
  hidden,
  told,   // what is missing
  tried,  // it needs nothing, but may not be there
};

// How a provider is asked which models it has. A new one is a line of providers().
struct Provider {
  std::string name{};
  std::vector<const char*> variables{};  // that configure it
  Unasked unasked = Unasked::hidden;
  // The URL that is asked whether a server is there; null: what runs its models is on this machine.
  std::string (*server)(const BackendOptions&) = nullptr;
  // What must be set before it can be asked, empty if nothing; null: never anything.
  std::string (*missing)(const BackendOptions&) = nullptr;
};

// The base URL, or `its_own`.
template <const char* its_own>
std::string server_or(const BackendOptions& options) {
  return options.base_url.empty() ? its_own : options.base_url;
}
constexpr char kHuggingFaceUrl[] = "https://router.huggingface.co/v1";
constexpr char kLiteLlmUrl[] = "http://127.0.0.1:4000";
constexpr char kOpenAiUrl[] = "https://api.openai.com/v1";

std::string missing_of_openai(const BackendOptions& options) {
  const bool has_any = !options.base_url.empty() || !options.api_key.empty();
  return has_any ? "" : "OPENAI_API_KEY, or OPENAI_BASE_URL for a server of your own";
}

std::string missing_of_watsonx(const BackendOptions& options) {
  std::string list;
  const auto demand = [&list](const char* name, bool is_there) {
    if (!is_there) list.append(list.empty() ? "" : ", ").append(name);
  };
  demand("WATSONX_API_KEY", !options.api_key.empty() || !options.headers.empty());
  demand("WATSONX_URL", !options.base_url.empty());
  demand("WATSONX_PROJECT_ID", !options.watsonx.project.empty() || !options.watsonx.space.empty());
  return list;
}

std::vector<Provider> providers() {
  return {
      {.name = "ollama",
       .variables = {"OLLAMA_HOST", "OLLAMA_API_KEY"},
       .unasked = Unasked::tried,
       .server = [](const BackendOptions& options) { return ollama_url(options.base_url); }},
      {.name = "openai",
       .variables = {"OPENAI_BASE_URL", "OPENAI_API_KEY"},
       .unasked = Unasked::told,
       .server = server_or<kOpenAiUrl>,
       .missing = missing_of_openai},
      {.name = "litellm",
       .variables = {"LITELLM_BASE_URL", "LITELLM_API_KEY"},
       .server = server_or<kLiteLlmUrl>},
      {.name = "huggingface",
       .variables = {"HF_INFERENCE_ENDPOINT", "HF_TOKEN"},
       .server = server_or<kHuggingFaceUrl>},
      {.name = "local", .variables = {"MELLEA_LLAMA_SERVER"}},
      {.name = "watsonx",
       .variables = {"WATSONX_URL", "WATSONX_API_KEY", "WATSONX_APIKEY", "WATSONX_TOKEN",
                     "WATSONX_ZENAPIKEY"},
       .unasked = Unasked::told,
       .server = [](const BackendOptions& options) { return watsonx_url(options.base_url); },
       .missing = missing_of_watsonx},
  };
}

// Those of the variables that are set.
std::string set_ones(const Environment& environment, const std::vector<const char*>& names) {
  std::string list;
  for (const char* name : names)
    if (!value_of(environment, name).empty()) list.append(list.empty() ? "" : ", ").append(name);
  return list;
}

std::string answered(const std::string& where, std::chrono::nanoseconds took) {
  return where + "  " + std::to_string(milliseconds(took)) + " ms";
}

// Asks a server on this machine, or one that is `named`. Throws Error.
void ask_server(Row& row, const BackendOptions& options, const std::string& url, bool named,
                const std::shared_ptr<Network>& network) {
  const Url where = parse_url(url);
  const bool near = is_this_machine(where.host);
  if (!near && !named) {
    row.found = "not asked (--backend " + row.name + " asks)";
    return;
  }
  const auto patience = near ? kPatience : kRemotePatience;
  const std::shared_ptr<Backend> backend = make_backend(options, network);
  const auto took = probe(*network, {.method = "GET", .url = url}, patience).took;
  row.models = models_within(*backend, patience);
  row.found = answered(where.authority(), took);
  row.works = true;
}

// What runs models on this machine.
std::string runner(const LocalOptions& local) {
  if (local.run != LocalOptions::Run::server && !libllama().empty())
    return "in this process, libllama " + std::string(libllama());
  return one_line(local.server, 60);
}

// Looks for what runs models on this machine, and for models. Throws Error.
void look_here(Row& row, BackendOptions options, const std::shared_ptr<Network>& network) {
  if (!names_gguf_file(options.model)) options.model.clear();  // of another backend, maybe
  row.models = make_backend(options, network)->models({});
  row.found = runner(*options.local);
  row.works = ::access(options.local->server.c_str(), X_OK) == 0 || !libllama().empty();
  if (!*row.works) row.found += " is no program that can be started";
}

// Nothing where nobody wants to know.
std::optional<Row> row_of(const Provider& provider, bool named, const Environment& environment,
                          const std::shared_ptr<Network>& network) {
  Row row{.name = provider.name, .configured_by = set_ones(environment, provider.variables)};
  const BackendOptions options = configured_model({.backend = provider.name}, environment);
  if (provider.server && !value_of(environment, "MELLEA_BASE_URL").empty())
    row.configured_by.insert(0,
                             row.configured_by.empty() ? "MELLEA_BASE_URL" : "MELLEA_BASE_URL, ");
  if (row.configured_by.empty() && value_of(environment, "MELLEA_BACKEND") == provider.name)
    row.configured_by = "MELLEA_BACKEND";
  const bool wanted = named || !row.configured_by.empty();
  const bool is_here = !provider.server && !options.local->server.empty();
  if (!wanted && !is_here && provider.unasked == Unasked::hidden) return {};

  const std::string missing = provider.missing ? provider.missing(options) : "";
  if (!missing.empty()) {
    if (named) row.works = false;
    row.found = "set " + missing;
    return row;
  }
  if (row.configured_by.empty()) row.configured_by = named ? "--backend" : "default";
  try {
    if (provider.server)
      ask_server(row, options, provider.server(options), named, network);
    else
      look_here(row, options, network);
  } catch (const Error& error) {
    row.works = false;
    row.found = error.what();
  }
  if (!wanted && row.works == false) {  // then nothing that was wanted is missing
    row.works.reset();
    row.found = "none at " + parse_url(provider.server(options)).authority() + " (" +
                provider.name + " serve)";
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
  std::vector<Row> rows;
  bool is_known = named.empty();
  for (const Provider& provider : providers()) {
    const bool is_named = provider.name == named;
    is_known = is_known || is_named;
    if (auto row =
            row_of(provider, is_named, environment_of(provider.name, named, environment), network))
      rows.push_back(std::move(*row));
  }
  if (is_known) return rows;
  try {  // one that is in this process, or none at all
    rows.push_back({.name = named,
                    .configured_by = "--backend",
                    .works = true,
                    .found = "in this process",
                    .models = make_backend({.backend = named}, network)->models({})});
  } catch (const Error& error) {
    throw UsageError(error.what());
  }
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
