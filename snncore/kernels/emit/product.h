// Rows times weights: to[c] += sum over k of from[k] * w[k][c], in the order of k and with one
// rounding for each. A zero that is skipped leaves a sum of finite weights as it is, so that the
// sparse and the dense way give the same bits.
#if defined(__AVX512F__)
#include <immintrin.h>
#define SNN_BYTES 64
#define SNN_WIDE 4
#elif defined(__AVX__)
#define SNN_BYTES 32
#define SNN_WIDE 2
#else
#define SNN_BYTES 16
#define SNN_WIDE 2
#endif
// Nothing is computed again here, so that a fused multiply-add is welcome.
#if defined(__clang__)
#define SNN_FUSED
#define SNN_FUSES _Pragma("clang fp contract(fast)")
#else
#define SNN_FUSED __attribute__((optimize("fp-contract=fast")))
#define SNN_FUSES
#endif
typedef S snn_lanes __attribute__((vector_size(SNN_BYTES), aligned(sizeof(S))));
static constexpr int64_t SNN_PANEL = SNN_WIDE * SNN_BYTES / sizeof(S);
// Rows that share what is loaded of a panel: their sums fill the registers.
static constexpr int SNN_ROWS = 6;
// One in so many of a row is where skipping zeros stops to pay: with 512 neurons and AVX-512, both
// ways take the same time where 37 % are not 0.
static constexpr int64_t SNN_SPARSE = 3;

static inline int64_t snn_panels(int64_t width) { return (width + SNN_PANEL - 1) / SNN_PANEL; }

// One panel of columns: its part of every row of w, one after the other, with zeros to the right.
static void snn_pack(
    S* panels, const S* w, int64_t panel, int64_t size, int64_t width, int64_t row,
    int64_t column) {
  const int64_t first = panel * SNN_PANEL, left = width - first;
  const int64_t columns = left < SNN_PANEL ? left : SNN_PANEL;
  S* to = panels + panel * size * SNN_PANEL;
  for (int64_t k = 0; k < size; ++k, to += SNN_PANEL) {
    const S* const from = w + k * row + first * column;
    for (int64_t c = 0; c < columns; ++c) to[c] = from[c * column];
    for (int64_t c = columns; c < SNN_PANEL; ++c) to[c] = (S)0;
  }
}

SNN_INLINE void snn_add(S* to, const snn_lanes* sums, int64_t columns) {
  if (columns == SNN_PANEL) {
    for (int i = 0; i < SNN_WIDE; ++i) ((snn_lanes*)to)[i] += sums[i];
    return;
  }
  alignas(SNN_BYTES) S part[SNN_PANEL];
  __builtin_memcpy(part, sums, sizeof(part));
  for (int64_t c = 0; c < columns; ++c) to[c] += part[c];
}

template <int R> SNN_FUSED static void snn_dense(
    S* to, const S* from, const int32_t* order, const S* panel, int64_t size, int64_t width,
    int64_t columns) {
  SNN_FUSES
  snn_lanes sums[R][SNN_WIDE] = {};
  const S* rows[R];
  for (int r = 0; r < R; ++r) rows[r] = from + order[r] * size;
  for (int64_t k = 0; k < size; ++k, panel += SNN_PANEL) {
    snn_lanes w[SNN_WIDE];
    for (int i = 0; i < SNN_WIDE; ++i) w[i] = ((const snn_lanes*)panel)[i];
#pragma GCC unroll 6
    for (int r = 0; r < R; ++r) {
#pragma GCC unroll 4
      for (int i = 0; i < SNN_WIDE; ++i) sums[r][i] += rows[r][k] * w[i];
    }
  }
  for (int r = 0; r < R; ++r) snn_add(to + order[r] * width, sums[r], columns);
}

SNN_FUSED static void snn_sparse(
    S* to, const S* from, const int32_t* places, int64_t count, const S* panel, int64_t columns) {
  SNN_FUSES
  snn_lanes sums[SNN_WIDE] = {};
  for (int64_t n = 0; n < count; ++n) {
    const S value = from[places[n]];
    const snn_lanes* const w = (const snn_lanes*)(panel + places[n] * SNN_PANEL);
    for (int i = 0; i < SNN_WIDE; ++i) sums[i] += value * w[i];
  }
  snn_add(to, sums, columns);
}

#if defined(__AVX512F__)
SNN_INLINE int64_t snn_sixteen(int32_t* places, const float* row, int64_t k) {
  const __m512i every = _mm512_add_epi32(
      _mm512_set1_epi32((int)k),
      _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15));
  const __mmask16 set =
      _mm512_cmp_ps_mask(_mm512_loadu_ps(row + k), _mm512_setzero_ps(), _CMP_NEQ_UQ);
  const int count = __builtin_popcount(set);
  // Not stored as it is compressed, which some processors do number by number.
  const __m512i found = _mm512_maskz_compress_epi32(set, every);
  _mm512_mask_storeu_epi32(places, (__mmask16)((1u << count) - 1), found);
  return count;
}
SNN_INLINE int64_t snn_sixteen(int32_t*, const double*, int64_t) { return 0; }
#endif

// Where a row is not 0; -1 places if it is not sparse.
static int64_t snn_places(int32_t* places, const S* row, int64_t size) {
  int64_t count = 0;
  for (int64_t begin = 0; begin < size; begin += 64) {
    const int64_t end = size - begin < 64 ? size : begin + 64;
    int64_t k = begin;
#if defined(__AVX512F__)
    if (sizeof(S) == 4)
      for (; k + 16 <= end; k += 16) count += snn_sixteen(places + count, row, k);
#endif
    for (; k < end; ++k) {
      // Without a branch, which no processor could foresee.
      places[count] = (int32_t)k;
      count += snn_bits(row[k]) << 1 != 0;
    }
    if (count * SNN_SPARSE > size) return -1;
  }
  return count;
}

// to += from w for rows of `size` numbers into such of `width`; `places` has room for size + 2 of
// each row.
static void snn_product(
    S* to, const S* from, int64_t rows, int64_t size, int64_t width, const S* panels,
    int32_t* places) {
  int32_t* const counts = places + rows * size;
  int32_t* const order = counts + rows;
  int64_t dense = 0;
  for (int64_t r = 0; r < rows; ++r) {
    counts[r] = (int32_t)snn_places(places + r * size, from + r * size, size);
    if (counts[r] < 0) order[dense++] = (int32_t)r;
  }
  for (int64_t c = 0; c < width; c += SNN_PANEL, panels += size * SNN_PANEL) {
    const int64_t columns = width - c < SNN_PANEL ? width - c : SNN_PANEL;
    if (dense < rows) {
      for (int64_t r = 0; r < rows; ++r) {
        if (counts[r] > 0)
          snn_sparse(
              to + r * width + c, from + r * size, places + r * size, counts[r], panels, columns);
      }
    }
    int64_t d = 0;
    for (; d + SNN_ROWS <= dense; d += SNN_ROWS)
      snn_dense<SNN_ROWS>(to + c, from, order + d, panels, size, width, columns);
    for (; d + 2 <= dense; d += 2)
      snn_dense<2>(to + c, from, order + d, panels, size, width, columns);
    for (; d < dense; ++d) snn_dense<1>(to + c, from, order + d, panels, size, width, columns);
  }
}
