/* A prepared character's body: from a few numbers a pose to fields or to pixels, without the
 * GIL. vtbridge/render/baked/body.py holds the definitions; this file only makes them fast. */

#include <Python.h>
#include <stdlib.h>

#include "../_srgb.h"
#include "../c/buffers.h"

#define SIDE 512
#define TILE 16
#define TILES (SIDE / TILE)
#define TILE_PIXELS (TILE * TILE)
#define PLANE ((Py_ssize_t)SIDE * SIDE)

/* What is kept of a pixel: how its source is bent, x and y; how much is painted over; and
 * what, premultiplied and shifted so that 0 is nothing. One lane is idle. */
#define LANES 8
#define BEND_CHANNELS 2
#define PAINT_CHANNELS 5
#define CHANNELS_KEPT (BEND_CHANNELS + PAINT_CHANNELS)

/* Controls of the coarse motion: a uniform cubic B-spline with a control every TILE pixels. */
#define CONTROLS (TILES + 3)
#define TAPS 4

/* Rows of a matrix added at a time, so that sums travel to memory and back a quarter as often. */
#define GROUP 4

/* Pixels of a tile whose sums stay in registers while its components are added. */
#define RUN 64
#define WIDTH 16

#if defined(__GNUC__)
typedef float vtb_lanes __attribute__((vector_size(64)));
typedef int32_t vtb_steps __attribute__((vector_size(64)));
typedef uint32_t vtb_words __attribute__((vector_size(64)));
typedef float vtb_texel __attribute__((vector_size(32)));
#if defined(__clang__)
#define VTB_SHUFFLE(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#else
typedef int32_t vtb_order __attribute__((vector_size(32)));
#define VTB_SHUFFLE(a, b, ...) __builtin_shuffle(a, b, (vtb_order){__VA_ARGS__})
#endif
#endif

struct vtb_part {
    const uint8_t *counts;  /* components of each tile */
    const uint32_t *basis;  /* each tile's [channels, TILE_PIXELS / RUN, components, WIDTH] */
    const float *scale;     /* [components, channels] */
    const float *amounts;   /* [components] of this pose */
    const float *mean;      /* [tiles, channels, TILE_PIXELS] */
};

struct vtb_job {
    const float *texture;   /* [SIDE, SIDE, LANES] */
    const uint8_t *active;  /* [TILES, TILES] */
    int32_t kept[TILES * TILES];    /* the same, wide enough to be gathered */
    uint8_t reached[TILES * TILES]; /* tiles of the frame that may show an active one */
    const float *controls;  /* [2, CONTROLS, CONTROLS], in pixels */
    const float *morphed;   /* [4, SIDE, SIDE] */
    float last; /* SIDE - 1; as a constant it makes compilers branch where they could not */
    uint32_t *rgba;
    float *grid_change, *alpha, *color;
    float weights[TAPS][TILE];
    float centres[SIDE];
};

/* A run of a row's pixels, whole tiles, on its way. */
struct vtb_block {
    int count;
    float motion_x[BLOCK], motion_y[BLOCK];
    float kept[CHANNELS_KEPT][BLOCK];
    int32_t seen[BLOCK];
    float x[BLOCK], y[BLOCK];
    int32_t at[BLOCK];
    float texels[BLOCK][LANES];
};

/* ---- Small products ---- */

/* out = vector of `rows` times a matrix [rows, columns]. */
VTB_WIDEST_VECTORS
static void vtb_mix(const float *restrict vector, const float *restrict matrix, int rows,
                    int columns, float *restrict out)
{
    int row = 0;

    memset(out, 0, (size_t)columns * sizeof(float));
    for (; row + GROUP <= rows; row += GROUP) {
        const float *restrict a = matrix + (Py_ssize_t)row * columns;
        const float *restrict b = a + columns, *restrict c = b + columns, *restrict d = c + columns;
        const float p = vector[row], q = vector[row + 1], r = vector[row + 2], s = vector[row + 3];
        for (int i = 0; i < columns; i++)
            out[i] += p * a[i] + q * b[i] + r * c[i] + s * d[i];
    }
    for (; row < rows; row++) {
        const float *restrict a = matrix + (Py_ssize_t)row * columns;
        for (int i = 0; i < columns; i++)
            out[i] += vector[row] * a[i];
    }
}

