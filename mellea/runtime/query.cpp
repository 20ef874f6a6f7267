#include "mellea/runtime/query.h"

#include <utility>

#include "mellea/runtime/sections.h"

namespace mellea {
namespace {

Message told_of(std::string text, const Told& told) {
  add_requirements(text, told);
  add_repair(text, told);
  return {.text = std::move(text)};
}

}  // namespace

Query::Query(Parts parts) : parts_(std::move(parts)) {}

Message Query::render(const Told& told) const {
  return told_of("Answer the query about this object.\nObject:\n" + parts_.object + "\n\nQuery:\n" +
                     parts_.query,
                 told);
}

Transform::Transform(Parts parts) : parts_(std::move(parts)) {}

Message Transform::render(const Told& told) const {
  return told_of(
      "Change this object as the transformation says. Answer with the changed object alone, of "
      "the same kind and form.\nObject:\n" +
          parts_.object + "\n\nTransformation:\n" + parts_.transformation,
      told);
}

}  // namespace mellea
