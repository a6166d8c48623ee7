// The features of `ampcli.features.radiation` on the CPU, event by event: the same definitions as the batched ones
// there, without a pass through memory for each operation.
#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <stdexcept>
#include <thread>
#include <utility>
#include <vector>

namespace py = pybind11;

namespace {

constexpr int MAX_LEGS = 16;
constexpr double TINY = 1e-300;
constexpr double KERNEL_FLOOR = 1e-2;
constexpr double C_A = 3.0, C_F = 4.0 / 3.0;

using Vector = std::array<double, 4>;  // E, px, py, pz
using Event = std::array<Vector, MAX_LEGS>;
using Products = std::array<std::array<double, MAX_LEGS>, MAX_LEGS>;

struct Choices {
    bool initial, either, printed_kernel, delta_r, s_ijk, extended, orient;
    double coupling;  // 4 pi alpha_s
};

// One emission of a process: what there is to undo.
struct Step {
    int legs, last_gluon, rank;  // rank from 0
    std::vector<std::pair<int, int>> candidates;
    std::vector<int> jets;
    std::vector<bool> massive, gluon;
};

struct Undone {
    int i, j, k, merged;
    double first, second, kernel;
};

double squared(double x) { return x * x; }
double dot3(const Vector& a, const Vector& b) { return a[1] * b[1] + a[2] * b[2] + a[3] * b[3]; }
double pt(const Vector& p) { return std::sqrt(squared(p[1]) + squared(p[2])); }

// p_a.p_b of massless momenta, without the cancellation at small angles.
double massless_product(const Vector& a, const Vector& b) {
    const double energies = a[0] * b[0], cosine = dot3(a, b);
    if (cosine <= 0) return energies - cosine;
    const double cross = squared(a[2] * b[3] - a[3] * b[2]) + squared(a[3] * b[1] - a[1] * b[3]) +
                         squared(a[1] * b[2] - a[2] * b[1]);
    return cross / (energies + cosine);
}

void fill_products(const Event& p, const Step& step, Products& found) {
    for (int a = 0; a < step.legs; ++a) {
        found[a][a] = step.massive[a] ? p[a][0] * p[a][0] - dot3(p[a], p[a]) : 0.0;
        for (int b = 0; b < a; ++b) {
            const bool massive = step.massive[a] || step.massive[b];
            found[a][b] = found[b][a] =
                massive ? p[a][0] * p[b][0] - dot3(p[a], p[b]) : massless_product(p[a], p[b]);
        }
    }
}

// Candidates from the most to the least singular.
void rank(const Event& p, const Products& found, const Step& step, const Choices& choices, std::vector<int>& order,
          std::vector<double>& distance) {
    const int n = static_cast<int>(step.candidates.size());
    std::array<double, MAX_LEGS> rapidity{}, azimuth{};
    const bool delta_r = choices.delta_r && !choices.initial;
    if (delta_r) {
        for (int leg : step.jets) {
            rapidity[leg] = std::asinh(p[leg][3] / std::max(pt(p[leg]), TINY));
            azimuth[leg] = std::atan2(p[leg][2], p[leg][1]);
        }
    }
    order.resize(n);
    distance.resize(n);
    for (int c = 0; c < n; ++c) {
        const auto [a, b] = step.candidates[c];
        order[c] = c;
        if (delta_r) {
            double apart = std::abs(azimuth[a] - azimuth[b]);
            apart = std::min(apart, 2 * M_PI - apart);
            distance[c] = squared(rapidity[a] - rapidity[b]) + squared(apart);
        } else {
            distance[c] = found[a][b];
        }
    }
    std::stable_sort(order.begin(), order.end(), [&](int a, int b) { return distance[a] < distance[b]; });
}

double final_kernel(bool gluon, bool printed, double y, double z) {
    if (gluon) {
        const double soft = 1 / (1 - z * (1 - y)) + 1 / (1 - (1 - z) * (1 - y));
        return 2 * C_A * (soft - 2 + (printed ? 0.0 : z * (1 - z)));
    }
    return C_F * (2 / (1 - z * (1 - y)) - (printed ? 1 - z : 1 + z));
}

double initial_kernel(bool gluon, bool printed, double x, double u) {
    const double value = gluon ? 2 * C_A * (1 / (1 - x + u) + (printed ? 0.0 : (1 - x) / x) - 1 + x * (1 - x))
                               : (printed ? 2 : 1) * C_F * (2 / (1 - x + u) - (1 + x));
    return std::max(value, KERNEL_FLOOR);
}

// Undo the emission of a pair, in place: `p` becomes the reduced event.
Undone undo(Event& p, const Products& found, const Step& step, const Choices& choices, std::pair<int, int> pair) {
    auto [i, j] = pair;
    if (step.gluon[i] && !choices.initial) {  // of two gluons, the harder one emits
        const bool swap = choices.delta_r ? pt(p[j]) > pt(p[i]) : p[j][0] > p[i][0];
        if (swap) std::swap(i, j);
    }
    int k = -1;
    double best = -INFINITY;
    for (int leg : step.jets) {
        if (leg == i || leg == j) continue;
        const double preference = choices.s_ijk ? found[i][leg] + found[j][leg] : p[leg][0];
        if (preference > best) best = preference, k = leg;
    }
    if (k < 0) k = step.jets.front();  // momenta that are no numbers: the result is none either
    const bool gluon = step.gluon[i];
    const double pij = found[i][j], pik = found[i][k], pjk = found[j][k];
    Undone result{i, j, k, 0, 0.0, 0.0, 0.0};
    Vector emitter, spectator;
    if (choices.initial) {
        const double x = (pik + pij - pjk) / (pik + pij), u = pij / (pij + pik);
        result.first = x, result.second = u;
        result.kernel = initial_kernel(gluon, choices.printed_kernel, x, u) / (x * pij);
        for (int c = 0; c < 4; ++c) {
            emitter[c] = x * p[i][c];
            spectator[c] = p[k][c] + p[j][c] - (1 - x) * p[i][c];
        }
    } else {
        const double y = pij / (pij + pjk + pik), z = pik / (pik + pjk), factor = 1 / (1 - y);
        result.first = y, result.second = z;
        result.kernel = final_kernel(gluon, choices.printed_kernel, y, z) / pij;
        for (int c = 0; c < 4; ++c) {
            emitter[c] = p[i][c] + p[j][c] - y * factor * p[k][c];
            spectator[c] = factor * p[k][c];
        }
    }
    result.kernel *= choices.coupling;
    p[i] = emitter;
    p[k] = spectator;
    // The emitted gluon's place is taken by the last gluon, whose place goes.
    p[j] = p[step.last_gluon];
    for (int leg = step.last_gluon; leg + 1 < step.legs; ++leg) p[leg] = p[leg + 1];
    result.merged = i == step.last_gluon ? j : i;
    if (result.merged > step.last_gluon) --result.merged;
    return result;
}

using Space = std::array<double, 3>;

double dot(const Space& a, const Space& b) { return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]; }

