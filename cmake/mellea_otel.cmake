# MELLEA_WITH_OTEL: whether mellea::otel is built, for programs that have opentelemetry-cpp.
set(MELLEA_OTEL AUTO CACHE STRING "Build mellea::otel, for programs with opentelemetry-cpp: AUTO, ON or OFF")
set_property(CACHE MELLEA_OTEL PROPERTY STRINGS AUTO ON OFF)
set(MELLEA_OTEL_OLDEST 1.19)
set(MELLEA_WITH_OTEL FALSE)
if(MELLEA_OTEL)
  # Its own version file takes no version but exactly its own.
  find_package(opentelemetry-cpp CONFIG QUIET)
  if(opentelemetry-cpp_FOUND AND opentelemetry-cpp_VERSION VERSION_GREATER_EQUAL MELLEA_OTEL_OLDEST)
    set(MELLEA_WITH_OTEL TRUE)
  elseif(NOT MELLEA_OTEL STREQUAL AUTO)
    set(found "none")
    if(opentelemetry-cpp_FOUND)
      set(found "${opentelemetry-cpp_VERSION}")
    elseif(opentelemetry-cpp_CONSIDERED_CONFIGS)
      set(found "one at ${opentelemetry-cpp_CONSIDERED_CONFIGS}, which lacks what it needs itself \
(on Debian: libabsl-dev libgrpc++-dev libprotobuf-dev protobuf-compiler protobuf-compiler-grpc)")
    endif()
    message(FATAL_ERROR "mellea: MELLEA_OTEL is ${MELLEA_OTEL} and wants opentelemetry-cpp "
      "${MELLEA_OTEL_OLDEST} or newer; there is ${found}. Name the folder with "
      "opentelemetry-cpp-config.cmake by opentelemetry-cpp_DIR")
  endif()
endif()
