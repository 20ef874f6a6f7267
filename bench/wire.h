// The protocols that calls are measured with: what our client is told, and the least that speaking
// each of them by hand takes.
#pragma once

#include <string>
#include <string_view>

#include "mellea/backends/backend.h"
#include "provider_process.h"

namespace mellea::bench {

struct Wire {
  std::string_view backend{};           // whose protocol it is, as in BackendOptions
  std::string_view base{};              // of our client, below the server
  std::string_view path{};              // of a whole answer
  std::string_view stream_path{};       // of a streamed one
  std::string_view plain_members{};     // of a request's body, beside model and messages
  std::string_view stream_members{};    // the same for a streamed answer
  std::string_view event_begins{};      // what stands before the JSON of an event, on its line
  std::string_view event_ends{};        // what stands after it
  std::string_view once{};              // what each event has once, whatever frames it
  bool has_choices = false;             // the text is in choices[0], else in the answer itself
  const char* authorization = nullptr;  // a header, if it must have one
};

// Null for one that is not measured.
const Wire* wire_of(std::string_view backend);
const Wire& openai_wire();
// "huggingface, litellm, ..."
std::string wire_names();

// Our client of that provider, over TLS if asked.
BackendOptions client_of(const Wire& wire, const ProviderProcess& provider, std::string model,
                         bool tls = false);

}  // namespace mellea::bench
