#include "worker/core/data/fit_spec.h"

#include "worker/core/data/byte_codec.h"

namespace somafit {
namespace {

constexpr std::string_view kMagic = "SOMAMODL";
constexpr uint32_t kVersion = 2;

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
  writer.Text(source.threshold);
  writer.U32(source.reset.has_value() ? 1 : 0);
  writer.Text(source.reset.value_or(""));
  writer.Text(source.refractory);
  writer.U64(source.periodic.size());
  for (const PeriodicSpec& periodic : source.periodic) {
    writer.Text(periodic.code);
    writer.Text(periodic.when);
    writer.Text(periodic.dt);
  }
  writer.U64(source.timed_arrays.size());
  for (const TimedArraySpec& array : source.timed_arrays) {
    writer.Text(array.name);
    writer.Text(array.unit);
    writer.Text(array.dt);
    writer.U64(array.values.size());
    writer.F64s(array.values);
    writer.U64(static_cast<uint64_t>(array.columns));
  }
  WriteTexts(source.method_options, writer);
  // Later than the version: models without it keep their address.
  if (!source.method_choice.empty()) writer.Text(source.method_choice);
  return writer.Take();
}

}  // namespace somafit