/* The same of a matrix in steps, a size of step for each column. */
VTB_WIDEST_VECTORS
static void vtb_mix_steps(const float *restrict vector, const int16_t *restrict matrix,
                          const float *restrict scale, int rows, int columns, float *restrict out)
{
    int row = 0;

    memset(out, 0, (size_t)columns * sizeof(float));
    for (; row + GROUP <= rows; row += GROUP) {
        const int16_t *restrict a = matrix + (Py_ssize_t)row * columns;
        const int16_t *restrict b = a + columns, *restrict c = b + columns, *restrict d = c + columns;
        const float p = vector[row], q = vector[row + 1], r = vector[row + 2], s = vector[row + 3];
        for (int i = 0; i < columns; i++)
            out[i] += p * (float)a[i] + q * (float)b[i] + r * (float)c[i] + s * (float)d[i];
    }
    for (; row < rows; row++) {
        const int16_t *restrict a = matrix + (Py_ssize_t)row * columns;
        for (int i = 0; i < columns; i++)
            out[i] += vector[row] * (float)a[i];
    }
    for (int i = 0; i < columns; i++)
        out[i] *= scale[i];
}

/* ---- Tiles ---- */

/* Add `count` components, [count, WIDTH] words, to a run's sums. A word holds the steps of
 * four pixels WIDTH apart, the first in its lowest byte: shifts take it apart everywhere,
 * where bytes in a row would have to be widened, which compilers do badly. */
VTB_INLINE void vtb_add_run(float *restrict sums, const uint32_t *restrict basis,
                            const float *restrict factors, const int count)
{
#if defined(__GNUC__)
    vtb_lanes held[RUN / WIDTH];

    memcpy(held, sums, sizeof held);
    for (int component = 0; component < count; component++, basis += WIDTH) {
        vtb_words words;
        memcpy(&words, basis, sizeof words);
        for (int part = 0; part < RUN / WIDTH; part++) {
            const vtb_steps steps = (vtb_steps)(words << (24 - 8 * part)) >> 24;
            held[part] += factors[component] * __builtin_convertvector(steps, vtb_lanes);
        }
    }
    memcpy(sums, held, sizeof held);
#else
    for (int component = 0; component < count; component++, basis += WIDTH)
        for (int part = 0; part < RUN / WIDTH; part++)
            for (int i = 0; i < WIDTH; i++)
                sums[part * WIDTH + i] +=
                    factors[component] * (float)((int32_t)(basis[i] << (24 - 8 * part)) >> 24);
#endif
}

/* Add a tile's components to its sums, [channels, TILE_PIXELS]. */
VTB_INLINE void vtb_add_components(float *restrict sums, const int channels, const int count,
                                   const uint32_t *restrict basis, const float *restrict scale,
                                   const float *restrict amounts)
{
    float factors[UINT8_MAX];

    for (int channel = 0; channel < channels; channel++) {
        for (int component = 0; component < count; component++)
            factors[component] = amounts[component] * scale[component * channels + channel];
        for (int run = 0; run < TILE_PIXELS / RUN; run++) {
            vtb_add_run(sums, basis, factors, count);
            sums += RUN;
            basis += (Py_ssize_t)count * WIDTH;
        }
    }
}

/* Turn a line of a tile's sums, a plane a channel, into texels. */
VTB_INLINE void vtb_interleave(const float *restrict sums, float *restrict texels)
{
#if defined(__GNUC__)
    for (int part = 0; part < TILE; part += LANES) {
        vtb_texel in[LANES], a[LANES], b[LANES];
        for (int lane = 0; lane < LANES; lane++) {
            if (lane < CHANNELS_KEPT)
                memcpy(&in[lane], sums + lane * TILE_PIXELS + part, sizeof in[lane]);
            else
                in[lane] = in[0];
        }
        for (int i = 0; i < LANES; i += 2) {
            a[i] = VTB_SHUFFLE(in[i], in[i + 1], 0, 8, 1, 9, 4, 12, 5, 13);
            a[i + 1] = VTB_SHUFFLE(in[i], in[i + 1], 2, 10, 3, 11, 6, 14, 7, 15);
        }
        for (int i = 0; i < LANES; i += 4)
            for (int j = 0; j < 2; j++) {
                b[i + 2 * j] = VTB_SHUFFLE(a[i + j], a[i + 2 + j], 0, 1, 8, 9, 4, 5, 12, 13);
                b[i + 2 * j + 1] = VTB_SHUFFLE(a[i + j], a[i + 2 + j], 2, 3, 10, 11, 6, 7, 14, 15);
            }
        for (int i = 0; i < LANES / 2; i++) {
            const vtb_texel low = VTB_SHUFFLE(b[i], b[i + 4], 0, 1, 2, 3, 8, 9, 10, 11);
            const vtb_texel high = VTB_SHUFFLE(b[i], b[i + 4], 4, 5, 6, 7, 12, 13, 14, 15);
            memcpy(texels + (part + i) * LANES, &low, sizeof low);
            memcpy(texels + (part + i + 4) * LANES, &high, sizeof high);
        }
    }
#else
    for (int i = 0; i < TILE; i++)
        for (int channel = 0; channel < CHANNELS_KEPT; channel++)
            texels[i * LANES + channel] = sums[channel * TILE_PIXELS + i];
#endif
}

