// A whole connection as bytes: request line, headers, framing, multipart, JSON, and what the handlers make of
// them. Each input is one connection to a station with a judge that needs no network.

#include <cstring>
#include <filesystem>

#include "../tests/station/fake_judge.h"
#include "../tests/station/memory_channel.h"
#include "glint/station/api.h"
#include "glint/station/http_connection.h"
#include "glint/station/station.h"

namespace {

struct Fixture {
  Fixture() {
    const auto folder = std::filesystem::temp_directory_path() / "glint-fuzz-http";
    std::filesystem::remove_all(folder);
    glint::write_text(folder / "m.glint", "0.5");
    glint::StationOptions options;
    options.journal = folder / "j.db";
    options.journal_limits.max_bytes = 64 << 20;
    station = std::make_unique<glint::Station>(std::vector<std::filesystem::path>{folder / "m.glint"},
                                               glint::fake_loader(), options);
    station->events().close();  // a stream of events would never end
    api = std::make_unique<glint::Api>(*station, glint::ApiOptions{});
  }
  std::unique_ptr<glint::Station> station;
  std::unique_ptr<glint::Api> api;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static Fixture* fixture = new Fixture;
  glint::MemoryChannel channel({reinterpret_cast<const char*>(data), size});
  glint::ConnectionLimits limits;
  limits.max_body = 1 << 16;
  limits.requests = 3;
  const auto handler = [](glint::HttpRequest& request, glint::HttpResponse& response) {
    fixture->api->handle(request, response);
  };
  glint::serve_connection(channel, limits, handler, [] { return false; });
  return 0;
}
