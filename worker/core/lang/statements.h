#pragma once

#include <string_view>
#include <vector>

#include "worker/core/lang/diagnostic.h"
#include "worker/core/lang/model.h"

namespace somafit {

inline constexpr size_t kMaxStatements = 500;

// Reads code (language, section 1.7): statements, each on a line or behind a
// semicolon. Gives name and value of those that it understood, and reports the
// others (E_SYNTAX); what the names mean is for others to say.
std::vector<Statement> ParseStatements(const Source& source,
                                       Diagnostics& diagnostics);

// Whether a text has nothing but blanks and comments.
bool IsBlank(std::string_view text);

}  // namespace somafit
