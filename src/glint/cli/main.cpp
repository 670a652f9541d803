// glint: a table of verbs. No logic here.

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <iostream>
#include <string>
#include <vector>

#include "glint/base/error.h"
#include "glint/base/progress.h"
#include "glint/cli/verbs.h"
#include "glint/nn/runtime.h"

namespace {

struct Verb {
  const char* name;
  const char* purpose;
  glint::Action (*add)(CLI::App&);
  const char* example;
};

constexpr Verb kVerbs[] = {
    {"synth", "render the synthetic steel sleeve as a dataset", &glint::add_synth,
     "glint synth sleeve sleeves --train 120 --seed 1"},
    {"train", "train a detector from good parts and calibrate its threshold", &glint::add_train,
     "glint train sleeves -o sleeve.glint --false-reject 0.02"},
    {"choose", "choose a detector from good parts alone, within a budget of time", &glint::add_choose,
     "glint choose sleeves -o choice --budget 15m"},
    {"evaluate", "measure a model on a test set and write a report", &glint::add_evaluate,
     "glint evaluate sleeve.glint sleeves -o report"},
    {"inspect", "give verdicts for images", &glint::add_inspect,
     "glint inspect sleeve.glint part1.png folder/ -o maps --format json"},
    {"compare", "train and evaluate several methods on the same split and seeds", &glint::add_compare,
     "glint compare sleeves -o comparison --methods simplenet,inp_former --seeds 3"},
    {"audit", "find what is wrong with a dataset", &glint::add_audit, "glint audit sleeves -o audit"},
    {"split", "lock a split, verify it, or split again by time or group", &glint::add_split,
     "glint split lock sleeves"},
    {"import", "make a dataset from annotations or folders", &glint::add_import,
     "glint import label-studio export.json --images photographs -o sleeves"},
    {"limit", "how small a defect will it catch", &glint::add_limit,
     "glint limit sleeve.glint sleeves -o limit --pixel-pitch 25"},
    {"study", "answer one question about data, training or decision with an experiment", &glint::add_study,
     "glint study leakage sleeves -o study --seeds 3"},
    {"serve", "inspect on the line: live verdicts, an operator's page, a record of every part",
     &glint::add_serve, "glint serve sleeve.glint --source folder:incoming"},
    {"journal", "verify, export or collect from the record of inspections", &glint::add_journal,
     "glint journal verify glint-journal.db"},
    {"backbone", "list, import, verify or distill feature extractors", &glint::add_backbone,
     "glint backbone import wide_resnet50_2-95faca4d.pth"},
    {"info", "show everything a model file records about itself", &glint::add_info,
     "glint info sleeve.glint"},
};

void on_interrupt(int) {
  if (glint::cancel_requested()) std::_Exit(130);  // the second Ctrl-C does not wait
  glint::request_cancel();
}

/// A file that is opened while standard output is closed would get its number, and its text.
void keep_standard_files() {
  for (int fd = 0; fd <= 2; ++fd) {
    if (::fcntl(fd, F_GETFD) < 0 && errno == EBADF)
      ::open("/dev/null", fd == 0 ? O_WRONLY : O_RDONLY);  // the wrong way round: its use stays an error
  }
}

/// CLI11 would take the argument "[a,b]" for a list, and names are taken as they are: such arguments get a
/// mark in front, which every option takes away again before it looks at its value.
constexpr char kAsItIs = '\x01';

std::string marked(std::string argument) {
  const std::size_t equals = argument.starts_with("--") ? argument.find('=') : std::string::npos;
  const std::size_t value = equals == std::string::npos ? 0 : equals + 1;
  if (value < argument.size() && argument[value] == '[' && argument.back() == ']')
    argument.insert(value, 1, kAsItIs);
  return argument;
}

void take_marks_away(CLI::App& app) {
  for (CLI::Option* option : app.get_options()) {
    option->transform([](std::string text) { return text.starts_with(kAsItIs) ? text.substr(1) : text; });
  }
  for (CLI::App* sub : app.get_subcommands([](CLI::App*) { return true; })) take_marks_away(*sub);
}

/// The exit code, unless what was printed did not reach its reader.
int finish(int code) {
  std::cout.flush();
  errno = 0;
  if (std::fflush(stdout) == 0 && std::ferror(stdout) == 0 && std::cout.good()) return code;
  std::fprintf(stderr, "glint: standard output cannot be written%s%s; what it says is not complete\n",
               errno != 0 ? ": " : "", errno != 0 ? std::strerror(errno) : "");
  return glint::kExitError;
}

}  // namespace

int main(int argc, char** argv) {
  keep_standard_files();
  std::signal(SIGINT, on_interrupt);
  std::signal(SIGTERM, on_interrupt);
  CLI::App app{"glint - visual inspection that learns from good parts alone"};
  app.set_version_flag("--version", "glint " GLINT_VERSION);
  app.require_subcommand(1);
  app.footer(
      "Start here:\n  glint synth sleeve sleeves\n  glint train sleeves -o sleeve.glint\n"
      "  glint evaluate sleeve.glint sleeves -o report\n\n`glint VERB --help` shows a verb's options.");
  glint::Action action;
  for (const Verb& verb : kVerbs) {
    CLI::App* sub = app.add_subcommand(verb.name, verb.purpose);
    sub->footer(std::string("Example:\n  ") + verb.example);
    const glint::Action run = verb.add(*sub);
    sub->callback([&action, run] { action = run; });
  }
  take_marks_away(app);
  std::vector<std::string> words;
  for (int i = 0; i < argc; ++i) words.push_back(i == 0 ? argv[i] : marked(argv[i]));
  std::vector<const char*> pointers;
  for (const std::string& word : words) pointers.push_back(word.c_str());
  try {
    app.parse(argc, pointers.data());
  } catch (const CLI::ParseError& e) {
    return finish(app.exit(e) == 0 ? glint::kExitOk : glint::kExitError);
  }
  try {
    glint::prepare_runtime();
    return finish(action());
  } catch (const std::exception& e) {
    std::fflush(stdout);  // what was said before comes first
    std::fprintf(stderr, "glint: %s\n", e.what());
    return glint::kExitError;
  }
}
