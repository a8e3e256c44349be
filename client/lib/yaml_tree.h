#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace somafit {

// Where something was written: line and column from 1, in a text of `origin`.
struct YamlMark {
  int origin = 0;  // index into YamlDocument::origins
  int line = 0;
  int column = 0;
};

struct YamlNode;

// A key of a mapping, as written.
struct YamlKey {
  std::string text;
  YamlMark mark;
};

// A value, as written: scalars are not typed.
struct YamlNode {
  enum class Kind { kNull, kScalar, kSequence, kMapping };
  Kind kind = Kind::kNull;
  YamlMark mark;
  std::string text;             // kScalar
  std::vector<YamlKey> keys;    // kMapping; one for each of `items`
  std::vector<YamlNode> items;  // kSequence, kMapping: in the order written

  // The value of a mapping's key, or null.
  YamlNode* Find(absl::string_view key);
};
absl::string_view KindText(YamlNode::Kind kind);

struct YamlDocument {
  YamlNode root;
  // A file's path, or "--set KEY=VALUE".
  std::vector<std::string> origins;

  // "fit.yaml:3:5", or the command-line text as it is.
  std::string Where(const YamlMark& mark) const;
};

inline constexpr size_t kMaxYamlBytes = size_t{1} << 20;
inline constexpr int kMaxYamlDepth = 32;

// Reads a text with exactly one document. Refused, with line and column:
// syntax errors, more than kMaxYamlBytes or kMaxYamlDepth, a key written
// twice, keys that are not plain text, and aliases (a few of them in a row can
// stand for gigabytes; no fit needs one).
absl::StatusOr<YamlDocument> ParseYaml(absl::string_view text,
                                       std::string origin);

// The same for a part that is to be joined to `document`; `origin` is added to
// its origins.
absl::StatusOr<YamlNode> ParseYamlPart(absl::string_view text,
                                       std::string origin,
                                       YamlDocument* document);

}  // namespace somafit
