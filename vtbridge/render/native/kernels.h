/* The loops that cost time, for one instruction set; ../c/each_isa.h includes them.
 *
 * Layout: features lie pixel by pixel, channels together, so that a pointwise convolution
 * is a matrix product and a depthwise one runs along vectors of channels. */

typedef float NAMED(vec) __attribute__((vector_size(LANES * 4), aligned(4), may_alias));
#define vec NAMED(vec)
#define COLUMNS (2 * LANES)

static inline __attribute__((always_inline)) vec NAMED(load)(const float *p)
{
    return *(const vec *)p;
}

/* row = act(scale * row + shift), once for each row that a depthwise kernel then reads
 * several times; margins are the convolution's zero padding. */
static void NAMED(normalise_row)(const float *restrict src, float *restrict row, int64_t width,
                                 int64_t channels, int64_t margin, const float *norm, float slope)
{
    memset(row, 0, (size_t)(margin * channels) * sizeof(float));
    float *out = row + margin * channels;
    if (norm == NULL) {
        memcpy(out, src, (size_t)(width * channels) * sizeof(float));
    } else {
        for (int64_t x = 0; x < width; x++, src += channels, out += channels) {
            for (int64_t c = 0; c < channels; c += LANES) {
                vec y = NAMED(load)(src + c) * NAMED(load)(norm + c) +
                        NAMED(load)(norm + channels + c);
                *(vec *)(out + c) = VECTOR_MAX(y, y * slope);
            }
        }
    }
    memset(row + (margin + width) * channels, 0, (size_t)(margin * channels) * sizeof(float));
}

/* Each of these fills rows [count][stride] of the matrix product from normalised rows,
 * starting at pixel x of the output. */

static void NAMED(depthwise_3x3)(float *const *rows, int64_t x, int64_t count, int64_t channels,
                                 const float *weights, float *out, int64_t stride)
{
    for (int64_t c = 0; c < channels; c += LANES) {
        vec w[9];
#pragma GCC unroll 9
        for (int tap = 0; tap < 9; tap++)
            w[tap] = NAMED(load)(weights + tap * channels + c);
        const float *top = rows[0] + x * channels + c;
        const float *middle = rows[1] + x * channels + c;
        const float *bottom = rows[2] + x * channels + c;
        float *y = out + c;
        for (int64_t i = 0; i < count; i += 2, y += 2 * stride) {
            vec even, odd, v;
            even = NAMED(load)(top) * w[0];
            v = NAMED(load)(top + channels), even += v * w[1], odd = v * w[0];
            v = NAMED(load)(top + 2 * channels), even += v * w[2], odd += v * w[1];
            v = NAMED(load)(top + 3 * channels), odd += v * w[2];
            even += NAMED(load)(middle) * w[3];
            v = NAMED(load)(middle + channels), even += v * w[4], odd += v * w[3];
            v = NAMED(load)(middle + 2 * channels), even += v * w[5], odd += v * w[4];
            v = NAMED(load)(middle + 3 * channels), odd += v * w[5];
            even += NAMED(load)(bottom) * w[6];
            v = NAMED(load)(bottom + channels), even += v * w[7], odd += v * w[6];
            v = NAMED(load)(bottom + 2 * channels), even += v * w[8], odd += v * w[7];
            v = NAMED(load)(bottom + 3 * channels), odd += v * w[8];
            *(vec *)y = even;
            *(vec *)(y + stride) = odd;
            top += 2 * channels, middle += 2 * channels, bottom += 2 * channels;
        }
    }
}

static void NAMED(depthwise_7x7)(float *const *rows, int64_t x, int64_t count, int64_t channels,
                                 const float *weights, float *out, int64_t stride)
{
    for (int64_t c = 0; c < channels; c += LANES) {
        for (int64_t i = 0; i < count; i += 4) {
            vec sum[4] = {{0}, {0}, {0}, {0}};
            for (int ky = 0; ky < 7; ky++) {
                const float *v = rows[ky] + (x + i) * channels + c;
                const float *w = weights + ky * 7 * channels + c;
#pragma GCC unroll 7
                for (int kx = 0; kx < 7; kx++) {
                    vec tap = NAMED(load)(w + kx * channels);
#pragma GCC unroll 4
                    for (int j = 0; j < 4; j++)
                        sum[j] += NAMED(load)(v + (kx + j) * channels) * tap;
                }
            }
#pragma GCC unroll 4
            for (int j = 0; j < 4; j++)
                *(vec *)(out + (i + j) * stride + c) = sum[j];
        }
    }
}

