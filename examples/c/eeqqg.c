/* A one-loop provider of the Binoth Les Houches accord, version 2 (arXiv:1308.3462): two charged leptons, a massless
 * quark, its antiquark and a gluon, by photon and Z, at one loop in QCD; any two of the five come in.
 *
 *     cc -O2 -shared -fPIC eeqqg.c -o libeeqqg.so -lm
 *     ampcli gen "e- e+ > u u~ g" loop.zarr --points 10k --provider olp:./libeeqqg.so:finite
 *
 * Amplitudes: Bern, Dixon, Kosower, Nucl. Phys. B513 (1998) 3 (hep-ph/9708239), appendix IV, in the four-dimensional
 * helicity scheme.  Here they are renormalised in the MS-bar scheme with five massless flavours, and turned into
 * conventional dimensional regularisation (Kunszt, Signer, Trocsanyi, hep-ph/9305239).  Loops of massive quarks are not
 * there: the triangle of top and bottom to which the axial part of the Z couples is left out.
 */
#include <complex.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

typedef double complex cdouble;

enum { LEGS = 5, COLOURS = 3, FLAVOURS = 5, MOST_PROCESSES = 100 };
enum { QUARK, GLUON, ANTIQUARK, ANTILEPTON, LEPTON };  /* the five, all of them outgoing */

static const double PI = 3.14159265358979323846;

/* Couplings, masses and widths in GeV; OLP_SetParameter changes them. */
static struct { const char *name; double value; } parameters[] = {
    {"alphas", 0.118}, {"alpha", 1 / 132.507}, {"sw2", 0.22224648578577777}, {"mass(23)", 91.188}, {"width(23)", 2.441404}};
enum { ALPHA_S, ALPHA, SW2, M_Z, GAMMA_Z, PARAMETERS };

/* A subprocess: which leg of the caller each of the five is, and the quark's charge and weak isospin. */
typedef struct {
  int leg[LEGS], incoming[LEGS];
  int loop, gluon_comes_in, quarks_come_in;
  double charge, isospin;
} subprocess;
static subprocess processes[MOST_PROCESSES];
static int started;

/* c2/eps^2 + c1/eps + c0 */
typedef struct { cdouble c2, c1, c0; } series;

/* ---- Functions of ratios x/y, where x and y are -s - i0. ---------------------------------------------------------- */

static cdouble log_ratio(double x, double y) { return log(fabs(x / y)) - I * PI * ((x < 0) - (y < 0)); }

static double dilogarithm(double x) { /* real, for x <= 1 */
  if (x < -1) return -PI * PI / 6 - 0.5 * log(-x) * log(-x) - dilogarithm(1 / x);
  if (x < 0) return -dilogarithm(x / (x - 1)) - 0.5 * log1p(-x) * log1p(-x);
  if (x == 1) return PI * PI / 6;
  if (x > 0.5) return PI * PI / 6 - log(x) * log1p(-x) - dilogarithm(1 - x);
  double sum = 0, power = x;
  for (int k = 1; k < 60; ++k, power *= x) sum += power / ((double)k * k);
  return sum;
}

static cdouble dilogarithm_of_1_minus(double x, double y) { /* Li2(1 - x/y) */
  const double r = x / y;
  if (r >= 0) return dilogarithm(1 - r);
  return PI * PI / 6 - log1p(-r) * log_ratio(x, y) - dilogarithm(r);
}

static cdouble box(double x1, double y1, double x2, double y2) { /* Ls_-1 */
  return dilogarithm_of_1_minus(x1, y1) + dilogarithm_of_1_minus(x2, y2) + log_ratio(x1, y1) * log_ratio(x2, y2) -
         PI * PI / 6;
}

static cdouble l0(double x, double y) { /* ln(r) / (1 - r) */
  const double d = (y - x) / y;
  return fabs(d) < 1e-9 ? -1 - d / 2 : log_ratio(x, y) / d;
}

