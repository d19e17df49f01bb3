/* Matrix products with a sine behind them, for one instruction set; ../c/each_isa.h includes
 * them. Two vectors of each of TILE_ROWS pixels and their operands fill the registers.
 *
 * Layout: pixel by pixel, channels together, padded to whole vectors. */

typedef float NAMED(vec) __attribute__((vector_size(LANES * 4), aligned(4), may_alias));
typedef int32_t NAMED(bits) __attribute__((vector_size(LANES * 4), aligned(4), may_alias));
#define vec NAMED(vec)
#define bits NAMED(bits)

static inline __attribute__((always_inline)) vec NAMED(load)(const float *p)
{
    return *(const vec *)p;
}

/* sin(pi * t) for |t| < 2^22, within 2e-7: t less its nearest integer is exact, and the sign
 * turns with each integer. The polynomial is minimax over -1/2..1/2. */
static inline __attribute__((always_inline)) vec NAMED(sine)(vec t)
{
    const float to_integer = 12582912.0f; /* 1.5 * 2^23: the sum has no bits after the point */
    vec shifted = t + to_integer;
    vec r = t - (shifted - to_integer);
    vec s = r * r;
    vec p = s * 0.07756038755178452f - 0.5982421040534973f;
    p = p * s + 2.550069808959961f;
    p = p * s - 5.167709827423096f;
    p = p * s + 3.1415927410125732f;
    return (vec)((bits)(r * p) ^ ((bits)shifted << 31));
}

/* row = sin(pi * (base + at_x * x [+ the four neighbours below])) over `channels`. */
static void NAMED(first_layer)(const float *base, const float *at_x, float x,
                               const float *const below[4], const float share[4],
                               int64_t channels, float *row)
{
    for (int64_t c = 0; c < channels; c += LANES) {
        vec t = NAMED(load)(base + c) + NAMED(load)(at_x + c) * x;
        if (below[0] != NULL) {
#pragma GCC unroll 4
            for (int i = 0; i < 4; i++)
                t += NAMED(load)(below[i] + c) * share[i];
        }
        *(vec *)(row + c) = NAMED(sine)(t);
    }
}

static inline __attribute__((always_inline)) void
NAMED(tile)(const int rows, const int halves, const float *a, int64_t a_stride,
            const float *panel, int64_t depth, const float *bias, int sine, float *out,
            int64_t out_stride)
{
    vec acc[TILE_ROWS][2];
#pragma GCC unroll 16
    for (int row = 0; row < rows; row++)
#pragma GCC unroll 2
        for (int half = 0; half < halves; half++)
            acc[row][half] = NAMED(load)(bias + half * LANES);
    for (int64_t k = 0; k < depth; k++) {
        vec left = NAMED(load)(panel), right = left;
        if (halves == 2)
            right = NAMED(load)(panel + LANES);
        panel += halves * LANES;
#pragma GCC unroll 16
        for (int row = 0; row < rows; row++) {
            float value = a[row * a_stride + k];
            acc[row][0] += left * value;
            if (halves == 2)
                acc[row][1] += right * value;
        }
    }
#pragma GCC unroll 16
    for (int row = 0; row < rows; row++)
#pragma GCC unroll 2
        for (int half = 0; half < halves; half++)
            *(vec *)(out + row * out_stride + half * LANES) =
                sine ? NAMED(sine)(acc[row][half]) : acc[row][half];
}

static inline __attribute__((always_inline)) void
NAMED(columns)(const int halves, const float *a, int64_t a_stride, int64_t count,
               const float *panel, int64_t depth, const float *bias, int sine, float *out,
               int64_t out_stride)
{
    int64_t row = 0;
    for (; row + TILE_ROWS <= count; row += TILE_ROWS)
        NAMED(tile)(TILE_ROWS, halves, a + row * a_stride, a_stride, panel, depth, bias, sine,
                    out + row * out_stride, out_stride);
    for (; row + 4 <= count; row += 4)
        NAMED(tile)(4, halves, a + row * a_stride, a_stride, panel, depth, bias, sine,
                    out + row * out_stride, out_stride);
    for (; row < count; row++)
        NAMED(tile)(1, halves, a + row * a_stride, a_stride, panel, depth, bias, sine,
                    out + row * out_stride, out_stride);
}

/* out [count][width] = a [count][depth] times the packed weights, plus the bias, and then, if
 * `sine`, sin(pi * .) of it. Panels are two vectors wide; the last may be one. */
static void NAMED(layer)(const float *a, int64_t a_stride, int64_t count, int64_t depth,
                         const float *panels, const float *bias, int sine, float *out,
                         int64_t width, int64_t out_stride)
{
    int64_t column = 0;
    for (; column + 2 * LANES <= width; column += 2 * LANES, panels += depth * 2 * LANES)
        NAMED(columns)(2, a, a_stride, count, panels, depth, bias + column, sine, out + column,
                       out_stride);
    if (column < width)
        NAMED(columns)(1, a, a_stride, count, panels, depth, bias + column, sine, out + column,
                       out_stride);
}

static const struct kernels NAMED(kernels) = {
    .lanes = LANES,
    .first_layer = NAMED(first_layer),
    .layer = NAMED(layer),
};

#undef vec
#undef bits
