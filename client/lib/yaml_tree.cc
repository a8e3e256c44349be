#include "client/lib/yaml_tree.h"

#include <set>
#include <sstream>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/yaml.h>

#include "worker/core/base/status.h"

namespace somafit {
namespace {

// Builds the tree from the parser's events. After a mistake it only waits for
// the end.
class TreeBuilder : public YAML::EventHandler {
 public:
  TreeBuilder(const YamlDocument& names, int origin)
      : names_(names), origin_(origin) {}

  void OnDocumentStart(const YAML::Mark&) override {}
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t) override {
    YamlNode node;
    node.mark = MarkOf(mark);
    Put(std::move(node));
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override {
    Fail(MarkOf(mark), "aliases (*name) are not read; write the value out");
  }
  void OnScalar(const YAML::Mark& mark, const std::string&, YAML::anchor_t,
                const std::string& value) override {
    YamlNode node;
    node.kind = YamlNode::Kind::kScalar;
    node.mark = MarkOf(mark);
    node.text = value;
    Put(std::move(node));
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string&,
                       YAML::anchor_t, YAML::EmitterStyle::value) override {
    Open(YamlNode::Kind::kSequence, mark);
  }
  void OnSequenceEnd() override { Close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t,
                  YAML::EmitterStyle::value) override {
    Open(YamlNode::Kind::kMapping, mark);
  }
  void OnMapEnd() override { Close(); }

  absl::Status status() const { return status_; }
  YamlNode& root() { return root_; }

 private:
  struct Level {
    YamlNode node;
    bool has_key = false;
    std::set<std::string> seen;
  };

  YamlMark MarkOf(const YAML::Mark& mark) const {
    return {origin_, mark.line + 1, mark.column + 1};
  }
  void Fail(const YamlMark& mark, absl::string_view why) {
    if (status_.ok()) {
      status_ = absl::InvalidArgumentError(
          absl::StrCat(names_.Where(mark), ": ", why));
    }
  }
  void Open(YamlNode::Kind kind, const YAML::Mark& mark) {
    if (!status_.ok()) return;
    if (levels_.size() >= kMaxYamlDepth) {
      Fail(MarkOf(mark),
           absl::StrCat("lists and mappings are nested more than ",
                        kMaxYamlDepth, " deep"));
      return;
    }
    levels_.emplace_back();
    levels_.back().node.kind = kind;
    levels_.back().node.mark = MarkOf(mark);
  }
  void Close() {
    if (!status_.ok()) return;
    YamlNode node = std::move(levels_.back().node);
    levels_.pop_back();
    Put(std::move(node));
  }
  void Put(YamlNode node) {
    if (!status_.ok()) return;
    if (levels_.empty()) {
      root_ = std::move(node);
      return;
    }
    Level& level = levels_.back();
    if (level.node.kind == YamlNode::Kind::kMapping && !level.has_key) {
      if (node.kind != YamlNode::Kind::kScalar) {
        Fail(node.mark, "a key must be plain text");
      } else if (!level.seen.insert(node.text).second) {
        Fail(node.mark, absl::StrCat("the key \"", node.text,
                                     "\" is written twice; remove one"));
      } else {
        level.node.keys.push_back({std::move(node.text), node.mark});
        level.has_key = true;
      }
      return;
    }
    level.has_key = false;
    level.node.items.push_back(std::move(node));
  }

  const YamlDocument& names_;
  int origin_;
  std::vector<Level> levels_;
  YamlNode root_;
  absl::Status status_;
};

// yaml-cpp says "yaml-cpp: error at line 3, column 5: end of map not found".
absl::Status SyntaxError(const YamlDocument& document, int origin,
                         const absl::Status& status) {
  if (status.code() != absl::StatusCode::kInternal) return status;
  absl::string_view text = status.message();
  while (absl::ConsumePrefix(&text, "yaml-cpp: ")) {
  }
  YamlMark mark{origin, 1, 1};
  if (absl::ConsumePrefix(&text, "error at line ")) {
    const std::vector<absl::string_view> parts =
        absl::StrSplit(text, absl::MaxSplits(": ", 1));
    const std::vector<absl::string_view> place =
        absl::StrSplit(parts[0], ", column ");
    if (parts.size() == 2 && place.size() == 2 &&
        absl::SimpleAtoi(place[0], &mark.line) &&
        absl::SimpleAtoi(place[1], &mark.column)) {
      text = parts[1];
    }
  }
  return absl::InvalidArgumentError(
      absl::StrCat(document.Where(mark), ": not valid YAML: ", text));
}

}  // namespace

YamlNode* YamlNode::Find(absl::string_view key) {
  for (size_t i = 0; i < keys.size(); ++i) {
    if (keys[i].text == key) return &items[i];
  }
  return nullptr;
}

absl::string_view KindText(YamlNode::Kind kind) {
  switch (kind) {
    case YamlNode::Kind::kNull:
      return "nothing";
    case YamlNode::Kind::kScalar:
      return "a plain value";
    case YamlNode::Kind::kSequence:
      return "a list";
    case YamlNode::Kind::kMapping:
      return "a mapping";
  }
  return "";
}

std::string YamlDocument::Where(const YamlMark& mark) const {
  const std::string& origin = origins[mark.origin];
  if (absl::StartsWith(origin, "--")) return origin;
  return absl::StrCat(origin, ":", mark.line, ":", mark.column);
}

absl::StatusOr<YamlNode> ParseYamlPart(absl::string_view text,
                                       std::string origin,
                                       YamlDocument* document) {
  const int index = static_cast<int>(document->origins.size());
  document->origins.push_back(std::move(origin));
  if (text.size() > kMaxYamlBytes) {
    return absl::InvalidArgumentError(absl::StrCat(
        document->origins.back(), " is too large: at most ", kMaxYamlBytes,
        " bytes of YAML are read; keep recordings in files of their own"));
  }
  if (text.find('\0') != absl::string_view::npos) {
    return absl::InvalidArgumentError(absl::StrCat(
        document->origins.back(), " is not text: it contains a zero byte"));
  }
  TreeBuilder builder(*document, index);
  const absl::Status status = CatchAsStatus("yaml-cpp", [&] {
    std::istringstream stream{std::string(text)};
    YAML::Parser parser(stream);
    if (!parser.HandleNextDocument(builder)) return absl::OkStatus();
    TreeBuilder rest(*document, index);
    if (parser.HandleNextDocument(rest)) {
      return absl::InvalidArgumentError(
          absl::StrCat(document->origins.back(),
                       " holds more than one YAML document; keep the first "
                       "and remove the rest from \"---\" on"));
    }
    return absl::OkStatus();
  });
  // What the builder found comes before what the parser stumbled over then.
  SOMAFIT_RETURN_IF_ERROR(builder.status());
  SOMAFIT_RETURN_IF_ERROR(SyntaxError(*document, index, status));
  return std::move(builder.root());
}

absl::StatusOr<YamlDocument> ParseYaml(absl::string_view text,
                                       std::string origin) {
  YamlDocument document;
  SOMAFIT_ASSIGN_OR_RETURN(document.root,
                           ParseYamlPart(text, std::move(origin), &document));
  return document;
}

}  // namespace somafit
