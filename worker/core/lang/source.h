#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace somafit {

// A piece of a text, in bytes: [begin, end).
struct Span {
  size_t begin = 0;
  size_t end = 0;
};

// A text that a user wrote, and where: "model.equations",
// "parameters.gl.bounds".
struct Source {
  std::string field;
  std::string text;
};

struct LineColumn {
  int line = 1;    // from 1
  int column = 1;  // from 1, in bytes
};
LineColumn Locate(std::string_view text, size_t offset);

// `text` in backquotes for a message: shortened when long, and without bytes
// that a terminal or a protobuf string could not take.
std::string Quoted(std::string_view text);

// The same without the backquotes: the part of a field's name that a user
// chose.
std::string ShownName(std::string_view name);

}  // namespace somafit
