#pragma once

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

#include "client/lib/yaml_tree.h"

namespace somafit {

// Applies one "KEY=VALUE" of the command line: KEY is a path of keys joined by
// dots, VALUE is YAML. What is not there yet is made; what is there is
// replaced. In a list, a key is an index from 0 or the first value of an
// element ("parameters.gl.bounds" finds "- name: gl").
absl::Status ApplySet(absl::string_view assignment, YamlDocument* document);

}  // namespace somafit
