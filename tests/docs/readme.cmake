# What the README shows as a program is that program, to the character.
file(READ ${SOURCE}/README.md readme)
file(READ ${SOURCE}/examples/01_hello.cpp hello)
string(FIND "${readme}" "${hello}" at)
if(at EQUAL -1)
  message(FATAL_ERROR "README.md does not show examples/01_hello.cpp as it is")
endif()
