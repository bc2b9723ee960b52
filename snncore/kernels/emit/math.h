// What a kernel needs of the C library. Its headers would take half of every compilation.
typedef __INT32_TYPE__ int32_t;
typedef __INT64_TYPE__ int64_t;
typedef __UINT32_TYPE__ uint32_t;
typedef __UINT64_TYPE__ uint64_t;
typedef __SIZE_TYPE__ size_t;
extern "C" void* aligned_alloc(size_t, size_t) noexcept;
extern "C" void free(void*) noexcept;
#define INFINITY __builtin_inff()
#define NAN __builtin_nanf("")

// Branch-free forms: one libm call or one branch would scalarise the whole step. No form uses a
// fused multiply-add, so that every processor and every lane gives the same bits.
// float: all. double: exp, expm1, log, log1p, sigmoid, tanh and what has an instruction;
// the others are libm's, and a float64 kernel that uses them is not vectorised.
SNN_INLINE uint32_t snn_bits(float x) { uint32_t i; __builtin_memcpy(&i, &x, 4); return i; }
SNN_INLINE uint64_t snn_bits(double x) { uint64_t i; __builtin_memcpy(&i, &x, 8); return i; }
SNN_INLINE float snn_real(uint32_t i) { float x; __builtin_memcpy(&x, &i, 4); return x; }
SNN_INLINE double snn_real(uint64_t i) { double x; __builtin_memcpy(&x, &i, 8); return x; }

// c[0] + c[1] x + ... ; unrolled, since a loop in a loop is not vectorised.
template <typename R> SNN_INLINE R snn_poly(R, R c) { return c; }
template <typename R, typename... Rest> SNN_INLINE R snn_poly(R x, R c, Rest... rest) {
  return snn_poly(x, (R)rest...) * x + c;
}

