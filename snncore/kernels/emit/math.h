#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>

// Branch-free forms: one libm call or one branch would scalarise the whole step.

static inline float snn_exp(float x) {
  // Cephes: x = n ln2 + r, 2^n in two factors so that denormals are right.
  const float c = x < -104.0f ? -104.0f : (x > 88.72283f ? 88.72283f : x);
  const float n = std::nearbyintf(c * 1.44269504088896341f);
  const float r = (c - n * 0.693359375f) - n * -2.12194440e-4f;
  float p = 1.9875691500e-4f;
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * (r * r) + r + 1.0f;
  const int32_t k = (int32_t)n, h = k >> 1;
  union { int32_t i; float f; } a, b;
  a.i = (h + 127) << 23;
  b.i = (k - h + 127) << 23;
  float y = p * a.f * b.f;
  y = x > 88.72283f ? INFINITY : y;
  y = x < -104.0f ? 0.0f : y;
  return x != x ? x : y;
}
static inline double snn_exp(double x) { return std::exp(x); }

template <typename R> static inline R snn_sigmoid(R x) {
  return (R)1 / ((R)1 + snn_exp(-x));
}
template <typename R> static inline R snn_max(R a, R b) { return (a > b) | (a != a) ? a : b; }
template <typename R> static inline R snn_min(R a, R b) { return (a < b) | (a != a) ? a : b; }
template <typename R> static inline R snn_abs(R x) { return std::fabs(x); }
template <typename R> static inline R snn_sqrt(R x) { return std::sqrt(x); }
template <typename R> static inline R snn_floor(R x) { return std::floor(x); }
template <typename R> static inline R snn_ceil(R x) { return std::ceil(x); }
template <typename R> static inline R snn_trunc(R x) { return std::trunc(x); }
template <typename R> static inline R snn_round(R x) { return std::nearbyint(x); }
template <typename R> static inline R snn_sign(R x) { return x > 0 ? (R)1 : (x < 0 ? (R)-1 : x); }
template <typename R> static inline R snn_pow(R x, R y) { return std::pow(x, y); }
template <typename R> static inline R snn_fmod(R x, R y) { return std::fmod(x, y); }
template <typename R> static inline R snn_expm1(R x) { return std::expm1(x); }
template <typename R> static inline R snn_log(R x) { return std::log(x); }
template <typename R> static inline R snn_log1p(R x) { return std::log1p(x); }
template <typename R> static inline R snn_tanh(R x) { return std::tanh(x); }
template <typename R> static inline R snn_sin(R x) { return std::sin(x); }
template <typename R> static inline R snn_cos(R x) { return std::cos(x); }
template <typename R> static inline R snn_atan(R x) { return std::atan(x); }
template <typename R> static inline R snn_erf(R x) { return std::erf(x); }
template <typename R> static inline R snn_erfc(R x) { return std::erfc(x); }

static inline S* snn_scratch(size_t count) {
  return count ? (S*)aligned_alloc(64, (count * sizeof(S) + 63) / 64 * 64) : nullptr;
}

// A value per channel, repeated over `inner` neurons and then over the batch.
static inline void snn_spread(
    S* to, const S* from, int64_t n0, int64_t len, int64_t channels, int64_t inner) {
  int64_t c = (n0 / inner) % channels, i = n0 % inner;
  for (int64_t b = 0; b < len; ++b) {
    to[b] = from[c];
    if (++i == inner) { i = 0; c = c + 1 == channels ? 0 : c + 1; }
  }
}
