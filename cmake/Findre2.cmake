# re2::re2, regular expressions in linear time. Newer packages have a CMake config of their own,
# which is taken; older ones (Debian 12) do not.
if(TARGET re2::re2)
  set(re2_FOUND TRUE)
  return()
endif()
find_package(re2 CONFIG QUIET)
if(NOT re2_FOUND)
  find_path(re2_INCLUDE_DIR re2/re2.h)
  find_library(re2_LIBRARY re2)
  mark_as_advanced(re2_INCLUDE_DIR re2_LIBRARY)
endif()

include(FindPackageHandleStandardArgs)
if(TARGET re2::re2)
  find_package_handle_standard_args(re2 CONFIG_MODE)
else()
  find_package_handle_standard_args(re2 REQUIRED_VARS re2_LIBRARY re2_INCLUDE_DIR)
  if(re2_FOUND)
    add_library(re2::re2 UNKNOWN IMPORTED)
    set_target_properties(re2::re2 PROPERTIES
      IMPORTED_LOCATION ${re2_LIBRARY} INTERFACE_INCLUDE_DIRECTORIES ${re2_INCLUDE_DIR})
  endif()
endif()
