# MELLEA_WITH_LLAMA: whether models run in this process too. A target `llama` that is in the tree
# already is taken, else an installed libllama is looked for.
set(MELLEA_LLAMA AUTO CACHE STRING "Run models in this process, by libllama: AUTO, ON or OFF")
set_property(CACHE MELLEA_LLAMA PROPERTY STRINGS AUTO ON OFF)
set(MELLEA_WITH_LLAMA FALSE)
if(MELLEA_LLAMA)
  set(MELLEA_LLAMA_VERSION "of the tree")
  if(NOT TARGET llama)
    find_package(llama CONFIG QUIET)
    set(MELLEA_LLAMA_VERSION "${LLAMA_VERSION}")
  endif()
  if(TARGET llama)
    set(MELLEA_WITH_LLAMA TRUE)
  elseif(NOT MELLEA_LLAMA STREQUAL AUTO)
    message(FATAL_ERROR "mellea: MELLEA_LLAMA is ${MELLEA_LLAMA}, and there is no libllama: name the "
      "folder with llama-config.cmake by llama_DIR")
  endif()
endif()
