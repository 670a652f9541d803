// The station under load: images per second and latency from posted image to answered verdict at 1, 4 and 16
// clients, beside the bare detector (decode and judge, no server, no journal) in the same run; then resident
// memory over many inspections; memory with a recording as the source, all images kept and none; and, in a
// journal of N records, the time of a POST with an idempotency key while searches run.
// usage: bench_station MODEL IMAGE... [--count N] [--memory N] [--video FILE] [--records N]

#include <httplib.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <thread>

#include "glint/base/files.h"
#include "glint/base/memory.h"
#include "glint/image/codec.h"
#include "glint/nn/runtime.h"
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

/// A folder for journals, removed at the end.
class WorkFolder {
 public:
  WorkFolder() { make_folder(path_); }
  ~WorkFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  WorkFolder(const WorkFolder&) = delete;
  WorkFolder& operator=(const WorkFolder&) = delete;
  std::filesystem::path operator/(const std::string& name) const { return path_ / name; }

 private:
  std::filesystem::path path_ =
      std::filesystem::temp_directory_path() / ("glint-bench-" + std::to_string(::getpid()));
};

/// A recording as fast as the line takes it: most memory of what waits, and of the process.
void video_memory(const std::string& model, const std::string& video, const WorkFolder& folder) {
  for (const KeepImages keep : {KeepImages::kNone, KeepImages::kAll}) {
    StationOptions options;
    options.journal = folder / (std::string(enum_name(keep)) + ".db");
    options.images.keep = keep;
    options.sources = {"clip=video:" + video};
    Station station({model}, model_judge_loader("cpu"), options);
    const double before = resident_bytes();
    double most = before, held = 0;
    const auto start = Clock::now();
    while (seconds_since(start) < 20) {
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
      most = std::max<double>(most, resident_bytes());
      held = std::max<double>(held, static_cast<double>(station.line().counters().held_bytes));
    }
    std::printf(
        "video, images kept: %-4s  %lld frames in 20 s, waiting at most %.0f MiB, resident %.0f -> %.0f "
        "MiB\n",
        std::string(enum_name(keep)).c_str(), static_cast<long long>(station.journal().head().id),
        held / 1048576, before / 1048576, most / 1048576);
    std::fflush(stdout);
  }
}

/// POST with an idempotency key while three threads search the journal without pause.
void long_journal(const std::string& model, const std::string& image, const WorkFolder& folder, int records) {
  StationOptions options;
  options.journal = folder / "long.db";
  options.images.keep = KeepImages::kNone;
  {
    Journal journal(options.journal);
    std::vector<InspectionRecord> batch(1000);
    std::vector<InspectionRecord*> pointers;
    for (InspectionRecord& r : batch) pointers.push_back(&r);
    for (int i = 0; i < records; i += 1000) {
      for (int k = 0; k < 1000; ++k) {
        InspectionRecord& r = batch[static_cast<std::size_t>(k)];
        r.time_us = 1'700'000'000'000'000 + i + k;
        r.verdict = Verdict::kOk;
        r.source = "camera";
        r.part_id = "part " + std::to_string(i + k);
        r.idempotency_key = "key " + std::to_string(i + k);
        r.model = std::string(64, 'a');
        r.image_sha256 = std::string(64, 'b');
        r.score = r.threshold = r.p_value = 1;
      }
      journal.append(pointers);
    }
  }
  HttpOptions http;
  http.port = 0;
  Station station({model}, model_judge_loader("cpu"), options);
  HttpServer server(http);
  Api api(station, {});
  const int port = server.bind();
  std::thread serving([&] { server.run([&](HttpRequest& q, HttpResponse& r) { api.handle(q, r); }); });
  std::atomic<bool> searching{false}, end{false};
  std::atomic<int> searches{0};
  std::vector<std::thread> others;
  for (const char* search : {"/api/inspections?source=absent", "/api/inspections?verdict=NOK&model=x",
                             "/api/inspections?until=2020-01-01"}) {
    others.emplace_back([&, search] {
      httplib::Client client("127.0.0.1", port);
      client.set_keep_alive(true);
      client.set_read_timeout(60);
      while (!end) {
        if (searching && client.Get(search)) {
          ++searches;
        } else {
          std::this_thread::sleep_for(std::chrono::milliseconds(5));
        }
      }
    });
  }
  httplib::Client client("127.0.0.1", port);
  client.set_keep_alive(true);
  client.set_tcp_nodelay(true);
  client.set_read_timeout(60);
  for (const bool beside : {false, true}) {
    searching = beside;
    std::vector<double> ms;
    for (int i = 0; i < 60; ++i) {
      const auto start = Clock::now();
      client.Post("/api/inspections", {{"Idempotency-Key", fmt::format("bench {} {}", beside, i)}}, image,
                  "image/png");
      ms.push_back(1000 * seconds_since(start));
    }
    std::printf("%d records, POST with key %-24s p50 %7.1f ms  p99 %7.1f ms  (%d searches answered)\n",
                records, beside ? "beside three searchers" : "alone", quantile(ms, 0.5), quantile(ms, 0.99),
                searches.load());
    std::fflush(stdout);
  }
  end = true;
  for (std::thread& thread : others) thread.join();
  station.events().close();
  server.stop();
  serving.join();
}

struct Wish {
  int count = 400, memory = 0, records = 0;
  std::string video;
};

int run(const std::vector<std::string>& arguments, const Wish& wish) {
  const int count = wish.count, memory = wish.memory;
  std::vector<std::string> images;
  for (std::size_t i = 1; i < arguments.size(); ++i) images.push_back(read_text(arguments[i]));
  const WorkFolder folder;
  if (!wish.video.empty()) video_memory(arguments[0], wish.video, folder);
  if (wish.records > 0) long_journal(arguments[0], images[0], folder, wish.records);
  if (!wish.video.empty() || wish.records > 0) return 0;
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
  return 0;
}

}  // namespace
}  // namespace glint

int main(int argc, char** argv) {
  std::vector<std::string> arguments;
  glint::Wish wish;
  for (int i = 1; i < argc; ++i) {
    if (std::strcmp(argv[i], "--count") == 0 && i + 1 < argc) {
      wish.count = std::atoi(argv[++i]);
    } else if (std::strcmp(argv[i], "--memory") == 0 && i + 1 < argc) {
      wish.memory = std::atoi(argv[++i]);
    } else if (std::strcmp(argv[i], "--records") == 0 && i + 1 < argc) {
      wish.records = std::atoi(argv[++i]);
    } else if (std::strcmp(argv[i], "--video") == 0 && i + 1 < argc) {
      wish.video = argv[++i];
    } else {
      arguments.emplace_back(argv[i]);
    }
  }
  if (arguments.size() < 2 || wish.count < 10) {
    std::fprintf(
        stderr,
        "usage: bench_station MODEL IMAGE... [--count N] [--memory N] [--video FILE] [--records N]\n");
    return 2;
  }
  glint::prepare_runtime();
  return glint::run(arguments, wish);
}