/* Fill the texture's tiles. */
VTB_WIDEST_VECTORS
static void vtb_expand_tiles(const int16_t *tiles, int count, struct vtb_part bend,
                             struct vtb_part paint, float *restrict texture)
{
    float sums[CHANNELS_KEPT * TILE_PIXELS];
    float *const painted = sums + BEND_CHANNELS * TILE_PIXELS;

    for (int tile = 0; tile < count; tile++) {
        const int row = tiles[tile] / TILES * TILE, column = tiles[tile] % TILES * TILE;

        memcpy(sums, bend.mean + (Py_ssize_t)tile * BEND_CHANNELS * TILE_PIXELS,
               BEND_CHANNELS * TILE_PIXELS * sizeof(float));
        memcpy(painted, paint.mean + (Py_ssize_t)tile * PAINT_CHANNELS * TILE_PIXELS,
               PAINT_CHANNELS * TILE_PIXELS * sizeof(float));
        vtb_add_components(sums, BEND_CHANNELS, bend.counts[tile], bend.basis, bend.scale,
                           bend.amounts);
        vtb_add_components(painted, PAINT_CHANNELS, paint.counts[tile], paint.basis, paint.scale,
                           paint.amounts);
        bend.basis += (Py_ssize_t)bend.counts[tile] * BEND_CHANNELS * (TILE_PIXELS / 4);
        bend.scale += (Py_ssize_t)bend.counts[tile] * BEND_CHANNELS;
        bend.amounts += bend.counts[tile];
        paint.basis += (Py_ssize_t)paint.counts[tile] * PAINT_CHANNELS * (TILE_PIXELS / 4);
        paint.scale += (Py_ssize_t)paint.counts[tile] * PAINT_CHANNELS;
        paint.amounts += paint.counts[tile];
        for (int y = 0; y < TILE; y++)
            vtb_interleave(sums + y * TILE,
                           texture + ((Py_ssize_t)(row + y) * SIDE + column) * LANES);
    }
}

/* ---- Where things are ---- */

VTB_INLINE float vtb_clamped(float value, float low, float high)
{
    value = value > low ? value : low; /* NaN compares false: low */
    return value < high ? value : high;
}

/* Mark the tiles of the frame from which the motion may lead to an active one: a spline lies
 * within its controls. */
static void vtb_reach(struct vtb_job *job)
{
    for (int tile = 0; tile < TILES * TILES; tile++) {
        const int row = tile / TILES, column = tile % TILES;
        int first[2], last[2];

        for (int axis = 0; axis < 2; axis++) {
            const float *controls = job->controls + (axis * CONTROLS + row) * CONTROLS + column;
            const float begin = (float)((axis ? row : column) * TILE);
            float least = controls[0], most = controls[0];
            for (int i = 0; i < TAPS * TAPS; i++) {
                const float control = controls[i / TAPS * CONTROLS + i % TAPS];
                least = control < least ? control : least;
                most = control > most ? control : most;
            }
            /* A pixel more than the bounds, for what rounding adds. */
            least = vtb_clamped(begin + least - 1.0f, 0.0f, SIDE - 1.0f);
            most = vtb_clamped(begin + TILE + most + 1.0f, 0.0f, SIDE - 1.0f);
            first[axis] = (int)least / TILE;
            last[axis] = (int)most / TILE;
        }
        job->reached[tile] = 0;
        for (int y = first[1]; y <= last[1]; y++)
            for (int x = first[0]; x <= last[0]; x++)
                job->reached[tile] |= job->active[y * TILES + x];
    }
}

