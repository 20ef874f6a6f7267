#include "mellea/cli/hooks_command.h"

#include <algorithm>
#include <span>
#include <string>
#include <vector>

#include "mellea/cli/exit_code.h"
#include "mellea/cli/json_line.h"
#include "mellea/hooks/catalogue.h"

namespace mellea::cli {
namespace {

OrderedJson json_of(const EventDescription& event) {
  OrderedJson object{{"event", event.name}};
  if (event.operation) object["operation"] = to_string(*event.operation);
  object["place"] = to_string(event.place);
  object["may_change"] = event.allows.change;
  object["may_stop"] = event.allows.stop;
  object["verbs"] = event.verbs;
  object["fields"] = event.fields;
  object["changeable"] = event.changeable;
  return object;
}

// Words in lines of at most `width` columns, each after the first below `indent`.
std::string wrapped(std::string indent, const std::vector<std::string_view>& words,
                    std::size_t width) {
  std::string text = indent;
  std::size_t column = indent.size();
  for (const std::string_view word : words) {
    if (column + 1 + word.size() > width) {
      text += '\n' + std::string(indent.size(), ' ');
      column = indent.size();
    }
    text.append(" ").append(word);
    column += 1 + word.size();
  }
  return text + '\n';
}

std::string text_of(const EventDescription& event, std::size_t width) {
  std::string text(event.name);
  if (event.operation)
    text.append("  ")
        .append(to_string(*event.operation))
        .append(", ")
        .append(to_string(event.place));
  text += '\n';
  text += wrapped("  verbs ", event.verbs, width);
  text += wrapped("  fields", event.fields, width);
  if (!event.changeable.empty()) text += wrapped("  change", event.changeable, width);
  return text;
}

}  // namespace

int show_hooks(bool json, Console& console) {
  OrderedJson all = OrderedJson::array();
  std::string text;
  const auto width = static_cast<std::size_t>(console.output_canvas().width);
  for (const EventDescription& event : event_catalogue())
    if (json)
      all.push_back(json_of(event));
    else
      text += (text.empty() ? "" : "\n") + text_of(event, width);
  console.write(json ? line_of(all) : text);
  return kDone;
}

}  // namespace mellea::cli