static cdouble l1(double x, double y) { /* (l0 + 1) / (1 - r) */
  const double d = (y - x) / y;
  if (fabs(d) > 0.05) return (l0(x, y) + 1) / d;
  double sum = 0, power = 1;
  for (int k = 2; k < 16; ++k, power *= d) sum -= power / k;
  return sum;
}

/* ---- Amplitudes with a right-handed quark, gluon and lepton line, over i g^3 and couplings. -------------------------- */

typedef struct { cdouble a[LEGS][LEGS], b[LEGS][LEGS]; double s[LEGS][LEGS]; } products; /* <ij>, [ij], s_ij */

#define ANGLE(i, j) (p->a[i][j])
#define SQUARE(i, j) (p->b[i][j])
#define SANDWICH(i, j, k, l) (ANGLE(i, j) * SQUARE(j, l) + ANGLE(i, k) * SQUARE(k, l)) /* <i| j + k |l] */

static cdouble tree(const products *p, int q, int g, int qb, int lb, int l) { /* (IV.1) */
  const double s = p->s[q][g] + p->s[g][qb] + p->s[q][qb];
  return -ANGLE(qb, lb) * SANDWICH(qb, q, g, l) / (ANGLE(q, g) * ANGLE(g, qb) * s);
}

static series leading(const products *p, double mu2, int q, int g, int qb, int lb, int l) { /* (IV.2) to (IV.5) */
  const double s = p->s[q][g] + p->s[g][qb] + p->s[q][qb], s12 = p->s[q][g], s23 = p->s[g][qb];
  const cdouble born = tree(p, q, g, qb, lb, l), l12 = log_ratio(mu2, -s12), l23 = log_ratio(mu2, -s23);
  const cdouble ends = ANGLE(q, g) * ANGLE(g, qb), turned = SANDWICH(lb, g, qb, q);
  const cdouble vector = SANDWICH(qb, q, g, l) / (ends * s) *
                         (ANGLE(qb, lb) * box(-s12, -s, -s23, -s) + 2 * ANGLE(qb, q) * turned * l0(-s23, -s) / s);
  const cdouble scalar = -ANGLE(qb, lb) * ANGLE(qb, q) * SQUARE(q, l) / ends * l0(-s23, -s) / s +
                         0.5 * ANGLE(qb, q) * ANGLE(qb, q) * SQUARE(q, l) * turned / ends * l1(-s23, -s) / (s * s);
  const series found = {-2 * born, (-l12 - l23 - 1.5) * born,
                        (-0.5 * (l12 * l12 + l23 * l23) - 1.5 * l23 - 3) * born + vector + scalar};
  return found;
}

