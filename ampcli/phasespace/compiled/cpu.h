// Phase space on a CPU as a Python module.  baseline.cpp, avx2.cpp and avx512.cpp compile it, each for its instruction set;
// AMPCLI_MODULE is the module's name.
#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <algorithm>
#include <stdexcept>
#include <vector>

#include "jets.h"

namespace py = pybind11;

namespace ampcli::phasespace {

using Array = py::array_t<double, py::array::c_style>;
using Numbers = py::array_t<long long, py::array::c_style>;

void require(bool good, const char* what) {
  if (!good) throw std::invalid_argument(what);
}

void write(const Momentum& p, int lane, double* to) {
  to[0] = p.e[lane], to[1] = p.x[lane], to[2] = p.y[lane], to[3] = p.z[lane];
}

// Points of the cube (4, legs, n) within the e+e- selection: their rows and their momenta (k, legs, 4).
// d_cut, which the second merging scale exceeds; 0: any.
py::tuple lepton_points(const Array& cube, double sqrt_s, double least_s, double d_cut) {
  require(cube.ndim() == 3 && cube.shape(0) == 4, "a cube of another shape");
  const int legs = int(cube.shape(1));
  const long n = cube.shape(2);
  require(legs >= 3 && legs <= MAX_FINAL && n % LANES == 0, "too many legs, or no multiple of eight events");
  Numbers rows(n);
  Array momenta({n, long(legs), 4L});
  const double* u = cube.data();
  long long* row = rows.mutable_data();
  double* to = momenta.mutable_data();
  long kept = 0;
  {
    py::gil_scoped_release released;
    for (long start = 0; start < n; start += LANES) {
      Momentum p[MAX_FINAL];
      rambo(u + start, n, legs, sqrt_s, p);
      Whole passed = 2.0 * least_product(p, legs) >= real(least_s);
      if (!any(passed)) continue;
      if (d_cut > 0) passed &= second_merging(p, legs) > real(d_cut);
      for (int lane = 0; lane < LANES; ++lane) {
        if (!passed[lane]) continue;
        row[kept] = start + lane;
        for (int leg = 0; leg < legs; ++leg) write(p[leg], lane, to + (kept * legs + leg) * 4);
        ++kept;
      }
    }
  }
  return py::make_tuple(kept, rows, momenta);
}

// A map of random numbers to events of proton collisions within the cuts on jets.
class JetMap {
 public:
  // arrangements: slots of each, as outgoing legs (from 0), and the slot of the balancing leg behind them; one is chosen by
  // the last coordinate, if there are several.  labels: other labels of outgoing legs.  Legs of the flow are external ones;
  // without any of them the guide is 1.  pair: what the last slot decays to, which stands at legs of its own.
  JetMap(int jets, const std::vector<double>& masses, double energy, double pt_min, double eta_max, double delta_r,
         std::vector<std::vector<int>> arrangements, std::vector<std::vector<int>> labels,
         const std::vector<int>& quarks, const std::vector<int>& gluons, const std::vector<int>& others,
         const Pair& pair)
      : arrangements_(std::move(arrangements)), labels_(std::move(labels)) {
    require(!masses.empty() && masses.size() + pair.exists <= MAX_FINAL && jets <= int(masses.size()), "too many legs");
    require(!pair.exists || jets + 1 == int(masses.size()), "a pair is all that is no jet");
    guided_ = !quarks.empty() || !gluons.empty();
    require(!guided_ || (quarks.size() == 0 && gluons.size() >= 3) || quarks.size() == 2, "not one line of quarks");
    require(gluons.size() <= std::size_t(MAX_GLUONS) + quarks.empty() && others.size() <= MAX_FINAL, "too many legs");
    of_.jets = jets, of_.heavy = int(masses.size()) - jets;
    std::copy(masses.begin(), masses.end(), of_.mass);
    of_.energy = energy, of_.pt_min = pt_min, of_.eta_max = eta_max, of_.delta_r = delta_r;
    flow_.quarks = int(quarks.size()), flow_.gluons = int(gluons.size()), flow_.others = int(others.size());
    std::copy(quarks.begin(), quarks.end(), flow_.quark);
    std::copy(gluons.begin(), gluons.end(), flow_.gluon);
    std::copy(others.begin(), others.end(), flow_.other);
    of_.pair = flow_.pair = pair;
    for (const auto& slots : arrangements_) require(slots.size() == masses.size() + 1, "another number of slots");
    for (const auto& legs : labels_) require(int(legs.size()) == of_.legs(), "another number of labels");
    for (int leg : pair.leg) require(!pair.exists || (leg >= 0 && leg < of_.legs()), "no such leg");
    require(!arrangements_.empty() && !labels_.empty(), "no arrangement");
    for (const auto& slots : arrangements_) of_.shared |= slots.back() != of_.slots() - 1;
  }

