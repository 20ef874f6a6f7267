# What `cmake --install` puts where: headers, libraries, the program, and the three ways to find
# them: mellea-config.cmake, the version file, mellea.pc. All relative to the prefix.
include(CMakePackageConfigHelpers)
include(GNUInstallDirs)

set(targets ${layers})
list(TRANSFORM targets PREPEND mellea_)
install(TARGETS ${targets} mellea_all
  EXPORT mellea-targets
  FILE_SET HEADERS
  FILE_SET optional_headers
)
set(components ${layers})
if(MELLEA_WITH_OTEL)
  # Apart from the others: who does not name it needs no opentelemetry-cpp.
  install(TARGETS mellea_otel EXPORT mellea-otel-targets FILE_SET HEADERS)
  list(APPEND components otel)
endif()
list(JOIN components " " MELLEA_COMPONENTS)
if(BUILD_SHARED_LIBS)
  set(MELLEA_SHARED TRUE)
else()
  set(MELLEA_SHARED FALSE)
endif()
set(config_folder ${CMAKE_INSTALL_LIBDIR}/cmake/mellea)
install(EXPORT mellea-targets NAMESPACE mellea:: DESTINATION ${config_folder})
if(MELLEA_WITH_OTEL)
  install(EXPORT mellea-otel-targets NAMESPACE mellea:: DESTINATION ${config_folder})
endif()
configure_package_config_file(
  ${PROJECT_SOURCE_DIR}/cmake/mellea-config.cmake.in ${PROJECT_BINARY_DIR}/mellea-config.cmake
  INSTALL_DESTINATION ${config_folder}
  NO_SET_AND_CHECK_MACRO
)
write_basic_package_version_file(${PROJECT_BINARY_DIR}/mellea-config-version.cmake
  COMPATIBILITY SameMinorVersion
)
install(
  FILES ${PROJECT_BINARY_DIR}/mellea-config.cmake ${PROJECT_BINARY_DIR}/mellea-config-version.cmake
    ${PROJECT_SOURCE_DIR}/cmake/Findre2.cmake ${PROJECT_SOURCE_DIR}/cmake/Findyaml-cpp.cmake
  DESTINATION ${config_folder}
)

# pkg-config has no word for "a static library that needs shared ones", which is the usual case: a
# static mellea's dependencies are therefore plain requirements, so that --libs is enough. (libcurl's
# own --static asks for development packages of all that libcurl can do.)
set(MELLEA_PC_REQUIRES "nlohmann_json")
set(MELLEA_PC_REQUIRES_PRIVATE "libcurl re2 simdjson spdlog yaml-cpp zlib")
if(MELLEA_WITH_LLAMA)
  string(APPEND MELLEA_PC_REQUIRES_PRIVATE " llama")
endif()
if(NOT BUILD_SHARED_LIBS)
  string(APPEND MELLEA_PC_REQUIRES " ${MELLEA_PC_REQUIRES_PRIVATE}")
  set(MELLEA_PC_REQUIRES_PRIVATE "")
endif()
set(MELLEA_PC_LIBS ${layers})
list(REVERSE MELLEA_PC_LIBS)  # the linker wants users before what they use
list(TRANSFORM MELLEA_PC_LIBS PREPEND -lmellea_)
list(JOIN MELLEA_PC_LIBS " " MELLEA_PC_LIBS)
file(RELATIVE_PATH MELLEA_PC_PREFIX /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
string(REGEX REPLACE "/$" "" MELLEA_PC_PREFIX "${MELLEA_PC_PREFIX}")
configure_file(${PROJECT_SOURCE_DIR}/cmake/mellea.pc.in ${PROJECT_BINARY_DIR}/mellea.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/mellea.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

if(MELLEA_CLI)
  get_property(programs DIRECTORY mellea/cli PROPERTY BUILDSYSTEM_TARGETS)
  foreach(program IN LISTS programs)
    get_target_property(type ${program} TYPE)
    if(type STREQUAL EXECUTABLE AND NOT program MATCHES "_test$")
      set_target_properties(${program} PROPERTIES INSTALL_RPATH "$ORIGIN/../${CMAKE_INSTALL_LIBDIR}")
      install(TARGETS ${program})
    endif()
  endforeach()
endif()
install(
  FILES ${PROJECT_SOURCE_DIR}/LICENSE ${PROJECT_SOURCE_DIR}/NOTICE
    ${PROJECT_SOURCE_DIR}/docs/program.schema.json
  DESTINATION ${CMAKE_INSTALL_DOCDIR})
