// glint serve

#include <csignal>
#include <cstdio>
#include <thread>

#include "glint/base/error.h"
#include "glint/base/files.h"
#include "glint/base/names.h"
#include "glint/base/options.h"
#include "glint/base/parallel.h"
#include "glint/base/progress.h"
#include "glint/cli/verbs.h"
#include "glint/nn/runtime.h"
#include "glint/station/api.h"
#include "glint/station/http_server.h"
#include "glint/station/model_judge.h"
#include "glint/station/station.h"

namespace glint {
namespace {

struct ServeCommand {
  std::vector<std::string> models;
  std::string listen = "127.0.0.1:8750", device = "auto", token_file;
  std::string keep_images = std::string(enum_name(KeepImages::kNok));
  std::string trigger = std::string(enum_name(CameraTrigger::kTimed));
  std::string journal = "glint-journal.db", collect, config;
  double image_space_gib = 10, journal_space_gib = 0, max_body_mib = 64, queue_space_mib = 256;
  bool any_size = false;
  std::int64_t time_limit_ms = 10000, interval_ms = 1000, settle_ms = 500;
  StationOptions station;
  HttpOptions http;
};

/// Options that the command line left open, from a JSON object of their long names.
void apply_config(CLI::App& verb, const std::string& file) {
  const nlohmann::json config =
      nlohmann::json::parse(read_text(file), nullptr, false, /*ignore_comments=*/true);
  if (!config.is_object()) fail(ErrorCode::kConfig, "{}: not a JSON object of options", file);
  for (const auto& [key, value] : config.items()) {
    CLI::Option* option = verb.get_option_no_throw("--" + key);
    if (option == nullptr || key == "config") {
      std::vector<std::string> names;
      for (const CLI::Option* known : verb.get_options()) names.push_back(known->get_single_name());
      const std::string near = nearest_name(key, names);
      fail(ErrorCode::kConfig, "{}: there is no option '{}'{}", file, key,
           near.empty() ? std::string() : fmt::format("; did you mean '{}'?", near));
    }
    if (option->count() > 0) continue;
    for (const auto& one : value.is_array() ? value : nlohmann::json::array({value}))
      option->add_result(one.is_string() ? one.get<std::string>() : one.dump());
    try {
      option->run_callback();
    } catch (const CLI::ParseError& e) {
      fail(ErrorCode::kConfig, "{}: {}", file, e.what());
    }
  }
}

void note(const std::string& line) {
  std::fprintf(stderr, "%s\n", line.c_str());
}

int run(ServeCommand& args) {
  constexpr double kMib = 1024.0 * 1024.0, kGib = 1024 * kMib;
  parse_listen(args.listen, args.http);
  args.http.limits.max_body = static_cast<std::int64_t>(args.max_body_mib * kMib);
  StationOptions& station = args.station;
  station.journal = args.journal;
  station.collect = args.collect;
  station.images.keep = parse_enum<KeepImages>(args.keep_images, "--keep-images");
  station.images.max_bytes = static_cast<std::int64_t>(args.image_space_gib * kGib);
  station.journal_limits.max_bytes = static_cast<std::int64_t>(args.journal_space_gib * kGib);
  station.source.trigger = parse_enum<CameraTrigger>(args.trigger, "--trigger");
  station.source.interval = std::chrono::milliseconds(args.interval_ms);
  station.source.settle = std::chrono::milliseconds(args.settle_ms);
  station.line.waiting_bytes = static_cast<std::size_t>(args.queue_space_mib * kMib);
  station.log = note;
  station.line.time_limit = std::chrono::milliseconds(args.time_limit_ms);

  ApiOptions api_options;
  if (!args.token_file.empty()) api_options.token = read_token(args.token_file);
  api_options.hosts = HostRule(args.http.host, args.http.names);
  if (!args.http.is_loopback() && (api_options.token.empty() || args.http.certificate.empty())) {
    note("warning: other machines can reach this station" +
         std::string(api_options.token.empty() ? "; anybody may change its state without --token-file" : "") +
         (args.http.certificate.empty() ? "; pictures and tokens travel readable without --tls-certificate"
                                        : ""));
  }
  std::signal(SIGPIPE, SIG_IGN);  // a terminal or pipe that goes away must not end the station
  if (const std::string warning = blas_warning(); !warning.empty()) note("warning: " + warning);

  HttpServer server(args.http);
  const int port = server.bind();  // before the model: a taken port should not cost its loading time
  note("loading " + name_line(args.models[0]));
  Station the_station({args.models.begin(), args.models.end()},
                      model_judge_loader(args.device, args.any_size), station);
  Api api(the_station, api_options);
  std::thread serving([&] {
    server.run([&](HttpRequest& request, HttpResponse& response) { api.handle(request, response); });
  });
  std::printf("serving %s on http%s://%s:%d, journal %s\n", the_station.shelf().active_name().c_str(),
              args.http.certificate.empty() ? "" : "s",
              args.http.host.find(':') == std::string::npos ? args.http.host.c_str()
                                                            : ("[" + args.http.host + "]").c_str(),
              port, name_line(station.journal).c_str());
  std::fflush(stdout);
  while (!cancel_requested()) std::this_thread::sleep_for(std::chrono::milliseconds(100));
  note("stopping: finishing what was taken in");
  the_station.events().close();
  the_station.line().stop();
  server.stop();
  serving.join();
  const ChainHead head = the_station.journal().head();
  std::printf("journal %s: %lld records, head %s\n", name_line(station.journal).c_str(),
              static_cast<long long>(head.id), head.hash.c_str());
  return kExitOk;
}

}  // namespace

Action add_serve(CLI::App& verb) {
  auto args = std::make_shared<ServeCommand>();
  StationOptions& station = args->station;
  verb.add_option("models", args->models, "model files, or folders of *.glint; the first becomes active")
      ->required();
  verb.add_option(
      "--source", station.sources,
      "folder:PATH, video:FILE, v4l2:/dev/video0, rtsp://ADDRESS or aravis:NAME, each with an optional "
      "NAME= before it; may be given several times");
  verb.add_option("--listen", args->listen,
                  "HOST:PORT; another host than loopback opens the station to the network")
      ->capture_default_str();
  verb.add_option(
      "--host", args->http.names,
      "name or address that requests may use for this station besides localhost, loopback and the "
      "address they reach: its DNS name, or the name of a reverse proxy; may be given several times");
  verb.add_option("--journal", args->journal,
                  "SQLite file of all inspections; kept images lie in FILE.images")
      ->capture_default_str();
  verb.add_option("--keep-images", args->keep_images, "all, nok (NOK and NO DECISION) or none")
      ->capture_default_str()
      ->check(CLI::IsMember({"all", "nok", "none"}));
  verb.add_option("--image-space", args->image_space_gib, "GiB for kept images; then the oldest go")
      ->capture_default_str()
      ->check(CLI::NonNegativeNumber);
  verb.add_option("--journal-space", args->journal_space_gib,
                  "GiB for the journal; 0 = until the disk is full")
      ->capture_default_str()
      ->check(CLI::NonNegativeNumber);
  verb.add_option("--collect", args->collect,
                  "folder for the images of good parts that an operator overruled to OK");
  verb.add_option("--views", station.views, "views of one part; its verdict is complete with so many")
      ->capture_default_str();
  verb.add_option("--trigger", args->trigger, "cameras inspect by time, or by request (POST /api/triggers)")
      ->capture_default_str()
      ->check(CLI::IsMember({"timed", "request"}));
  verb.add_option("--interval", args->interval_ms, "milliseconds between timed triggers")
      ->capture_default_str();
  verb.add_option("--settle", args->settle_ms, "milliseconds without change until a file counts as complete")
      ->capture_default_str();
  verb.add_option(
          "--time-limit", args->time_limit_ms,
          "milliseconds to the verdict, then NO DECISION: from the trigger, for folders and videos from "
          "the image's turn")
      ->capture_default_str();
  verb.add_option("--queue", station.line.queue_length,
                  "triggers that may wait; one more is refused with 503")
      ->capture_default_str();
  station.line.workers = available_threads();
  verb.add_option("--workers", station.line.workers,
                  "images judged at a time; one alone is judged by all processors")
      ->capture_default_str();
  verb.add_option("--queue-space", args->queue_space_mib,
                  "MiB of waiting images; beyond it the line is full too")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  verb.add_option("--max-body", args->max_body_mib, "MiB of one request")->capture_default_str();
  verb.add_option("--max-pixels", station.line.max_pixels, "pixels of one image")->capture_default_str();
  verb.add_option("--connections", args->http.connections, "connections at the same time")
      ->capture_default_str();
  verb.add_option("--token-file", args->token_file, "file whose first line every changing request must bear")
      ->check(CLI::ExistingFile);
  verb.add_option("--tls-certificate", args->http.certificate, "PEM file")->check(CLI::ExistingFile);
  verb.add_option("--tls-key", args->http.key, "PEM file")->check(CLI::ExistingFile);
  verb.add_option("--device", args->device, "auto, cpu or cuda")->capture_default_str();
  verb.add_flag(
      "--any-size", args->any_size,
      "judge images of another shape than the model's training photographs too (default: NO DECISION)");
  verb.add_option(
          "--config", args->config,
          "JSON file with these options, e.g. {\"source\": [\"folder:in\"], \"views\": 2}; the command line "
          "comes first")
      ->check(CLI::ExistingFile);
  verb.footer(
      "Page at /, interface described at /api and in docs/openapi.json, docs/station.md explains all of it.\n"
      "Example:\n  glint serve sleeve.glint --source folder:incoming --journal line1.db\n"
      "  glint serve models/ --source top=v4l2:/dev/video0 --source side=v4l2:/dev/video2 --trigger request "
      "--views 2");
  return [args, &verb] {
    if (!args->config.empty()) apply_config(verb, args->config);
    return run(*args);
  };
}

}  // namespace glint
