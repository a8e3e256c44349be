#include "server/rpc/arguments.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

#include "proto/convert/digest.h"
#include "proto/convert/status.h"
#include "worker/core/base/status.h"

namespace somafit {
namespace {

constexpr size_t kMaxShown = 255;  // bytes

}  // namespace

absl::Status BadField(std::string field, std::string description,
                      std::string reason) {
  std::string message = absl::StrCat(field, ": ", description);
  return WithReason(absl::InvalidArgumentError(message), std::move(reason),
                    {{std::move(field), std::move(description)}});
}

absl::StatusOr<std::string> FitNameOf(const std::string& resource,
                                      std::string field) {
  absl::string_view name = resource;
  if (name.empty()) {
    return BadField(std::move(field), "is missing; give \"fits/NAME\"");
  }
  if (!absl::ConsumePrefix(&name, "fits/") || name.empty() ||
      name.size() > 63 ||
      name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-_") !=
          absl::string_view::npos) {
    return BadField(
        std::move(field),
        absl::StrCat("\"", resource.substr(0, 100),
                     "\" is not the name of a fit; give \"fits/NAME\""));
  }
  return std::string(name);
}

absl::StatusOr<int> PageSizeOf(int32_t page_size, int usual, int most) {
  if (page_size < 0) {
    return BadField(
        "page_size",
        absl::StrCat("is ", page_size, "; give 0 (the default) or more"));
  }
  return page_size == 0 ? usual : std::min<int>(page_size, most);
}

absl::Status CheckRequestId(const std::string& request_id) {
  const bool visible = std::all_of(request_id.begin(), request_id.end(),
                                   [](char c) { return c > ' ' && c <= '~'; });
  if (request_id.size() <= 128 && visible) return absl::OkStatus();
  return BadField("request_id",
                  "is not an id; use a UUID, or at most 128 visible ASCII "
                  "characters");
}

absl::StatusOr<std::string> DatasetHashOf(const std::string& text) {
  const std::string hash(absl::StripPrefix(text, "datasets/"));
  if (!IsSha256Hex(hash)) {
    return BadField("dataset",
                    absl::StrCat("\"", text.substr(0, 100),
                                 "\" is not a SHA-256 of 64 lower-case "
                                 "hexadecimal digits"));
  }
  return hash;
}

std::string MakePageToken(std::string_view query, int64_t after) {
  return absl::StrCat(Sha256Hex(query).substr(0, 12), "-", after);
}

absl::StatusOr<int64_t> ReadPageToken(const std::string& token,
                                      std::string_view query, int64_t first) {
  if (token.empty()) return first;
  absl::string_view rest = token;
  int64_t after = 0;
  if (!absl::ConsumePrefix(&rest,
                           absl::StrCat(Sha256Hex(query).substr(0, 12), "-")) ||
      !absl::SimpleAtoi(rest, &after) || after < first) {
    return BadField("page_token",
                    "is not one that this request was answered with; start "
                    "again without a page token",
                    "BAD_PAGE_TOKEN");
  }
  return after;
}

absl::Status CheckShown(const std::string& field, const std::string& text) {
  if (text.size() > kMaxShown) {
    return BadField(field, absl::StrCat("has ", text.size(), " bytes; at most ",
                                        kMaxShown, " are allowed"));
  }
  for (const char c : text) {
    if (static_cast<unsigned char>(c) < ' ' || c == 127) {
      return BadField(field, "contains a control character; remove it");
    }
  }
  return absl::OkStatus();
}

absl::Status CheckIdentity(const std::string& name, const std::string& host,
                           const std::string& version) {
  SOMAFIT_RETURN_IF_ERROR(CheckShown("name", name));
  SOMAFIT_RETURN_IF_ERROR(CheckShown("host", host));
  SOMAFIT_RETURN_IF_ERROR(CheckShown("version", version));
  if (name.empty()) {
    return BadField("name", "is missing; give a name for people to see");
  }
  return absl::OkStatus();
}

absl::Status ToStatusWithDetails(const Diagnostics& diagnostics) {
  if (!diagnostics.HasErrors()) return absl::OkStatus();
  std::string reason;
  std::vector<FieldViolation> violations;
  for (const Diagnostic& diagnostic : diagnostics.all()) {
    if (diagnostic.severity != Severity::kError) continue;
    if (reason.empty()) reason = diagnostic.code;
    violations.push_back(
        {diagnostic.field,
         diagnostic.excerpt.empty()
             ? diagnostic.message
             : absl::StrCat("line ", diagnostic.begin.line, ", column ",
                            diagnostic.begin.column, ": ",
                            diagnostic.message)});
  }
  return WithReason(absl::InvalidArgumentError(diagnostics.Render()), reason,
                    std::move(violations));
}

}  // namespace somafit