#define SNN_LIBRARY(name, function)                                       \
  SNN_INLINE float name(float x) { return __builtin_##function##f(x); } \
  SNN_INLINE double name(double x) { return __builtin_##function(x); }
SNN_LIBRARY(snn_abs, fabs)
SNN_LIBRARY(snn_sqrt, sqrt)
SNN_LIBRARY(snn_floor, floor)
SNN_LIBRARY(snn_ceil, ceil)
SNN_LIBRARY(snn_trunc, trunc)
SNN_LIBRARY(snn_round, nearbyint)
SNN_INLINE float snn_copysign(float x, float sign) { return __builtin_copysignf(x, sign); }
SNN_INLINE double snn_copysign(double x, double sign) { return __builtin_copysign(x, sign); }

// exp underflows to 0 at `least` and overflows at `most`; below `tiny`, expm1(x) = log1p(x) = x
template <typename R> struct snn_range;
template <> struct snn_range<float> {
  static constexpr float least = -104.0f, most = 89.0f, tiny = 5.9e-8f;
  static constexpr float normal = 1.17549435e-38f;
  static constexpr float ln2_hi = 0.693359375f, ln2_lo = -2.12194440e-4f;
};
template <> struct snn_range<double> {
  static constexpr double least = -746.0, most = 710.0, tiny = 1.1e-16;
  static constexpr double normal = 2.2250738585072014e-308;
  static constexpr double ln2_hi = 0.6931471803691238, ln2_lo = 1.9082149292705877e-10;
};

// 2^n for whole n within the exponents of normal numbers
SNN_INLINE float snn_power2(float n) { return snn_real((uint32_t)((int32_t)n + 127) << 23); }
SNN_INLINE double snn_power2(double n) {
  // 1.5 * 2^52 leaves n in the low bits; there is no vector conversion to int64 before AVX-512.
  return snn_real((snn_bits(n + 6755399441055744.0) + 1023) << 52);
}

// (exp(r) - 1 - r) / r^2 for |r| <= ln2 / 2
SNN_INLINE float snn_exp_poly(float r) {
  return snn_poly(
      r, 0.5000000047f, 0.1666666682f, 0.04166634848f, 8.333271283e-3f, 1.394166743e-3f,
      1.991529851e-4f);
}
SNN_INLINE double snn_exp_poly(double r) {
  return snn_poly(
      r, 0.5, 1.0 / 6, 1.0 / 24, 1.0 / 120, 1.0 / 720, 1.0 / 5040, 1.0 / 40320, 1.0 / 362880,
      1.0 / 3628800, 1.0 / 39916800, 1.0 / 479001600, 1.0 / 6227020800.0);
}

// x = n ln2 + r; returns exp(r') - 1 - r for the r' that is r before rounding.
template <typename R> SNN_INLINE R snn_exp_rest(R x, R n, R& r) {
  const R a = x - n * snn_range<R>::ln2_hi, b = n * snn_range<R>::ln2_lo;
  r = a - b;
  return snn_exp_poly(r) * (r * r) + ((a - r) - b);
}

template <typename R> SNN_INLINE R snn_exp(R x) {
  const R least = snn_range<R>::least, most = snn_range<R>::most;
  const R c = x < least ? least : (x > most ? most : x);
  const R n = snn_round(c * (R)1.4426950408889634);
  // 2^n in two factors so that denormals are right.
  const R h = snn_floor(n * (R)0.5);
  R r;
  const R rest = snn_exp_rest(c, n, r);
  // one + (what the sum with 1 lost) is 1 + r without an error
  const R one = (R)1 + r;
  return (one + ((((R)1 - one) + r) + rest)) * snn_power2(h) * snn_power2(n - h);
}

template <typename R> SNN_INLINE R snn_expm1(R x) {
  const R most = snn_range<R>::most, c = x < (R)-60 ? (R)-60 : (x > most ? most : x);
  const R n = snn_round(c * (R)1.4426950408889634);
  const R half = snn_power2(n - (R)1);
  R r;
  const R rest = snn_exp_rest(c, n, r);
  const R y = ((rest + r) * half + (half - (R)0.5)) * (R)2;
  return snn_abs(x) < snn_range<R>::tiny ? x : y;
}

template <typename R> SNN_INLINE R snn_sigmoid(R x) {
  // exp of what is not positive: the far left must be small, not zero.
  const R e = snn_exp(-snn_abs(x));
  const R sum = (R)1 + e, lost = e - (sum - (R)1);
  const R y = (x < 0 ? e : (R)1) / sum;
  return y - y * lost;
}

// x = m 2^k with m in [sqrt(1/2), sqrt(2)); x > 0 and normal
SNN_INLINE float snn_split(float x, float& k) {
  const uint32_t i = snn_bits(x) - 0x3f3504f3u + (127u << 23);
  k = (float)((int32_t)(i >> 23) - 127);
  return snn_real(snn_bits(x) - (i & 0xff800000u) + (127u << 23));
}
SNN_INLINE double snn_split(double x, double& k) {
  const uint64_t one = (uint64_t)1023 << 52;
  const uint64_t i = snn_bits(x) - (uint64_t)0x3fe6a09e667f3bcd + one;
  k = snn_real((i >> 52) | (uint64_t)0x4330000000000000) - (4503599627370496.0 + 1023.0);
  return snn_real(snn_bits(x) - (i & (uint64_t)0xfff0000000000000) + one);
}

// log(1 + f) - f + f^2 / 2 for 1 + f in [sqrt(1/2), sqrt(2))
SNN_INLINE float snn_log_rest(float f) {
  const float p = snn_poly(
      f, 0.333333114f, -0.2499998493f, 0.2000218806f, -0.1666933131f, 0.1421915434f,
      -0.1238289416f, 0.1186951663f, -0.1179926341f, 0.06933241489f);
  return p * f * (f * f);
}
SNN_INLINE double snn_log_rest(double f) {
  // with s = f / (2 + f) the series of log(1 + f) = 2 atanh(s) has only odd powers
  const double s = f / (2.0 + f), z = s * s;
  const double p = snn_poly(
      z, 0.666666666666669893, 0.399999999996119058, 0.285714287038612676, 0.222222021401019896,
      0.18183394128573698, 0.153180977790265359, 0.147579681884460266);
  return s * (0.5 * f * f + p * z);
}

template <typename R> SNN_INLINE R snn_log_sum(R f, R k) {
  const R lo = snn_log_rest(f) + k * snn_range<R>::ln2_lo;
  return k * snn_range<R>::ln2_hi + (f - ((R)0.5 * f * f - lo));
}

template <typename R> SNN_INLINE R snn_log_ends(R x, R y) {
  y = x < (R)INFINITY ? y : x;
  return x > 0 ? y : (x == 0 ? -(R)INFINITY : (R)NAN);
}

template <typename R> SNN_INLINE R snn_log(R x) {
  const bool small = x < snn_range<R>::normal;
  R k;
  const R m = snn_split(small ? x * (R)18014398509481984.0 : x, k);
  return snn_log_ends(x, snn_log_sum(m - (R)1, small ? k - (R)54 : k));
}

template <typename R> SNN_INLINE R snn_log1p(R x) {
  // u + c is 1 + x without an error
  const R u = (R)1 + x, b = u - (R)1;
  const R c = ((R)1 - (u - b)) + (x - b);
  R k;
  const R m = snn_split(u, k);
  const R f = (m - (R)1) + c * snn_power2(k > (R)120 ? (R)-120 : -k);
  const R y = snn_log_ends(u, snn_log_sum(f, k));
  return snn_abs(x) < snn_range<R>::tiny ? x : y;
}

// (tanh(a) / a - 1) / a^2 at s = a^2, for a <= 0.625
SNN_INLINE float snn_tanh_poly(float s) {
  return snn_poly(
      s, -0.3333333099f, 0.1333321222f, -0.05394745858f, 0.02170416064f, -8.185275872e-3f,
      2.149679369e-3f);
}
SNN_INLINE double snn_tanh_poly(double s) {
  return snn_poly(
      s, -0.333333333333329174, 0.133333333332681578, -0.0539682539334501936, 0.021869487616222955,
      -0.00886322143398732459, 0.00359199206884201714, -0.00145497135337646684,
      0.000586351003668995869, -0.000228623094621693529, 0.0000772008819813173558,
      -0.0000160957986268852227);
}
template <typename R> SNN_INLINE R snn_tanh(R x) {
  const R a = snn_abs(x), s = a * a;
  // exp alone would lose all digits near 0
  const R far = (R)1 - (R)2 / (snn_exp((R)2 * a) + (R)1);
  return snn_copysign(a < (R)0.625 ? snn_tanh_poly(s) * s * a + a : far, x);
}

// sin(x + shift pi / 2). In double the rest of x is exact enough up to |x| = 4e8; beyond, the error
// grows with |x| 2^-53.
SNN_INLINE float snn_wave(float x, double shift) {
  const double d = x, n = snn_round(d * 0.6366197723675814);
  // the first part of pi / 2 has 25 bits: n times it is exact
  double r = (d - n * 1.5707963109016418) - n * 1.5893254773528196e-8;
  r = r > 0.79 ? 0.79 : (r < -0.79 ? -0.79 : r);
  const double turn = n + shift;
  const float q = (float)(turn - 4.0 * snn_floor(turn * 0.25));
  const float f = (float)r, s = f * f;
  const float near = f + f * s * snn_poly(s, -0.1666665493f, 8.332176264e-3f, -1.951694884e-4f);
  const float top = (1.0f - 0.5f * s) +
      s * s * snn_poly(s, 0.041666647f, -1.388737174e-3f, 2.443874949e-5f);
  const float y = (q == 1.0f) | (q == 3.0f) ? top : near;
  return q >= 2.0f ? -y : y;
}
SNN_INLINE float snn_sin(float x) { return x == 0.0f ? x : snn_wave(x, 0.0); }
SNN_INLINE float snn_cos(float x) { return snn_wave(x, 1.0); }
SNN_INLINE double snn_sin(double x) { return __builtin_sin(x); }
SNN_INLINE double snn_cos(double x) { return __builtin_cos(x); }

SNN_INLINE float snn_atan(float x) {
  const float a = snn_abs(x);
  const float t = a > 1.0f ? 1.0f / a : a, s = t * t;
  const float p = snn_poly(
      s, -0.3333330283f, 0.1999866365f, -0.1426548515f, 0.1095873349f, -0.08422628792f,
      0.05828600106f, -0.03150472518f, 0.01108977353f, -1.832692018e-3f);
  const float y = p * s * t + t;
  // pi / 2 = 1.5707964 - 4.37e-8
  return snn_copysign(a > 1.0f ? 1.57079637f - (y + 4.37113883e-8f) : y, x);
}
SNN_INLINE double snn_atan(double x) { return __builtin_atan(x); }

SNN_INLINE float snn_erf(float x) {
  const float a = snn_abs(x), s = a * a;
  const float near = a + a * snn_poly(
      s, 0.1283791666f, -0.376126337f, 0.1128369394f, -0.02685927077f, 5.200634304e-3f,
      -8.137437847e-4f, 8.345226926e-5f);
  // log(erfc(a)) / -a
  const float rate = snn_poly(
      a, 1.128555125f, 0.6356092625f, 0.1052944721f, -0.02270833125f, 2.951694775e-3f,
      -5.752246916e-5f, -4.39978954e-5f, 4.806286206e-6f);
  return snn_copysign(a < 0.92f ? near : 1.0f - snn_exp(-a * rate), x);
}
SNN_INLINE double snn_erf(double x) { return __builtin_erf(x); }

SNN_INLINE float snn_erfc(float x) {
  // In double: the error of x^2 would be multiplied by x^2.
  const double d = x, b = snn_abs(d), a = b > 11.0 ? 11.0 : b;
  const double u = (a - 2.0) / (a + 2.0);
  // exp(a^2) erfc(a) (1 + 2 a)
  const double p = snn_poly(
      u, 1.276978382682686, -0.092763820949500952, -0.16603052227022952, 0.16405105007522634,
      -0.054217810238459486, -0.008030956641666098, 0.0087089396077932137, 0.0012529525253598513,
      -0.0014202682232724174, -0.00040086210840941649, 0.00016880225497252021,
      7.9161847386659036e-5);
  const double y = snn_exp(-a * a) * p / (1.0 + 2.0 * a);
  return (float)(d < 0.0 ? 2.0 - y : y);
}
SNN_INLINE double snn_erfc(double x) { return __builtin_erfc(x); }

SNN_INLINE float snn_pow(float x, float y) {
  // In double: an error of the logarithm would be multiplied by y.
  float z = (float)snn_exp((double)y * snn_log((double)snn_abs(x)));
  const float half = 0.5f * y;
  const bool whole = snn_floor(y) == y, odd = whole & (snn_floor(half) != half);
  z = odd ? snn_copysign(z, x) : z;
  z = (x < 0.0f) & (x != -INFINITY) & !whole ? NAN : z;
  const bool unit = (x == -1.0f) & (snn_abs(y) == INFINITY);
  return (y == 0.0f) | (x == 1.0f) | unit ? 1.0f : z;
}
SNN_INLINE double snn_pow(double x, double y) { return __builtin_pow(x, y); }

template <int Stage> SNN_INLINE double snn_fmod_rest(double a, double b, double inverse) {
  constexpr double scale = (double)((uint64_t)1 << 28);
  // Every product is exact: 28 bits of the quotient times the 24 bits of b.
  if constexpr (Stage > 0) a = snn_fmod_rest<Stage - 1>(a, b * scale, inverse / scale);
  return a - snn_round(a * inverse) * b;
}
SNN_INLINE float snn_fmod(float x, float y) {
  // a quotient of two floats has up to 277 bits, 28 are divided out at a time
  const double a = snn_abs(x), b = snn_abs(y);
  const double r = snn_fmod_rest<9>(a, b, 1.0 / b);
  const float z = snn_copysign((float)(r < 0.0 ? r + b : r), x);
  return (b == INFINITY) & (a < INFINITY) ? x : z;
}
SNN_INLINE double snn_fmod(double x, double y) { return __builtin_fmod(x, y); }

template <typename R> static inline R* snn_scratch(size_t count) {
  return count ? (R*)aligned_alloc(64, (count * sizeof(R) + 63) / 64 * 64) : nullptr;
}

// Carried values begin at those of an array, at its only one, or without an array at 0.
static inline void snn_begin(S* to, const S* from, int64_t n0, int64_t len, int64_t values) {
  if (values > 1)
    for (int64_t b = 0; b < len; ++b) to[b] = from[n0 + b];
  else
    for (int64_t b = 0; b < len; ++b) to[b] = from ? from[0] : (S)0;
}

// A value per channel, repeated over `inner` neurons and then over the batch.
template <typename R> static inline void snn_spread(
    R* to, const R* from, int64_t n0, int64_t len, int64_t channels, int64_t inner) {
  int64_t c = (n0 / inner) % channels, i = n0 % inner;
  if (inner == 1 && c + len <= channels) {
    for (int64_t b = 0; b < len; ++b) to[b] = from[c + b];
    return;
  }
  for (int64_t b = 0; b < len; ++b) {
    to[b] = from[c];
    if (++i == inner) { i = 0; c = c + 1 == channels ? 0 : c + 1; }
  }
}
