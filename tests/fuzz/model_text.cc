#include "tests/fuzz/model_text.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"

namespace somafit {
namespace {

using Words = std::vector<std::string>;

// "name = text" in each line; what has no `=` is a name.
std::vector<NamedText> ReadPairs(const Words& lines) {
  std::vector<NamedText> pairs;
  for (const std::string& line : lines) {
    const std::pair<std::string, std::string> pair =
        absl::StrSplit(line, absl::MaxSplits('=', 1));
    const std::string name(absl::StripAsciiWhitespace(pair.first));
    if (!name.empty()) pairs.push_back({name, pair.second});
  }
  return pairs;
}

std::string Word(const Words& words, size_t i) {
  return i < words.size() ? words[i] : "";
}

TimedArraySpec ReadArray(const Words& heading, const Words& lines) {
  TimedArraySpec array;
  array.name = Word(heading, 1);
  array.unit = Word(heading, 2);
  array.dt = Word(heading, 3);
  if (!absl::SimpleAtoi(Word(heading, 4), &array.columns)) array.columns = 0;
  const std::string text = absl::StrJoin(lines, " ");
  for (const auto word : absl::StrSplit(text, ' ', absl::SkipEmpty())) {
    double value = 0;
    if (absl::SimpleAtod(word, &value)) array.values.push_back(value);
  }
  return array;
}

constexpr std::string_view kHeadings[] = {
    "%method",     "%constants", "%initial", "%threshold", "%reset",
    "%refractory", "%periodic",  "%array",   "%options",   "%choice"};

bool IsHeading(const Words& words) {
  return std::find(std::begin(kHeadings), std::end(kHeadings),
                   Word(words, 0)) != std::end(kHeadings);
}

// What stands below `heading`; below none, the equations.
void ReadPart(const Words& heading, const Words& lines, ModelSource& source) {
  const std::string name = Word(heading, 0);
  const std::string text = absl::StrJoin(lines, "\n");
  if (name.empty()) {
    source.equations = text;
  } else if (name == "%method") {
    source.method = text;
  } else if (name == "%constants") {
    source.constants = ReadPairs(lines);
  } else if (name == "%initial") {
    source.initial_values = ReadPairs(lines);
  } else if (name == "%threshold") {
    source.threshold = text;
  } else if (name == "%reset") {
    source.reset = text;
  } else if (name == "%refractory") {
    source.refractory = text;
  } else if (name == "%periodic") {
    source.periodic.push_back({text, Word(heading, 1), Word(heading, 2)});
  } else if (name == "%array") {
    source.timed_arrays.push_back(ReadArray(heading, lines));
  } else if (name == "%choice") {
    source.method_choice = text;
  } else {
    source.method_options = ReadPairs(lines);
  }
}

}  // namespace

ModelSource ReadModelText(std::string_view text) {
  ModelSource source;
  Words heading, lines;
  const Words all = absl::StrSplit(std::string(text), '\n');
  for (const std::string& line : all) {
    Words words = absl::StrSplit(line, ' ', absl::SkipEmpty());
    if (IsHeading(words)) {
      ReadPart(heading, lines, source);
      heading = std::move(words);
      lines.clear();
    } else {
      lines.push_back(line);
    }
  }
  ReadPart(heading, lines, source);
  return source;
}

}  // namespace somafit
