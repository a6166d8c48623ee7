/* libampcli: amplitudes that `ampcli export` wrote, for event generators.

   All functions return AMPCLI_OK or an error code, and ampcli_last_error() then says in words what is wrong.  A handle
   may be used by many threads at the same time.  Units are GeV; amplitudes are |M|^2, summed over final and averaged
   over initial spins and colours, with 1/k! for k identical outgoing particles, in GeV^(8 - 2 legs). */
#ifndef AMPCLI_H
#define AMPCLI_H

#include <stdint.h>

#if defined(__GNUC__)
#define AMPCLI_API __attribute__((visibility("default")))
#else
#define AMPCLI_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

#define AMPCLI_VERSION 1 /* of this interface */

/* Codes that functions return. */
enum {
  AMPCLI_OK = 0,
  AMPCLI_BAD_ARGUMENT = 1, /* a null pointer, a negative number of events, an unknown name */
  AMPCLI_BAD_FILE = 2,     /* there is no such file, or it is damaged, or of another format */
  AMPCLI_NO_MEMORY = 3,
  AMPCLI_NO_EXACT = 4      /* the file holds no exact amplitude */
};

/* Flags of an event. */
enum {
  AMPCLI_NOT_PHYSICAL = 1, /* not finite, off shell, or momentum is not conserved: its amplitude is NaN */
  AMPCLI_OUTSIDE = 2,      /* where a surrogate was not trained; its uncertainty may be too small */
  AMPCLI_EXACT = 4         /* the amplitude is exact */
};

typedef struct ampcli_model ampcli_model;

typedef struct {
  const char* name;         /* of the model, or its process; texts and arrays live as long as the handle */
  const char* process;      /* "d d~ > z g g" */
  const char* kind;         /* "exact", or the sort of surrogate */
  const char* digest;       /* identifies the model */
  int32_t legs;             /* incoming and outgoing */
  const int32_t* pdg;       /* PDG codes of the legs, incoming ones first */
  const double* masses;     /* of the legs */
  double sqrt_s;            /* the energy a surrogate was trained at; 0: any */
  double alpha_s;           /* the strong coupling of the amplitudes */
  int32_t alpha_s_power;    /* amplitudes go with alpha_s to this power */
  int32_t has_exact;        /* 1: ampcli_exact works */
  const char* instructions; /* "baseline", "avx2", "avx512", "amx": what this handle computes with */
} ampcli_model_info;

/* Opens a file "model.bundle" of an exported folder. */
AMPCLI_API int ampcli_open(const char* path, ampcli_model** model);

/* The same with a set of instructions of your choice, for numbers that are the same on all machines: "baseline",
   "avx2", "avx512", "amx"; NULL or "" for the best.  With "amx", networks are multiplied by the matrix unit, factors
   to 2^-17. */
AMPCLI_API int ampcli_open_on(const char* path, const char* instructions, ampcli_model** model);

/* The same from memory, which is copied. */
AMPCLI_API int ampcli_open_memory(const void* bundle, uint64_t size, const char* instructions, ampcli_model** model);

AMPCLI_API int ampcli_info(const ampcli_model* model, ampcli_model_info* info);

/* A coupling or mass that the amplitudes were computed with: "alpha_s", "alpha_ew", "m_z", ... */
AMPCLI_API int ampcli_parameter(const ampcli_model* model, const char* name, double* value);

/* Amplitudes of n events.

   momenta      [n][legs][4]: E, px, py, pz; legs as in ampcli_info, incoming ones first with positive energies
   alpha_s      [n], the strong coupling of each event; NULL for that of the model
   amplitude    [n]
   uncertainty  [n], one standard deviation, relative to the amplitude; 0 where it is exact; may be NULL
   flags        [n]; may be NULL */
AMPCLI_API int ampcli_evaluate(ampcli_model* model, int64_t n, const double* momenta, const double* alpha_s,
                               double* amplitude, double* uncertainty, uint32_t* flags);

/* Exact amplitudes, where the file holds one besides a surrogate or is one. */
AMPCLI_API int ampcli_exact(ampcli_model* model, int64_t n, const double* momenta, const double* alpha_s,
                            double* amplitude, uint32_t* flags);

/* Amplitudes, exact ones where the relative uncertainty is above `threshold` or an event lies outside. */
AMPCLI_API int ampcli_evaluate_or_exact(ampcli_model* model, double threshold, int64_t n, const double* momenta,
                                        const double* alpha_s, double* amplitude, double* uncertainty,
                                        uint32_t* flags);

/* Frees a model that no call is using any more; NULL does nothing. */
AMPCLI_API void ampcli_close(ampcli_model* model);

/* What went wrong in this thread's last call that did not return AMPCLI_OK.  Never NULL. */
AMPCLI_API const char* ampcli_last_error(void);

/* The version of the library, such as "0.1.0". */
AMPCLI_API const char* ampcli_version(void);

#ifdef __cplusplus
}
#endif

#endif
