/* What the pixel extensions share: the encoding of IEC 61966-2-1 as a table, and the last
 * step from -1..1 to 8 bits. vtbridge/render/alpha.py holds the definitions. */

#ifndef VTB_SRGB_H
#define VTB_SRGB_H

#include <math.h>
#include <stdint.h>
#include <string.h>

#define CHANNELS 4

/* 8192 steps keep the table's own error below 0.21 of an 8-bit level at the dark end,
 * where sRGB is steepest (12.92 * 255 / 8192 / 2), and the table within 32 KiB. */
#define LINEAR_STEPS 8192
#define ENCODED_ONE 65536
#define ROUND_HALF (ENCODED_ONE / 2)

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

static int32_t vtb_encoded_from_linear[LINEAR_STEPS];

static double vtb_srgb_from_linear(double linear)
{
    return linear <= 0.0031308 ? linear * 12.92 : 1.055 * pow(linear, 1.0 / 2.4) - 0.055;
}

static void vtb_fill_encoded_from_linear(void)
{
    for (int step = 0; step < LINEAR_STEPS; step++) {
        double linear = step / (double)(LINEAR_STEPS - 1);
        vtb_encoded_from_linear[step] = (int32_t)lrint(vtb_srgb_from_linear(linear) * ENCODED_ONE);
    }
}

/* An exponent of all ones is an infinity or a NaN. */
VTB_INLINE int32_t vtb_not_finite(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return (bits & 0x7f800000u) == 0x7f800000u;
}

/* Turn -1..1 into 0..top, clamped; NaN becomes 0. */
VTB_INLINE float vtb_scaled(float value, float top)
{
    const float half = top * 0.5f;
    float scaled = value * half + half;
    scaled = scaled > 0.0f ? scaled : 0.0f; /* NaN compares false */
    return scaled < top ? scaled : top;
}

/* Return four levels as one pixel whose bytes lie in memory in this order. */
VTB_INLINE uint32_t vtb_pixel(uint32_t r, uint32_t g, uint32_t b, uint32_t a)
{
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    return r << 24 | g << 16 | b << 8 | a;
#else
    return r | g << 8 | b << 16 | a << 24;
#endif
}

VTB_INLINE uint32_t vtb_packed(int32_t red, int32_t green, int32_t blue, int32_t alpha,
                               int32_t weight)
{
    uint32_t w = (uint32_t)weight;
    uint32_t r = ((uint32_t)vtb_encoded_from_linear[red] * w + ROUND_HALF) >> 16;
    uint32_t g = ((uint32_t)vtb_encoded_from_linear[green] * w + ROUND_HALF) >> 16;
    uint32_t b = ((uint32_t)vtb_encoded_from_linear[blue] * w + ROUND_HALF) >> 16;
    return vtb_pixel(r, g, b, (uint32_t)alpha);
}

#endif
