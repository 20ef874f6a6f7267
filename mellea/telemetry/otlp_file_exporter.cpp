#include "mellea/telemetry/otlp_file_exporter.h"

#include <utility>

#include "mellea/telemetry/otlp_json.h"

namespace mellea::telemetry {

OtlpFileExporter::OtlpFileExporter(std::string path, std::shared_ptr<const Resource> resource,
                                   const SpanView& view)
    : file_(std::move(path)), resource_(std::move(resource)), view_(view) {}

BatchSent OtlpFileExporter::send(std::span<const SpanPtr> spans) {
  return {.failure = file_.append(otlp_json(spans, *resource_, view_) + "\n")};
}

}  // namespace mellea::telemetry
