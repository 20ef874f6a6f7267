# protozero::protozero, headers that read and write protocol buffers. Its package has no CMake
# config of its own.
find_path(Protozero_INCLUDE_DIR protozero/pbf_writer.hpp)
mark_as_advanced(Protozero_INCLUDE_DIR)

if(Protozero_INCLUDE_DIR AND EXISTS ${Protozero_INCLUDE_DIR}/protozero/version.hpp)
  file(STRINGS ${Protozero_INCLUDE_DIR}/protozero/version.hpp line
    REGEX "#define PROTOZERO_VERSION_STRING ")
  string(REGEX MATCH "[0-9]+\\.[0-9]+\\.[0-9]+" Protozero_VERSION "${line}")
endif()

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(Protozero
  REQUIRED_VARS Protozero_INCLUDE_DIR
  VERSION_VAR Protozero_VERSION
)

if(Protozero_FOUND AND NOT TARGET protozero::protozero)
  add_library(protozero::protozero INTERFACE IMPORTED)
  target_include_directories(protozero::protozero INTERFACE ${Protozero_INCLUDE_DIR})
endif()
