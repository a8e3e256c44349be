#pragma once

#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

#include "proto/convert/status.h"
#include "worker/core/data/fit_spec.h"

namespace somafit {

// Limits of what a message may hold.
inline constexpr size_t kMaxName = 63;
inline constexpr size_t kMaxText = size_t{1} << 20;  // a text of one field
inline constexpr int kMaxList = 1000;                // entries of one list

// Gathers everything that is wrong with a message.
class Violations {
 public:
  void Add(std::string field, std::string description) {
    if (all_.size() < 100) {
      all_.push_back({std::move(field), std::move(description)});
    }
  }
  void CheckText(const std::string& field, const std::string& text) {
    if (text.size() > kMaxText) {
      Add(field, absl::StrCat("has ", text.size(), " bytes; at most ", kMaxText,
                              " are allowed"));
    }
    if (text.find('\0') != std::string::npos) {
      Add(field, "contains a zero byte; remove it");
    }
  }
  bool CheckCount(const std::string& field, int count, int most) {
    if (count <= most) return true;
    Add(field, absl::StrCat("has ", count, " entries; at most ", most,
                            " are allowed"));
    return false;
  }
  template <typename List>
  void CheckNamed(const std::string& field, const List& list) {
    if (!CheckCount(field, list.size(), kMaxList)) return;
    for (int i = 0; i < list.size(); ++i) {
      const std::string entry = absl::StrCat(field, "[", i, "]");
      CheckText(entry, list[i].name());
      CheckText(entry, list[i].text());
    }
  }
  // "" or a name as fits have them.
  void CheckName(const std::string& field, const std::string& name) {
    if (name.empty()) return;
    const bool starts = name[0] >= 'a' && name[0] <= 'z';
    const bool rest =
        name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-_") ==
        std::string::npos;
    if (!starts || !rest || name.size() > kMaxName) {
      Add(field, absl::StrCat("\"", name.substr(0, 2 * kMaxName),
                              "\" is not a name; use at most ", kMaxName,
                              " lower-case letters, digits, \"-\" and \"_\", "
                              "beginning with a letter"));
    }
  }
  absl::Status ToStatus() const {
    if (all_.empty()) return absl::OkStatus();
    const std::string message = absl::StrJoin(
        all_, "\n", [](std::string* out, const FieldViolation& violation) {
          absl::StrAppend(out, violation.field, ": ", violation.description);
        });
    return WithReason(absl::InvalidArgumentError(message), "BAD_FIELD", all_);
  }

 private:
  std::vector<FieldViolation> all_;
};

template <typename List>
std::vector<NamedText> NamedFromProto(const List& list) {
  std::vector<NamedText> result;
  result.reserve(list.size());
  for (const auto& entry : list) {
    result.push_back({entry.name(), entry.text()});
  }
  return result;
}

template <typename List>
void NamedToProto(const std::vector<NamedText>& named, List* list) {
  for (const NamedText& entry : named) {
    auto* message = list->Add();
    message->set_name(entry.name);
    message->set_text(entry.text);
  }
}

}  // namespace somafit
