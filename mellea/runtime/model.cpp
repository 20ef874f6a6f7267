#include "mellea/runtime/model.h"

#include <utility>

namespace mellea {

std::shared_ptr<Generation> Model::ask(Question question, OnEnd on_end) const {
  Request request{.model = name,
                  .messages = question.context.view(),
                  .options = std::move(question.options),
                  .tools = std::move(question.tools),
                  .tool_choice = std::move(question.tool_choice),
                  .format = std::move(question.format),
                  .stream = question.stream,
                  .limits = limits};
  if (!question.system.empty())
    request.messages.insert(request.messages.begin(), Message{.role = Message::Role::system,
                                                              .text = std::move(question.system)});
  const std::size_t context_size = request.messages.size();
  request.messages.push_back(*question.message);
  auto generation = Generation::start(
      {.backend = backend,
       .hooks = hooks,
       .parent = std::move(question.parent),
       .iteration = question.iteration,
       .request = std::move(request),
       .component = question.component,
       .prompt = std::move(question.prompt),
       .conversation = conversation,
       .context_size = context_size,
       .until = until,
       .cancellation = question.cancellation ? std::move(question.cancellation) : cancellation,
       .on_end = std::move(on_end)});
  if (runs) runs(generation);
  return generation;
}

}  // namespace mellea
