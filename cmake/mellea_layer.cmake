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
  if(arg_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "mellea_layer(${name}): what is ${arg_UNPARSED_ARGUMENTS}?")
  endif()
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
  set_target_properties(${target} PROPERTIES
    EXPORT_NAME ${name}
    VERSION ${PROJECT_VERSION}
    SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR}  # 0.x: each minor version is an ABI
    INSTALL_RPATH "$ORIGIN"
  )
  target_compile_features(${target} PUBLIC cxx_std_20)
  target_sources(${target} PUBLIC FILE_SET HEADERS BASE_DIRS ${include} FILES ${arg_HEADERS})
  target_link_libraries(${target} PUBLIC ${arg_USES} ${arg_LIBRARIES} PRIVATE ${arg_PRIVATE_USES})
  foreach(library IN LISTS arg_PRIVATE_LIBRARIES)
    mellea_headers_alone(${library} headers_alone)
    if(headers_alone)  # compiled in, so an installed copy does not need it
      set(library $<BUILD_INTERFACE:${library}>)
    endif()
    target_link_libraries(${target} PRIVATE ${library})
  endforeach()
  if(UNIX AND NOT APPLE)
    # A shared layer that uses another without saying so does not link.
    target_link_options(${target} PRIVATE $<$<BOOL:${BUILD_SHARED_LIBS}>:LINKER:-z,defs>)
  endif()

  if(arg_TESTS AND MELLEA_TESTS)
    add_executable(${target}_test ${arg_TESTS})
    target_link_libraries(${target}_test PRIVATE
      ${target} ${arg_PRIVATE_USES} ${arg_PRIVATE_LIBRARIES} ${arg_TEST_USES} GTest::gtest_main)
    gtest_discover_tests(${target}_test
      DISCOVERY_TIMEOUT 60
      PROPERTIES LABELS unit TIMEOUT 600)
  endif()
endfunction()

# mellea_umbrella(HEADERS file... [OPTIONAL_HEADERS file...] USES layer...): mellea::mellea, and the
# headers directly in mellea/. The optional ones need what may not be here: they need not compile.
# (Copies, not links: a link would be installed as one.)
function(mellea_umbrella)
  cmake_parse_arguments(PARSE_ARGV 0 arg "" "" "HEADERS;OPTIONAL_HEADERS;USES")
  set(include ${PROJECT_BINARY_DIR}/include/umbrella)
  file(MAKE_DIRECTORY ${include}/mellea)
  foreach(header IN LISTS arg_HEADERS arg_OPTIONAL_HEADERS)
    configure_file(${PROJECT_SOURCE_DIR}/mellea/${header} ${include}/mellea/${header} COPYONLY)
  endforeach()
  list(TRANSFORM arg_HEADERS PREPEND ${include}/mellea/)
  list(TRANSFORM arg_OPTIONAL_HEADERS PREPEND ${include}/mellea/)
  list(TRANSFORM arg_USES PREPEND mellea_)

  add_library(mellea_all INTERFACE)
  add_library(mellea::mellea ALIAS mellea_all)
  set_target_properties(mellea_all PROPERTIES EXPORT_NAME mellea)
  target_compile_features(mellea_all INTERFACE cxx_std_20)
  target_sources(mellea_all INTERFACE
    FILE_SET HEADERS BASE_DIRS ${include} FILES ${arg_HEADERS}
    FILE_SET optional_headers TYPE HEADERS BASE_DIRS ${include} FILES ${arg_OPTIONAL_HEADERS})
  set_target_properties(mellea_all PROPERTIES INTERFACE_HEADER_SETS_TO_VERIFY HEADERS)
  target_link_libraries(mellea_all INTERFACE ${arg_USES})
endfunction()

# Whether a library from outside has nothing to link.
function(mellea_headers_alone library result)
  set(${result} FALSE PARENT_SCOPE)
  if(TARGET ${library})
    get_target_property(aliased ${library} ALIASED_TARGET)
    if(aliased)
      set(library ${aliased})
    endif()
    get_target_property(type ${library} TYPE)
    get_target_property(links ${library} INTERFACE_LINK_LIBRARIES)
    if(type STREQUAL INTERFACE_LIBRARY AND NOT links)
      set(${result} TRUE PARENT_SCOPE)
    endif()
  endif()
endfunction()
