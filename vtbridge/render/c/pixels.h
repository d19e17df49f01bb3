/* What all pixel extensions share: how they are compiled for the vectors of the CPU that they
 * run on, and in which pieces they take a row. */

#ifndef VTB_PIXELS_H
#define VTB_PIXELS_H

#include <stdint.h>

#define CHANNELS 4

/* Pixels handled at a time: the scratch stays in the L1 cache, and the empty space around
 * a character is left out in pieces of this size. */
#define BLOCK 128

/* One build serves every x86-64: the loader picks the widest vectors the CPU has. What a
 * cloned function calls must be inlined into it, or it is not compiled for them. */
#if defined(__x86_64__) && defined(__GLIBC__) && defined(__GNUC__) && !defined(__clang__)
#define VTB_WIDEST_VECTORS __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define VTB_WIDEST_VECTORS
#endif
#if defined(__GNUC__)
#define VTB_INLINE static inline __attribute__((always_inline))
#else
#define VTB_INLINE static __forceinline
#endif

/* Return four levels as one pixel whose bytes lie in memory in this order. */
VTB_INLINE uint32_t vtb_pixel(uint32_t r, uint32_t g, uint32_t b, uint32_t a)
{
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    return r << 24 | g << 16 | b << 8 | a;
#else
    return r | g << 8 | b << 16 | a << 24;
#endif
}

#endif