static series subleading(const products *p, double mu2, int q, int qb, int g, int lb, int l) { /* (IV.6) to (IV.10) */
  const double s12 = p->s[q][qb], s13 = p->s[q][g], s23 = p->s[qb][g], s = s12 + s13 + s23;
  const cdouble a13 = ANGLE(q, g), b13 = SQUARE(q, g), from2 = SANDWICH(qb, q, g, l), from1 = SANDWICH(q, qb, g, l);
  const cdouble born = ANGLE(qb, lb) * from2 / (ANGLE(qb, g) * ANGLE(g, q) * s);
  const cdouble l12 = log_ratio(mu2, -s12), l45 = log_ratio(mu2, -s), box23 = box(-s12, -s, -s23, -s);
  const cdouble vector = -ANGLE(qb, lb) * from2 / (ANGLE(qb, g) * ANGLE(g, q) * s) * box(-s12, -s, -s13, -s) +
                         from2 * (ANGLE(q, qb) * ANGLE(g, lb) - ANGLE(q, lb) * ANGLE(qb, g)) /
                             (ANGLE(qb, g) * a13 * a13 * s) * box23 +
                         2 * b13 * ANGLE(q, lb) * from2 / (a13 * s) * l0(-s23, -s) / s;
  const cdouble scalar =
      ANGLE(q, lb) * ANGLE(qb, g) * from1 / (a13 * a13 * a13 * s) * box23 +
      0.5 * ANGLE(lb, q) * b13 * b13 * ANGLE(qb, g) * from1 / (a13 * s) * l1(-s, -s23) / (s23 * s23) +
      ANGLE(q, lb) * ANGLE(qb, g) * SQUARE(g, q) * from1 / (a13 * a13 * s) * l0(-s, -s23) / s23 -
      ANGLE(qb, q) * b13 * ANGLE(lb, g) * SQUARE(g, l) / a13 * l1(-s, -s12) / (s12 * s12) -
      ANGLE(qb, q) * b13 * ANGLE(g, lb) * from1 / (a13 * a13 * s) * l0(-s, -s12) / s12 +
      0.5 * SANDWICH(lb, q, qb, g) * (b13 * SQUARE(qb, l) + SQUARE(qb, g) * SQUARE(q, l)) /
          (SQUARE(q, qb) * SQUARE(qb, g) * a13 * s);
  const series found = {-born, (-l12 - 1.5) * born, (-0.5 * l12 * l12 - 1.5 * l45 - 3.5) * born + vector + scalar};
  return found;
}

/* Adds |tree|^2, and Re(tree* loop) of each order in eps, times a factor. */
static void add(double factor, const products *p, double mu2, int q, int g, int qb, int lb, int l, double sums[4]) {
  const cdouble born = tree(p, q, g, qb, lb, l);
  const series planar = leading(p, mu2, q, g, qb, lb, l), other = subleading(p, mu2, q, qb, g, lb, l);
  const double n2 = COLOURS * COLOURS;
  sums[0] += factor * creal(conj(born) * (planar.c2 + other.c2 / n2));
  sums[1] += factor * creal(conj(born) * (planar.c1 + other.c1 / n2));
  sums[2] += factor * creal(conj(born) * (planar.c0 + other.c0 / n2));
  sums[3] += factor * creal(conj(born) * born);
}

/* ---- From momenta to |M|^2. --------------------------------------------------------------------------------------- */

/* Spinors of massless momenta; of incoming ones with the energy and momentum reversed.  The axis is a rotated one: a
 * momentum that runs against it has no spinor. */
static void spinor_products(const subprocess *process, const double *momenta, int turn, products *p, products *parity) {
  cdouble up[LEGS], down[LEGS];
  double k[LEGS][4];
  for (int i = 0; i < LEGS; ++i) {
    const double *from = momenta + 5 * process->leg[i], sign = process->incoming[i] ? -1 : 1;
    k[i][0] = sign * sqrt(from[1] * from[1] + from[2] * from[2] + from[3] * from[3]);
    for (int c = 0; c < 3; ++c) k[i][1 + c] = sign * from[1 + (c + turn) % 3];
    up[i] = csqrt(k[i][0] + k[i][1]);
    down[i] = (k[i][2] + I * k[i][3]) / up[i];
  }
  for (int i = 0; i < LEGS; ++i)
    for (int j = 0; j < LEGS; ++j) {
      p->s[i][j] = 2 * (k[i][0] * k[j][0] - k[i][1] * k[j][1] - k[i][2] * k[j][2] - k[i][3] * k[j][3]);
      p->a[i][j] = up[i] * down[j] - down[i] * up[j];
      p->b[i][j] = i == j ? 0 : p->s[i][j] / -p->a[i][j];
    }
  memcpy(parity->s, p->s, sizeof p->s);
  memcpy(parity->a, p->b, sizeof p->a);
  memcpy(parity->b, p->a, sizeof p->b);
}

/* Coupling of one chirality to the Z in units of e. */
static double to_z(double charge, double isospin, int right) {
  const double sw2 = parameters[SW2].value;
  return (right ? -charge * sw2 : isospin - charge * sw2) / sqrt(sw2 * (1 - sw2));
}

