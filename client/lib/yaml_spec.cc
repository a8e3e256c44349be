#include "client/lib/yaml_spec.h"

#include <algorithm>
#include <filesystem>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include "client/lib/text_file.h"
#include "client/lib/yaml_set.h"
#include "worker/core/base/number.h"
#include "worker/core/base/status.h"

namespace somafit {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;
using Kind = YamlNode::Kind;

constexpr size_t kMaxErrors = 50;
constexpr size_t kMaxQuoted = 60;
constexpr size_t kMaxLabel = 40;

std::string Quoted(absl::string_view text) {
  if (text.size() <= kMaxQuoted) return absl::StrCat("\"", text, "\"");
  return absl::StrCat("\"", text.substr(0, kMaxQuoted), "...\"");
}

std::string Joined(absl::string_view path, absl::string_view key) {
  return path.empty() ? std::string(key) : absl::StrCat(path, ".", key);
}

class Converter {
 public:
  explicit Converter(const YamlDocument& document) : document_(document) {}

  // `first_is_given`: the field number 1 came as the key of a mapping.
  void ConvertMessage(const YamlNode& node, const std::string& path,
                      bool first_is_given, Message* message) {
    if (node.kind == Kind::kNull) return;
    const Descriptor& type = *message->GetDescriptor();
    if (node.kind == Kind::kScalar && !first_is_given && NameField(type)) {
      return ConvertScalar(node, path, *NameField(type), message);
    }
    if (node.kind != Kind::kMapping) {
      Error(node.mark, absl::StrCat(path.empty() ? "a fit" : Quoted(path),
                                    " must be a mapping with the keys ",
                                    KnownKeys(type, first_is_given), ", not ",
                                    KindText(node.kind)));
      return;
    }
    for (size_t i = 0; i < node.items.size(); ++i) {
      const YamlKey& key = node.keys[i];
      const FieldDescriptor* field = type.FindFieldByName(key.text);
      if (field == nullptr || (first_is_given && field->number() == 1)) {
        UnknownKey(key, path, type, first_is_given);
        continue;
      }
      ConvertField(node.items[i], Joined(path, key.text), *field, message);
    }
  }

  absl::Status status() const {
    if (errors_.empty()) return absl::OkStatus();
    return absl::InvalidArgumentError(absl::StrJoin(errors_, "\n"));
  }

 private:
  void ConvertField(const YamlNode& node, const std::string& path,
                    const FieldDescriptor& field, Message* message) {
    if (node.kind == Kind::kNull) return;
    const bool is_message =
        field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE;
    const Reflection& access = *message->GetReflection();
    if (field.is_repeated() && is_message) {
      ConvertList(node, path, field, message);
    } else if (field.is_repeated()) {
      // One text is a list of one.
      const bool one = node.kind == Kind::kScalar &&
                       field.cpp_type() == FieldDescriptor::CPPTYPE_STRING;
      if (one) return ConvertScalar(node, path, field, message);
      if (node.kind != Kind::kSequence) {
        Error(node.mark, absl::StrCat(Quoted(path),
                                      " must be a list, like "
                                      "[1, 2], not ",
                                      KindText(node.kind)));
        return;
      }
      for (const YamlNode& item : node.items) {
        ConvertScalar(item, path, field, message);
      }
    } else if (is_message) {
      ConvertMessage(node, path, false, access.MutableMessage(message, &field));
    } else {
      ConvertScalar(node, path, field, message);
    }
  }

  void ConvertList(const YamlNode& node, const std::string& path,
                   const FieldDescriptor& field, Message* message) {
    const Reflection& access = *message->GetReflection();
    const Descriptor& type = *field.message_type();
    if (node.kind == Kind::kScalar) {
      Error(node.mark, absl::StrCat(Quoted(path), " must be a mapping of ",
                                    type.FindFieldByNumber(1)->name(),
                                    "s, or a list, not ", KindText(node.kind)));
      return;
    }
    for (size_t i = 0; i < node.items.size(); ++i) {
      const YamlNode& item = node.items[i];
      if (node.kind == Kind::kMapping && item.kind == Kind::kSequence &&
          IsGrouped(type)) {
        for (size_t k = 0; k < item.items.size(); ++k) {
          ConvertElement(node.keys[i].text, item.items[k],
                         absl::StrCat(Joined(path, node.keys[i].text), ".", k),
                         access.AddMessage(message, &field));
        }
        continue;
      }
      Message* element = access.AddMessage(message, &field);
      if (node.kind == Kind::kSequence) {
        if (item.kind == Kind::kNull) {
          Error(item.mark,
                absl::StrCat("an element of ", Quoted(path), " is empty"));
        }
        ConvertMessage(item, absl::StrCat(path, ".", i), false, element);
        continue;
      }
      const std::string& key = node.keys[i].text;
      ConvertElement(key, item, Joined(path, key), element);
    }
  }

