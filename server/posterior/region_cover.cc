#include "server/posterior/region_cover.h"

#include <algorithm>
#include <cmath>
#include <memory>

#include "server/posterior/cholesky.h"
#include "server/posterior/normal.h"
#include "worker/core/base/check.h"
#include "worker/core/base/elementary.h"
#include "worker/core/base/random.h"

namespace somafit {
namespace {

// What the box is wider than its points, on either side, as far as the cube
// goes.
constexpr double kBoxMargin = 0.1;
// A candidate of which so many tries failed is one outside of everything.
constexpr int64_t kMostTries = 1'000'000;
constexpr int kClusterSteps = 20;

// Of the ball of radius 1 in d dimensions.
double BallVolume(size_t d) {
  constexpr double kPi = 3.14159265358979323846;
  double volume = d % 2 == 0 ? 1 : 2;
  for (size_t k = d % 2 == 0 ? 2 : 3; k <= d; k += 2) {
    volume *= 2 * kPi / static_cast<double>(k);
  }
  return volume;
}

// A plain loop: what draws depend on must not depend on how a library sums.
double SquaredNorm(const Eigen::VectorXd& v) {
  double sum = 0;
  for (Eigen::Index i = 0; i < v.size(); ++i) sum += v[i] * v[i];
  return sum;
}

Eigen::VectorXd MeanOf(const std::vector<Eigen::VectorXd>& points) {
  Eigen::VectorXd sum = Eigen::VectorXd::Zero(points[0].size());
  for (const Eigen::VectorXd& one : points) sum += one;
  return sum / static_cast<double>(points.size());
}

std::optional<Eigen::MatrixXd> ShapeOf(
    const std::vector<Eigen::VectorXd>& points, const Eigen::VectorXd& mean) {
  const Eigen::Index d = mean.size();
  // Fewer points span no volume, and few tell little of it.
  if (static_cast<Eigen::Index>(points.size()) < 2 * d + 2) return std::nullopt;
  Eigen::MatrixXd covariance = Eigen::MatrixXd::Zero(d, d);
  for (const Eigen::VectorXd& one : points) {
    for (Eigen::Index i = 0; i < d; ++i) {
      for (Eigen::Index k = 0; k <= i; ++k) {
        covariance(i, k) += (one[i] - mean[i]) * (one[k] - mean[k]);
      }
    }
  }
  return Cholesky(covariance / static_cast<double>(points.size()));
}

size_t Nearest(const Eigen::VectorXd& point,
               const std::vector<Eigen::VectorXd>& centres) {
  size_t nearest = 0;
  double least = 0;
  for (size_t k = 0; k < centres.size(); ++k) {
    const double square = SquaredNorm(point - centres[k]);
    if (k == 0 || square < least) {
      nearest = k;
      least = square;
    }
  }
  return nearest;
}

// Lloyd's k-means of `points` in coordinates in which they are round. Each
// centre starts where points are far from those before.
std::vector<std::vector<Eigen::VectorXd>> Clusters(
    const std::vector<Eigen::VectorXd>& points, size_t n) {
  const Eigen::VectorXd mean = MeanOf(points);
  const auto lower = ShapeOf(points, mean);
  if (n == 1 || !lower) return {points};
  std::vector<Eigen::VectorXd> round, centres;
  for (const Eigen::VectorXd& one : points) {
    round.push_back(SolveLower(*lower, one - mean));
  }
  // The first is far from the middle.
  std::vector<Eigen::VectorXd> far_from = {Eigen::VectorXd::Zero(mean.size())};
  for (size_t k = 0; k < n; ++k) {
    double furthest = -1;
    Eigen::VectorXd next;
    for (const Eigen::VectorXd& one : round) {
      const double square = SquaredNorm(one - far_from[Nearest(one, far_from)]);
      if (square > furthest) {
        furthest = square;
        next = one;
      }
    }
    centres.push_back(next);
    far_from = centres;
  }
  std::vector<size_t> cluster(points.size());
  for (int step = 0; step < kClusterSteps; ++step) {
    std::vector<Eigen::VectorXd> sums(centres.size(),
                                      Eigen::VectorXd::Zero(mean.size()));
    std::vector<double> counts(centres.size());
    for (size_t i = 0; i < round.size(); ++i) {
      cluster[i] = Nearest(round[i], centres);
      sums[cluster[i]] += round[i];
      ++counts[cluster[i]];
    }
    for (size_t k = 0; k < centres.size(); ++k) {
      if (counts[k] > 0) centres[k] = sums[k] / counts[k];
    }
  }
  std::vector<std::vector<Eigen::VectorXd>> clusters(centres.size());
  for (size_t i = 0; i < points.size(); ++i) {
    clusters[cluster[i]].push_back(points[i]);
  }
  return clusters;
}

}  // namespace

Eigen::VectorXd RegionCover::Scaled(std::span<const double> u) const {
  Eigen::VectorXd v(u.size());
  for (size_t i = 0; i < u.size(); ++i) {
    const double width = hull_high_[i] - hull_low_[i];
    v[i] = width > 0 ? (u[i] - hull_low_[i]) / width : 0;
  }
  return v;
}

double RegionCover::Distance(const Ellipsoid& ellipsoid,
                             const Eigen::VectorXd& v) {
  return std::sqrt(
      SquaredNorm(SolveLower(ellipsoid.lower, v - ellipsoid.centre)));
}

int RegionCover::CountAround(const Eigen::VectorXd& v, double wider) const {
  int count = 0;
  for (const Ellipsoid& one : ellipsoids_) {
    count += Distance(one, v) <= wider * one.radius;
  }
  return count;
}

RegionCover::RegionCover(std::span<const double> points,
                         std::span<const double> shape, size_t d,
                         size_t n_ellipsoids) {
  SOMAFIT_CHECK(d > 0 && !points.empty() && points.size() % d == 0);
  SOMAFIT_CHECK(shape.size() % d == 0 && n_ellipsoids > 0);
  hull_low_.assign(points.begin(), points.begin() + std::ptrdiff_t(d));
  hull_high_ = hull_low_;
  for (size_t i = 0; i < points.size(); ++i) {
    hull_low_[i % d] = std::min(hull_low_[i % d], points[i]);
    hull_high_[i % d] = std::max(hull_high_[i % d], points[i]);
  }
  double box = 1, hull = 1;
  for (size_t i = 0; i < d; ++i) {
    const double width = hull_high_[i] - hull_low_[i];
    low_.push_back(std::max(hull_low_[i] - kBoxMargin * width, 0.0));
    high_.push_back(std::min(hull_high_[i] + kBoxMargin * width, 1.0));
    box *= high_[i] - low_[i];
    hull *= width;
  }
  tried_volume_ = box;
  if (shape.empty() || !(hull > 0)) return;
  std::vector<Eigen::VectorXd> scaled;
  for (size_t i = 0; i < shape.size(); i += d) {
    scaled.push_back(Scaled(shape.subspan(i, d)));
  }
  for (const auto& cluster : Clusters(scaled, n_ellipsoids)) {
    if (cluster.empty()) continue;
    Ellipsoid one{MeanOf(cluster), {}, 0, 0};
    if (auto lower = ShapeOf(cluster, one.centre)) {
      one.lower = *std::move(lower);
      ellipsoids_.push_back(std::move(one));
    }
  }
  if (ellipsoids_.empty()) return;
  for (size_t i = 0; i < points.size(); i += d) {
    const Eigen::VectorXd v = Scaled(points.subspan(i, d));
    Ellipsoid* nearest = nullptr;
    double least = 0;
    for (Ellipsoid& one : ellipsoids_) {
      const double distance = Distance(one, v);
      if (nearest == nullptr || distance < least) {
        nearest = &one;
        least = distance;
      }
    }
    nearest->radius = std::max(nearest->radius, least);
  }
  std::erase_if(ellipsoids_,
                [](const Ellipsoid& one) { return !(one.radius > 0); });
  if (ellipsoids_.empty()) return;
  // The volume grows by about the same factor whatever the dimension.
  wider_ = 1 + 0.5 / static_cast<double>(d);
  const double ball = BallVolume(d);
  double sum = 0;
  for (Ellipsoid& one : ellipsoids_) {
    double volume = ball;
    for (size_t i = 0; i < d; ++i) {
      volume *= wider_ * one.radius * one.lower(i, i);
    }
    sum += volume;
    one.volume_to = sum;
  }
  for (Ellipsoid& one : ellipsoids_) one.volume_to /= sum;
  from_box_ = box <= sum * hull;
  tried_volume_ = std::min(box, sum * hull);
}

double RegionCover::narrowest() const {
  double width = 1;
  for (size_t i = 0; i < size(); ++i) {
    width = std::min(width, hull_high_[i] - hull_low_[i]);
  }
  return width;
}

bool RegionCover::InHull(std::span<const double> u) const {
  for (size_t i = 0; i < size(); ++i) {
    if (u[i] < hull_low_[i] || u[i] > hull_high_[i]) return false;
  }
  return ellipsoids_.empty() || CountAround(Scaled(u), 1) > 0;
}

bool RegionCover::Try(RandomStream& random, std::span<double> u) const {
  const size_t d = size();
  if (from_box_) {
    for (size_t i = 0; i < d; ++i) {
      u[i] = low_[i] + OpenUniform(random) * (high_[i] - low_[i]);
    }
    return ellipsoids_.empty() || CountAround(Scaled(u), wider_) > 0;
  }
  const double pick = OpenUniform(random);
  size_t k = 0;
  while (k + 1 < ellipsoids_.size() && ellipsoids_[k].volume_to < pick) ++k;
  const Ellipsoid& ellipsoid = ellipsoids_[k];
  Eigen::VectorXd z(d);
  for (size_t i = 0; i < d; ++i) z[i] = StandardNormal(random);
  z *= wider_ * ellipsoid.radius *
       Exp(Log(OpenUniform(random)) / static_cast<double>(d)) /
       std::sqrt(SquaredNorm(z));
  Eigen::VectorXd v = ellipsoid.centre;
  bool in_box = true;
  for (size_t i = 0; i < d; ++i) {
    for (size_t j = 0; j <= i; ++j) v[i] += ellipsoid.lower(i, j) * z[j];
    u[i] = hull_low_[i] + v[i] * (hull_high_[i] - hull_low_[i]);
    in_box = in_box && u[i] >= low_[i] && u[i] <= high_[i];
  }
  if (!in_box) return false;
  // What several ellipsoids hold would come several times as often.
  const int count = CountAround(v, wider_);
  return count == 1 || (count > 1 && OpenUniform(random) * count < 1);
}

int64_t RegionCover::Draw(DrawKey key, int64_t number,
                          std::span<double> u) const {
  RandomStream random(key.seed, StreamPurpose::kPrior, key.purpose,
                      static_cast<uint32_t>(number));
  int64_t tries = 1;
  while (!Try(random, u) && tries < kMostTries) ++tries;
  return tries;
}

namespace {

// Candidates that show how good a cover is: so many, or until enough of them
// belong to the region.
constexpr int64_t kPilotDraws = 20'000;
constexpr int64_t kPilotHits = 2000;
constexpr int64_t kPilotBatch = 1000;
constexpr int kMostPilots = 8;
// What may lie beyond the hull of the points before, which the cover exceeds.
constexpr double kBeyond = 0.02;
// With this much accepted, no better cover is looked for.
constexpr double kGoodAcceptance = 0.1;
constexpr size_t kMostEllipsoids = 16;
// Points of which a cluster's shape is taken, at most.
constexpr size_t kShapePoints = 10'000;
// Numbers near 1 lie 1e-16 apart: what is narrower has too few of them.
constexpr double kLeastWidth = 1e-11;

struct Pilot {
  std::vector<double> hits;  // [n x D]
  int64_t candidates = 0, tries = 0, beyond = 0;
};

Pilot TryCover(const RegionCover& cover, const CubePredicate& inside,
               DrawKey key) {
  const size_t d = cover.size();
  Pilot pilot;
  while (pilot.candidates < kPilotDraws &&
         static_cast<int64_t>(pilot.hits.size() / d) < kPilotHits) {
    std::vector<double> u(kPilotBatch * d);
    for (int64_t i = 0; i < kPilotBatch; ++i) {
      pilot.tries +=
          cover.Draw(key, pilot.candidates + i, std::span(u).subspan(i * d, d));
      // Hopeless: all but nothing of the box or the ellipsoids is covered.
      if (pilot.tries > kMostTries) return pilot;
    }
    const auto hit = std::make_unique<bool[]>(kPilotBatch);
    inside(u, {hit.get(), static_cast<size_t>(kPilotBatch)});
    for (int64_t i = 0; i < kPilotBatch; ++i) {
      if (!hit[i]) continue;
      const auto row = std::span(u).subspan(i * d, d);
      pilot.hits.insert(pilot.hits.end(), row.begin(), row.end());
      pilot.beyond += !cover.InHull(row);
    }
    pilot.candidates += kPilotBatch;
  }
  return pilot;
}

// With up to n ellipsoids. What is found of the region is added to `points`,
// so that the next cover goes around it.
std::optional<FoundCover> FindCoverOf(size_t n, const CubePredicate& inside,
                                      std::vector<double>& points, size_t d,
                                      DrawKey key) {
  std::optional<FoundCover> found;
  std::vector<double> shape(
      points.begin(), points.begin() + std::ptrdiff_t(std::min(
                                           points.size(), kShapePoints * d)));
  for (int i = 0; i < kMostPilots; ++i) {
    RegionCover cover(points, shape, d, n);
    Pilot pilot =
        TryCover(cover, inside, PartOf(key, static_cast<uint32_t>(i)));
    const auto hits = static_cast<int64_t>(pilot.hits.size() / d);
    if (hits == 0) break;
    Share volume = ShareOf(hits, pilot.tries);
    volume.value *= cover.tried_volume();
    volume.error *= cover.tried_volume();
    found = {std::move(cover), ShareOf(hits, pilot.candidates), volume};
    if (static_cast<double>(pilot.beyond) <=
        kBeyond * static_cast<double>(hits)) {
      break;
    }
    points.insert(points.end(), pilot.hits.begin(), pilot.hits.end());
    // These are uniform on what was covered of the region; the first points may
    // lie anywhere in it.
    if (hits >= static_cast<int64_t>(50 * n * d)) shape = std::move(pilot.hits);
  }
  return found;
}

}  // namespace

std::optional<FoundCover> FindCover(const CubePredicate& inside,
                                    std::span<const double> points, size_t d,
                                    DrawKey key) {
  if (points.empty()) return std::nullopt;
  const RegionCover box(points, {}, d, 1);
  if (box.narrowest() < kLeastWidth) return std::nullopt;
  std::vector<double> known(points.begin(), points.end());
  std::optional<FoundCover> best;
  for (size_t n = 1; n <= kMostEllipsoids; n *= 2) {
    auto found =
        FindCoverOf(n, inside, known, d, PartOf(key, static_cast<uint32_t>(n)));
    if (found && (!best || found->acceptance.value > best->acceptance.value)) {
      best = std::move(found);
    }
    if (best && best->acceptance.value >= kGoodAcceptance) break;
  }
  return best;
}

}  // namespace somafit
