// The YAML of the page for users is true: each block makes a model that
// compiles, with nothing to remark.
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "client/lib/outline.h"
#include "client/lib/yaml_spec.h"
#include "proto/convert/experiment_outline.h"
#include "worker/describe/compile_outline.h"

namespace somafit {
namespace {

std::vector<std::string> YamlBlocks() {
  std::ifstream file("worker/core/lang/README.md");
  std::ostringstream text;
  text << file.rdbuf();
  const std::string guide = text.str();
  constexpr std::string_view kBegin = "```yaml\n";
  std::vector<std::string> blocks;
  for (size_t at = guide.find(kBegin); at != std::string::npos;
       at = guide.find(kBegin, at)) {
    at += kBegin.size();
    blocks.push_back(guide.substr(at, guide.find("```", at) - at));
  }
  return blocks;
}

TEST(GuideYamlTest, EveryBlockCompiles) {
  const std::vector<std::string> blocks = YamlBlocks();
  EXPECT_GE(blocks.size(), 2u);
  for (const std::string& block : blocks) {
    std::string spec =
        "dt: 0.1*ms\nmodel:\n  equations: |\n"
        "    dv/dt = (-v + R*stimulus(t))/ms : volt (unless refractory)\n"
        "    dw/dt = -w/ms : 1\n    R : ohm\n";
    // What a block does not have, for the equations to be whole.
    if (block.find("stimulus") == std::string::npos) {
      spec += "  timed_arrays: {stimulus: {unit: nA, dt: 1*ms, values: [1]}}\n";
    }
    if (block.find("refractory") == std::string::npos) {
      spec +=
          "  threshold: v > 1*volt\n  reset: v = 0*volt\n"
          "  refractory: 1*ms\n";
    }
    std::istringstream lines(block);
    for (std::string line; std::getline(lines, line);) {
      spec += "  " + line + "\n";
    }
    spec += "parameters: {R: [1*Mohm, 2*Mohm]}\n";
    const std::string path = testing::TempDir() + "guide.yaml";
    std::ofstream(path) << spec;
    const auto message = ReadFitSpec(path, {});
    ASSERT_TRUE(message.ok()) << message.status() << spec;
    const auto json = EncodeOutline(OutlineOf(*message, "."));
    ASSERT_TRUE(json.ok()) << json.status();
    const auto outline = DecodeOutline(*json);
    ASSERT_TRUE(outline.ok()) << outline.status();
    Diagnostics found;
    EXPECT_TRUE(CompileOutline(*outline, found)) << spec;
    EXPECT_TRUE(found.empty()) << found.Render() << spec;
  }
}

}  // namespace
}  // namespace somafit
