#include "worker/core/data/dataset.h"

#include <algorithm>
#include <bit>
#include <cctype>
#include <cmath>
#include <set>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

#include "worker/core/base/number.h"
#include "worker/core/base/status.h"
#include "worker/core/data/byte_codec.h"

namespace somafit {
namespace {

constexpr std::string_view kMagic = "SOMADATA";
constexpr uint32_t kVersion = 1;
constexpr size_t kMaxNameBytes = 256;
constexpr size_t kMaxViolations = 50;
constexpr size_t kChannelBytes = 8 + 7 * 8;  // without the name
constexpr size_t kTraceBytes = 8 + 8 + 8;    // without the signals
constexpr double kCanonicalNan = std::bit_cast<double>(0x7ff8000000000000);

bool IsIdentifier(std::string_view name) {
  if (name.empty() || name.size() > kMaxNameBytes) return false;
  if (std::isdigit(static_cast<unsigned char>(name[0])) != 0) return false;
  return std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c >= '0' && c <= '9') || c == '_';
  });
}

// A name as messages show it: what a user sent may hold anything.
std::string Quoted(std::string_view name) {
  std::string text = "\"";
  for (const char c : name.substr(0, 40)) {
    text += std::isprint(static_cast<unsigned char>(c)) != 0 ? c : '?';
  }
  if (name.size() > 40) text += "...";
  return text + "\"";
}

class Violations {
 public:
  template <typename... Parts>
  void Add(const Parts&... parts) {
    if (lines_.size() < kMaxViolations) {
      lines_.push_back(absl::StrCat(parts...));
    } else if (lines_.size() == kMaxViolations) {
      lines_.push_back("there are more mistakes, which are not listed");
    }
  }
  absl::Status ToStatus() const {
    if (lines_.empty()) return absl::OkStatus();
    return absl::InvalidArgumentError(absl::StrJoin(lines_, "\n"));
  }

 private:
  std::vector<std::string> lines_;
};

void CheckChannels(const std::string& role,
                   const std::vector<Channel>& channels,
                   std::set<std::string>& seen, Violations& violations) {
  if (channels.size() > kMaxChannels) {
    violations.Add("dataset has ", channels.size(), " ", role, "s; at most ",
                   kMaxChannels, " are allowed");
  }
  for (const Channel& channel : channels) {
    if (!IsIdentifier(channel.name)) {
      violations.Add(role, " ", Quoted(channel.name),
                     " is no identifier; use letters, digits and _, not "
                     "beginning with a digit");
    } else if (!seen.insert(channel.name).second) {
      violations.Add("channel ", Quoted(channel.name),
                     " occurs twice; give each channel a name of its own");
    }
    for (const double exponent : channel.dimension.exponents()) {
      if (!(std::abs(exponent) <= 1000)) {
        violations.Add(role, " ", Quoted(channel.name),
                       " has the dimension exponent ", ShortestText(exponent),
                       "; exponents lie within -1000 and 1000");
        break;
      }
    }
  }
}

void CheckSignals(const std::string& role, const std::vector<Channel>& channels,
                  const std::vector<std::vector<double>>& signals, size_t trace,
                  size_t n_steps, bool nan_allowed, Violations& violations) {
  if (signals.size() != channels.size()) {
    violations.Add("trace ", trace, " has ", signals.size(), " ", role,
                   " signals, but the dataset has ", channels.size(), " ", role,
                   " channels; give one signal per channel");
    return;
  }
  for (size_t i = 0; i < signals.size(); ++i) {
    if (signals[i].size() != n_steps) {
      violations.Add(role, " ", Quoted(channels[i].name), " of trace ", trace,
                     " has ", signals[i].size(), " samples, but the trace has ",
                     n_steps,
                     " steps; all signals of a trace have the same length");
    }
    for (size_t k = 0; k < signals[i].size(); ++k) {
      const double value = signals[i][k];
      if (std::isfinite(value) || (nan_allowed && std::isnan(value))) continue;
      violations.Add(role, " ", Quoted(channels[i].name), " of trace ", trace,
                     " is ", ShortestText(value), " at sample ", k, "; ",
                     nan_allowed ? "targets are finite, or NaN where a point "
                                   "is missing"
                                 : "inputs are finite");
      break;
    }
  }
}

size_t EncodedSize(const Dataset& dataset) {
  size_t size = kMagic.size() + 4 * 4;
  for (const auto* channels : {&dataset.inputs, &dataset.outputs}) {
    for (const Channel& channel : *channels) {
      size += kChannelBytes + channel.name.size();
    }
  }
  for (const Trace& trace : dataset.traces) {
    size += kTraceBytes;
    for (const auto& signal : trace.inputs) size += 8 * signal.size();
    for (const auto& signal : trace.targets) size += 8 * signal.size();
  }
  return size;
}

absl::Status Damaged(const std::string& what) {
  return absl::InvalidArgumentError(
      absl::StrCat("these bytes are no encoded dataset: ", what));
}

bool ReadChannels(ByteReader& reader, uint32_t count,
                  std::vector<Channel>& channels) {
  for (uint32_t i = 0; i < count; ++i) {
    Channel channel;
    std::array<double, 7> exponents{};
    if (!reader.Text(kMaxNameBytes, channel.name) || !reader.F64s(exponents)) {
      return false;
    }
    channel.dimension = Dimension(exponents);
    channels.push_back(std::move(channel));
  }
  return true;
}

bool ReadSignals(ByteReader& reader, size_t count, uint64_t n_steps,
                 std::vector<std::vector<double>>& signals) {
  for (size_t i = 0; i < count; ++i) {
    if (n_steps > reader.rest() / 8) return false;
    std::vector<double>& signal = signals.emplace_back(n_steps);
    if (!reader.F64s(signal)) return false;
  }
  return true;
}

}  // namespace

