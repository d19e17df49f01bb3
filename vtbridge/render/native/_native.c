/* Run a network as a list of fused operations, on the cores that are free.
 *
 * A depthwise convolution, its pointwise one, and the statistics that the instance
 * normalisation after it needs are one pass over the picture; the normalisation itself and
 * the activation happen when the next operation reads. So each block reads its input once
 * and writes its output once, and what lies between them never leaves the cache.
 *
 * program.py writes the operations, and is the only one that may: nothing here is checked
 * but what a wrong caller could get wrong (types and sizes of arrays). */

#include <Python.h>
#include <math.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#if defined(__linux__)
#include <sys/mman.h>
#endif
#if defined(__x86_64__)
#include <immintrin.h>
#endif

#define HEAD_WIDTH 16
#define MAX_INPUTS 2
#define MAX_THREADS 64
#define MAX_EXTERNALS 16
#define OP_WORDS 64
#define CHUNK 48 /* pixels of a row that are multiplied at a time; even, as doubling needs */
#define MATRIX_MARGIN 16 /* between its rows, so that they do not share sets of the cache */
#define ALIGNMENT 64
#define EPSILON 1e-5 /* of the instance normalisation */

enum activation { ACT_NONE, ACT_SIGMOID, ACT_TANH, ACT_ADD };

typedef void depthwise_fn(float *const *rows, int64_t x, int64_t count, int64_t channels,
                          const float *weights, float *out, int64_t stride);

struct kernels {
    int64_t columns;
    void (*normalise_row)(const float *, float *, int64_t, int64_t, int64_t, const float *, float);
    depthwise_fn *depthwise[4];
    void (*matrix_product)(const float *, int64_t, int64_t, int64_t, const float *, float *,
                           int64_t, float *);
    void (*gather_taps)(const float *, int64_t, int64_t, int64_t, int64_t, const float *, float *);
    void (*normalise)(const float *, int64_t, int64_t, const float *, float, float *, int64_t);
    void (*add_residual)(const float *, const float *, int64_t, int64_t, const float *, float *);
    void (*activate)(const float *, int64_t, int64_t, float *);
};

#if defined(__x86_64__)
#define LANES 4
#define TILE_ROWS 6
#define VECTOR_MAX(a, b) ((vec)_mm_max_ps((__m128)(a), (__m128)(b)))
#define NAMED(x) x##_sse
#include "kernels.h"
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
#include "kernels.h"
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
#include "kernels.h"
#undef LANES
#undef TILE_ROWS
#undef VECTOR_MAX
#undef NAMED
#pragma GCC pop_options
#else /* NEON has 32 registers of four floats; other vectors are the compiler's to find */
#if defined(__ARM_NEON)
#include <arm_neon.h>
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
#include "kernels.h"
#endif

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

/* --- Operations ------------------------------------------------------------------------ */

/* Words of an operation, as program.py packs them. An operand is an offset in floats into
 * the arena (base 0), the weights (1) or array number base - 2 of those given to `run`. */
enum op_kind {
    OP_CONV,
    OP_HEADS,
    OP_NORMALISE,
    OP_RESIDUAL,
    OP_PIXELS,
    OP_CONSTANT_CHANNELS,
    OP_COPY,
    OP_PASTE,
    OP_HALVE,
    OP_DOUBLE,
    OP_WARP,
    OP_BLEND,
    OP_UNIT,
};

enum input_mode { MODE_3X3, MODE_7X7, MODE_HALVING, MODE_DOUBLING };

static const int64_t mode_margin[] = {1, 3, 1, 1};

struct input {
    const float *src, *norm, *depthwise;
    float slope;
    int64_t height, width, channels, mode;
    int64_t slots;                             /* rows of the ring */
};

struct op {
    int64_t word[OP_WORDS];
};

struct program;

struct engine {
    PyObject_HEAD
    const struct kernels *kernels;
    const char *isa;
    int threads;
    pthread_t workers[MAX_THREADS];
    pthread_mutex_t mutex;
    pthread_cond_t started, finished;
    uint64_t epoch;
    int running;
    int stopping;
    struct program *program;
};

struct program {
    PyObject_HEAD
    PyObject *engine;
    struct op *ops;
    int64_t op_count;
    float *arena;
    size_t arena_bytes;
    float *weights;
    float *scratch[MAX_THREADS];
    int64_t scratch_floats, stats_floats;
    double *stats;
    float *externals[MAX_EXTERNALS];
    int64_t external_floats[MAX_EXTERNALS];
    int external_count;
    _Atomic int64_t *next;
    _Atomic int arrived;
    _Atomic int64_t done;
};

#define ENGINE(program) ((struct engine *)(program)->engine)

