// The station under load: images per second and latency from posted image to answered verdict at 1, 4 and 16
// clients, beside the bare detector (decode and judge, no server, no journal) in the same run; then resident
// memory over many inspections.
// usage: bench_station MODEL IMAGE... [--count N] [--memory N]

#include <httplib.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <thread>

#include "glint/base/files.h"
#include "glint/base/memory.h"
#include "glint/image/codec.h"
#include "glint/nn/tensors.h"
#include "glint/station/api.h"
#include "glint/station/http_server.h"
#include "glint/station/model_judge.h"
#include "glint/station/station.h"

namespace glint {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

double quantile(std::vector<double> values, double q) {
  std::sort(values.begin(), values.end());
  return values[static_cast<std::size_t>(q * static_cast<double>(values.size() - 1) + 0.5)];
}

void print_row(const char* what, std::vector<double> ms, double seconds, double bare_rate) {
  const double rate = static_cast<double>(ms.size()) / seconds;
  std::printf("%-18s %7.1f images/s  p50 %7.1f ms  p99 %7.1f ms  %5.2f of the bare detector's rate\n", what,
              rate, quantile(ms, 0.5), quantile(ms, 0.99), bare_rate > 0 ? rate / bare_rate : 1.0);
  std::fflush(stdout);
}

/// `count` requests from `clients` threads; milliseconds of each.
std::vector<double> post(int port, const std::vector<std::string>& images, int clients, int count) {
  std::vector<std::vector<double>> ms(static_cast<std::size_t>(clients));
  std::vector<std::thread> threads;
  std::atomic<int> next{0}, undecided{0};
  for (int c = 0; c < clients; ++c) {
    threads.emplace_back([&, c] {
      httplib::Client client("127.0.0.1", port);
      client.set_keep_alive(true);
      client.set_tcp_nodelay(true);
      client.set_read_timeout(60);
      for (int i = next++; i < count; i = next++) {
        const auto start = Clock::now();
        const auto answer =
            client.Post("/api/inspections", images[static_cast<std::size_t>(i) % images.size()], "image/png");
        ms[static_cast<std::size_t>(c)].push_back(1000 * seconds_since(start));
        if (!answer || answer->status != 200) ++undecided;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  if (undecided > 0) std::printf("  %d of %d requests had no verdict\n", undecided.load(), count);
  std::vector<double> all;
  for (const auto& part : ms) all.insert(all.end(), part.begin(), part.end());
  return all;
}

int run(const std::vector<std::string>& arguments, int count, int memory) {
  std::vector<std::string> images;
  for (std::size_t i = 1; i < arguments.size(); ++i) images.push_back(read_text(arguments[i]));
  const auto folder = std::filesystem::temp_directory_path() / ("glint-bench-" + std::to_string(::getpid()));
  make_folder(folder);
  StationOptions options;
  options.journal = folder / "bench.db";
  HttpOptions http;
  http.port = 0;
  Station station({arguments[0]}, model_judge_loader("cpu"), options);
  HttpServer server(http);
  Api api(station, {});
  const int port = server.bind();
  std::thread serving([&] { server.run([&](HttpRequest& q, HttpResponse& r) { api.handle(q, r); }); });

  const auto judge = station.shelf().active();
  std::vector<double> bare;
  auto start = Clock::now();
  for (int i = 0; i < count; ++i) {
    const auto one = Clock::now();
    const std::string& file = images[static_cast<std::size_t>(i) % images.size()];
    judge->judge(decode_image(std::as_bytes(std::span(file)), "image"));
    bare.push_back(1000 * seconds_since(one));
  }
  const double bare_seconds = seconds_since(start), bare_rate = count / bare_seconds;
  std::printf("%d images each, %zu different ones\n", count, images.size());
  print_row("bare detector", bare, bare_seconds, 0);
  for (const int clients : {1, 4, 16}) {
    start = Clock::now();
    const std::vector<double> ms = post(port, images, clients, count);
    print_row((std::to_string(clients) + " clients").c_str(), ms, seconds_since(start), bare_rate);
  }
  if (memory > 0) {
    constexpr int kSteps = 10;
    std::printf("resident memory, MiB, over %d inspections:", memory);
    for (int i = 0; i < kSteps; ++i) {
      post(port, images, 4, memory / kSteps);
      std::printf(" %.0f", resident_bytes() / 1048576);
      std::fflush(stdout);
    }
    std::printf("\n");
  }
  station.events().close();
  server.stop();
  serving.join();
  std::filesystem::remove_all(folder);
  return 0;
}

}  // namespace
}  // namespace glint

int main(int argc, char** argv) {
  std::vector<std::string> arguments;
  int count = 400, memory = 0;
  for (int i = 1; i < argc; ++i) {
    if (std::strcmp(argv[i], "--count") == 0 && i + 1 < argc) {
      count = std::atoi(argv[++i]);
    } else if (std::strcmp(argv[i], "--memory") == 0 && i + 1 < argc) {
      memory = std::atoi(argv[++i]);
    } else {
      arguments.emplace_back(argv[i]);
    }
  }
  if (arguments.size() < 2 || count < 10) {
    std::fprintf(stderr, "usage: bench_station MODEL IMAGE... [--count N] [--memory N]\n");
    return 2;
  }
  glint::prepare_runtime();
  return glint::run(arguments, count, memory);
}