/* Fill in the spline's weights, where the pixels lie in -1..1 as torch has them, and which
 * tiles matter. */
static void vtb_prepare(struct vtb_job *job)
{
    const double step = 2.0f / (float)(SIDE - 1);
    const float inner = (float)((SIDE - 1) / (double)SIDE);

    job->last = SIDE - 1.0f;
    for (int i = 0; i < TILE; i++) {
        const float t = ((float)i + 0.5f) / TILE, u = 1.0f - t;
        job->weights[0][i] = u * u * u / 6.0f;
        job->weights[1][i] = (3.0f * t * t * t - 6.0f * t * t + 4.0f) / 6.0f;
        job->weights[2][i] = (3.0f * u * u * u - 6.0f * u * u + 4.0f) / 6.0f;
        job->weights[3][i] = t * t * t / 6.0f;
    }
    for (int i = 0; i < SIDE; i++)
        job->centres[i] =
            (float)(i < SIDE / 2 ? step * i - 1.0 : 1.0 - step * (SIDE - 1 - i)) * inner;
    for (int tile = 0; tile < TILES * TILES; tile++)
        job->kept[tile] = job->active[tile] != 0;
    vtb_reach(job);
}

/* The controls of a row of pixels, for both axes. */
VTB_INLINE void vtb_row_controls(const struct vtb_job *job, int row,
                                 float line[2][CONTROLS])
{
    const float weights[TAPS] = {job->weights[0][row % TILE], job->weights[1][row % TILE],
                                 job->weights[2][row % TILE], job->weights[3][row % TILE]};

    for (int axis = 0; axis < 2; axis++) {
        const float *above = job->controls + (axis * CONTROLS + row / TILE) * CONTROLS;
        for (int i = 0; i < CONTROLS; i++)
            line[axis][i] = weights[0] * above[i] + weights[1] * above[CONTROLS + i] +
                            weights[2] * above[2 * CONTROLS + i] +
                            weights[3] * above[3 * CONTROLS + i];
    }
}

/* Fill in the coarse motion of a block that starts at `column`. */
VTB_INLINE void vtb_move(const struct vtb_job *job, float line[2][CONTROLS], int column,
                         struct vtb_block *restrict block)
{
    for (int tile = 0; tile < block->count / TILE; tile++) {
        const float *x = line[0] + column / TILE + tile, *y = line[1] + column / TILE + tile;
        const float x0 = x[0], x1 = x[1], x2 = x[2], x3 = x[3];
        const float y0 = y[0], y1 = y[1], y2 = y[2], y3 = y[3];
        float *restrict to_x = block->motion_x + tile * TILE;
        float *restrict to_y = block->motion_y + tile * TILE;
        for (int i = 0; i < TILE; i++) {
            to_x[i] = job->weights[0][i] * x0 + job->weights[1][i] * x1 +
                      job->weights[2][i] * x2 + job->weights[3][i] * x3;
            to_y[i] = job->weights[0][i] * y0 + job->weights[1][i] * y1 +
                      job->weights[2][i] * y2 + job->weights[3][i] * y3;
        }
    }
}

/* Find where a block's pixels lie in the texture; return whether anything is kept there. */
VTB_INLINE int vtb_find_texels(const struct vtb_job *job, int row, int column,
                               struct vtb_block *restrict block)
{
    const int count = block->count;
    const float last = job->last;
    int32_t seen = 0;

    for (int i = 0; i < count; i++) {
        const float x = vtb_clamped((float)(column + i) + block->motion_x[i], 0.0f, last);
        const float y = vtb_clamped((float)row + block->motion_y[i], 0.0f, last);
        int32_t left = (int32_t)x, top = (int32_t)y;
        block->seen[i] = job->kept[(top / TILE) * TILES + left / TILE];
        left = left < SIDE - 2 ? left : SIDE - 2;
        top = top < SIDE - 2 ? top : SIDE - 2;
        block->at[i] = top * SIDE + left;
        block->x[i] = x - (float)left;
        block->y[i] = y - (float)top;
        seen |= block->seen[i];
    }
    return seen;
}

