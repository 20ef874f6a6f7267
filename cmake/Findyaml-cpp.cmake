# yaml-cpp::yaml-cpp, which reads YAML. Its own CMake config is taken; older ones (Debian 12) call
# the target yaml-cpp.
find_package(yaml-cpp CONFIG QUIET)
if(TARGET yaml-cpp AND NOT TARGET yaml-cpp::yaml-cpp)
  add_library(yaml-cpp::yaml-cpp INTERFACE IMPORTED)
  target_link_libraries(yaml-cpp::yaml-cpp INTERFACE yaml-cpp)
endif()

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(yaml-cpp CONFIG_MODE)
