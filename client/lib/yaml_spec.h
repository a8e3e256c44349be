#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

#include "client/lib/yaml_tree.h"
#include "somafit/v1/fit.pb.h"

namespace somafit {

// A YAML document as a FitSpec, led by the message's descriptor, so that a
// field that is added to the schema is read without a change here. Besides the
// plain form:
//  * a list of messages may be a mapping: each key is the element's first
//    field; its value is the second field, or a mapping of the others;
//    Where a key has several elements, as an output has features, its value may
//    be a list of those;
//  * a plain name may stand for a message whose first field it is: "optimizer:
//    de", "prior: log_uniform";
//  * one text is a list of texts with one element;
//  * a list where one text is expected is put back together: "[a, b]";
//  * any plain value is a text where a text is expected;
//  * an empty value is one that is not given.
// Unknown keys and values of a wrong kind are errors, all reported at once, one
// a line: "fit.yaml:3:5: ...".
absl::StatusOr<v1::FitSpec> FitSpecFromYaml(const YamlDocument& document);

// Reads the file, applies the `sets` ("KEY=VALUE") in their order, converts.
absl::StatusOr<v1::FitSpec> ReadFitSpec(const std::string& path,
                                        const std::vector<std::string>& sets);

// The first part of the names of fits of this file: its stem, or its folder's
// name where the stem says nothing ("fit"), made to fit a fit's name.
std::string LabelOfFile(const std::string& path);

}  // namespace somafit
