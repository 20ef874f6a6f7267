// What a program that we start finds around it.
#pragma once

#include <map>
#include <string>
#include <vector>

namespace mellea {

// "NAME=VALUE" of HOME, LANG, LOGNAME, PATH, SHELL, TERM, TMPDIR, TZ and USER, as they are here,
// and of `more`, which wins. All else in our environment, keys above all, is none of the program's
// business. Not while another thread changes the environment.
std::vector<std::string> plain_environment(std::map<std::string, std::string> more = {});

// The path of `program`, looked for in the folders of PATH in `environment` as a shell does; what
// has a slash in it stays as it is. Throws Error (Errc::not_found) for what is nowhere.
std::string find_program(const std::string& program, const std::vector<std::string>& environment);

}  // namespace mellea