/* 1/eps^2, 1/eps, finite part, Born; with a turned axis, to see how many digits are right. */
static void evaluate(const subprocess *process, const double *momenta, double mu, int turn, double result[4]) {
  products right, left;
  spinor_products(process, momenta, turn, &right, &left);
  const double m = parameters[M_Z].value, s = right.s[LEPTON][ANTILEPTON];
  const cdouble z = s / (s - m * m + I * m * parameters[GAMMA_Z].value);
  double sums[4] = {0, 0, 0, 0};
  for (int quark = 0; quark < 2; ++quark)
    for (int lepton = 0; lepton < 2; ++lepton) {
      const cdouble exchanged = -process->charge + to_z(process->charge, process->isospin, quark) *
                                                       to_z(-1, -0.5, lepton) * z;
      const double factor = creal(exchanged * conj(exchanged));
      const products *same = quark ? &right : &left, *other = quark ? &left : &right;
      const int lb = quark == lepton ? ANTILEPTON : LEPTON, l = quark == lepton ? LEPTON : ANTILEPTON;
      add(factor, same, mu * mu, QUARK, GLUON, ANTIQUARK, lb, l, sums);   /* both helicities of the gluon */
      add(factor, other, mu * mu, ANTIQUARK, GLUON, QUARK, l, lb, sums);
    }
  const double n = COLOURS, c_f = (n * n - 1) / (2 * n), g2 = 4 * PI * parameters[ALPHA_S].value;
  const double e2 = 4 * PI * parameters[ALPHA].value, loop = parameters[ALPHA_S].value / (2 * PI);
  const double colours = (process->gluon_comes_in ? n * n - 1 : 1) * pow(n, process->quarks_come_in);
  const double common = 4 * (n * n - 1) * e2 * e2 * g2 / (4 * colours), born = common * sums[3];
  result[0] = loop * n * common * sums[0];
  result[1] = loop * (n * common * sums[1] - (11 * n - 2 * FLAVOURS) / 6 * born); /* renormalised */
  result[2] = loop * (n * common * sums[2] - c_f * born); /* N/6 to MS-bar, -C_F - N/6 to CDR */
  result[3] = born;
}

/* ---- The accord. --------------------------------------------------------------------------------------------------- */

/* "11 -11 -> 2 -2 21"; 0: a process that is not among ours. */
static int read_process(const char *text, subprocess *found) {
  int codes[LEGS], taken = 0, read;
  memset(found, 0, sizeof *found);
  for (int i = 0; i < LEGS; ++i) {
    if (i == 2 && (sscanf(text, " %*[-]>%n", &taken), text += taken, !taken)) return 0;
    if (sscanf(text, "%d%n", &codes[i], &read) != 1) return 0;
    text += read;
  }
  if (sscanf(text, "%d", &read) == 1) return 0;
  int seen = 0, flavour = 0, lepton = 0, balance = 0;
  for (int i = 0; i < LEGS; ++i) {
    const int code = i < 2 ? -codes[i] : codes[i], size = abs(code); /* all outgoing; gluons are their own */
    int which;
    if (size == 21) which = GLUON;
    else if (size >= 1 && size <= 5) which = code > 0 ? QUARK : ANTIQUARK;
    else if (size == 11 || size == 13 || size == 15) which = code > 0 ? LEPTON : ANTILEPTON;
    else return 0;
    seen |= 1 << which;
    found->leg[which] = i, found->incoming[which] = i < 2;
    if (which == GLUON) found->gluon_comes_in = i < 2;
    else balance += code;
    if (which == QUARK) flavour = size;
    if (which == LEPTON) lepton = size;
    found->quarks_come_in += i < 2 && size <= 5;
  }
  if (seen != (1 << LEGS) - 1 || balance || !flavour || !lepton) return 0;
  const int up = flavour % 2 == 0;
  found->charge = up ? 2.0 / 3 : -1.0 / 3, found->isospin = up ? 0.5 : -0.5;
  return 1;
}