  int axes() const { return of_.axes() + (arrangements_.size() > 1); }

  // Points (n, axes) of the cube through the grid (axes, BINS + 1), with labels (n,): how many exist, their rows, momenta
  // (n, legs, 4), momentum fractions (n, 2), weights with the grid's Jacobian (n,), H_T / 2 and guides (n,).
  py::tuple events(const Array& cube, const Array& grid, const Numbers& labels) const {
    require(cube.ndim() == 2 && cube.shape(1) == axes(), "a cube of another shape");
    require(grid.ndim() == 2 && grid.shape(0) == axes() && grid.shape(1) == BINS + 1, "a grid of another shape");
    const long n = cube.shape(0);
    const int legs = of_.legs();
    require(labels.ndim() == 1 && labels.shape(0) == n, "labels of other events");
    Numbers rows(n);
    Array momenta({n, long(legs) + 2, 4L}), x({n, 2L}), weight(n), scale(n), guides(n);
    Out out{rows.mutable_data(), momenta.mutable_data(), x.mutable_data(), weight.mutable_data(), scale.mutable_data(),
            guides.mutable_data()};
    const double *u = cube.data(), *edges = grid.data();
    const long long* label = labels.data();
    long kept = 0;
    {
      py::gil_scoped_release released;
      for (long start = 0; start < n; start += LANES) kept = tile(u, edges, label, start, n, out, kept);
    }
    return py::make_tuple(kept, rows, momenta, x, weight, scale, guides);
  }

 private:
  struct Out {
    long long* row;
    double *momenta, *x, *weight, *scale, *guide;
  };

  long tile(const double* u, const double* edges, const long long* label, long start, long n, const Out& out,
            long kept) const {
    const int slots = of_.slots(), legs = of_.legs(), width = axes();
    Coordinates coordinates{};
    coordinates.edges = edges;
    for (int lane = 0; lane < LANES; ++lane) coordinates.u[lane] = u + std::min(start + lane, n - 1) * width;
    Whole which{};
    if (arrangements_.size() > 1) {
      coordinates.axis = width - 1;
      Real share = coordinates.next();
      coordinates.axis = 0;
      for (int lane = 0; lane < LANES; ++lane)
        which[lane] = std::min<long>(long(share[lane] * arrangements_.size()), long(arrangements_.size()) - 1);
    }
    Whole balance, place[MAX_FINAL] = {};
    for (int lane = 0; lane < LANES; ++lane) {
      const auto& arranged = arrangements_[which[lane]];
      const auto& named = labels_[std::size_t(label[std::min(start + lane, n - 1)]) % labels_.size()];
      balance[lane] = arranged[slots];
      for (int slot = 0; slot < slots; ++slot) place[slot][lane] = named[arranged[slot]];
    }
    Slots event = slots_of(of_, coordinates, balance);
    for (int lane = 0; lane < LANES; ++lane)
      if (start + lane >= n) event.exist[lane] = 0;
    if (!any(event.exist)) return kept;
    Momentum p[MAX_FINAL + 2] = {};
    Real first = 0.5 * of_.energy * event.x1, second = 0.5 * of_.energy * event.x2;
    p[0] = {first, Real{}, Real{}, first}, p[1] = {second, Real{}, Real{}, -second};
    for (int slot = 0; slot < slots - of_.pair.exists; ++slot)
      for (int leg = 0; leg < legs; ++leg) {
        Whole here = place[slot] == whole(leg);
        Momentum &to = p[leg + 2], &from = event.p[slot];
        to = {where(here, from.e, to.e), where(here, from.x, to.x), where(here, from.y, to.y), where(here, from.z, to.z)};
      }
    for (int i = 0; of_.pair.exists && i < 2; ++i) p[of_.pair.leg[i] + 2] = event.lepton[i];
    Real like = guided_ ? guide(flow_, p) : real(1.0);
    for (int lane = 0; lane < LANES; ++lane) {
      if (!event.exist[lane]) continue;
      out.row[kept] = start + lane;
      out.x[2 * kept] = event.x1[lane], out.x[2 * kept + 1] = event.x2[lane];
      out.weight[kept] = event.weight[lane], out.scale[kept] = event.scale[lane], out.guide[kept] = like[lane];
      for (int leg = 0; leg < legs + 2; ++leg) write(p[leg], lane, out.momenta + (kept * (legs + 2) + leg) * 4);
      ++kept;
    }
    return kept;
  }

