/* A library of BLHA2 and of UMAMI that fails at some points, as the macros say: FAULT, and SHARE of the points.
 * Which points they are follows from their momenta, so that they are the same however often it is started.
 */
#include <math.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { NONE, CRASHES, HANGS, EXITS, NOT_A_NUMBER, INFINITE, NEGATIVE, INACCURATE, ERROR_CODE, PRINTS, START_CRASHES, START_FAILS };

#ifndef FAULT
#define FAULT NONE
#endif
#ifndef SHARE
#define SHARE 0.003
#endif
#define LEGS 5

/* A smooth positive function of the momenta of the third and the fifth leg. */
static double value_of(const double *third, const double *fifth) {
  return 1e-3 / (third[0] * fifth[0] - third[1] * fifth[1] - third[2] * fifth[2] - third[3] * fifth[3]);
}

/* The value of a point, and what goes wrong there; a code that is not 0 in `code`. */
static double evaluate(const double *third, const double *fifth, double *accuracy, int *code) {
  const double value = value_of(third, fifth);
  if (FAULT == PRINTS) printf("a library that talks about %g\n", value), fprintf(stderr, "a lot\n");
  if (!(fabs(third[1] * 16) - floor(fabs(third[1] * 16)) < SHARE)) return value;
  switch (FAULT) {
    case CRASHES: raise(SIGSEGV); break;
    case HANGS: fclose(fopen("hanging", "w")); for (;;) pause();
    case EXITS: printf("I have had enough\n"), exit(3);
    case NOT_A_NUMBER: return NAN;
    case INFINITE: return INFINITY;
    case NEGATIVE: return -value;
    case INACCURATE: *accuracy = 0.25; break;
    case ERROR_CODE: *code = 1; break;
    default: break;
  }
  return value;
}

/* ---- BLHA2, without OLP_Order where NO_ORDER is defined. ---- */

#ifndef NO_ORDER
void OLP_Order(const char *order, const char *contract, int *error) {
  FILE *from = fopen(order, "r"), *to = fopen(contract, "w");
  char line[1000];
  while (fgets(line, sizeof line, from)) {
    line[strcspn(line, "\n")] = 0;
    fprintf(to, "%s | %s\n", line, strstr(line, "->") ? "1 7" : "OK");
  }
  fclose(from), fclose(to);
  *error = 1;
}
#endif

void OLP_Start(const char *contract, int *error) {
  if (FAULT == START_CRASHES) raise(SIGABRT);
  if (FAULT == START_FAILS) fprintf(stderr, "no licence\n");
  *error = FAULT != START_FAILS && contract;
}

void OLP_SetParameter(const char *name, const double *real, const double *imaginary, int *error) {
  (void)imaginary;
  *error = !strcmp(name, "alphas") ? *real > 0 : 2;
}

#ifndef FIRST_VERSION
void OLP_EvalSubProcess2(const int *label, const double *momenta, const double *mu, double *result, double *accuracy) {
  int code = 0;
  (void)mu;
  *accuracy = 1e-9;
  if (*label != 7) *accuracy = 1;
  result[0] = evaluate(momenta + 10, momenta + 20, accuracy, &code);
}
#endif

/* ---- UMAMI. ---- */

int umami_get_meta(int key, void *result) {
  if (key == 0) *(int *)result = 0;
  else if (key == 1) *(int *)result = LEGS;
  else return 6;
  return 0;
}

int umami_initialize(void **handle, const char *card) {
  (void)card;
  *handle = NULL;
  return 0;
}

int umami_matrix_element(void *handle, size_t count, size_t stride, size_t offset, size_t input_count, const int *keys,
                         const void *const *inputs, size_t output_count, const int *output_keys, void *const *outputs) {
  const double *momenta = NULL;
  int code = 0;
  (void)handle, (void)output_count, (void)output_keys;
  for (size_t i = 0; i < input_count; ++i)
    if (keys[i] == 0) momenta = inputs[i];
  for (size_t event = offset; event < offset + count; ++event) {
    double third[4], fifth[4], accuracy;
    for (size_t k = 0; k < 4; ++k)
      third[k] = momenta[event + stride * (2 + LEGS * k)], fifth[k] = momenta[event + stride * (4 + LEGS * k)];
    ((double *)outputs[0])[event] = evaluate(third, fifth, &accuracy, &code);
  }
  return code;
}

int umami_free(void *handle) { return handle != NULL; }
