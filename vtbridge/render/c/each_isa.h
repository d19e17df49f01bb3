/* Kernels for every instruction set, of which the best that this processor has is taken.
 *
 * Before this the including file defines `struct kernels` and KERNELS, the path from here of
 * the loops. They are included once for each set, as NAMED(kernels), with
 *
 *   LANES       floats in a vector
 *   TILE_ROWS   pixels of a register tile; LANES and TILE_ROWS fill the registers
 *   VECTOR_MAX  the larger of two vectors, lane by lane
 *   NAMED(x)    x with the instruction set's suffix */

#include <stdint.h>
#include <string.h>
#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__ARM_NEON)
#include <arm_neon.h>
#endif

#if defined(__x86_64__)
#define LANES 4
#define TILE_ROWS 6
#define VECTOR_MAX(a, b) ((vec)_mm_max_ps((__m128)(a), (__m128)(b)))
#define NAMED(x) x##_sse
#include KERNELS
#undef LANES
#undef TILE_ROWS
#undef VECTOR_MAX
#undef NAMED

#pragma GCC push_options
#pragma GCC target("avx2,fma")
#define LANES 8
#define TILE_ROWS 6
#define VECTOR_MAX(a, b) ((vec)_mm256_max_ps((__m256)(a), (__m256)(b)))
#define NAMED(x) x##_avx2
#include KERNELS
#undef LANES
#undef TILE_ROWS
#undef VECTOR_MAX
#undef NAMED
#pragma GCC pop_options

#pragma GCC push_options
#pragma GCC target("avx512f,avx2,fma,prefer-vector-width=512")
#define LANES 16
#define TILE_ROWS 12
#define VECTOR_MAX(a, b) ((vec)_mm512_max_ps((__m512)(a), (__m512)(b)))
#define NAMED(x) x##_avx512
#include KERNELS
#undef LANES
#undef TILE_ROWS
#undef VECTOR_MAX
#undef NAMED
#pragma GCC pop_options
#else /* NEON has 32 registers of four floats; other vectors are the compiler's to find */
#if defined(__ARM_NEON)
#define VECTOR_MAX(a, b) ((vec)vmaxq_f32((float32x4_t)(a), (float32x4_t)(b)))
#else
static inline float larger(float a, float b)
{
    return a > b ? a : b;
}
#define VECTOR_MAX(a, b)                                                                         \
    ((vec){larger((a)[0], (b)[0]), larger((a)[1], (b)[1]), larger((a)[2], (b)[2]),               \
           larger((a)[3], (b)[3])})
#endif
#define LANES 4
#define TILE_ROWS 12
#define NAMED(x) x##_generic
#include KERNELS
#endif

/* Return the kernels of the set called `wanted`, or of the best one; NULL if it is not here. */
static const struct kernels *chosen_kernels(const char *wanted, const char **name)
{
#if defined(__x86_64__)
    if ((wanted == NULL || !strcmp(wanted, "avx512")) && __builtin_cpu_supports("avx512f"))
        return *name = "avx512", &kernels_avx512;
    if ((wanted == NULL || !strcmp(wanted, "avx2")) && __builtin_cpu_supports("avx2") &&
        __builtin_cpu_supports("fma"))
        return *name = "avx2", &kernels_avx2;
    if (wanted == NULL || !strcmp(wanted, "sse"))
        return *name = "sse", &kernels_sse;
    return NULL;
#else
    return *name = "generic", wanted == NULL || !strcmp(wanted, "generic") ? &kernels_generic : NULL;
#endif
}