  Jets of_;
  Flow flow_;
  bool guided_ = true;
  std::vector<std::vector<int>> arrangements_, labels_;
};

// Functions of vector.h, for tests: values (n,) with n a multiple of eight.
py::tuple functions(const Array& values) {
  const long n = values.shape(0);
  require(values.ndim() == 1 && n % LANES == 0, "no multiple of eight values");
  Array logarithms(n), exponentials(n), cosines(n), sines(n);
  for (long start = 0; start < n; start += LANES) {
    Real x = load(values.data() + start), c, s, l = logarithm(magnitude(x)), e = exponential(x);
    circle(x, c, s);
    for (int lane = 0; lane < LANES; ++lane) {
      logarithms.mutable_data()[start + lane] = l[lane], exponentials.mutable_data()[start + lane] = e[lane];
      cosines.mutable_data()[start + lane] = c[lane], sines.mutable_data()[start + lane] = s[lane];
    }
  }
  return py::make_tuple(logarithms, exponentials, cosines, sines);
}

}  // namespace ampcli::phasespace

PYBIND11_MODULE(AMPCLI_MODULE, module) {
  using namespace ampcli::phasespace;
  module.doc() = "Phase space (see rambo.h and jets.h)";
  module.def("lepton_points", &lepton_points, py::arg("cube"), py::kw_only(), py::arg("sqrt_s"), py::arg("least_s"),
             py::arg("d_cut"));
  module.def("functions", &functions, py::arg("values"));
  py::class_<Pair>(module, "Pair", py::module_local())
      .def(py::init([](const std::vector<int>& legs, const std::vector<bool>& charged, const std::vector<double>& mass2,
                       const std::vector<double>& cuts, const std::vector<double>& couplings) {
             require(legs.size() == 2 && charged.size() == 2, "not two leptons");
             require(mass2.size() == 3 && cuts.size() == 5 && couplings.size() == 7, "another number of parameters");
             require(mass2[0] >= 0 && mass2[1] > mass2[0] && mass2[0] + mass2[2] > 0, "no range of masses");
             Pair pair;
             pair.exists = true;
             for (int i = 0; i < 2; ++i) pair.leg[i] = legs[i], pair.charged[i] = charged[i];
             pair.least = mass2[0], pair.most = mass2[1], pair.offset = mass2[2];
             pair.pt_min = cuts[0], pair.eta_max = cuts[1], pair.delta_r_ll = cuts[2], pair.delta_r_jl = cuts[3];
             pair.m_min = cuts[4];
             pair.mass = couplings[0], pair.width = couplings[1] / couplings[0], pair.photon = couplings[2];
             for (int i = 0; i < 2; ++i) pair.same[i] = couplings[3 + i], pair.flip[i] = couplings[5 + i];
             return pair;
           }),
           py::kw_only(), py::arg("legs"), py::arg("charged"), py::arg("mass2"), py::arg("cuts"), py::arg("couplings"));
  py::class_<JetMap>(module, "JetMap", py::module_local())
      .def(py::init<int, const std::vector<double>&, double, double, double, double, std::vector<std::vector<int>>,
                    std::vector<std::vector<int>>, const std::vector<int>&, const std::vector<int>&,
                    const std::vector<int>&, const Pair&>(),
           py::kw_only(), py::arg("jets"), py::arg("masses"), py::arg("energy"), py::arg("pt_min"), py::arg("eta_max"),
           py::arg("delta_r"), py::arg("arrangements"), py::arg("labels"), py::arg("quarks"), py::arg("gluons"),
           py::arg("others"), py::arg("pair") = Pair())
      .def_property_readonly("axes", &JetMap::axes)
      .def("events", &JetMap::events, py::arg("cube"), py::arg("grid"), py::arg("labels"));
}
