#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"

#include "worker/core/lang/source.h"

namespace somafit {

enum class Severity { kError, kWarning, kNote };

// One mistake (or warning) in what a user wrote.
struct Diagnostic {
  Severity severity = Severity::kError;
  std::string code;     // "E_DIM", "W_SHADOW": language, section 0
  std::string field;    // "model.equations"; see Source
  LineColumn begin;     // of the span in the field's text
  std::string message;  // one sentence, names the offending value
  std::string hint;     // the remedy, or ""
  std::string excerpt;  // the source line with a caret line below, or ""
};

// More are not kept.
inline constexpr size_t kMaxDiagnostics = 100;
// Of them: so that warnings alone never end a search for errors.
inline constexpr size_t kMaxWarnings = 50;

// All that is to be said about a text; many at once.
class Diagnostics {
 public:
  // Adds one with line, column and excerpt taken from the span of `source`.
  // Caps the list at kMaxDiagnostics, with a last line that says so.
  void Add(Severity severity, std::string code, const Source& source, Span span,
           std::string message, std::string hint = "");
  void Error(std::string code, const Source& source, Span span,
             std::string message, std::string hint = "");
  // An error about a field as a whole: no excerpt.
  void FieldError(std::string code, std::string field, std::string message,
                  std::string hint = "");
  // One as it is; beyond kMaxDiagnostics as Add does.
  void Keep(Diagnostic diagnostic);
  void Append(const Diagnostics& other);
  // Puts those of one field in the order of the text, else keeps the order.
  void SortByPlace();

  bool HasErrors() const;
  // Nothing more is kept, and there are errors: whoever looks for mistakes may
  // stop.
  bool full() const { return all_.size() > kMaxDiagnostics; }
  // No further warning is kept.
  bool warnings_full() const { return n_warnings_ >= kMaxWarnings; }
  bool empty() const { return all_.empty(); }
  const std::vector<Diagnostic>& all() const { return all_; }

  // Everything as people read it, e.g.
  //   model.equations:1:13: error: volt added to amp [E_DIM]
  //     dv/dt = (10*mV + 2*mA)/ms : volt
  //                    ^
  //     hint: ...
  std::string Render() const;
  // InvalidArgument with Render() as message, or Ok without errors.
  absl::Status ToStatus() const;

 private:
  std::vector<Diagnostic> all_;
  size_t n_warnings_ = 0;  // and notes
};

}  // namespace somafit
