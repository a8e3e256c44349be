#include "server/inference/encoding.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "absl/strings/str_cat.h"

namespace somafit {
namespace {

constexpr size_t kMarkBytes = 8;
constexpr size_t kMaxName = 100;
constexpr size_t kMaxOptions = 100;
constexpr size_t kMaxScript = size_t{1} << 30;

bool ReadFiniteF64s(ByteReader& reader, size_t n, std::vector<double>& out) {
  if (reader.rest() / sizeof(double) < n) return false;
  out.resize(n);
  return reader.F64s(out) && std::all_of(out.begin(), out.end(), [](double x) {
           return std::isfinite(x);
         });
}

bool ReadI64(ByteReader& reader, int64_t& value) {
  uint64_t bits = 0;
  if (!reader.U64(bits)) return false;
  value = static_cast<int64_t>(bits);
  return true;
}

void WriteLayer(ByteWriter& writer, const EmbeddingLayer& layer) {
  writer.U32(static_cast<uint32_t>(layer.kind));
  for (const int64_t number :
       {layer.size, layer.kernel, layer.stride, layer.padding, layer.pool}) {
    writer.U64(static_cast<uint64_t>(number));
  }
  writer.U32(static_cast<uint32_t>(layer.activation));
  writer.U32(layer.sum ? 1 : 0);
}

bool ReadLayer(ByteReader& reader, EmbeddingLayer& layer) {
  uint32_t kind = 0, activation = 0, sum = 0;
  if (!reader.U32(kind) || !ReadI64(reader, layer.size) ||
      !ReadI64(reader, layer.kernel) || !ReadI64(reader, layer.stride) ||
      !ReadI64(reader, layer.padding) || !ReadI64(reader, layer.pool) ||
      !reader.U32(activation) || !reader.U32(sum) || sum > 1) {
    return false;
  }
  layer.kind = static_cast<EmbeddingLayer::Kind>(kind);
  layer.activation = static_cast<EmbeddingLayer::Activation>(activation);
  layer.sum = sum == 1;
  return true;
}

}  // namespace

uint64_t ByteSum(std::string_view bytes, uint64_t sum) {
  for (const char byte : bytes) {
    sum = (sum ^ static_cast<unsigned char>(byte)) * 0x100000001b3;
  }
  return sum;
}

std::string Seal(std::string_view mark, uint32_t version,
                 std::string_view payload) {
  ByteWriter writer;
  writer.Reserve(payload.size() + 40);
  writer.Bytes(mark.substr(0, kMarkBytes));
  writer.U32(version);
  writer.Text(payload);
  writer.U64(ByteSum(writer.bytes()));
  return writer.Take();
}

absl::StatusOr<std::string_view> Unseal(std::string_view kind,
                                        std::string_view mark, uint32_t version,
                                        std::string_view bytes) {
  const auto refuse = [kind](const std::string& why) {
    return absl::DataLossError(absl::StrCat(std::string(kind), " ", why));
  };
  ByteReader reader(bytes);
  std::string_view found_mark, payload;
  uint32_t found_version = 0;
  uint64_t size = 0, sum = 0;
  if (!reader.Bytes(kMarkBytes, found_mark) || found_mark != mark) {
    return refuse("has no valid beginning: the bytes are something else");
  }
  if (!reader.U32(found_version)) return refuse("is cut short");
  if (found_version != version) {
    return refuse(absl::StrCat("has version ", found_version,
                               ", but this program reads version ", version));
  }
  if (!reader.U64(size) || !reader.Bytes(size, payload) || !reader.U64(sum)) {
    return refuse("is cut short");
  }
  if (reader.rest() > 0) return refuse("is followed by further bytes");
  if (sum != ByteSum(bytes.substr(0, bytes.size() - sizeof sum))) {
    return refuse("is damaged: its sum is wrong");
  }
  return payload;
}

void WriteSpec(ByteWriter& writer, const EstimatorSpec& spec) {
  writer.Text(spec.net);
  writer.U64(spec.options.size());
  for (const auto& [name, value] : spec.options) {
    writer.Text(name);
    writer.F64(value);
  }
  writer.U32(static_cast<uint32_t>(spec.z_score_theta));
  writer.U32(static_cast<uint32_t>(spec.z_score_x));
  writer.U32(static_cast<uint32_t>(spec.theta_space));
  writer.U64(spec.support.size());
  for (const Support& support : spec.support) {
    writer.F64(support.lower);
    writer.F64(support.upper);
  }
  writer.U64(spec.x_shape.size());
  for (const int64_t axis : spec.x_shape) {
    writer.U64(static_cast<uint64_t>(axis));
  }
  writer.U64(spec.embedding.layers.size());
  for (const EmbeddingLayer& layer : spec.embedding.layers) {
    WriteLayer(writer, layer);
  }
  writer.Text(spec.embedding.torch_script);
}

bool ReadSpec(ByteReader& reader, EstimatorSpec& spec) {
  uint64_t count = 0;
  if (!reader.Text(kMaxName, spec.net) || !reader.U64(count) ||
      count > kMaxOptions) {
    return false;
  }
  spec.options.clear();
  for (uint64_t i = 0; i < count; ++i) {
    std::string name;
    double value = 0;
    if (!reader.Text(kMaxName, name) || !reader.F64(value)) return false;
    spec.options[name] = value;
  }
  uint32_t z_score_theta = 0, z_score_x = 0, theta_space = 0;
  if (!reader.U32(z_score_theta) || !reader.U32(z_score_x) ||
      !reader.U32(theta_space) || !reader.U64(count) ||
      count > kMaxParameters) {
    return false;
  }
  spec.z_score_theta = static_cast<ZScore>(z_score_theta);
  spec.z_score_x = static_cast<ZScore>(z_score_x);
  spec.theta_space = static_cast<ThetaSpace>(theta_space);
  spec.support.resize(count);
  for (Support& support : spec.support) {
    if (!reader.F64(support.lower) || !reader.F64(support.upper)) return false;
  }
  if (!reader.U64(count) || count > 4) return false;
  spec.x_shape.resize(count);
  for (int64_t& axis : spec.x_shape) {
    if (!ReadI64(reader, axis)) return false;
  }
  if (!reader.U64(count) || count > kMaxEmbeddingLayers) return false;
  spec.embedding.layers.resize(count);
  for (EmbeddingLayer& layer : spec.embedding.layers) {
    if (!ReadLayer(reader, layer)) return false;
  }
  return reader.Text(kMaxScript, spec.embedding.torch_script);
}

void WriteScales(ByteWriter& writer, const ThetaMap& theta_map,
                 const DataMap& data_map) {
  writer.F64s(theta_map.shift());
  writer.F64s(theta_map.scale());
  writer.F64s(data_map.shift);
  writer.F64s(data_map.scale);
}

bool ReadScales(ByteReader& reader, const EstimatorSpec& spec,
                ThetaMap& theta_map, DataMap& data_map) {
  const size_t d = spec.n_parameters(), e = spec.n_features();
  std::vector<double> shift, scale;
  if (!ReadFiniteF64s(reader, d, shift) || !ReadFiniteF64s(reader, d, scale) ||
      !ReadFiniteF64s(reader, e, data_map.shift) ||
      !ReadFiniteF64s(reader, e, data_map.scale)) {
    return false;
  }
  const auto positive = [](const std::vector<double>& values) {
    return std::all_of(values.begin(), values.end(),
                       [](double x) { return x > 0; });
  };
  if (!positive(scale) || !positive(data_map.scale)) return false;
  theta_map = ThetaMap(spec.theta_space, spec.support, std::move(shift),
                       std::move(scale));
  return true;
}

void WriteFloats(ByteWriter& writer, const at::Tensor& tensor) {
  const at::Tensor host = tensor.detach().to(at::kCPU).contiguous();
  writer.Bytes({reinterpret_cast<const char*>(host.data_ptr<float>()),
                static_cast<size_t>(host.numel()) * sizeof(float)});
}

bool ReadFloats(ByteReader& reader, at::Tensor& tensor) {
  std::string_view bytes;
  const size_t size = static_cast<size_t>(tensor.numel()) * sizeof(float);
  if (!reader.Bytes(size, bytes)) return false;
  at::Tensor host = at::empty({tensor.numel()}, at::kFloat);
  std::memcpy(host.data_ptr<float>(), bytes.data(), size);
  tensor.copy_(host);
  return true;
}

}  // namespace somafit
