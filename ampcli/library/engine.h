/* What the library asks of a sort of models.  Each is compiled once for each instruction set, in a namespace of its
   own, and hands out one table; only C types pass, so that no inline code of one set is ever used by another. */
#pragma once

#include <cstddef>
#include <cstdint>

extern "C" {

struct ampcli_engine {
  /* A model from a bundle that outlives it; NULL with a text in `error` (256 bytes) where the bundle holds none. */
  void* (*open)(const void* bundle, std::size_t size, const char* prefix, char* error);
  void (*close)(void* model);

  /* Of its events, incoming and outgoing. */
  int (*legs)(const void* model);

  /* Memory that one evaluation after another works in; NULL where there is none left.  It goes before its model. */
  void* (*make_scratch)(const void* model);
  void (*free_scratch)(void* scratch);

  /* Amplitudes, relative uncertainties (0: exact) and flags of events (events, legs, 4), at the model's alpha_s. */
  void (*evaluate)(const void* model, long events, const double* momenta, double* amplitudes, double* uncertainties,
                   std::uint32_t* flags, void* scratch);
};

}
