// The nets' mathematics, in double.

#include "server/inference/net.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "server/inference/rational_quadratic.h"
#include "tests/server/inference/random_estimator.h"

namespace somafit {
namespace {

// Numbers of a stream as a tensor of any shape.
at::Tensor NormalNumbers(std::vector<int64_t> shape, uint32_t which,
                         double scale = 1) {
  at::Tensor tensor = at::empty(shape, at::kDouble);
  RandomStream random(9, StreamPurpose::kExample, 1, which);
  for (int64_t i = 0; i < tensor.numel(); ++i) {
    tensor.data_ptr<double>()[i] = scale * random.Normal();
  }
  return tensor;
}

struct DoubleNet {
  DoubleNet(const NetEntry& entry, int64_t d, int64_t c) {
    OptionValues options = DefaultEstimatorSpec(entry.name).options;
    net = entry.make({d, c}, options, layout);
    at::Tensor flat = layout.Initial(2).to(at::kDouble) +
                      NormalNumbers({layout.size()}, 1, 0.2);
    if (layout.Existing().defined()) flat.mul_(layout.Existing());
    w = Weights(layout, flat);
  }
  ParameterLayout layout;
  std::unique_ptr<Net> net;
  Weights w;
};

class NetTest : public testing::TestWithParam<const NetEntry*> {};

TEST_P(NetTest, InvertsItself) {
  for (const int64_t d : {1, 2, 3, 7}) {
    const DoubleNet own(*GetParam(), d, 3);
    const at::Tensor prepared =
        own.net->Prepare(own.w, NormalNumbers({50, 3}, 2));
    const at::Tensor normals = NormalNumbers({50, d}, 3, 1.5);
    const at::Tensor uniforms =
        (NormalNumbers({50, own.net->n_uniforms()}, 4, 0.1) + 0.5)
            .clamp(0, 0.99);
    const Net::Drawn drawn = own.net->Draw(own.w, normals, uniforms, prepared);
    const at::Tensor density = own.net->LogDensity(own.w, drawn.v, prepared);
    EXPECT_LT((density - drawn.log_density).abs().max().item<double>(), 1e-5);
    const at::Tensor back = own.net->ToNormal(own.w, drawn.v, prepared);
    if (!back.defined()) continue;
    EXPECT_LT((back - normals).abs().max().item<double>(), 1e-5);
  }
}

// log q(v) = log N(z) + log |det dz/dv|.
TEST_P(NetTest, HasTheDeterminantOfItsJacobian) {
  for (const int64_t d : {1, 2, 3, 7}) {
    const DoubleNet own(*GetParam(), d, 3);
    const at::Tensor prepared =
        own.net->Prepare(own.w, NormalNumbers({40, 3}, 2));
    at::Tensor v = NormalNumbers({40, d}, 3, 1.5);
    v.set_requires_grad(true);
    const at::Tensor z = own.net->ToNormal(own.w, v, prepared);
    if (!z.defined()) return;  // no flow
    std::vector<at::Tensor> rows;
    for (int64_t i = 0; i < d; ++i) {
      v.mutable_grad() = at::Tensor();
      z.select(1, i).sum().backward({}, /*retain_graph=*/true);
      rows.push_back(v.grad().clone());
    }
    const at::Tensor log_determinant =
        std::get<1>(at::linalg_slogdet(at::stack(rows, 1)));
    const at::Tensor expected =
        StandardNormalLogDensity(z.detach()) + log_determinant;
    const at::Tensor density = own.net->LogDensity(own.w, v, prepared).detach();
    EXPECT_LT((density - expected).abs().max().item<double>(), 1e-8);
  }
}

TEST_P(NetTest, TakesOneContextForAllRows) {
  for (const int64_t d : {1, 3}) {
    const DoubleNet own(*GetParam(), d, 3);
    const at::Tensor context = NormalNumbers({1, 3}, 2);
    const at::Tensor v = NormalNumbers({20, d}, 3);
    const at::Tensor one =
        own.net->LogDensity(own.w, v, own.net->Prepare(own.w, context));
    const at::Tensor many = own.net->LogDensity(
        own.w, v, own.net->Prepare(own.w, context.expand({20, 3})));
    EXPECT_LT((one - many).abs().max().item<double>(), 1e-10);
  }
}

TEST_P(NetTest, HasGradientsOfDifferences) {
  const int64_t d = 3;
  const DoubleNet own(*GetParam(), d, 2);
  const at::Tensor context = NormalNumbers({30, 2}, 2);
  const at::Tensor v = NormalNumbers({30, d}, 3);
  const at::Tensor gradient = at::zeros_like(own.w.flat());
  const auto loss = [&](const Weights& w) {
    return own.net->LogDensity(w, v, own.net->Prepare(w, context)).mean();
  };
  loss(Weights(own.layout, own.w.flat(), gradient)).backward();
  // Along random directions; ReLU's kinks are met by few.
  for (uint32_t k = 0; k < 5; ++k) {
    const at::Tensor direction =
        NormalNumbers({own.layout.size()}, 10 + k, 1e-6);
    const double difference =
        (loss(Weights(own.layout, own.w.flat() + direction)) -
         loss(Weights(own.layout, own.w.flat() - direction)))
            .item<double>();
    // The difference of the whole buffer moves masked weights too: they count
    // in the gradient likewise.
    EXPECT_NEAR(2 * gradient.dot(direction).item<double>() / difference, 1,
                1e-3);
  }
}

INSTANTIATE_TEST_SUITE_P(AllNets, NetTest, testing::ValuesIn(AllNets()),
                         [](const auto& own) {
                           return std::string(own.param->name);
                         });

TEST(RationalQuadraticTest, IsTheIdentityOutsideAndMonotoneInside) {
  const SplineShape shape{10, 3, 1};
  const at::Tensor raw = NormalNumbers({1, 1, 29}, 5, 2).expand({2001, 1, 29});
  const at::Tensor v = at::linspace(-5, 5, 2001, at::kDouble).unsqueeze(1);
  const auto [z, log_slope] = ApplySpline(shape, v, raw);
  const at::Tensor outside = v.abs().gt(3);
  EXPECT_TRUE(at::equal(z.masked_select(outside), v.masked_select(outside)));
  EXPECT_EQ(log_slope.masked_select(outside).abs().max().item<double>(), 0);
  const at::Tensor steps = z.diff(1, 0);
  EXPECT_GT(steps.min().item<double>(), 0);
  // The slope is that of the secant, on the whole.
  const at::Tensor secant = (steps / 0.005).log();
  EXPECT_LT((secant - log_slope.narrow(0, 0, 2000)).abs().mean().item<double>(),
            0.03);
}

}  // namespace
}  // namespace somafit
