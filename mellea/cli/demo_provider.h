// The provider of the demo: an HTTP server on loopback that answers from a script.
#pragma once

#include <string_view>
#include <vector>

#include "mellea/net/testing/loopback_server.h"

namespace mellea::cli {

// What it says, in the order of its requests.
inline constexpr std::string_view kStreamedAnswer = "The sea keeps no diary, only tides.";
inline constexpr std::string_view kAnswerAfterRetry = "Paris.";
inline constexpr std::string_view kHaikuOfOneLine = "Low tide, an old boat.";
inline constexpr std::string_view kHaiku =
    "Low tide, an old boat\ngulls have the last word\nthe rope dries slowly";
inline constexpr int kChunksOfLongAnswer = 40;

// For six requests: a streamed answer, 429, three whole answers, a long stream.
std::vector<Script> demo_scripts();

}  // namespace mellea::cli
