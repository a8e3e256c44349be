#include "worker/core/data/fit_spec.h"

#include "worker/core/data/byte_codec.h"

namespace somafit {
namespace {

constexpr std::string_view kMagic = "SOMAMODL";
constexpr uint32_t kVersion = 1;

void WriteTexts(const std::vector<NamedText>& texts, ByteWriter& writer) {
  writer.U64(texts.size());
  for (const NamedText& text : texts) {
    writer.Text(text.name);
    writer.Text(text.text);
  }
}

}  // namespace

std::string EncodeModelSource(const ModelSource& source) {
  ByteWriter writer;
  writer.Bytes(kMagic);
  writer.U32(kVersion);
  writer.Text(source.equations);
  writer.Text(source.method);
  WriteTexts(source.constants, writer);
  WriteTexts(source.initial_values, writer);
  return writer.Take();
}

}  // namespace somafit