/* 4x4 with stride 2: output x reads columns 2x - 1 ... 2x + 2. */
static void NAMED(depthwise_halving)(float *const *rows, int64_t x, int64_t count,
                                     int64_t channels, const float *weights, float *out,
                                     int64_t stride)
{
    for (int64_t c = 0; c < channels; c += LANES) {
        for (int64_t i = 0; i < count; i += 2) {
            vec even = {0}, odd = {0};
#pragma GCC unroll 4
            for (int ky = 0; ky < 4; ky++) {
                const float *v = rows[ky] + 2 * (x + i) * channels + c;
                const float *w = weights + ky * 4 * channels + c;
#pragma GCC unroll 4
                for (int kx = 0; kx < 4; kx++) {
                    vec tap = NAMED(load)(w + kx * channels);
                    even += NAMED(load)(v + kx * channels) * tap;
                    odd += NAMED(load)(v + (kx + 2) * channels) * tap;
                }
            }
            *(vec *)(out + i * stride + c) = even;
            *(vec *)(out + (i + 1) * stride + c) = odd;
        }
    }
}

/* What doubles the side, transposed 4x4 or nearest neighbours under a 3x3: each of the four
 * phases of the output sees 2x2 pixels of the input. `weights` are those of the output
 * row's parity: two phases of four taps. x and count are even. */
static void NAMED(depthwise_doubling)(float *const *rows, int64_t x, int64_t count,
                                      int64_t channels, const float *weights, float *out,
                                      int64_t stride)
{
    for (int64_t c = 0; c < channels; c += LANES) {
        vec w[8];
#pragma GCC unroll 8
        for (int tap = 0; tap < 8; tap++)
            w[tap] = NAMED(load)(weights + tap * channels + c);
        const float *upper = rows[0] + (x / 2) * channels + c;
        const float *lower = rows[1] + (x / 2) * channels + c;
        vec upper_left = NAMED(load)(upper), lower_left = NAMED(load)(lower);
        vec upper_here = NAMED(load)(upper + channels), lower_here = NAMED(load)(lower + channels);
        float *y = out + c;
        for (int64_t i = 0; i < count; i += 2, y += 2 * stride) {
            upper += channels, lower += channels;
            vec upper_right = NAMED(load)(upper + channels);
            vec lower_right = NAMED(load)(lower + channels);
            *(vec *)y = upper_left * w[0] + upper_here * w[1] + lower_left * w[2] +
                        lower_here * w[3];
            *(vec *)(y + stride) = upper_here * w[4] + upper_right * w[5] + lower_here * w[6] +
                                   lower_right * w[7];
            upper_left = upper_here, upper_here = upper_right;
            lower_left = lower_here, lower_here = lower_right;
        }
    }
}

/* `count` rows of a matrix [.][depth] times a panel [depth][COLUMNS]; adds each column's sum
 * and sum of squares to the statistics. */
static inline __attribute__((always_inline)) void
NAMED(tile)(const int count, const float *a, int64_t a_stride, const float *panel, int64_t depth,
            float *out, int64_t out_stride, float *sums, float *squares)
{
    vec acc[TILE_ROWS][2];
#pragma GCC unroll 16
    for (int row = 0; row < count; row++)
        acc[row][0] = acc[row][1] = (vec){0};
    for (int64_t k = 0; k < depth; k++) {
        vec left = NAMED(load)(panel + k * COLUMNS);
        vec right = NAMED(load)(panel + k * COLUMNS + LANES);
#pragma GCC unroll 16
        for (int row = 0; row < count; row++) {
            float value = a[row * a_stride + k];
            acc[row][0] += left * value;
            acc[row][1] += right * value;
        }
    }
#pragma GCC unroll 2
    for (int half = 0; half < 2; half++) {
#pragma GCC unroll 16
        for (int row = 0; row < count; row++)
            *(vec *)(out + row * out_stride + half * LANES) = acc[row][half];
        if (sums == NULL)
            continue;
        vec sum = {0}, square = {0};
#pragma GCC unroll 16
        for (int row = 0; row < count; row++) {
            sum += acc[row][half];
            square += acc[row][half] * acc[row][half];
        }
        *(vec *)(sums + half * LANES) += sum;
        *(vec *)(squares + half * LANES) += square;
    }
}

/* a [count][depth of a_stride] times the packed panels -> out [count][width], and, if they are
 * wanted, its statistics: [width] sums, then [width] squares. */
static void NAMED(matrix_product)(const float *a, int64_t a_stride, int64_t count, int64_t depth,
                                  const float *panels, float *out, int64_t width, float *stats)
{
    for (int64_t column = 0; column < width; column += COLUMNS, panels += depth * COLUMNS) {
        float *sums = stats == NULL ? NULL : stats + column;
        float *squares = stats == NULL ? NULL : stats + width + column;
        int64_t row = 0;
        for (; row + TILE_ROWS <= count; row += TILE_ROWS)
            NAMED(tile)(TILE_ROWS, a + row * a_stride, a_stride, panels, depth, out + row * width + column,
                        width, sums, squares);
        for (; row + 4 <= count; row += 4)
            NAMED(tile)(4, a + row * a_stride, a_stride, panels, depth, out + row * width + column, width,
                        sums, squares);
        for (; row < count; row++)
            NAMED(tile)(1, a + row * a_stride, a_stride, panels, depth, out + row * width + column, width,
                        sums, squares);
    }
}

