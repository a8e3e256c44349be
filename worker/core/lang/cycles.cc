#include "worker/core/lang/cycles.h"

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <variant>

#include "absl/strings/str_cat.h"

namespace somafit {
namespace {

constexpr size_t kMaxNamed = 8;

// Depth-first search with its own stack.
class Orderer {
 public:
  Orderer(const EquationBlock& block, const Source& source,
          Diagnostics& diagnostics)
      : definitions_(block.definitions),
        source_(source),
        diagnostics_(diagnostics),
        uses_(definitions_.size()),
        marks_(definitions_.size(), Mark::kNew) {
    FindUses();
  }

  std::vector<size_t> Run() {
    for (size_t i = 0; i < definitions_.size(); ++i) {
      if (IsSubexpression(i) && marks_[i] == Mark::kNew) Visit(i);
    }
    return std::move(order_);
  }

 private:
  enum class Mark : uint8_t { kNew, kOpen, kDone };
  struct Step {
    size_t definition;
    size_t next_use = 0;
  };

  bool IsSubexpression(size_t i) const {
    return definitions_[i].kind == Definition::Kind::kSubexpression;
  }

  void FindUses() {
    std::unordered_map<std::string_view, size_t> indices;
    for (size_t i = 0; i < definitions_.size(); ++i) {
      indices.emplace(definitions_[i].name, i);
    }
    for (size_t i = 0; i < definitions_.size(); ++i) {
      for (const Node& node : definitions_[i].right_side.nodes) {
        const auto* name = std::get_if<Name>(&node.form);
        if (name == nullptr) continue;
        const auto found = indices.find(name->name);
        if (found == indices.end() || !IsSubexpression(found->second)) continue;
        uses_[i].push_back(found->second);
      }
    }
  }

  void Visit(size_t root) {
    path_.push_back({root});
    marks_[root] = Mark::kOpen;
    while (!path_.empty()) {
      Step& step = path_.back();
      if (step.next_use == uses_[step.definition].size()) {
        marks_[step.definition] = Mark::kDone;
        order_.push_back(step.definition);
        path_.pop_back();
        continue;
      }
      const size_t used = uses_[step.definition][step.next_use++];
      if (marks_[used] == Mark::kOpen) {
        Report(used);
        // One report a definition: drop the rest of its uses.
        step.next_use = uses_[step.definition].size();
      } else if (marks_[used] == Mark::kNew) {
        marks_[used] = Mark::kOpen;
        path_.push_back({used});
      }
    }
  }

  // The path from `first` to its end, which uses `first` again.
  void Report(size_t first) {
    if (diagnostics_.full()) return;
    auto at = std::find_if(path_.begin(), path_.end(), [first](const Step& s) {
      return s.definition == first;
    });
    std::string chain;
    for (size_t named = 0; at != path_.end(); ++at, ++named) {
      if (named == kMaxNamed) {
        chain += "... -> ";
        break;
      }
      absl::StrAppend(&chain, Quoted(definitions_[at->definition].name),
                      " -> ");
    }
    const Definition& definition = definitions_[first];
    diagnostics_.Error(
        "E_CYCLE", source_, definition.name_span,
        absl::StrCat("the definition of ", Quoted(definition.name),
                     " needs itself: ", chain, Quoted(definition.name)),
        "a subexpression must end in states, parameters, inputs or constants");
  }

  const std::vector<Definition>& definitions_;
  const Source& source_;
  Diagnostics& diagnostics_;
  std::vector<std::vector<size_t>> uses_;
  std::vector<Mark> marks_;
  std::vector<Step> path_;
  std::vector<size_t> order_;
};

}  // namespace

std::vector<size_t> OrderByUse(const EquationBlock& block, const Source& source,
                               Diagnostics& diagnostics) {
  return Orderer(block, source, diagnostics).Run();
}

}  // namespace somafit
