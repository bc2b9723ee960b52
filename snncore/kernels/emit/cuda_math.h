// No header is included: NVRTC brings these functions itself and finds no others.
#define SNN_UNARY(name, single, full)                    \
  SNN_INLINE float snn_##name(float x) { return single(x); } \
  SNN_INLINE double snn_##name(double x) { return full(x); }
#define SNN_BINARY(name, single, full)                               \
  SNN_INLINE float snn_##name(float x, float y) { return single(x, y); } \
  SNN_INLINE double snn_##name(double x, double y) { return full(x, y); }

SNN_UNARY(abs, fabsf, fabs)
SNN_UNARY(sqrt, sqrtf, sqrt)
SNN_UNARY(exp, expf, exp)
SNN_UNARY(expm1, expm1f, expm1)
SNN_UNARY(log, logf, log)
SNN_UNARY(log1p, log1pf, log1p)
SNN_UNARY(tanh, tanhf, tanh)
SNN_UNARY(sin, sinf, sin)
SNN_UNARY(cos, cosf, cos)
SNN_UNARY(atan, atanf, atan)
SNN_UNARY(erf, erff, erf)
SNN_UNARY(erfc, erfcf, erfc)
SNN_UNARY(floor, floorf, floor)
SNN_UNARY(ceil, ceilf, ceil)
SNN_UNARY(trunc, truncf, trunc)
SNN_UNARY(round, rintf, rint)
SNN_BINARY(pow, powf, pow)
SNN_BINARY(fmod, fmodf, fmod)

template <typename R> SNN_INLINE R snn_sigmoid(R x) { return (R)1 / ((R)1 + snn_exp(-x)); }
