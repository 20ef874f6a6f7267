# mellea_layer(<name> HEADERS file... [SOURCES file...] [TESTS file...]
#              [USES layer...]          seen by this layer and by those that use it
#              [PRIVATE_USES layer...]  seen by this layer's .cpp files alone
#              [TEST_USES target...]    seen by its tests too
#              [LIBRARIES target...]          from outside, seen by those that use it
#              [PRIVATE_LIBRARIES target...]) from outside, in this layer's .cpp files alone
#
# One folder of mellea/ as a library that sees the headers of the layers it uses, and no others: a
# target's include path has one directory for each layer, with a link to that layer's folder in it,
# and CMake hands these on along the USES. So #include "mellea/telemetry/..." in a backend fails
# with "No such file" on the line that has it. Every header must also compile alone
# (the target all_verify_interface_header_sets).
function(mellea_layer name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" ""
    "HEADERS;SOURCES;TESTS;USES;PRIVATE_USES;TEST_USES;LIBRARIES;PRIVATE_LIBRARIES")
  set(target mellea_${name})
  set(folder ${PROJECT_SOURCE_DIR}/mellea/${name})
  set(include ${PROJECT_BINARY_DIR}/include/${name})
  file(MAKE_DIRECTORY ${include}/mellea)
  file(CREATE_LINK ${folder} ${include}/mellea/${name} SYMBOLIC)
  list(TRANSFORM arg_USES PREPEND mellea_)
  list(TRANSFORM arg_PRIVATE_USES PREPEND mellea_)
  list(TRANSFORM arg_HEADERS PREPEND ${include}/mellea/${name}/)
  list(TRANSFORM arg_SOURCES PREPEND ${folder}/)
  list(TRANSFORM arg_TESTS PREPEND ${folder}/)

  add_library(${target} ${arg_SOURCES})
  add_library(mellea::${name} ALIAS ${target})
  target_compile_features(${target} PUBLIC cxx_std_20)
  target_sources(${target} PUBLIC FILE_SET HEADERS BASE_DIRS ${include} FILES ${arg_HEADERS})
  target_link_libraries(${target}
    PUBLIC ${arg_USES} ${arg_LIBRARIES} PRIVATE ${arg_PRIVATE_USES} ${arg_PRIVATE_LIBRARIES})

  if(arg_TESTS AND MELLEA_TESTS)
    add_executable(${target}_test ${arg_TESTS})
    target_link_libraries(${target}_test PRIVATE ${target} ${arg_PRIVATE_USES} ${arg_TEST_USES} GTest::gtest_main)
    gtest_discover_tests(${target}_test)
  endif()
endfunction()