/* Read what is kept of a block's pixels [from, to), bilinearly. */
VTB_INLINE void vtb_read_kept(const struct vtb_job *job, struct vtb_block *restrict block,
                              int from, int to)
{
    for (int i = from; i < to; i++) {
        const float *upper = job->texture + (Py_ssize_t)block->at[i] * LANES;
        const float x = block->x[i], y = block->y[i];
#if defined(__GNUC__)
        vtb_texel a, b, c, d;

        memcpy(&a, upper, sizeof a);
        memcpy(&b, upper + LANES, sizeof b);
        memcpy(&c, upper + SIDE * LANES, sizeof c);
        memcpy(&d, upper + (SIDE + 1) * LANES, sizeof d);
        a += x * (b - a);
        c += x * (d - c);
        a += y * (c - a);
        memcpy(block->texels[i], &a, sizeof a);
#else
        const float *lower = upper + SIDE * LANES;

        for (int lane = 0; lane < LANES; lane++) {
            const float above = upper[lane] + x * (upper[LANES + lane] - upper[lane]);
            const float below = lower[lane] + x * (lower[LANES + lane] - lower[lane]);
            block->texels[i][lane] = above + y * (below - above);
        }
#endif
    }
    for (int channel = 0; channel < CHANNELS_KEPT; channel++)
        for (int i = from; i < to; i++)
            block->kept[channel][i] = block->texels[i][channel];
    for (int i = from; i < to; i++)
        block->kept[2][i] = vtb_clamped(block->kept[2][i], 0.0f, 1.0f);
    for (int channel = 3; channel < CHANNELS_KEPT; channel++)
        for (int i = from; i < to; i++)
            block->kept[channel][i] =
                vtb_clamped(block->kept[channel][i], 0.0f, 2.0f * block->kept[2][i]);
}

/* ---- Fields ---- */

VTB_WIDEST_VECTORS
static void vtb_write_fields(const struct vtb_job *job)
{
    const float halves = 2.0f / SIDE;
    struct vtb_block block;

    block.count = BLOCK;
    for (int row = 0; row < SIDE; row++) {
        float line[2][CONTROLS];
        vtb_row_controls(job, row, line);
        for (int column = 0; column < SIDE; column += BLOCK) {
            const Py_ssize_t offset = (Py_ssize_t)row * SIDE + column;
            float *restrict x = job->grid_change + offset;
            float *restrict y = x + PLANE;

            vtb_move(job, line, column, &block);
            if (vtb_find_texels(job, row, column, &block))
                vtb_read_kept(job, &block, 0, BLOCK);
            else
                memset(block.kept, 0, sizeof block.kept);
            for (int i = 0; i < BLOCK; i++) {
                x[i] = (block.motion_x[i] + block.kept[0][i]) * halves;
                y[i] = (block.motion_y[i] + block.kept[1][i]) * halves;
            }
            for (int channel = 0; channel < CHANNELS; channel++) {
                float *restrict alpha = job->alpha + channel * PLANE + offset;
                float *restrict color = job->color + channel * PLANE + offset;
                for (int i = 0; i < BLOCK; i++) {
                    const float share = block.kept[2][i];
                    const float painted =
                        share > 1e-6f ? block.kept[3 + channel][i] / share - 1.0f : -1.0f;
                    alpha[i] = block.seen[i] ? share : 1.0f;
                    color[i] = block.seen[i] ? vtb_clamped(painted, -1.0f, 1.0f) : -1.0f;
                }
            }
        }
    }
}

/* ---- Pixels ---- */

/* Find the four pixels that each of [from, to) is sampled from: torch's grid_sample,
 * bilinear, border, align_corners false. */
VTB_INLINE void vtb_locate(const struct vtb_job *job, struct vtb_block *restrict block, int row,
                           int column, int from, int to)
{
    const float half = SIDE * 0.5f, last = job->last, halves = 2.0f / SIDE;
    const float *restrict centres = job->centres + column;
    const float row_centre = job->centres[row];

    for (int i = from; i < to; i++) {
        const float grid_x = (block->motion_x[i] + block->kept[0][i]) * halves;
        const float grid_y = (block->motion_y[i] + block->kept[1][i]) * halves;
        const float x = vtb_clamped((centres[i] + grid_x + 1.0f) * half - 0.5f, 0.0f, last);
        const float y = vtb_clamped((row_centre + grid_y + 1.0f) * half - 0.5f, 0.0f, last);
        int32_t left = (int32_t)x, top = (int32_t)y;
        left = left < SIDE - 2 ? left : SIDE - 2;
        top = top < SIDE - 2 ? top : SIDE - 2;
        block->at[i] = top * SIDE + left;
        block->x[i] = x - (float)left;
        block->y[i] = y - (float)top;
    }
}

