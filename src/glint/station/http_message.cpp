#include "glint/station/http_message.h"

#include <algorithm>

#include "glint/journal/record.h"
#include "glint/station/http_head.h"

namespace glint {

std::string HttpRequest::header(std::string_view name) const {
  for (const auto& [known, value] : headers) {
    if (known == name) return value;
  }
  return {};
}

bool HttpRequest::has_header(std::string_view name) const {
  return std::any_of(headers.begin(), headers.end(), [&](const auto& one) { return one.first == name; });
}

void HttpResponse::set_header(std::string_view name, std::string value) {
  for (auto& [known, old] : headers) {
    if (ascii_lower(known) == ascii_lower(name)) {
      old = std::move(value);
      return;
    }
  }
  headers.emplace_back(name, std::move(value));
}

void HttpResponse::set_content(std::string content, const std::string& type) {
  body = std::move(content);
  set_header("Content-Type", type);
}

void HttpResponse::refuse(const Refusal& refusal) {
  status = refusal.status;
  stream = nullptr;
  set_header("Cache-Control", "no-store");
  if (refusal.retry_after_s > 0) set_header("Retry-After", std::to_string(refusal.retry_after_s));
  set_content(json_line({{"error", refusal.text}}) + "\n", "application/json");
}

}  // namespace glint