static float *operand(const struct program *p, int64_t word)
{
    int64_t base = word >> 40, offset = word & ((INT64_C(1) << 40) - 1);
    float *from = base == 0 ? p->arena : base == 1 ? p->weights : p->externals[base - 2];
    return from + offset;
}

static const float *optional(const struct program *p, int64_t word)
{
    return word < 0 ? NULL : operand(p, word);
}

static float float_of(int64_t word)
{
    uint32_t bits = (uint32_t)word;
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static int64_t larger_of(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* CONV: height width out_channels dst panels gamma beta norm_out inputs (input words...) */
enum { CONV_H = 1, CONV_W, CONV_OUT, CONV_DST, CONV_PANELS, CONV_GAMMA, CONV_BETA, CONV_NORM,
       CONV_INPUTS, CONV_FIRST };
/* input: src norm slope height width channels mode depthwise */
enum { IN_SRC, IN_NORM, IN_SLOPE, IN_H, IN_W, IN_C, IN_MODE, IN_DEPTHWISE, IN_WORDS };
/* HEADS: height width outputs weights bias, input at 6, then plane and activation of each */
enum { HEADS_H = 1, HEADS_W, HEADS_COUNT, HEADS_WEIGHTS, HEADS_BIAS, HEADS_INPUT,
       HEADS_OUT = HEADS_INPUT + IN_WORDS };

/* Output rows that are multiplied together: small pictures give tiles worth the panels. */
static int64_t rows_per_tile(int64_t width)
{
    return width > CHUNK ? 1 : width > CHUNK / 2 ? 2 : 4;
}

static int64_t rows_per_band(const int64_t *w)
{
    int64_t tile = w[0] == OP_CONV ? rows_per_tile(w[CONV_W]) : 1;
    int64_t rows = (w[CONV_H] + 15) / 16;
    return (rows + tile - 1) / tile * tile;
}

static int64_t bands_of(const int64_t *w)
{
    int64_t rows = rows_per_band(w);
    return (w[CONV_H] + rows - 1) / rows;
}

static struct input input_of(const struct program *p, const int64_t *w, int64_t tile)
{
    struct input in = {
        .src = operand(p, w[IN_SRC]),
        .norm = optional(p, w[IN_NORM]),
        .depthwise = optional(p, w[IN_DEPTHWISE]),
        .slope = float_of(w[IN_SLOPE]),
        .height = w[IN_H],
        .width = w[IN_W],
        .channels = w[IN_C],
        .mode = w[IN_MODE],
    };
    switch (in.mode) {
    case MODE_3X3: in.slots = tile + 2; break;
    case MODE_7X7: in.slots = tile + 6; break;
    case MODE_HALVING: in.slots = 2 * tile + 2; break;
    default: in.slots = tile / 2 + 3; break;
    }
    return in;
}

static int64_t row_floats(const struct input *in)
{
    return (in->width + 2 * mode_margin[in->mode]) * in->channels;
}

/* The normalised row `y` of the input out of its ring, made if it is not there. */
static float *ring_row(const struct kernels *k, const struct input *in, float *ring,
                       int64_t *held, int64_t y)
{
    int64_t slot = (y + in->slots) % in->slots;
    float *row = ring + slot * row_floats(in);
    if (held[slot] != y) {
        held[slot] = y;
        if (y < 0 || y >= in->height)
            memset(row, 0, (size_t)row_floats(in) * sizeof(float));
        else
            k->normalise_row(in->src + y * in->width * in->channels, row, in->width, in->channels,
                             mode_margin[in->mode], in->norm, in->slope);
    }
    return row;
}

#define MAX_SLOTS 32
#define NOT_HELD INT64_MIN

static void run_conv_band(struct program *p, const int64_t *w, int64_t band, float *scratch)
{
    const struct kernels *k = ENGINE(p)->kernels;
    int64_t height = w[CONV_H], width = w[CONV_W], out_channels = w[CONV_OUT];
    int64_t tile = rows_per_tile(width), rows = rows_per_band(w);
    int64_t first = band * rows, last = first + rows < height ? first + rows : height;
    struct input in[MAX_INPUTS];
    int64_t held[MAX_INPUTS][MAX_SLOTS];
    float *ring[MAX_INPUTS];
    int64_t depth = 0;
    for (int64_t i = 0; i < w[CONV_INPUTS]; i++) {
        in[i] = input_of(p, w + CONV_FIRST + i * IN_WORDS, tile);
        for (int slot = 0; slot < MAX_SLOTS; slot++)
            held[i][slot] = NOT_HELD;
        ring[i] = scratch;
        scratch += in[i].slots * row_floats(&in[i]);
        depth += in[i].channels;
    }
    int64_t stride = depth + MATRIX_MARGIN;
    float *sums = scratch;
    scratch += 2 * out_channels;
    float *a = scratch;
    double *stats = p->stats + band * 2 * out_channels;
    memset(stats, 0, (size_t)(2 * out_channels) * sizeof(double));
    float *dst = operand(p, w[CONV_DST]);
    const float *panels = operand(p, w[CONV_PANELS]);
    for (int64_t y = first; y < last; y += tile) {
        int64_t tile_rows = y + tile <= last ? tile : last - y;
        for (int64_t x = 0; x < width; x += CHUNK) {
            int64_t count = x + CHUNK <= width ? CHUNK : width - x;
            for (int64_t row = 0; row < tile_rows; row++) {
                float *out = a + row * count * stride;
                for (int64_t i = 0; i < w[CONV_INPUTS]; i++) {
                    float *at[7];
                    const float *weights = in[i].depthwise;
                    int64_t here = y + row, top, taps;
                    switch (in[i].mode) {
                    case MODE_3X3: top = here - 1, taps = 3; break;
                    case MODE_7X7: top = here - 3, taps = 7; break;
                    case MODE_HALVING: top = 2 * here - 1, taps = 4; break;
                    default:
                        top = here / 2 - 1 + (here & 1), taps = 2;
                        weights += (here & 1) * 8 * in[i].channels;
                    }
                    for (int64_t tap = 0; tap < taps; tap++)
                        at[tap] = ring_row(k, &in[i], ring[i], held[i], top + tap);
                    k->depthwise[in[i].mode](at, x, count, in[i].channels, weights, out, stride);
                    out += in[i].channels;
                }
            }
            memset(sums, 0, (size_t)(2 * out_channels) * sizeof(float));
            k->matrix_product(a, stride, tile_rows * count, depth, panels,
                              dst + (y * width + x) * out_channels, out_channels, sums);
            for (int64_t c = 0; c < 2 * out_channels; c++)
                stats[c] += (double)sums[c];
        }
    }
}

/* Turn the statistics of all bands, always in the same order, into scale and shift. */
static void finish_conv(struct program *p, const int64_t *w)
{
    int64_t channels = w[CONV_OUT], bands = bands_of(w);
    double count = (double)(w[CONV_H] * w[CONV_W]);
    const float *gamma = operand(p, w[CONV_GAMMA]), *beta = operand(p, w[CONV_BETA]);
    float *norm = operand(p, w[CONV_NORM]);
    for (int64_t c = 0; c < channels; c++) {
        double sum = 0.0, square = 0.0;
        for (int64_t band = 0; band < bands; band++) {
            sum += p->stats[band * 2 * channels + c];
            square += p->stats[band * 2 * channels + channels + c];
        }
        double mean = sum / count, variance = square / count - mean * mean;
        double scale = (double)gamma[c] / sqrt((variance > 0.0 ? variance : 0.0) + EPSILON);
        if (!(variance == variance)) /* what is not a number must not become one */
            scale = variance;
        norm[c] = (float)scale;
        norm[channels + c] = (float)((double)beta[c] - mean * scale);
    }
}

/* Floats of a pixel's answers: nine taps of `count`, the last read as a whole vector. */
static int64_t answers_stride(int64_t count)
{
    return (8 * count + HEAD_WIDTH + 31) / 32 * 32;
}

/* A dense 3x3 convolution to a few channels: a matrix product gives what each pixel answers to
 * each of the nine taps, and the three rows of heads around it gather that. */
static void run_heads_band(struct program *p, const int64_t *w, int64_t band, float *scratch)
{
    const struct kernels *k = ENGINE(p)->kernels;
    int64_t height = w[HEADS_H], width = w[HEADS_W], count = w[HEADS_COUNT];
    int64_t rows = rows_per_band(w), first = band * rows;
    int64_t last = first + rows < height ? first + rows : height;
    struct input in = input_of(p, w + HEADS_INPUT, 1);
    int64_t stride = answers_stride(count), row_heads = width * HEAD_WIDTH;
    float *heads = scratch, *row = heads + 3 * row_heads, *answers = row + row_floats(&in);
    const float *bias = operand(p, w[HEADS_BIAS]), *panels = operand(p, w[HEADS_WEIGHTS]);
    for (int64_t y = first - 1; y <= last; y++) {
        if (y < 0 || y >= height)
            memset(row, 0, (size_t)row_floats(&in) * sizeof(float));
        else
            k->normalise_row(in.src + y * width * in.channels, row, width, in.channels, 1, in.norm,
                             in.slope);
        for (int64_t x = 0; x < width; x += CHUNK - 2) {
            int64_t inner = x + CHUNK - 2 <= width ? CHUNK - 2 : width - x;
            k->matrix_product(row + x * in.channels, in.channels, inner + 2, in.channels, panels,
                              answers, stride, NULL);
            for (int64_t ky = 0; ky < 3; ky++) {
                float *out = heads + (y + 4 - ky) % 3 * row_heads + x * HEAD_WIDTH;
                k->gather_taps(answers, stride, inner, count, ky, ky == 0 ? bias : NULL, out);
            }
        }
        if (y <= first)
            continue;
        const float *done = heads + (y + 2) % 3 * row_heads;
        for (int64_t i = 0; i < count; i++)
            k->activate(done + i, width, w[HEADS_OUT + 2 * i + 1],
                        operand(p, w[HEADS_OUT + 2 * i]) + (y - 1) * width);
    }
}

/* --- What surrounds the convolutions: small, planar, row by row -------------------------- */

/* PIXELS: dst pixels stride planes constants, then the planes, then where each constant is:
 * channels together, first those of the planes, then the constant ones; the rest is 0 */
static void assemble_pixels(struct program *p, const int64_t *w, int64_t begin, int64_t end)
{
    int64_t stride = w[3], planes = w[4], constants = w[5];
    const float *from[HEAD_WIDTH];
    float values[HEAD_WIDTH] = {0};
    for (int64_t c = 0; c < planes; c++)
        from[c] = operand(p, w[6 + c]);
    for (int64_t c = 0; c < constants; c++)
        values[planes + c] = *operand(p, w[6 + planes + c]);
    float *dst = operand(p, w[1]) + begin * stride;
    for (int64_t i = begin; i < end; i++, dst += stride) {
        for (int64_t c = 0; c < planes; c++)
            values[c] = from[c][i];
        memcpy(dst, values, sizeof values);
    }
}

/* CONSTANT_CHANNELS: values dst count pixels stride offset */
static void constant_channels(struct program *p, const int64_t *w, int64_t begin, int64_t end)
{
    const float *values = operand(p, w[1]);
    float *dst = operand(p, w[2]) + w[6];
    for (int64_t i = begin; i < end; i++)
        for (int64_t c = 0; c < w[3]; c++)
            dst[i * w[5] + c] = values[c];
}

/* PASTE: image patch dst size patch_size x y planes; a row at a time */
static void paste_rows(struct program *p, const int64_t *w, int64_t begin, int64_t end)
{
    int64_t size = w[4], patch = w[5], left = w[6], top = w[7];
    for (int64_t i = begin; i < end; i++) {
        int64_t plane = i / size, y = i % size;
        float *dst = operand(p, w[3]) + i * size;
        memcpy(dst, operand(p, w[1]) + i * size, (size_t)size * sizeof(float));
        if (y >= top && y < top + patch)
            memcpy(dst + left, operand(p, w[2]) + (plane * patch + y - top) * patch,
                   (size_t)patch * sizeof(float));
    }
}

/* HALVE: src dst size(of dst) planes: bilinear, corners not aligned: the mean of four */
static void halve_rows(struct program *p, const int64_t *w, int64_t begin, int64_t end)
{
    int64_t size = w[3];
    for (int64_t i = begin; i < end; i++) {
        const float *upper = operand(p, w[1]) + 2 * i * 2 * size, *lower = upper + 2 * size;
        float *dst = operand(p, w[2]) + i * size;
        for (int64_t x = 0; x < size; x++)
            dst[x] = ((upper[2 * x] + upper[2 * x + 1]) * 0.5f +
                      (lower[2 * x] + lower[2 * x + 1]) * 0.5f) * 0.5f;
    }
}

/* DOUBLE: src dst size(of src) planes: bilinear, corners not aligned, borders repeated */
static void double_rows(struct program *p, const int64_t *w, int64_t begin, int64_t end)
{
    int64_t size = w[3], width = 2 * size;
    for (int64_t i = begin; i < end; i++) {
        int64_t plane = i / width, y = i % width;
        int64_t near = y / 2, far = y & 1 ? near + 1 : near - 1;
        far = far < 0 ? 0 : far >= size ? size - 1 : far;
        const float *a = operand(p, w[1]) + (plane * size + near) * size;
        const float *b = operand(p, w[1]) + (plane * size + far) * size;
        float *dst = operand(p, w[2]) + i * width;
        for (int64_t x = 0; x < size; x++) {
            int64_t left = x ? x - 1 : 0, right = x + 1 < size ? x + 1 : x;
            float here = 0.75f * a[x] + 0.25f * b[x];
            dst[2 * x] = 0.25f * (0.75f * a[left] + 0.25f * b[left]) + 0.75f * here;
            dst[2 * x + 1] = 0.75f * here + 0.25f * (0.75f * a[right] + 0.25f * b[right]);
        }
    }
}

/* WARP: grid_change src dst size planes: sampled at identity + change, borders repeated */
static void warp_rows(struct program *p, const int64_t *w, int64_t begin, int64_t end)
{
    int64_t size = w[4], area = size * size;
    const float *change = operand(p, w[1]), *src = operand(p, w[2]);
    float *dst = operand(p, w[3]);
    float half = (float)size * 0.5f, limit = (float)(size - 1);
    for (int64_t y = begin; y < end; y++) {
        for (int64_t x = 0; x < size; x++) {
            int64_t i = y * size + x;
            float fx = (float)x + change[i] * half, fy = (float)y + change[area + i] * half;
            fx = fx > 0.0f ? fx < limit ? fx : limit : 0.0f; /* not a number becomes 0 */
            fy = fy > 0.0f ? fy < limit ? fy : limit : 0.0f;
            int64_t x0 = (int64_t)fx, y0 = (int64_t)fy;
            int64_t x1 = x0 + (x0 < size - 1), y1 = y0 + (y0 < size - 1);
            float u = fx - (float)x0, v = fy - (float)y0;
            float nw = (1 - u) * (1 - v), ne = u * (1 - v), sw = (1 - u) * v, se = u * v;
            for (int64_t plane = 0; plane < w[5]; plane++) {
                const float *s = src + plane * area;
                dst[plane * area + i] = s[y0 * size + x0] * nw + s[y0 * size + x1] * ne +
                                        s[y1 * size + x0] * sw + s[y1 * size + x1] * se;
            }
        }
    }
}

/* BLEND: alpha over under dst planes alpha_step area: over * alpha + under * (1 - alpha), plane
 * by plane; alpha_step is 0 where all planes share one alpha */
static void blend_span(struct program *p, const int64_t *w, int64_t begin, int64_t end)
{
    for (int64_t plane = 0; plane < w[5]; plane++) {
        const float *alpha = operand(p, w[1]) + plane * w[6];
        const float *over = operand(p, w[2]) + plane * w[7];
        const float *under = operand(p, w[3]) + plane * w[7];
        float *dst = operand(p, w[4]) + plane * w[7];
        for (int64_t i = begin; i < end; i++)
            dst[i] = over[i] * alpha[i] + under[i] * (1.0f - alpha[i]);
    }
}

/* UNIT: src dst count: -1..1 -> 0..1 */
static void unit_span(struct program *p, const int64_t *w, int64_t begin, int64_t end)
{
    const float *src = operand(p, w[1]);
    float *dst = operand(p, w[2]);
    for (int64_t i = begin; i < end; i++)
        dst[i] = (src[i] + 1.0f) * 0.5f;
}

/* --- Sharing the work ------------------------------------------------------------------- */

#define SPANS 8

/* Rows, pixels or numbers that an operation can be cut between. */
static int64_t extent_of(const int64_t *w)
{
    switch (w[0]) {
    case OP_PASTE: return w[4] * w[8];
    case OP_HALVE: return w[3] * w[4];
    case OP_DOUBLE: return 2 * w[3] * w[4];
    case OP_WARP: return w[4];
    case OP_BLEND: return w[7];
    case OP_PIXELS: return w[2];
    case OP_CONSTANT_CHANNELS: return w[4];
    default: return w[3];
    }
}

static int64_t items_of(const int64_t *w)
{
    return w[0] == OP_CONV || w[0] == OP_HEADS ? bands_of(w) : SPANS;
}

/* NORMALISE: src norm pixels channels slope dst stride; RESIDUAL: x y pixels channels norm dst */
static void run_item(struct program *p, const int64_t *w, int64_t item, float *scratch)
{
    const struct kernels *k = ENGINE(p)->kernels;
    if (w[0] == OP_CONV) {
        run_conv_band(p, w, item, scratch);
        return;
    }
    if (w[0] == OP_HEADS) {
        run_heads_band(p, w, item, scratch);
        return;
    }
    int64_t extent = extent_of(w);
    int64_t begin = extent * item / SPANS, end = extent * (item + 1) / SPANS;
    switch (w[0]) {
    case OP_NORMALISE:
        k->normalise(operand(p, w[1]) + begin * w[4], end - begin, w[4], operand(p, w[2]),
                     float_of(w[5]), operand(p, w[6]) + begin * w[7], w[7]);
        break;
    case OP_RESIDUAL:
        k->add_residual(operand(p, w[1]) + begin * w[4], operand(p, w[2]) + begin * w[4],
                        end - begin, w[4], operand(p, w[5]), operand(p, w[6]) + begin * w[4]);
        break;
    case OP_PIXELS: assemble_pixels(p, w, begin, end); break;
    case OP_CONSTANT_CHANNELS: constant_channels(p, w, begin, end); break;
    case OP_COPY:
        memcpy(operand(p, w[2]) + begin, operand(p, w[1]) + begin,
               (size_t)(end - begin) * sizeof(float));
        break;
    case OP_PASTE: paste_rows(p, w, begin, end); break;
    case OP_HALVE: halve_rows(p, w, begin, end); break;
    case OP_DOUBLE: double_rows(p, w, begin, end); break;
    case OP_WARP: warp_rows(p, w, begin, end); break;
    case OP_BLEND: blend_span(p, w, begin, end); break;
    case OP_UNIT: unit_span(p, w, begin, end); break;
    }
}

static void relax(int spins)
{
    if (spins > 4000)
        sched_yield(); /* somebody else needs this core */
#if defined(__x86_64__)
    else
        _mm_pause();
#endif
}

/* All threads go through all operations; the last to finish one opens the next. */
static void work(struct program *p, int thread)
{
    int threads = ENGINE(p)->threads;
    for (int64_t i = 0; i < p->op_count; i++) {
        const int64_t *w = p->ops[i].word;
        int64_t items = items_of(w), item;
        while ((item = atomic_fetch_add_explicit(&p->next[i], 1, memory_order_relaxed)) < items)
            run_item(p, w, item, p->scratch[thread]);
        if (atomic_fetch_add_explicit(&p->arrived, 1, memory_order_acq_rel) == threads - 1) {
            if (w[0] == OP_CONV)
                finish_conv(p, w);
            atomic_store_explicit(&p->arrived, 0, memory_order_relaxed);
            atomic_store_explicit(&p->done, i + 1, memory_order_release);
        } else {
            for (int spins = 0; atomic_load_explicit(&p->done, memory_order_acquire) <= i; spins++)
                relax(spins);
        }
    }
}

static void *worker_main(void *argument)
{
    struct engine *e = argument;
    uint64_t seen = 0;
    pthread_mutex_lock(&e->mutex);
    int thread = ++e->running; /* 0 is the caller's */
    pthread_cond_broadcast(&e->finished);
    for (;;) {
        while (e->epoch == seen && !e->stopping)
            pthread_cond_wait(&e->started, &e->mutex);
        if (e->stopping)
            break;
        seen = e->epoch;
        struct program *p = e->program;
        pthread_mutex_unlock(&e->mutex);
        work(p, thread);
        pthread_mutex_lock(&e->mutex);
        if (--e->running == 0)
            pthread_cond_broadcast(&e->finished);
    }
    pthread_mutex_unlock(&e->mutex);
    return NULL;
}

static void run_program(struct program *p)
{
    struct engine *e = ENGINE(p);
    for (int64_t i = 0; i < p->op_count; i++)
        atomic_store_explicit(&p->next[i], 0, memory_order_relaxed);
    atomic_store_explicit(&p->done, 0, memory_order_relaxed);
    if (e->threads > 1) {
        pthread_mutex_lock(&e->mutex);
        e->program = p;
        e->running = e->threads - 1;
        e->epoch++;
        pthread_cond_broadcast(&e->started);
        pthread_mutex_unlock(&e->mutex);
    }
    work(p, 0);
    if (e->threads > 1) {
        pthread_mutex_lock(&e->mutex);
        while (e->running)
            pthread_cond_wait(&e->finished, &e->mutex);
        pthread_mutex_unlock(&e->mutex);
    }
}

/* --- Python ----------------------------------------------------------------------------- */

static void *aligned_zeros(size_t bytes)
{
    void *memory = NULL;
    size_t size = (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    size_t alignment = size >= (4u << 20) ? 2u << 20 : ALIGNMENT;
    if (posix_memalign(&memory, alignment, size ? size : ALIGNMENT))
        return NULL;
#if defined(MADV_HUGEPAGE)
    if (alignment > ALIGNMENT)
        madvise(memory, size, MADV_HUGEPAGE);
#endif
    memset(memory, 0, size);
    return memory;
}

static int engine_init(PyObject *self, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"threads", "isa", NULL};
    struct engine *e = (struct engine *)self;
    int threads;
    const char *isa = NULL;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "i|z", names, &threads, &isa))
        return -1;
    if (e->kernels != NULL) {
        PyErr_SetString(PyExc_RuntimeError, "an engine is initialised once");
        return -1;
    }
    if (threads < 1 || threads > MAX_THREADS) {
        PyErr_Format(PyExc_ValueError, "threads must lie in 1..%d, not %d", MAX_THREADS, threads);
        return -1;
    }
    const struct kernels *kernels = chosen_kernels(isa, &e->isa);
    if (kernels == NULL) {
        PyErr_Format(PyExc_ValueError, "this processor has no %s", isa);
        return -1;
    }
    pthread_mutex_init(&e->mutex, NULL);
    pthread_cond_init(&e->started, NULL);
    pthread_cond_init(&e->finished, NULL);
    e->kernels = kernels;
    e->threads = 1;
    for (int i = 1; i < threads; i++) {
        if (pthread_create(&e->workers[i], NULL, worker_main, e)) {
            PyErr_SetString(PyExc_RuntimeError, "the system gives no more threads");
            return -1;
        }
        e->threads++;
    }
    /* Each takes its number before the first program runs. */
    pthread_mutex_lock(&e->mutex);
    while (e->running < e->threads - 1)
        pthread_cond_wait(&e->finished, &e->mutex);
    pthread_mutex_unlock(&e->mutex);
    return 0;
}

