#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace somafit {

// The shortest decimal text that reads back as exactly `value`, independent of
// the locale; "nan", "inf", "-inf".
std::string ShortestText(double value);

// `value` with at most `digits` significant digits, for people.
std::string RoundedText(double value, int digits);

// Reads the whole of `text` (blanks around it allowed) as a double; nullopt if
// it is anything else. "nan", "NaN", "inf" are read as such.
std::optional<double> ReadNumber(std::string_view text);

// The member of `candidates` that `word` was probably meant to be, or "".
std::string NearestWord(std::string_view word,
                        const std::vector<std::string>& candidates);

}  // namespace somafit