  // An element whose first field came as the key of a mapping.
  void ConvertElement(const std::string& key, const YamlNode& item,
                      const std::string& path, Message* element) {
    const Descriptor& type = *element->GetDescriptor();
    element->GetReflection()->SetString(element, type.FindFieldByNumber(1),
                                        key);
    if (item.kind == Kind::kMapping) {
      ConvertMessage(item, path, true, element);
    } else {
      ConvertField(item, path, *type.FindFieldByNumber(2), element);
    }
  }

  // The field that a plain name in place of the whole message stands for.
  static const FieldDescriptor* NameField(const Descriptor& type) {
    const FieldDescriptor* first = type.FindFieldByNumber(1);
    const bool names = first != nullptr &&
                       (first->name() == "name" || first->name() == "kind");
    return names && &type != v1::FitSpec::descriptor() ? first : nullptr;
  }

  // Whether a key stands for several elements of a list: an output has several
  // features.
  static bool IsGrouped(const Descriptor& type) {
    return &type == v1::FeatureSpec::descriptor();
  }

  void ConvertScalar(const YamlNode& node, const std::string& path,
                     const FieldDescriptor& field, Message* message) {
    const Reflection& access = *message->GetReflection();
    if (field.cpp_type() == FieldDescriptor::CPPTYPE_STRING) {
      std::string text = node.text;
      if (node.kind == Kind::kSequence && JoinSequence(node, &text)) {
      } else if (node.kind != Kind::kScalar) {
        WrongKind(node, path, "a text");
        return;
      }
      if (field.is_repeated()) {
        access.AddString(message, &field, text);
      } else {
        access.SetString(message, &field, text);
      }
      return;
    }
    if (field.cpp_type() == FieldDescriptor::CPPTYPE_DOUBLE) {
      const std::optional<double> value = ReadNumber(node.text);
      if (node.kind != Kind::kScalar || !value) {
        WrongKind(node, path, "a number");
      } else if (field.is_repeated()) {
        access.AddDouble(message, &field, *value);
      } else {
        access.SetDouble(message, &field, *value);
      }
      return;
    }
    if (!ConvertWhole(node, field, message)) {
      WrongKind(node, path,
                field.cpp_type() == FieldDescriptor::CPPTYPE_BOOL
                    ? "true or false"
                : field.cpp_type() == FieldDescriptor::CPPTYPE_UINT64
                    ? "a whole number from 0 on"
                    : "a whole number");
    }
  }

  static bool ConvertWhole(const YamlNode& node, const FieldDescriptor& field,
                           Message* message) {
    if (node.kind != Kind::kScalar) return false;
    const Reflection& access = *message->GetReflection();
    // Of repeated fields there are those of this one type.
    if (field.is_repeated() &&
        field.cpp_type() != FieldDescriptor::CPPTYPE_INT64) {
      return false;
    }
    switch (field.cpp_type()) {
      case FieldDescriptor::CPPTYPE_BOOL: {
        const std::string word = absl::AsciiStrToLower(node.text);
        const bool yes = word == "true" || word == "yes" || word == "on";
        if (!yes && word != "false" && word != "no" && word != "off") {
          return false;
        }
        access.SetBool(message, &field, yes);
        return true;
      }
      case FieldDescriptor::CPPTYPE_INT32: {
        int32_t value = 0;
        if (!absl::SimpleAtoi(node.text, &value)) return false;
        access.SetInt32(message, &field, value);
        return true;
      }
      case FieldDescriptor::CPPTYPE_INT64: {
        int64_t value = 0;
        if (!absl::SimpleAtoi(node.text, &value)) return false;
        if (field.is_repeated()) {
          access.AddInt64(message, &field, value);
        } else {
          access.SetInt64(message, &field, value);
        }
        return true;
      }
      case FieldDescriptor::CPPTYPE_UINT64: {
        uint64_t value = 0;
        if (!absl::SimpleAtoi(node.text, &value)) return false;
        access.SetUInt64(message, &field, value);
        return true;
      }
      default:
        return false;
    }
  }