Space unit(const Space& v) {
    const double norm = std::max(std::sqrt(dot(v, v)), TINY);
    return {v[0] / norm, v[1] / norm, v[2] / norm};
}

// Of the block named in Python by its process and radiation.
class Radiation {
  public:
    Radiation(std::vector<Step> steps, std::vector<std::vector<int>> groups, Choices choices)
        : steps_(std::move(steps)), groups_(std::move(groups)), choices_(choices) {
        if (steps_.empty() || steps_[0].legs > MAX_LEGS) throw std::invalid_argument("too many legs");
        legs_ = steps_[0].legs;
        const int n_steps = static_cast<int>(steps_.size()), outgoing = legs_ - 2;
        const int invariants = legs_ * (legs_ - 1) / 2;
        columns_ = choices_.extended
                       ? invariants + outgoing * (outgoing - 1) / 2 + 1 + 2 * n_steps + (choices_.initial ? 0 : 4)
                       : invariants + 8 + 2 * n_steps;
        columns_ += choices_.either;
    }

    py::tuple compute(py::array_t<double, py::array::c_style> final, int threads) const {
        if (final.ndim() != 3 || final.shape(1) != legs_ - 2 || final.shape(2) != 4)
            throw std::invalid_argument("momenta of another process");
        const py::ssize_t n = final.shape(0), s = static_cast<py::ssize_t>(steps_.size()), left = legs_ - s;
        py::array_t<double> legs({n, 3 * s}), variables({n, 2 * s}), kernel(n), reduced({n, left, py::ssize_t(4)}),
            inputs({n, py::ssize_t(columns_)});
        const double* in = final.data();
        double *to_legs = legs.mutable_data(), *to_variables = variables.mutable_data(),
               *to_kernel = kernel.mutable_data(), *to_reduced = reduced.mutable_data(),
               *to_inputs = inputs.mutable_data();
        {
            py::gil_scoped_release release;
            const auto work = [&](py::ssize_t begin, py::ssize_t end) {
                std::vector<int> order;
                std::vector<double> distance;
                for (py::ssize_t e = begin; e < end; ++e)
                    event(in + e * (legs_ - 2) * 4, to_legs + e * 3 * s, to_variables + e * 2 * s, to_kernel + e,
                          to_reduced + e * left * 4, to_inputs + e * columns_, order, distance);
            };
            const py::ssize_t shares = std::max<py::ssize_t>(1, std::min<py::ssize_t>(threads, n / 256));
            std::vector<std::thread> others;
            for (py::ssize_t t = 1; t < shares; ++t) others.emplace_back(work, n * t / shares, n * (t + 1) / shares);
            work(0, n / shares);
            for (auto& other : others) other.join();
        }
        return py::make_tuple(legs, variables, kernel, reduced, inputs);
    }