static void engine_dealloc(PyObject *self)
{
    struct engine *e = (struct engine *)self;
    if (e->kernels != NULL) {
        pthread_mutex_lock(&e->mutex);
        e->stopping = 1;
        pthread_cond_broadcast(&e->started);
        pthread_mutex_unlock(&e->mutex);
        for (int i = 1; i < e->threads; i++)
            pthread_join(e->workers[i], NULL);
        pthread_cond_destroy(&e->started);
        pthread_cond_destroy(&e->finished);
        pthread_mutex_destroy(&e->mutex);
    }
    PyTypeObject *type = Py_TYPE(self);
    freefunc release = PyType_GetSlot(type, Py_tp_free);
    release(self);
    Py_DECREF(type);
}

static PyObject *engine_isa(PyObject *self, void *unused)
{
    (void)unused;
    return PyUnicode_FromString(((struct engine *)self)->isa);
}

static PyObject *engine_columns(PyObject *self, void *unused)
{
    (void)unused;
    return PyLong_FromLongLong(((struct engine *)self)->kernels->columns);
}

static PyTypeObject *engine_type;

/* What the largest operation needs: its rings, its matrix, its statistics. */
static void measure_scratch(struct program *p)
{
    for (int64_t i = 0; i < p->op_count; i++) {
        const int64_t *w = p->ops[i].word;
        int64_t floats = 0, depth = 0;
        if (w[0] == OP_CONV) {
            int64_t tile = rows_per_tile(w[CONV_W]);
            for (int64_t n = 0; n < w[CONV_INPUTS]; n++) {
                struct input in = input_of(p, w + CONV_FIRST + n * IN_WORDS, tile);
                floats += in.slots * row_floats(&in);
                depth += in.channels;
            }
            int64_t count = tile * (w[CONV_W] < CHUNK ? w[CONV_W] : CHUNK);
            floats += 2 * w[CONV_OUT] + count * (depth + MATRIX_MARGIN);
            p->stats_floats = larger_of(p->stats_floats, bands_of(w) * 2 * w[CONV_OUT]);
        } else if (w[0] == OP_HEADS) {
            struct input in = input_of(p, w + HEADS_INPUT, 1);
            int64_t stride = answers_stride(w[HEADS_COUNT]);
            floats = 3 * in.width * HEAD_WIDTH + row_floats(&in) + CHUNK * stride;
        }
        p->scratch_floats = larger_of(p->scratch_floats, floats);
    }
}