  static bool JoinSequence(const YamlNode& node, std::string* text) {
    std::vector<absl::string_view> parts;
    for (const YamlNode& item : node.items) {
      if (item.kind != Kind::kScalar) return false;
      parts.push_back(item.text);
    }
    *text = absl::StrCat("[", absl::StrJoin(parts, ", "), "]");
    return true;
  }

  static std::vector<std::string> Keys(const Descriptor& type,
                                       bool first_is_given) {
    std::vector<std::string> keys;
    for (int i = 0; i < type.field_count(); ++i) {
      if (first_is_given && type.field(i)->number() == 1) continue;
      keys.push_back(type.field(i)->name());
    }
    return keys;
  }
  static std::string KnownKeys(const Descriptor& type, bool first_is_given) {
    return absl::StrJoin(Keys(type, first_is_given), ", ");
  }

  void UnknownKey(const YamlKey& key, const std::string& path,
                  const Descriptor& type, bool first_is_given) {
    const std::string nearest =
        NearestWord(key.text, Keys(type, first_is_given));
    const std::string place =
        path.empty() ? "" : absl::StrCat(" in ", Quoted(path));
    const std::string hint =
        nearest.empty() ? ""
                        : absl::StrCat(", did you mean \"", nearest, "\"?");
    Error(key.mark, absl::StrCat("unknown key ", Quoted(key.text), place, hint,
                                 hint.empty() ? "; known: " : " Known: ",
                                 KnownKeys(type, first_is_given)));
  }

  void WrongKind(const YamlNode& node, const std::string& path,
                 absl::string_view expected) {
    Error(node.mark,
          absl::StrCat(Quoted(path), " must be ", expected, ", not ",
                       node.kind == Kind::kScalar ? Quoted(node.text)
                                                  : KindText(node.kind)));
  }

  void Error(const YamlMark& mark, absl::string_view message) {
    if (errors_.size() == kMaxErrors) errors_.push_back("... and more");
    if (errors_.size() > kMaxErrors) return;
    errors_.push_back(absl::StrCat(document_.Where(mark), ": ", message));
  }

  const YamlDocument& document_;
  std::vector<std::string> errors_;
};

}  // namespace

absl::StatusOr<v1::FitSpec> FitSpecFromYaml(const YamlDocument& document) {
  if (document.root.kind == Kind::kNull) {
    return absl::InvalidArgumentError(
        absl::StrCat(document.origins[0],
                     " is empty; see client/examples/hodgkin_huxley/fit.yaml "
                     "for what a fit looks like"));
  }
  v1::FitSpec spec;
  Converter converter(document);
  converter.ConvertMessage(document.root, "", false, &spec);
  SOMAFIT_RETURN_IF_ERROR(converter.status());
  return spec;
}

absl::StatusOr<v1::FitSpec> ReadFitSpec(const std::string& path,
                                        const std::vector<std::string>& sets) {
  SOMAFIT_ASSIGN_OR_RETURN(const std::string text,
                           ReadFile(path, kMaxYamlBytes));
  SOMAFIT_ASSIGN_OR_RETURN(YamlDocument document, ParseYaml(text, path));
  for (const std::string& set : sets) {
    SOMAFIT_RETURN_IF_ERROR(ApplySet(set, &document));
  }
  return FitSpecFromYaml(document);
}

std::string LabelOfFile(const std::string& path) {
  const std::filesystem::path full =
      std::filesystem::path(path).is_absolute()
          ? std::filesystem::path(path)
          : std::filesystem::current_path() / path;
  std::string name = full.stem().string();
  if (name == "fit") {
    name = full.lexically_normal().parent_path().filename().string();
  }
  std::string label;
  for (const char c : name) {
    const char lower = absl::ascii_tolower(c);
    if (absl::ascii_islower(lower) || absl::ascii_isdigit(lower) ||
        lower == '_' || lower == '-') {
      label += lower;
    } else if (!label.empty() && label.back() != '-') {
      label += '-';
    }
  }
  const size_t letter = label.find_first_of("abcdefghijklmnopqrstuvwxyz");
  if (letter == std::string::npos) return "fit";
  label = label.substr(letter, kMaxLabel);
  while (label.back() == '-' || label.back() == '_') label.pop_back();
  return label;
}

}  // namespace somafit
