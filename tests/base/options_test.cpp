#include "glint/base/options.h"

#include <gtest/gtest.h>

namespace glint {
enum class Colour { kRed, kBlue };
template <>
struct EnumNames<Colour> {
  static constexpr std::pair<Colour, std::string_view> table[] = {{Colour::kRed, "red"},
                                                                  {Colour::kBlue, "blue"}};
};
namespace {

struct Fixture {
  int count = 3;
  double rate = 0.5;
  std::string name = "x";
  Colour colour = Colour::kRed;
  OptionTable table;
  Fixture() {
    table.add("a.count", count, "how many", {1, 10});
    table.add("a.rate", rate, "share", {0, 1});
    table.add("b.name", name, "text");
    table.add("b.colour", colour, "paint");
  }
};

std::string message_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& e) {
    return e.what();
  }
  return "no error";
}

TEST(OptionTable, SetsAndRoundTrips) {
  Fixture f;
  f.table.set_assignment("a.count=7");
  f.table.set_assignment("b.colour=blue");
  EXPECT_EQ(f.count, 7);
  EXPECT_EQ(f.colour, Colour::kBlue);
  Fixture g;
  g.table.set_all(f.table.to_json());
  EXPECT_EQ(g.table.to_json(), f.table.to_json());
  EXPECT_EQ(f.table.to_json()["a"]["count"], 7);
}

TEST(OptionTable, ErrorsNameFieldValueAndRule) {
  Fixture f;
  EXPECT_EQ(message_of([&] { f.table.set("a.count", 11); }),
            "a.count = 11: must be a whole number from 1 to 10");
  EXPECT_EQ(message_of([&] { f.table.set("a.count", 2.5); }),
            "a.count = 2.5: must be a whole number from 1 to 10");
  EXPECT_EQ(message_of([&] { f.table.set("b.colour", "green"); }),
            "b.colour = 'green': choose one of red|blue");
  EXPECT_EQ(f.count, 3) << "a refused value must not be kept";
}

TEST(OptionTable, UnknownNameSuggestsTheNearest) {
  Fixture f;
  EXPECT_NE(message_of([&] { f.table.set("a.cuont", 1); }).find("did you mean 'a.count'"), std::string::npos);
  EXPECT_NE(message_of([&] { f.table.set("colour", "red"); }).find("did you mean 'b.colour'"),
            std::string::npos);
}

}  // namespace
}  // namespace glint
