#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include <Eigen/Core>

#include "server/posterior/draw_key.h"
#include "server/posterior/draws.h"
#include "worker/core/base/random.h"

namespace somafit {

// A body in the unit cube that is easy to draw from and lies close around a
// region of which points are known: the part of a box that a union of
// ellipsoids covers, both somewhat wider than the points ask for. Numbers of
// any size are fine: everything is relative to the box. Immutable; thread-safe.
//
// F. Feroz, M. Hobson, M. Bridges (2009), "MultiNest: an efficient and robust
// Bayesian inference tool for cosmology and particle physics", Mon. Not. R.
// Astron. Soc. 398, section 5.
class RegionCover {
 public:
  // Around `points` [n x D], with up to n_ellipsoids shaped like as many
  // clusters of `shape` [m x D]; none where these have no volume, so that the
  // box is all. REQUIRES: D > 0, there are points, n_ellipsoids > 0.
  RegionCover(std::span<const double> points, std::span<const double> shape,
              size_t d, size_t n_ellipsoids);

  size_t size() const { return low_.size(); }  // D
  size_t n_ellipsoids() const { return ellipsoids_.size(); }
  // The least width of the points in any direction of the cube.
  double narrowest() const;
  // Whether `u` lies where the points do, before anything was widened.
  bool InHull(std::span<const double> u) const;

  // Candidate `number` of `key`, uniform on the body, into `u` [D]: a function
  // of both alone. Returns how many points of a simpler body, uniform on it,
  // were tried for it.
  int64_t Draw(DrawKey key, int64_t number, std::span<double> u) const;
  // The volume of that simpler body.
  double tried_volume() const { return tried_volume_; }

 private:
  struct Ellipsoid {
    Eigen::VectorXd centre;
    Eigen::MatrixXd lower;  // |lower^-1 (v - centre)| <= radius
    double radius;
    double volume_to;  // of this and those before, relative to the sum
  };
  // One point of what is tried into `u`: whether it belongs to the body.
  bool Try(RandomStream& random, std::span<double> u) const;
  Eigen::VectorXd Scaled(std::span<const double> u) const;
  static double Distance(const Ellipsoid& ellipsoid, const Eigen::VectorXd& v);
  // How many of the ellipsoids, `wider` times as wide, hold `v`.
  int CountAround(const Eigen::VectorXd& v, double wider) const;

  // The hull of the points, and the box, which is wider.
  std::vector<double> hull_low_, hull_high_, low_, high_;
  std::vector<Ellipsoid> ellipsoids_;  // in coordinates where the hull is 0..1
  double wider_ = 1;                   // what radii are multiplied by
  bool from_box_ = true;               // what is tried
  double tried_volume_ = 0;
};

// Whether each row of u [n x D], in the unit cube, belongs to the region.
using CubePredicate =
    std::function<void(std::span<const double> u, std::span<bool> inside)>;

struct FoundCover {
  RegionCover cover;
  Share acceptance;  // of the cover's candidates by the region
  Share volume;      // of the region
};

// Looks for a cover of a region of which `points` [n x D] are known: draws from
// a cover, and covers what of the region those found beyond it, until hardly
// anything is found there. Takes several ellipsoids where one fits badly, as
// around a curved region or several ones. Draws are those of `key` and parts
// of it. nullopt where the region is too narrow for the cube's numbers, or no
// candidate of any cover belongs to it.
std::optional<FoundCover> FindCover(const CubePredicate& inside,
                                    std::span<const double> points, size_t d,
                                    DrawKey key);

}  // namespace somafit
