#include "server/inference/rational_quadratic.h"

#include <array>

namespace somafit {
namespace {

// No bin is narrower or lower, relative to the whole, no slope flatter.
constexpr double kMinBin = 1e-3;
constexpr double kMinSlope = 1e-3;

// The piece that each element lies in, [n x T] each.
struct Piece {
  at::Tensor left, width, bottom, height, slope_left, slope_right;
};

// Bins that tile [-bound, bound]: their lower edges and sizes.
std::array<at::Tensor, 2> Bins(const SplineShape& shape,
                               const at::Tensor& raw) {
  const double k = static_cast<double>(shape.n_bins);
  const at::Tensor share =
      at::softmax(raw * shape.raw_scale, -1) * (1 - k * kMinBin) + kMinBin;
  const at::Tensor size = share * (2 * shape.bound);
  return {size.cumsum(-1).sub(size).sub(shape.bound), size};
}

Piece FindPiece(const SplineShape& shape, const at::Tensor& value,
                const at::Tensor& raw, bool by_height) {
  const int64_t k = shape.n_bins;
  const std::vector<at::Tensor> parts = raw.split_with_sizes({k, k, k - 1}, -1);
  const auto [left, width] = Bins(shape, parts[0]);
  const auto [bottom, height] = Bins(shape, parts[1]);
  // Slope 1 at both ends, where the identity begins.
  const at::Tensor slopes =
      at::constant_pad_nd(at::softplus(parts[2]).add(kMinSlope), {1, 1}, 1);
  const at::Tensor& edges = by_height ? bottom : left;
  at::Tensor bin = value.detach()
                       .unsqueeze(-1)
                       .ge(edges.detach().narrow(-1, 1, k - 1))
                       .sum(-1);
  // One gather for all six.
  const at::Tensor table =
      at::stack({left, width, bottom, height, slopes.narrow(-1, 0, k),
                 slopes.narrow(-1, 1, k)},
                -2);
  std::vector<int64_t> index_shape = bin.sizes().vec();
  index_shape.insert(index_shape.end(), {6, 1});
  const std::vector<at::Tensor> found =
      table.gather(-1, bin.unsqueeze(-1).unsqueeze(-1).expand(index_shape))
          .squeeze(-1)
          .unbind(-1);
  return {found[0], found[1], found[2], found[3], found[4], found[5]};
}

// log d value / d input at the place xi of a piece; `denominator` as below.
at::Tensor LogSlope(const Piece& piece, const at::Tensor& xi,
                    const at::Tensor& rise, const at::Tensor& product,
                    const at::Tensor& denominator) {
  const at::Tensor numerator = piece.slope_right * xi.square() +
                               2 * rise * product +
                               piece.slope_left * (1 - xi).square();
  return at::log(numerator) + 2 * at::log(rise / denominator);
}

// Where the identity holds, the spline is fed a clamped number: its derivative
// stays finite, and where() drops it.
SplineResult KeepOutside(const at::Tensor& input, double bound,
                         const at::Tensor& value, const at::Tensor& log_slope) {
  const at::Tensor inside = input.detach().abs().le(bound);
  return {at::where(inside, value, input),
          at::where(inside, log_slope, at::zeros({}, log_slope.options()))};
}

}  // namespace

SplineResult ApplySpline(const SplineShape& shape, const at::Tensor& v,
                         const at::Tensor& raw) {
  const at::Tensor clamped = v.clamp(-shape.bound, shape.bound);
  const Piece piece = FindPiece(shape, clamped, raw, /*by_height=*/false);
  const at::Tensor xi = (clamped - piece.left) / piece.width;
  const at::Tensor rise = piece.height / piece.width;
  const at::Tensor product = xi * (1 - xi);
  const at::Tensor denominator =
      rise + (piece.slope_left + piece.slope_right - 2 * rise) * product;
  const at::Tensor value =
      piece.bottom + piece.height *
                         (rise * xi.square() + piece.slope_left * product) /
                         denominator;
  return KeepOutside(v, shape.bound, value,
                     LogSlope(piece, xi, rise, product, denominator));
}

SplineResult InvertSpline(const SplineShape& shape, const at::Tensor& z,
                          const at::Tensor& raw) {
  const at::Tensor clamped = z.clamp(-shape.bound, shape.bound);
  const Piece piece = FindPiece(shape, clamped, raw, /*by_height=*/true);
  const at::Tensor rise = piece.height / piece.width;
  const at::Tensor bend = piece.slope_left + piece.slope_right - 2 * rise;
  const at::Tensor eta = clamped - piece.bottom;
  const at::Tensor a = eta * bend + piece.height * (rise - piece.slope_left);
  const at::Tensor b = piece.height * piece.slope_left - eta * bend;
  const at::Tensor c = -rise * eta;
  // The root that stays accurate where a is small.
  const at::Tensor xi =
      (2 * c / (-b - (b.square() - 4 * a * c).clamp_min(0).sqrt())).clamp(0, 1);
  const at::Tensor product = xi * (1 - xi);
  const at::Tensor denominator = rise + bend * product;
  SplineResult result =
      KeepOutside(z, shape.bound, piece.left + xi * piece.width,
                  LogSlope(piece, xi, rise, product, denominator));
  result.log_slope = -result.log_slope;
  return result;
}

}  // namespace somafit