absl::Status ValidateDataset(const Dataset& dataset) {
  Violations violations;
  std::set<std::string> seen;
  CheckChannels("input", dataset.inputs, seen, violations);
  CheckChannels("output", dataset.outputs, seen, violations);
  if (dataset.outputs.empty()) {
    violations.Add("dataset has no output; give at least one target");
  }
  if (dataset.traces.empty()) {
    violations.Add("dataset has no trace; give at least one");
  }
  if (dataset.traces.size() > kMaxTraces) {
    violations.Add("dataset has ", dataset.traces.size(), " traces; at most ",
                   kMaxTraces, " are allowed");
  }
  const size_t size = EncodedSize(dataset);
  if (size > kMaxDatasetBytes) {
    violations.Add("dataset has ", size, " bytes; at most ", kMaxDatasetBytes,
                   " are allowed");
  }
  for (size_t i = 0; i < dataset.traces.size(); ++i) {
    const Trace& trace = dataset.traces[i];
    if (!(trace.dt > 0) || !std::isfinite(trace.dt)) {
      violations.Add("trace ", i, " has the time step ", ShortestText(trace.dt),
                     " second; it must be finite and above 0");
    }
    if (!(trace.weight > 0) || !std::isfinite(trace.weight)) {
      violations.Add("trace ", i, " has the weight ",
                     ShortestText(trace.weight),
                     "; it must be finite and above 0");
    }
    const size_t n_steps = trace.n_steps();
    if (n_steps == 0) {
      violations.Add("trace ", i, " has no samples; give at least one");
    }
    CheckSignals("input", dataset.inputs, trace.inputs, i, n_steps, false,
                 violations);
    CheckSignals("output", dataset.outputs, trace.targets, i, n_steps, true,
                 violations);
  }
  return violations.ToStatus();
}

std::string EncodeDataset(const Dataset& dataset) {
  ByteWriter writer;
  writer.Reserve(EncodedSize(dataset));
  writer.Bytes(kMagic);
  writer.U32(kVersion);
  writer.U32(static_cast<uint32_t>(dataset.inputs.size()));
  writer.U32(static_cast<uint32_t>(dataset.outputs.size()));
  writer.U32(static_cast<uint32_t>(dataset.traces.size()));
  for (const auto* channels : {&dataset.inputs, &dataset.outputs}) {
    for (const Channel& channel : *channels) {
      writer.Text(channel.name);
      // Adding 0 makes -0, which arithmetic on dimensions may leave, into 0.
      for (const double exponent : channel.dimension.exponents()) {
        writer.F64(exponent + 0.0);
      }
    }
  }
  for (const Trace& trace : dataset.traces) {
    writer.F64(trace.dt);
    writer.F64(trace.weight);
    writer.U64(trace.n_steps());
    for (const auto& signal : trace.inputs) writer.F64s(signal);
    for (const auto& signal : trace.targets) {
      for (const double value : signal) {
        writer.F64(std::isnan(value) ? kCanonicalNan : value);
      }
    }
  }
  return writer.Take();
}

absl::StatusOr<Dataset> DecodeDataset(std::string_view bytes) {
  if (bytes.size() > kMaxDatasetBytes) {
    return absl::InvalidArgumentError(
        absl::StrCat("dataset has ", bytes.size(), " bytes; at most ",
                     kMaxDatasetBytes, " are allowed"));
  }
  ByteReader reader(bytes);
  std::string_view magic;
  uint32_t version = 0, n_inputs = 0, n_outputs = 0, n_traces = 0;
  if (!reader.Bytes(kMagic.size(), magic) || magic != kMagic) {
    return Damaged("they do not begin with \"SOMADATA\"");
  }
  if (!reader.U32(version)) return Damaged("they end early");
  if (version != kVersion) {
    return Damaged(absl::StrCat("version ", version, " is unknown; this is ",
                                "version ", kVersion));
  }
  if (!reader.U32(n_inputs) || !reader.U32(n_outputs) ||
      !reader.U32(n_traces)) {
    return Damaged("they end early");
  }
  if (n_inputs > kMaxChannels || n_outputs > kMaxChannels ||
      n_traces > kMaxTraces) {
    return Damaged(absl::StrCat("they announce ", n_inputs, " inputs, ",
                                n_outputs, " outputs and ", n_traces,
                                " traces, which is beyond the limits"));
  }
  Dataset dataset;
  if (!ReadChannels(reader, n_inputs, dataset.inputs) ||
      !ReadChannels(reader, n_outputs, dataset.outputs)) {
    return Damaged("they end in the list of channels");
  }
  for (uint32_t i = 0; i < n_traces; ++i) {
    Trace trace;
    uint64_t n_steps = 0;
    if (!reader.F64(trace.dt) || !reader.F64(trace.weight) ||
        !reader.U64(n_steps) || n_steps == 0 ||
        !ReadSignals(reader, n_inputs, n_steps, trace.inputs) ||
        !ReadSignals(reader, n_outputs, n_steps, trace.targets)) {
      return Damaged(absl::StrCat("trace ", i, " is empty or cut short"));
    }
    dataset.traces.push_back(std::move(trace));
  }
  if (reader.rest() > 0) {
    return Damaged(absl::StrCat(reader.rest(), " bytes follow its end"));
  }
  SOMAFIT_RETURN_IF_ERROR(ValidateDataset(dataset));
  if (EncodeDataset(dataset) != bytes) {
    return Damaged("a number is not in its canonical form");
  }
  return dataset;
}

}  // namespace somafit
