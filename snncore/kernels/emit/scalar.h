// What C++ and CUDA print alike. SNN_INLINE is defined by who includes it.
typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef int i32;
typedef long long i64;

// fmax and fmin would drop a NaN.
template <typename R> SNN_INLINE R snn_max(R a, R b) { return (a > b) | (a != a) ? a : b; }
template <typename R> SNN_INLINE R snn_min(R a, R b) { return (a < b) | (a != a) ? a : b; }
template <typename R> SNN_INLINE R snn_sign(R x) {
  // As torch on the CPU: 0 for NaN too.
  return x > 0 ? (R)1 : (x < 0 ? (R)-1 : (R)0);
}
SNN_INLINE i32 snn_abs(i32 x) { return x < 0 ? -x : x; }
SNN_INLINE i64 snn_abs(i64 x) { return x < 0 ? -x : x; }
template <typename R> SNN_INLINE R snn_floor_quotient(R a, R b) {
  const R q = a / b;
  return (q * b != a) & ((a < 0) != (b < 0)) ? q - 1 : q;
}
template <typename R> SNN_INLINE R snn_remainder(R a, R b) {
  const R r = a - a / b * b;
  return (r != 0) & ((r < 0) != (b < 0)) ? r + b : r;
}

union snn_word { float real; u32 bits; };
SNN_INLINE float snn_from_bf16(u16 x) {
  snn_word w;
  w.bits = (u32)x << 16;
  return w.real;
}
SNN_INLINE u16 snn_to_bf16(float x) {
  // To the nearest, ties to even; every NaN becomes torch's one.
  snn_word w;
  w.real = x;
  const u32 near = (w.bits + 0x7fff + ((w.bits >> 16) & 1)) >> 16;
  return (u16)(x != x ? 0x7fc0 : near);
}
#ifdef __CUDACC__
SNN_INLINE float snn_from_fp16(u16 x) {
  float y;
  asm("cvt.f32.f16 %0, %1;" : "=f"(y) : "h"(x));
  return y;
}
SNN_INLINE u16 snn_to_fp16(float x) {
  u16 y;
  asm("cvt.rn.f16.f32 %0, %1;" : "=h"(y) : "f"(x));
  return y;
}
#else
// With integers: compilers turn the processor's conversions into one call per number.
SNN_INLINE float snn_from_fp16(u16 x) {
  const u32 size = x & 0x7fff;
  snn_word w, large;
  w.bits = size << 13;
  // 2^112 is what the two exponents' biases differ by; subnormal numbers come out right, too.
  w.real *= 5.192296858534828e33f;
  large.bits = size << 13 | 0x7f800000;
  w.bits = (size >= 0x7c00 ? large.bits : w.bits) | (u32)(x & 0x8000) << 16;
  return w.real;
}
SNN_INLINE u16 snn_to_fp16(float x) {
  snn_word w, tiny;
  w.real = x;
  const u32 size = w.bits & 0x7fffffff, sign = w.bits >> 16 & 0x8000;
  // To the nearest, ties to even.
  const u32 normal = ((size + 0xfff + (size >> 13 & 1)) >> 13) - (112 << 10);
  // The last place of 0.5 is the least subnormal number.
  tiny.bits = size;
  tiny.real += 0.5f;
  const u32 near = size < 0x38800000 ? tiny.bits - 0x3f000000 : normal;
  const u32 finite = size >= 0x477ff000 ? 0x7c00 : near;
  return (u16)((size > 0x7f800000 ? 0x7e00 : finite) | sign);
}
#endif
