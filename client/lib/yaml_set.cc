#include "client/lib/yaml_set.h"

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"

#include "worker/core/base/status.h"

namespace somafit {
namespace {

YamlNode* FindElement(YamlNode* list, const std::string& key) {
  for (YamlNode& item : list->items) {
    if (item.kind == YamlNode::Kind::kMapping && !item.items.empty() &&
        item.items[0].text == key) {
      return &item;
    }
  }
  uint32_t index = 0;
  if (absl::SimpleAtoi(key, &index) && index < list->items.size()) {
    return &list->items[index];
  }
  return nullptr;
}

}  // namespace

absl::Status ApplySet(absl::string_view assignment, YamlDocument* document) {
  const size_t equals = assignment.find('=');
  const std::string origin = absl::StrCat("--set ", assignment);
  const std::vector<std::string> path =
      absl::StrSplit(assignment.substr(0, equals), '.');
  bool complete = equals != absl::string_view::npos;
  for (const std::string& key : path) complete = complete && !key.empty();
  if (!complete) {
    return absl::InvalidArgumentError(absl::StrCat(
        origin, ": expected KEY=VALUE, for example --set stop.rounds=3"));
  }
  if (path.size() > kMaxYamlDepth) {
    return absl::InvalidArgumentError(
        absl::StrCat(origin, ": more than ", kMaxYamlDepth, " keys in a row"));
  }
  SOMAFIT_ASSIGN_OR_RETURN(
      YamlNode value,
      ParseYamlPart(assignment.substr(equals + 1), origin, document));
  const YamlMark mark{static_cast<int>(document->origins.size()) - 1, 1, 1};

  YamlNode* at = &document->root;
  for (size_t i = 0; i < path.size(); ++i) {
    if (at->kind == YamlNode::Kind::kNull) {
      at->kind = YamlNode::Kind::kMapping;
      at->mark = mark;
    }
    const std::string so_far =
        absl::StrJoin(path.begin(), path.begin() + i, ".");
    if (at->kind == YamlNode::Kind::kScalar) {
      return absl::InvalidArgumentError(absl::StrCat(
          origin, ": \"", so_far, "\" is the value \"", at->text,
          "\" there, without keys; set it as a whole: --set ", so_far, "=..."));
    }
    if (at->kind == YamlNode::Kind::kSequence) {
      YamlNode* element = FindElement(at, path[i]);
      if (element == nullptr) {
        return absl::InvalidArgumentError(absl::StrCat(
            origin, ": the list \"", so_far, "\" has no element \"", path[i],
            "\"; set it as a whole: --set ", so_far, "=[...]"));
      }
      at = element;
      continue;
    }
    YamlNode* next = at->Find(path[i]);
    if (next == nullptr) {
      at->keys.push_back({path[i], mark});
      at->items.emplace_back();
      next = &at->items.back();
      next->mark = mark;
    }
    at = next;
  }
  *at = std::move(value);
  return absl::OkStatus();
}

}  // namespace somafit