/* What one row of the input means to the row of heads that is `ky` taps away: the answers of
 * its three taps there, gathered around each pixel. `start` begins the sum. */
static void NAMED(gather_taps)(const float *answers, int64_t stride, int64_t width, int64_t count,
                               int64_t ky, const float *start, float *heads)
{
    enum { PARTS = HEAD_WIDTH / LANES };
    answers += ky * 3 * count;
    for (int64_t x = 0; x < width; x++, answers += stride, heads += HEAD_WIDTH) {
#pragma GCC unroll 4
        for (int part = 0; part < PARTS; part++) {
            const float *tap = answers + part * LANES;
            vec sum = NAMED(load)(start != NULL ? start + part * LANES : heads + part * LANES);
            sum += NAMED(load)(tap) + NAMED(load)(tap + stride + count) +
                   NAMED(load)(tap + 2 * (stride + count));
            *(vec *)(heads + part * LANES) = sum;
        }
    }
}

/* dst[.][dst_stride] = act(scale * src + shift); without norm a copy. */
static void NAMED(normalise)(const float *src, int64_t count, int64_t channels, const float *norm,
                             float slope, float *dst, int64_t dst_stride)
{
    for (int64_t i = 0; i < count; i++, src += channels, dst += dst_stride) {
        for (int64_t c = 0; c < channels; c += LANES) {
            vec y = NAMED(load)(src + c) * NAMED(load)(norm + c) + NAMED(load)(norm + channels + c);
            *(vec *)(dst + c) = VECTOR_MAX(y, y * slope);
        }
    }
}

/* sum = x + scale * y + shift. */
static void NAMED(add_residual)(const float *x, const float *y, int64_t count, int64_t channels,
                                const float *norm, float *sum)
{
    for (int64_t i = 0; i < count; i++, x += channels, y += channels, sum += channels) {
        for (int64_t c = 0; c < channels; c += LANES)
            *(vec *)(sum + c) = NAMED(load)(x + c) + NAMED(load)(y + c) * NAMED(load)(norm + c) +
                                NAMED(load)(norm + channels + c);
    }
}

/* e^x for |x| <= 87, within 2 units in the last place: 2^n times a polynomial. */
static inline __attribute__((always_inline)) float NAMED(exponential)(float x)
{
    float scaled = x * 1.44269504f;
    float n = (scaled + 12582912.0f) - 12582912.0f; /* to the nearest integer */
    float r = x - n * 0.693359375f + n * 2.12194440e-4f;
    float p = 1.9875691500e-4f;
    p = p * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * r * r + r + 1.0f;
    int32_t bits = ((int32_t)n + 127) << 23;
    float power;
    memcpy(&power, &bits, sizeof power);
    return p * power;
}

/* One channel of a row of heads, activated, to or onto its plane. */
static void NAMED(activate)(const float *restrict heads, int64_t width, int64_t activation,
                            float *restrict plane)
{
    switch (activation) {
    case ACT_SIGMOID:
        for (int64_t x = 0; x < width; x++) {
            float v = heads[x * HEAD_WIDTH];
            v = v > 80.0f ? 80.0f : v < -80.0f ? -80.0f : v;
            plane[x] = 1.0f / (1.0f + NAMED(exponential)(-v));
        }
        break;
    case ACT_TANH:
        for (int64_t x = 0; x < width; x++) {
            float v = heads[x * HEAD_WIDTH];
            v = v > 20.0f ? 20.0f : v < -20.0f ? -20.0f : v;
            plane[x] = 1.0f - 2.0f / (1.0f + NAMED(exponential)(2.0f * v));
        }
        break;
    case ACT_ADD:
        for (int64_t x = 0; x < width; x++)
            plane[x] += heads[x * HEAD_WIDTH];
        break;
    default:
        for (int64_t x = 0; x < width; x++)
            plane[x] = heads[x * HEAD_WIDTH];
    }
}

static const struct kernels NAMED(kernels) = {
    .columns = COLUMNS,
    .normalise_row = NAMED(normalise_row),
    .depthwise = {NAMED(depthwise_3x3), NAMED(depthwise_7x7), NAMED(depthwise_halving),
                  NAMED(depthwise_doubling)},
    .matrix_product = NAMED(matrix_product),
    .gather_taps = NAMED(gather_taps),
    .normalise = NAMED(normalise),
    .add_residual = NAMED(add_residual),
    .activate = NAMED(activate),
};

#undef vec
#undef COLUMNS