static int program_init(PyObject *self, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"engine", "operations", "weights", "arena_floats", "array_floats",
                            NULL};
    struct program *p = (struct program *)self;
    PyObject *engine, *sizes;
    Py_buffer ops, weights;
    long long arena_floats;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O!y*y*LO!", names, engine_type, &engine, &ops,
                                     &weights, &arena_floats, &PyTuple_Type, &sizes))
        return -1;
    int result = -1;
    Py_ssize_t count = PyTuple_Size(sizes);
    if (p->engine != NULL || ops.len % (Py_ssize_t)sizeof(struct op) || arena_floats < 0 ||
        count > MAX_EXTERNALS) {
        PyErr_SetString(PyExc_ValueError, "these are no operations");
        goto out;
    }
    Py_INCREF(engine);
    p->engine = engine;
    for (Py_ssize_t i = 0; i < count; i++) {
        p->external_floats[i] = PyLong_AsLongLong(PyTuple_GetItem(sizes, i));
        if (PyErr_Occurred())
            goto out;
    }
    p->external_count = (int)count;
    p->op_count = ops.len / (Py_ssize_t)sizeof(struct op);
    p->arena_bytes = (size_t)arena_floats * sizeof(float);
    p->ops = malloc((size_t)ops.len + 1);
    p->next = calloc((size_t)p->op_count + 1, sizeof *p->next);
    p->arena = aligned_zeros(p->arena_bytes);
    p->weights = aligned_zeros((size_t)weights.len);
    if (!p->ops || !p->next || !p->arena || !p->weights) {
        PyErr_NoMemory();
        goto out;
    }
    memcpy(p->ops, ops.buf, (size_t)ops.len);
    memcpy(p->weights, weights.buf, (size_t)weights.len);
    measure_scratch(p);
    p->stats = aligned_zeros((size_t)p->stats_floats * sizeof(double));
    for (int i = 0; i < ENGINE(p)->threads; i++) {
        p->scratch[i] = aligned_zeros((size_t)p->scratch_floats * sizeof(float));
        if (p->scratch[i] == NULL)
            PyErr_NoMemory();
    }
    if (p->stats == NULL)
        PyErr_NoMemory();
    result = PyErr_Occurred() ? -1 : 0;
