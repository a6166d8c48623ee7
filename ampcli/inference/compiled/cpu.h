// Trained networks on a CPU as a Python module.  baseline.cpp, avx2.cpp and avx512.cpp compile it, each for its
// instruction set: AMPCLI_MODULE is the module's name, AMPCLI_LANES the doubles in a SIMD vector.
#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <stdexcept>
#include <thread>

#include "member.h"

namespace py = pybind11;

namespace AMPCLI_SPACE::surrogate {

using Array = py::array_t<double, py::array::c_style>;

// A member with the bundle that it was opened from.
template <class Products>
class Opened {
 public:
  explicit Opened(const py::bytes& bytes) {
    char* data = nullptr;
    Py_ssize_t size = 0;
    Error error;
    if (PyBytes_AsStringAndSize(bytes.ptr(), &data, &size) != 0) throw py::error_already_set();
    if (!storage_.copy(data, std::size_t(size), error) ||
        !bundle_.open(storage_.data(), storage_.size(), error) || !member_.open(Folder(bundle_, ""), error))
      throw std::invalid_argument(error.text);
  }

  py::tuple predict(const Array& final, int threads) const {
    check(final);
    Array amplitude(final.shape(0)), relative(final.shape(0));
    const double* in = final.data();
    double *to = amplitude.mutable_data(), *errors = relative.mutable_data();
    shared(final.shape(0), threads, [&](long first, long last) {
      auto scratch = member_.scratch();
      member_.predict(in, first, last, to, errors, scratch);
    });
    return py::make_tuple(amplitude, relative);
  }

  py::tuple show(const Array& final, int threads) const {
    check(final);
    py::array_t<float> inputs({long(final.shape(0)), long(member_.inputs())});
    Array terms({long(final.shape(0)), long(member_.terms())});
    const double* in = final.data();
    float* given = inputs.mutable_data();
    double* to = terms.mutable_data();
    shared(final.shape(0), threads, [&](long first, long last) {
      auto scratch = member_.scratch();
      member_.show(in, first, last, given, to, scratch);
    });
    return py::make_tuple(inputs, terms);
  }

 private:
  void check(const Array& final) const {
    if (final.ndim() != 3 || final.shape(1) != member_.legs() - 2 || final.shape(2) != 4)
      throw std::invalid_argument("momenta of another process");
  }

  // Work on whole tiles of n events, shared by threads.
  template <class Work>
  static void shared(long n, int threads, Work work) {
    py::gil_scoped_release released;
    const long tiles = (n + TILE - 1) / TILE, shares = std::max(1L, std::min(long(threads), tiles));
    const auto share = [&](long number) {
      work(tiles * number / shares * TILE, std::min(n, tiles * (number + 1) / shares * TILE));
    };
    std::vector<std::thread> others;
    for (long number = 1; number < shares; ++number) others.emplace_back(share, number);
    share(0);
    for (auto& other : others) other.join();
  }

  Storage storage_;
  Bundle bundle_;
  Member<Products> member_;
};

template <class Products>
void add_member(py::module_& module, const char* name) {
  py::class_<Opened<Products>>(module, name, py::module_local())
      .def(py::init<const py::bytes&>(), py::arg("bundle"))
      .def("predict", &Opened<Products>::predict, py::arg("final").noconvert(), py::arg("threads"))
      .def("show", &Opened<Products>::show, py::arg("final").noconvert(), py::arg("threads"));
}

}  // namespace AMPCLI_SPACE::surrogate

PYBIND11_MODULE(AMPCLI_MODULE, module) {
  module.doc() = "Trained networks from momenta to amplitudes (see member.h)";
  using namespace AMPCLI_SPACE::surrogate;
  add_member<SingleProducts>(module, "Single");
#ifdef AMPCLI_SPLIT_PRODUCTS
  module.def("has_matrix_unit", &AMPCLI_SPACE::has_matrix_unit);
  add_member<SplitProducts>(module, "Split");
#else
  module.def("has_matrix_unit", [] { return false; });
#endif
}