/* Compose a channel of [from, to), 0..2. */
VTB_INLINE void vtb_compose(const struct vtb_job *job, const struct vtb_block *restrict block,
                            int channel, int from, int to, float *restrict value)
{
    const float *restrict plane = job->morphed + channel * PLANE;
    const float *restrict painted = block->kept[3 + channel];
    const float *restrict share = block->kept[2];

    for (int i = from; i < to; i++) {
        const int32_t at = block->at[i];
        const float x = block->x[i];
        const float upper = plane[at] + x * (plane[at + 1] - plane[at]);
        const float lower = plane[at + SIDE] + x * (plane[at + SIDE + 1] - plane[at + SIDE]);
        const float sampled = upper + block->y[i] * (lower - upper) + 1.0f;
        value[i] = painted[i] + sampled * (1.0f - share[i]);
    }
}

/* Draw a block that starts at `column`; its pixels are 0 so far. */
VTB_INLINE void vtb_draw_block(const struct vtb_job *job, float line[2][CONTROLS], int row,
                               int column, struct vtb_block *restrict block)
{
    uint32_t *restrict rgba = job->rgba + (Py_ssize_t)row * SIDE + column;
    float value[CHANNELS][BLOCK];
    int from = 0, to = block->count;

    vtb_move(job, line, column, block);
    if (!vtb_find_texels(job, row, column, block))
        return;
    while (!block->seen[from])
        from++;
    while (!block->seen[to - 1])
        to--;
    vtb_read_kept(job, block, from, to);
    vtb_locate(job, block, row, column, from, to);
    for (int channel = 0; channel < CHANNELS; channel++)
        vtb_compose(job, block, channel, from, to, value[channel]);
    for (int i = from; i < to; i++) {
        const float top = block->seen[i] ? 2.0f : 0.0f;
        const int32_t alpha = (int32_t)(vtb_clamped(value[3][i], 0.0f, top) * 127.5f + 0.5f);
        int32_t steps[3];
        for (int channel = 0; channel < 3; channel++)
            steps[channel] = (int32_t)(vtb_clamped(value[channel][i], 0.0f, 2.0f) *
                                           ((LINEAR_STEPS - 1.0f) * 0.5f) +
                                       0.5f);
        rgba[i] = vtb_packed(steps[0], steps[1], steps[2], alpha, alpha);
    }
}

VTB_WIDEST_VECTORS
static void vtb_draw_rows(const struct vtb_job *job)
{
    struct vtb_block block;

    memset(job->rgba, 0, (size_t)PLANE * CHANNELS);
    for (int row = 0; row < SIDE; row++) {
        const uint8_t *reached = job->reached + row / TILE * TILES;
        float line[2][CONTROLS];

        vtb_row_controls(job, row, line);
        for (int tile = 0; tile < TILES;) {
            const int first = tile;
            if (!reached[tile]) {
                tile++;
                continue;
            }
            while (tile < TILES && tile < first + BLOCK / TILE && reached[tile])
                tile++;
            block.count = (tile - first) * TILE;
            vtb_draw_block(job, line, row, first * TILE, &block);
        }
    }
}

/* ---- Python ---- */

static PyObject *vtb_mix_py(PyObject *module, PyObject *args)
{
    struct vtb_views views = {.count = 0};
    PyObject *vector, *matrix, *out;
    const float *left, *right;
    float *sums;
    int rows, columns;

    (void)module;
    if (!PyArg_ParseTuple(args, "OOOii", &vector, &matrix, &out, &rows, &columns))
        return NULL;
    if (rows < 0 || columns < 0) {
        PyErr_SetString(PyExc_ValueError, "a matrix has no negative sides");
        return NULL;
    }
    const Py_ssize_t size = (Py_ssize_t)sizeof(float);
    if (!(left = vtb_memory(&views, vector, "vector", PyBUF_SIMPLE, rows * size)) ||
        !(right = vtb_memory(&views, matrix, "matrix", PyBUF_SIMPLE, rows * size * columns)) ||
        !(sums = vtb_memory(&views, out, "out", PyBUF_WRITABLE, columns * size))) {
        vtb_release(&views);
        return NULL;
    }
    Py_BEGIN_ALLOW_THREADS
    vtb_mix(left, right, rows, columns, sums);
    Py_END_ALLOW_THREADS
    vtb_release(&views);
    Py_RETURN_NONE;
}

