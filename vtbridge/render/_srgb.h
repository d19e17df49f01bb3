/* The encoding of IEC 61966-2-1 as a table, and the last step from -1..1 to 8 bits. vtbridge/render/alpha.py holds the definitions. */

#ifndef VTB_SRGB_H
#define VTB_SRGB_H

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "c/pixels.h"

/* 8192 steps keep the table's own error below 0.21 of an 8-bit level at the dark end,
 * where sRGB is steepest (12.92 * 255 / 8192 / 2), and the table within 32 KiB. */
#define LINEAR_STEPS 8192
#define ENCODED_ONE 65536
#define ROUND_HALF (ENCODED_ONE / 2)

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
