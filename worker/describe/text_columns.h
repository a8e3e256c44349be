#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace somafit {

using TextRow = std::vector<std::string>;

// Rows in aligned columns, each line indented by two blanks, the first row
// being the heads. A very long cell is not waited for: its row goes on behind
// it. Columns whose index is in `right` are flush right.
std::string TextColumns(const std::vector<TextRow>& rows,
                        const std::vector<size_t>& right = {});

// A user's text on one line: each run of blanks becomes one, and what a
// terminal could not take a '?'.
std::string OneLine(std::string_view text);
// The same without the comments of the model language.
std::string OneLineOfCode(std::string_view text);

}  // namespace somafit
