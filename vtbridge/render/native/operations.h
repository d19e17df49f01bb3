/* The operations of a network, each in pieces that threads can share. program.py writes them,
 * and is the only one that may: nothing here is checked. */

#include <Python.h>
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>

#define HEAD_WIDTH 16
#define MAX_INPUTS 2
#define MAX_THREADS 64
#define MAX_EXTERNALS 16
#define OP_WORDS 64
#define CHUNK 48 /* pixels of a row that are multiplied at a time; even, as doubling needs */
#define MATRIX_MARGIN 16 /* between its rows, so that they do not share sets of the cache */
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

#define KERNELS "../native/kernels.h"
#include "../c/each_isa.h"

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

/* --- What can be shared ------------------------------------------------------------------ */

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