static PyObject *vtb_mix_steps_py(PyObject *module, PyObject *args)
{
    struct vtb_views views = {.count = 0};
    PyObject *vector, *matrix, *scale, *out;
    const float *left, *steps;
    const int16_t *right;
    float *sums;
    int rows, columns;

    (void)module;
    if (!PyArg_ParseTuple(args, "OOOOii", &vector, &matrix, &scale, &out, &rows, &columns))
        return NULL;
    if (rows < 0 || columns < 0) {
        PyErr_SetString(PyExc_ValueError, "a matrix has no negative sides");
        return NULL;
    }
    const Py_ssize_t size = (Py_ssize_t)sizeof(float);
    if (!(left = vtb_memory(&views, vector, "vector", PyBUF_SIMPLE, rows * size)) ||
        !(right = vtb_memory(&views, matrix, "matrix", PyBUF_SIMPLE,
                             rows * (Py_ssize_t)sizeof(int16_t) * columns)) ||
        !(steps = vtb_memory(&views, scale, "scale", PyBUF_SIMPLE, columns * size)) ||
        !(sums = vtb_memory(&views, out, "out", PyBUF_WRITABLE, columns * size))) {
        vtb_release(&views);
        return NULL;
    }
    Py_BEGIN_ALLOW_THREADS
    vtb_mix_steps(left, right, steps, rows, columns, sums);
    Py_END_ALLOW_THREADS
    vtb_release(&views);
    Py_RETURN_NONE;
}

/* Take a part's buffers; its counts say how long the others have to be. */
static int vtb_take_part(struct vtb_views *views, PyObject *tuple, int tiles, int channels,
                         struct vtb_part *part)
{
    PyObject *counts, *basis, *scale, *amounts, *mean;
    const Py_ssize_t size = (Py_ssize_t)sizeof(float);
    Py_ssize_t components = 0;

    if (!PyArg_ParseTuple(tuple, "OOOOO", &counts, &basis, &scale, &amounts, &mean))
        return -1;
    if (!(part->counts = vtb_memory(views, counts, "counts", PyBUF_SIMPLE, tiles)))
        return -1;
    for (int tile = 0; tile < tiles; tile++)
        components += part->counts[tile];
    if (!(part->basis = vtb_memory(views, basis, "basis", PyBUF_SIMPLE,
                                   components * channels * TILE_PIXELS)) ||
        !(part->scale = vtb_memory(views, scale, "scale", PyBUF_SIMPLE,
                                   components * channels * size)) ||
        !(part->amounts = vtb_memory(views, amounts, "amounts", PyBUF_SIMPLE,
                                     components * size)) ||
        !(part->mean = vtb_memory(views, mean, "mean", PyBUF_SIMPLE,
                                  tiles * channels * TILE_PIXELS * size)))
        return -1;
    return 0;
}

static PyObject *vtb_expand_py(PyObject *module, PyObject *args)
{
    struct vtb_views views = {.count = 0};
    PyObject *tiles, *bend, *paint, *texture;
    struct vtb_part bent, painted;
    const int16_t *places;
    float *texels;
    int count;

    (void)module;
    if (!PyArg_ParseTuple(args, "OO!O!Oi", &tiles, &PyTuple_Type, &bend, &PyTuple_Type, &paint,
                          &texture, &count))
        return NULL;
    if (count < 0 || count > TILES * TILES) {
        PyErr_Format(PyExc_ValueError, "%d tiles; there are %d", count, TILES * TILES);
        return NULL;
    }
    if (!(places = vtb_memory(&views, tiles, "tiles", PyBUF_SIMPLE,
                              count * (Py_ssize_t)sizeof(int16_t))) ||
        vtb_take_part(&views, bend, count, BEND_CHANNELS, &bent) < 0 ||
        vtb_take_part(&views, paint, count, PAINT_CHANNELS, &painted) < 0 ||
        !(texels = vtb_memory(&views, texture, "texture", PyBUF_WRITABLE,
                              PLANE * LANES * (Py_ssize_t)sizeof(float))))
        goto failed;
    for (int tile = 0; tile < count; tile++)
        if (places[tile] < 0 || places[tile] >= TILES * TILES) {
            PyErr_Format(PyExc_ValueError, "there is no tile %d", places[tile]);
            goto failed;
        }
    Py_BEGIN_ALLOW_THREADS
    vtb_expand_tiles(places, count, bent, painted, texels);
    Py_END_ALLOW_THREADS
    vtb_release(&views);
    Py_RETURN_NONE;
failed:
    vtb_release(&views);
    return NULL;
}