/* Settings of an order that we know; NULL, or what is wrong. */
static const char *fault(const char *name, const char *value) {
  if (!strcasecmp(name, "InterfaceVersion")) return strcasecmp(value, "BLHA2") ? "BLHA2 is all there is" : NULL;
  if (!strcasecmp(name, "CorrectionType")) return strcasecmp(value, "QCD") ? "QCD is all there is" : NULL;
  if (!strcasecmp(name, "IRregularisation")) return strcasecmp(value, "CDR") ? "CDR is all there is" : NULL;
  if (!strcasecmp(name, "AmplitudeType"))
    return strcasecmp(value, "Loop") && strcasecmp(value, "Tree") ? "Loop and Tree are all there is" : NULL;
  if (!strcasecmp(name, "Model") || !strcasecmp(name, "CouplingPower")) return NULL;
  return "unknown";
}

/* Reads an order, and writes its answers where there is a file for them; 0: something is not to be had. */
static int read_order(const char *path, FILE *answers) {
  FILE *order = fopen(path, "r");
  char line[1000], name[100], value[100];
  int good = order != NULL, label = 0, loop = 1;
  while (order && fgets(line, sizeof line, order)) {
    line[strcspn(line, "#|\r\n")] = 0;
    if (sscanf(line, "%99s %99s", name, value) < 2) continue;
    const char *wrong = NULL;
    if (strstr(line, "->")) {
      if (label == MOST_PROCESSES || !read_process(line, &processes[label])) wrong = "no such process";
      else processes[label++].loop = loop;
      if (answers && !wrong) fprintf(answers, "%s | 1 %d\n", line, label);
    } else {
      wrong = fault(name, value);
      if (!strcasecmp(name, "AmplitudeType")) loop = !strcasecmp(value, "Loop");
      if (answers && !wrong) fprintf(answers, "%s | OK\n", line);
    }
    if (answers && wrong) fprintf(answers, "%s | Error: %s\n", line, wrong);
    good = good && !wrong;
  }
  if (order) fclose(order);
  started = good ? label : 0;
  return good;
}

void OLP_Order(const char *order, const char *contract, int *error) {
  FILE *answers = fopen(contract, "w");
  *error = answers && read_order(order, answers);
  if (answers) fclose(answers);
}

void OLP_Start(const char *contract, int *error) { *error = read_order(contract, NULL); }

void OLP_SetParameter(const char *name, const double *real, const double *imaginary, int *error) {
  *error = 2; /* nothing depends on it */
  for (int i = 0; i < PARAMETERS; ++i)
    if (!strcasecmp(name, parameters[i].name)) {
      *error = isfinite(*real) && *real >= 0 && *imaginary == 0;
      if (*error) parameters[i].value = *real;
    }
}

void OLP_Info(char name[15], char version[15], char message[255]) {
  strcpy(name, "eeqqg"), strcpy(version, "1"), strcpy(message, "Bern, Dixon, Kosower, Nucl. Phys. B513 (1998) 3");
}

/* The accuracy is the relative change of the finite part when the event is turned. */
void OLP_EvalSubProcess2(const int *label, const double *momenta, const double *mu, double *result, double *accuracy) {
  double once[4], again[4];
  *accuracy = -1, result[0] = NAN;
  if (*label < 1 || *label > started) return;
  const subprocess *process = &processes[*label - 1];
  evaluate(process, momenta, *mu, 0, once);
  evaluate(process, momenta, *mu, 1, again);
  const int shown = process->loop ? 2 : 3;
  *accuracy = fabs(once[shown] / again[shown] - 1);
  if (process->loop) memcpy(result, once, sizeof once);
  else result[0] = once[3];
}