  private:
    void event(const double* final, double* to_legs, double* to_variables, double* to_kernel, double* to_reduced,
               double* to_inputs, std::vector<int>& order, std::vector<double>& distance) const {
        Event p;
        double energy = 0, pz = 0;
        for (int leg = 2; leg < legs_; ++leg) {
            const double* from = final + (leg - 2) * 4;
            p[leg] = {from[0], from[1], from[2], from[3]};
            energy += from[0];
            pz += from[3];
        }
        const double plus = 0.5 * (energy + pz), minus = 0.5 * (energy - pz);
        p[0] = {plus, 0, 0, plus};
        p[1] = {minus, 0, 0, -minus};
        Products found;
        fill_products(p, steps_[0], found);
        rank(p, found, steps_[0], choices_, order, distance);
        Event reduced = p;
        const Undone first = undo(reduced, found, steps_[0], choices_, steps_[0].candidates[order[steps_[0].rank]]);
        const std::vector<int> ranked = choices_.extended ? std::vector<int>() : order;
        double kernel = write_step(first, 0, to_legs, to_variables);
        if (steps_.size() == 2) {
            // The second emission shares the reduced particle of the first.
            Products again;
            fill_products(reduced, steps_[1], again);
            rank(reduced, again, steps_[1], choices_, order, distance);
            const auto shares = [&](int c) {
                return steps_[1].candidates[c].first == first.merged || steps_[1].candidates[c].second == first.merged;
            };
            const auto chosen = std::find_if(order.begin(), order.end(), shares);
            const int c = chosen == order.end() ? order.front() : *chosen;
            kernel *= write_step(undo(reduced, again, steps_[1], choices_, steps_[1].candidates[c]), 1, to_legs,
                                 to_variables);
        }
        *to_kernel = kernel;
        const int left = legs_ - static_cast<int>(steps_.size());
        for (int leg = 0; leg < left; ++leg) std::copy(reduced[leg].begin(), reduced[leg].end(), to_reduced + 4 * leg);
        if (choices_.extended)
            extended_inputs(p, found, first, to_variables, kernel, to_inputs);
        else
            paper_inputs(p, found, first, ranked, to_variables, to_inputs);
        if (choices_.either) to_inputs[columns_ - 1] = steps_[0].gluon[first.i] ? 1 : 0;
    }

    static double write_step(const Undone& step, int number, double* to_legs, double* to_variables) {
        to_legs[3 * number] = step.i, to_legs[3 * number + 1] = step.j, to_legs[3 * number + 2] = step.k;
        to_variables[2 * number] = step.first, to_variables[2 * number + 1] = step.second;
        return step.kernel;
    }

    using Order = std::array<int, MAX_LEGS>;

    // Legs sorted by a key within each group of exchangeable ones, the beams exchanged where that is a symmetry.
    Order sorted(const std::array<double, MAX_LEGS>& key, const Products& found, const Undone& step) const {
        Order legs;
        for (int leg = 0; leg < legs_; ++leg) legs[leg] = leg;
        for (const auto& group : groups_) {
            std::vector<int> members = group;
            std::stable_sort(members.begin(), members.end(), [&](int a, int b) { return key[a] < key[b]; });
            for (std::size_t place = 0; place < group.size(); ++place) legs[group[place]] = members[place];
        }
        if (choices_.orient) {
            const bool swap = choices_.initial
                                  ? step.i == 1
                                  : found[step.i][1] + found[step.j][1] < found[step.i][0] + found[step.j][0];
            legs[0] = swap ? 1 : 0;
            legs[1] = swap ? 0 : 1;
        }
        return legs;
    }

    double* log_invariants(const Products& found, const Order& legs, double* to) const {
        for (int a = 0; a < legs_; ++a)
            for (int b = a + 1; b < legs_; ++b) *to++ = std::log(found[legs[a]][legs[b]]);
        return to;
    }

    void paper_inputs(const Event& p, const Products& found, const Undone& step, const std::vector<int>& order,
                      const double* variables, double* to) const {
        std::array<double, MAX_LEGS> seen;
        seen.fill(1e6);
        const auto& candidates = steps_[0].candidates;
        for (std::size_t place = 0; place < order.size(); ++place) {
            const double rank = static_cast<int>(place) == steps_[0].rank ? -1.0 : static_cast<double>(place);
            const auto [a, b] = candidates[order[place]];
            seen[a] = std::min(seen[a], 2 * rank);
            seen[b] = std::min(seen[b], 2 * rank + 1);
        }
        seen[step.i] = -2, seen[step.j] = -1;
        to = log_invariants(found, sorted(seen, found, step), to);
        to = std::copy(p[step.i].begin(), p[step.i].end(), to);
        to = std::copy(p[step.j].begin(), p[step.j].end(), to);
        std::copy(variables, variables + 2 * steps_.size(), to);
    }