out:
    PyBuffer_Release(&ops);
    PyBuffer_Release(&weights);
    return result;
}

static void program_dealloc(PyObject *self)
{
    struct program *p = (struct program *)self;
    free(p->ops);
    free((void *)p->next);
    free(p->arena);
    free(p->weights);
    free(p->stats);
    for (int i = 0; i < MAX_THREADS; i++)
        free(p->scratch[i]);
    Py_XDECREF(p->engine);
    PyTypeObject *type = Py_TYPE(self);
    freefunc release = PyType_GetSlot(type, Py_tp_free);
    release(self);
    Py_DECREF(type);
}

static PyObject *program_run(PyObject *self, PyObject *arrays)
{
    struct program *p = (struct program *)self;
    Py_buffer views[MAX_EXTERNALS];
    int taken = 0;
    PyObject *result = NULL;
    if (PyTuple_Size(arrays) != p->external_count) {
        PyErr_Format(PyExc_ValueError, "%d arrays wanted", p->external_count);
        return NULL;
    }
    for (; taken < p->external_count; taken++) {
        Py_buffer *view = &views[taken];
        if (PyObject_GetBuffer(PyTuple_GetItem(arrays, taken), view, PyBUF_C_CONTIGUOUS))
            goto out;
        p->externals[taken] = view->buf;
        if (view->len != (Py_ssize_t)(p->external_floats[taken] * (int64_t)sizeof(float))) {
            PyErr_Format(PyExc_ValueError, "array %d has %zd bytes", taken, view->len);
            taken++;
            goto out;
        }
    }
    Py_BEGIN_ALLOW_THREADS
    run_program(p);
    Py_END_ALLOW_THREADS
    result = Py_None;
    Py_INCREF(result);
out:
    while (taken--)
        PyBuffer_Release(&views[taken]);
    return result;
}

