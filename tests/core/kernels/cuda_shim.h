// Runs a kernel of CUDA C on the CPU, one thread after the other.
#include <math.h>
#include <stddef.h>
#include <utility>

#define __global__
#define __device__
#define __forceinline__ inline

static struct { unsigned x; } blockIdx, blockDim, threadIdx;

template <typename... A, size_t... I>
static void shim_launch(
    void (*kernel)(A...), void* const* given, const long long* grid, std::index_sequence<I...>) {
  blockDim.x = grid[1];
  for (blockIdx.x = 0; blockIdx.x < grid[0]; ++blockIdx.x)
    for (threadIdx.x = 0; threadIdx.x < blockDim.x; ++threadIdx.x) kernel(*(A*)given[I]...);
}
template <typename... A>
static void shim_call(void (*kernel)(A...), void* const* given, const long long* grid) {
  shim_launch(kernel, given, grid, std::index_sequence_for<A...>());
}

// The entry takes the kernel's name, and pointers to the arguments as a driver does.
#define snn_kernel snn_on_device
#define SHIM_ENTRY(name)                                                             \
  extern "C" void name(const long long* grid, void* const* given, const double*) { \
    shim_call(snn_on_device, given, grid);                                           \
  }