    void extended_inputs(const Event& p, const Products& found, const Undone& step, const double* variables,
                         double kernel, double* to) const {
        std::array<double, MAX_LEGS> key;
        for (int leg = 0; leg < legs_; ++leg) key[leg] = -pt(p[leg]);
        key[step.k] = -1e9, key[step.j] = -2e9, key[step.i] = -3e9;
        const Order legs = sorted(key, found, step);
        to = log_invariants(found, legs, to);
        std::array<std::array<double, 2>, MAX_LEGS> across;
        for (int place = 2; place < legs_; ++place) {
            const Vector& q = p[legs[place]];
            const double size = std::max(pt(q), TINY);
            across[place] = {q[1] / size, q[2] / size};
        }
        for (int a = 2; a < legs_; ++a)
            for (int b = a + 1; b < legs_; ++b) *to++ = across[a][0] * across[b][0] + across[a][1] * across[b][1];
        if (!choices_.initial) to = splitting_azimuths(p, step, legs[0], to);
        const int n = static_cast<int>(steps_.size());
        for (int s = 0; s < n; ++s) {
            const double v = variables[2 * s];
            *to++ = std::log(choices_.initial ? std::max(1 - v, 1e-12) : std::max(v, 1e-30));
        }
        for (int s = 0; s < n; ++s) {
            const double v = variables[2 * s + 1];
            *to++ = std::log(choices_.initial ? std::max(v, 1e-12) : std::max(v * (1 - v), 1e-30));
        }
        *to = std::log(kernel);
    }

    // cos phi and cos 2 phi of the splitting plane against beam and spectator, at rest.
    static double* splitting_azimuths(const Event& p, const Undone& step, int beam, double* to) {
        const double beta = (p[0][3] + p[1][3]) / (p[0][0] + p[1][0]), gamma = 1 / std::sqrt(1 - beta * beta);
        const auto at_rest = [&](int leg) {
            return Space{p[leg][1], p[leg][2], gamma * (p[leg][3] - beta * p[leg][0])};
        };
        const Space emitter = at_rest(step.i), emitted = at_rest(step.j);
        const Space axis = unit({emitter[0] + emitted[0], emitter[1] + emitted[1], emitter[2] + emitted[2]});
        const auto across = [&](const Space& v) {
            const double along = dot(v, axis);
            return unit({v[0] - along * axis[0], v[1] - along * axis[1], v[2] - along * axis[2]});
        };
        const Space one = unit(emitter), other = unit(emitted);
        const Space plane = across({one[0] - other[0], one[1] - other[1], one[2] - other[2]});
        const double to_beam = dot(plane, across(unit(at_rest(beam))));
        const double to_spectator = dot(plane, across(unit(at_rest(step.k))));
        *to++ = to_beam;
        *to++ = to_spectator;
        *to++ = 2 * to_beam * to_beam - 1;
        *to++ = 2 * to_spectator * to_spectator - 1;
        return to;
    }

    std::vector<Step> steps_;
    std::vector<std::vector<int>> groups_;
    Choices choices_;
    int legs_, columns_;
};

}  // namespace

PYBIND11_MODULE(_radiation, module) {
    module.doc() = "Features of radiations on the CPU";
    py::class_<Choices>(module, "Choices")
        .def(py::init([](bool initial, bool either, bool printed_kernel, bool delta_r, bool s_ijk, bool extended,
                         bool orient, double coupling) {
                 return Choices{initial, either, printed_kernel, delta_r, s_ijk, extended, orient, coupling};
             }),
             py::kw_only(), py::arg("initial"), py::arg("either"), py::arg("printed_kernel"), py::arg("delta_r"),
             py::arg("s_ijk"), py::arg("extended"), py::arg("orient"), py::arg("coupling"));
    py::class_<Step>(module, "Step")
        .def(py::init([](int legs, int last_gluon, int rank, std::vector<std::pair<int, int>> candidates,
                         std::vector<int> jets, std::vector<bool> massive, std::vector<bool> gluon) {
                 return Step{legs, last_gluon, rank, std::move(candidates), std::move(jets), std::move(massive),
                             std::move(gluon)};
             }),
             py::kw_only(), py::arg("legs"), py::arg("last_gluon"), py::arg("rank"), py::arg("candidates"),
             py::arg("jets"), py::arg("massive"), py::arg("gluon"));
    py::class_<Radiation>(module, "Radiation")
        .def(py::init<std::vector<Step>, std::vector<std::vector<int>>, Choices>())
        .def("compute", &Radiation::compute, py::arg("final"), py::arg("threads"));
}