static int vtb_take_job(struct vtb_views *views, PyObject *texture, PyObject *active,
                        PyObject *controls, struct vtb_job *job)
{
    const Py_ssize_t size = (Py_ssize_t)sizeof(float);

    memset(job, 0, sizeof *job);
    job->texture = vtb_memory(views, texture, "texture", PyBUF_SIMPLE, PLANE * LANES * size);
    if (!job->texture)
        return -1;
    job->active = vtb_memory(views, active, "active", PyBUF_SIMPLE, TILES * TILES);
    if (!job->active)
        return -1;
    job->controls = vtb_memory(views, controls, "controls", PyBUF_SIMPLE,
                               2 * CONTROLS * CONTROLS * size);
    if (!job->controls)
        return -1;
    vtb_prepare(job);
    return 0;
}

static PyObject *vtb_fields_py(PyObject *module, PyObject *args)
{
    struct vtb_views views = {.count = 0};
    PyObject *texture, *active, *controls, *grid_change, *alpha, *color;
    const Py_ssize_t plane = PLANE * (Py_ssize_t)sizeof(float);
    struct vtb_job job;

    (void)module;
    if (!PyArg_ParseTuple(args, "OOOOOO", &texture, &active, &controls, &grid_change, &alpha,
                          &color))
        return NULL;
    if (vtb_take_job(&views, texture, active, controls, &job) < 0 ||
        !(job.grid_change = vtb_memory(&views, grid_change, "grid_change", PyBUF_WRITABLE,
                                       2 * plane)) ||
        !(job.alpha = vtb_memory(&views, alpha, "alpha", PyBUF_WRITABLE, CHANNELS * plane)) ||
        !(job.color = vtb_memory(&views, color, "color", PyBUF_WRITABLE, CHANNELS * plane))) {
        vtb_release(&views);
        return NULL;
    }
    Py_BEGIN_ALLOW_THREADS
    vtb_write_fields(&job);
    Py_END_ALLOW_THREADS
    vtb_release(&views);
    Py_RETURN_NONE;
}

static PyObject *vtb_draw_py(PyObject *module, PyObject *args)
{
    struct vtb_views views = {.count = 0};
    PyObject *texture, *active, *controls, *morphed, *rgba;
    struct vtb_job job;

    (void)module;
    if (!PyArg_ParseTuple(args, "OOOOO", &texture, &active, &controls, &morphed, &rgba))
        return NULL;
    if (vtb_take_job(&views, texture, active, controls, &job) < 0 ||
        !(job.morphed = vtb_memory(&views, morphed, "morphed", PyBUF_SIMPLE,
                                   CHANNELS * PLANE * (Py_ssize_t)sizeof(float))) ||
        !(job.rgba = vtb_memory(&views, rgba, "rgba", PyBUF_WRITABLE, CHANNELS * PLANE))) {
        vtb_release(&views);
        return NULL;
    }
    Py_BEGIN_ALLOW_THREADS
    vtb_draw_rows(&job);
    Py_END_ALLOW_THREADS
    vtb_release(&views);
    Py_RETURN_NONE;
}

static PyMethodDef vtb_methods[] = {
    {"mix", vtb_mix_py, METH_VARARGS, "mix(vector, matrix, out, rows, columns, /) -> None"},
    {"mix_steps", vtb_mix_steps_py, METH_VARARGS,
     "mix_steps(vector, matrix, scale, out, rows, columns, /) -> None"},
    {"expand", vtb_expand_py, METH_VARARGS,
     "expand(tiles, bend, paint, texture, count, /) -> None"},
    {"fields", vtb_fields_py, METH_VARARGS,
     "fields(texture, active, controls, grid_change, alpha, color, /) -> None"},
    {"draw", vtb_draw_py, METH_VARARGS,
     "draw(texture, active, controls, morphed, rgba, /) -> None"},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef vtb_module = {
    PyModuleDef_HEAD_INIT, "_body", "Speed for vtbridge.render.baked.body.", -1,
    vtb_methods, NULL, NULL, NULL, NULL,
};

PyMODINIT_FUNC PyInit__body(void)
{
    vtb_fill_encoded_from_linear();
    return PyModule_Create(&vtb_module);
}