static PyGetSetDef engine_getset[] = {
    {"isa", engine_isa, NULL, "Name of the instruction set in use.", NULL},
    {"columns", engine_columns, NULL, "Columns of a packed panel of weights.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot engine_slots[] = {
    {Py_tp_doc, "Threads that run programs, one program at a time."},
    {Py_tp_init, engine_init},
    {Py_tp_dealloc, engine_dealloc},
    {Py_tp_getset, engine_getset},
    {0, NULL},
};

static PyType_Spec engine_spec = {
    .name = "vtbridge.render.native._native.Engine",
    .basicsize = sizeof(struct engine),
    .flags = Py_TPFLAGS_DEFAULT,
    .slots = engine_slots,
};

static PyMethodDef program_methods[] = {
    {"run", program_run, METH_VARARGS, "Run all operations on these float32 arrays."},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot program_slots[] = {
    {Py_tp_doc, "A network's operations with their weights and their memory."},
    {Py_tp_init, program_init},
    {Py_tp_dealloc, program_dealloc},
    {Py_tp_methods, program_methods},
    {0, NULL},
};

static PyType_Spec program_spec = {
    .name = "vtbridge.render.native._native.Program",
    .basicsize = sizeof(struct program),
    .flags = Py_TPFLAGS_DEFAULT,
    .slots = program_slots,
};

static struct PyModuleDef module = {
    PyModuleDef_HEAD_INIT,
    .m_name = "vtbridge.render.native._native",
    .m_size = -1,
};

PyMODINIT_FUNC PyInit__native(void)
{
    PyObject *m = PyModule_Create(&module);
    if (m == NULL)
        return NULL;
    PyObject *engine = PyType_FromSpec(&engine_spec), *program = PyType_FromSpec(&program_spec);
    engine_type = (PyTypeObject *)engine;
    if (engine == NULL || program == NULL || PyModule_AddObject(m, "Engine", engine) ||
        PyModule_AddObject(m, "Program", program)) {
        Py_DECREF(m);
        return NULL;
    }
    return m;
}
