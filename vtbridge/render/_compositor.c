/* From the fields that the networks give to the pixels of a frame, without the GIL.
 * vtbridge/render/compositor.py and enlarge.py hold the definitions; this file only makes
 * them fast. Every function works on a range of rows, so that threads may share a frame. */

#include <Python.h>
#include <stdlib.h>

#include "_srgb.h"

#define PAIR (2 * CHANNELS) /* floats a pixel: what the networks add to the picture, the picture */
#define TAPS 4              /* of a cubic kernel, along each axis */
#define CATMULL_ROM -0.5f
/* Somewhat steeper where the drawing is sampled, for what sampling between its pixels costs. */
#define DRAWN_SLOPE -0.7f
#define WINDOW 5            /* side of the window in which likeness is judged, in pixels */
#define REACH (WINDOW / 2)
#define MAX_SIDE 4096
#define LEAST_ALPHA (1.0f / 1024.0f)
#define BEND 3 /* floats of a face's flow a pixel: x, y, and how far it is believed */

/* What likeness is computed from: luma and alpha of the difference, luma and alpha of the
 * picture. */
#define MARKS 4
#define SUMS 6 /* of the difference and of the picture: luma, alpha, and their squares together */

enum vtb_kind { SHOWN, SIGNALS, TRACED };

struct vtb_fields {
    const float *grid_change, *alpha, *color;
};

struct vtb_job {
    int side;
    float centres[MAX_SIDE];
    const float *morphed;
    struct vtb_fields older, newer; /* newer.grid_change is NULL where nothing is mixed */
    float share;
    int premultiplied; /* the colours of all these, by alpha in linear light */
    /* SHOWN and SIGNALS */
    uint32_t *rgba;
    float *signals;
    /* TRACED */
    const float *picture; /* [side, side, CHANNELS], premultiplied levels */
    const float *face_flow; /* [face_size, face_size, BEND], or NULL */
    int face_x, face_y, face_size;
    float *pairs, *marks, *flow, *keep;
    int32_t *extents;
};

/* One block on its way through the channels. */
struct vtb_block {
    int count;
    float source_x[BLOCK], source_y[BLOCK]; /* where each pixel comes from */
    int32_t at[BLOCK];                      /* the upper left of the four pixels there */
    float x[BLOCK], y[BLOCK];               /* the shares of the right and lower ones */
    float alpha[BLOCK], color[BLOCK];
};


VTB_INLINE float vtb_clamped(float value, float top)
{
    value = value > 0.0f ? value : 0.0f; /* NaN compares false: 0 */
    return value < top ? value : top;
}

VTB_INLINE int32_t vtb_count(const float *restrict values, int count)
{
    int32_t not_finite = 0;
    for (int i = 0; i < count; i++)
        not_finite += vtb_not_finite(values[i]);
    return not_finite;
}

/* Fetch a line of a plane, mixed if there are two; return how much of it is not finite. */
VTB_INLINE int32_t vtb_fetch(float *restrict line, const float *restrict older,
                             const float *restrict newer, float share, int count)
{
    int32_t not_finite = 0;
    if (!newer) {
        for (int i = 0; i < count; i++) {
            not_finite += vtb_not_finite(older[i]);
            line[i] = older[i];
        }
        return not_finite;
    }
    for (int i = 0; i < count; i++) {
        not_finite += vtb_not_finite(older[i]) + vtb_not_finite(newer[i]);
        line[i] = older[i] * (1.0f - share) + newer[i] * share;
    }
    return not_finite;
}

VTB_INLINE int32_t vtb_fetch_plane(const struct vtb_job *job, float *restrict line,
                                   const float *older, const float *newer, Py_ssize_t offset,
                                   int count)
{
    return vtb_fetch(line, older + offset, newer ? newer + offset : NULL, job->share, count);
}

/* Fill in where the pixels lie in -1..1, to the bit as torch's affine_grid has them: an ulp
 * here is seen in the fifth digit of a sharp edge. */
static void vtb_fill_centres(struct vtb_job *job)
{
    const int side = job->side, half = side / 2;
    const double step = 2.0f / (float)(side - 1);
    const float inner = (float)((side - 1) / (double)side);

    for (int i = 0; i < side; i++)
        job->centres[i] = (float)(i < half ? step * i - 1.0 : 1.0 - step * (side - 1 - i)) * inner;
}

/* Find the four pixels that each pixel of a block is sampled from: torch's grid_sample,
 * bilinear, border, align_corners false. `x` and `y` hold the grid change before. */
VTB_INLINE void vtb_locate(const struct vtb_job *job, struct vtb_block *restrict block, int column,
                           int row)
{
    const int side = job->side;
    const float half = side * 0.5f, last = side - 1.0f;
    const float *restrict centres = job->centres + column;
    const float row_centre = job->centres[row];

    for (int i = 0; i < block->count; i++) {
        /* In this order, so that sums are rounded as torch rounds them. */
        float x = vtb_clamped((centres[i] + block->x[i] + 1.0f) * half - 0.5f, last);
        float y = vtb_clamped((row_centre + block->y[i] + 1.0f) * half - 0.5f, last);
        int32_t left = (int32_t)x, top = (int32_t)y;
        left = left < side - 2 ? left : side - 2;
        top = top < side - 2 ? top : side - 2;
        block->source_x[i] = x;
        block->source_y[i] = y;
        block->at[i] = top * side + left;
        block->x[i] = x - (float)left;
        block->y[i] = y - (float)top;
    }
}

/* Move on from the posed face to where the picture shows the same: the pixels of a block
 * that come from the face are sampled elsewhere from here on. */
VTB_INLINE void vtb_bend(const struct vtb_job *job, struct vtb_block *restrict block,
                         float *restrict keep)
{
    const int side = job->side, size = job->face_size;
    const float last = side - 1.0f, inner = size - 1.0f;

    for (int i = 0; i < block->count; i++) {
        float x = block->source_x[i] - (float)job->face_x;
        float y = block->source_y[i] - (float)job->face_y;
        const float *upper, *lower;
        float moved[BEND];
        int32_t left, top;

        if (!(x >= 0.0f && y >= 0.0f && x < inner && y < inner))
            continue;
        left = (int32_t)x;
        top = (int32_t)y;
        x -= (float)left;
        y -= (float)top;
        upper = job->face_flow + BEND * ((Py_ssize_t)top * size + left);
        lower = upper + BEND * (Py_ssize_t)size;
        for (int part = 0; part < BEND; part++) {
            float above = upper[part] + x * (upper[BEND + part] - upper[part]);
            float below = lower[part] + x * (lower[BEND + part] - lower[part]);
            moved[part] = above + y * (below - above);
        }
        keep[i] = moved[2];
        x = vtb_clamped(block->source_x[i] + moved[0], last);
        y = vtb_clamped(block->source_y[i] + moved[1], last);
        left = (int32_t)x < side - 2 ? (int32_t)x : side - 2;
        top = (int32_t)y < side - 2 ? (int32_t)y : side - 2;
        block->source_x[i] = x;
        block->source_y[i] = y;
        block->at[i] = top * side + left;
        block->x[i] = x - (float)left;
        block->y[i] = y - (float)top;
    }
}

VTB_INLINE void vtb_store_flow(const struct vtb_job *job, const struct vtb_block *restrict block,
                               int column, int row)
{
    float *restrict x = job->flow + (Py_ssize_t)row * job->side + column;
    float *restrict y = x + (Py_ssize_t)job->side * job->side;

    for (int i = 0; i < block->count; i++) {
        x[i] = block->source_x[i] - (float)(column + i);
        y[i] = block->source_y[i] - (float)row;
    }
}

VTB_INLINE void vtb_sample(const struct vtb_block *block, const float *restrict plane, int side,
                           float *restrict sampled)
{
    const float *below = plane + side;

    for (int i = 0; i < block->count; i++) {
        int32_t at = block->at[i];
        float x = block->x[i];
        float upper = plane[at] + x * (plane[at + 1] - plane[at]);
        float lower = below[at] + x * (below[at + 1] - below[at]);
        sampled[i] = upper + block->y[i] * (lower - upper);
    }
}

/* Compose one channel of a block; return how many of the numbers are not finite. */
VTB_INLINE int32_t vtb_compose(const struct vtb_job *job, struct vtb_block *block, int channel,
                               Py_ssize_t offset, float *restrict value)
{
    const Py_ssize_t plane = (Py_ssize_t)job->side * job->side;
    int32_t not_finite;

    offset += channel * plane;
    not_finite = vtb_fetch_plane(job, block->alpha, job->older.alpha, job->newer.alpha, offset,
                                 block->count);
    not_finite += vtb_fetch_plane(job, block->color, job->older.color, job->newer.color, offset,
                                  block->count);
    vtb_sample(block, job->morphed + channel * plane, job->side, value);
    for (int i = 0; i < block->count; i++)
        value[i] = block->color[i] * block->alpha[i] + value[i] * (1.0f - block->alpha[i]);
    return not_finite;
}

/* Undo in linear light what multiplied the colours of a block by its alpha, 0..1; what is as
 * good as transparent is black. */
VTB_INLINE void vtb_straighten(float value[CHANNELS][BLOCK], const float *restrict alpha, int count)
{
    for (int channel = 0; channel < 3; channel++)
        for (int i = 0; i < count; i++)
            value[channel][i] =
                alpha[i] > LEAST_ALPHA ? (value[channel][i] + 1.0f) / alpha[i] - 1.0f : -1.0f;
}

/* Count what is not finite in the channels of a block that nobody sees. */
VTB_INLINE int32_t vtb_count_unseen(const struct vtb_job *job, Py_ssize_t offset, int count)
{
    const Py_ssize_t plane = (Py_ssize_t)job->side * job->side;
    int32_t not_finite = 0;

    for (int channel = 0; channel < 3; channel++, offset += plane) {
        not_finite += vtb_count(job->older.alpha + offset, count);
        not_finite += vtb_count(job->older.color + offset, count);
        if (job->newer.grid_change) {
            not_finite += vtb_count(job->newer.alpha + offset, count);
            not_finite += vtb_count(job->newer.color + offset, count);
        }
    }
    return not_finite;
}

/* Write what enlarging needs of a block: both pictures interleaved, and the marks. */
VTB_INLINE void vtb_trace(const struct vtb_job *job, const struct vtb_block *block,
                          float value[CHANNELS][BLOCK], int row, int column)
{
    const Py_ssize_t plane = (Py_ssize_t)job->side * job->side;
    const Py_ssize_t offset = (Py_ssize_t)row * job->side + column;
    float *restrict pairs = job->pairs + offset * PAIR;
    float *restrict marks = job->marks + offset;
    int32_t *extent = job->extents + 2 * row;
    float shown[CHANNELS][BLOCK];
    int first = block->count, last = -1;

    for (int channel = 0; channel < 3; channel++)
        for (int i = 0; i < block->count; i++) {
            int32_t step = (int32_t)(vtb_scaled(value[channel][i], LINEAR_STEPS - 1.0f) + 0.5f);
            float encoded = (float)vtb_encoded_from_linear[step] * (1.0f / ENCODED_ONE);
            value[channel][i] = encoded * value[3][i];
        }
    for (int i = 0; i < block->count; i++, pairs += PAIR) {
        const float *upper = job->picture + (Py_ssize_t)block->at[i] * CHANNELS;
        const float *lower = upper + (Py_ssize_t)job->side * CHANNELS;
        const float x = block->x[i], y = block->y[i];
        float drawn[CHANNELS];

        for (int channel = 0; channel < CHANNELS; channel++) {
            float above = upper[channel] + x * (upper[CHANNELS + channel] - upper[channel]);
            float below = lower[channel] + x * (lower[CHANNELS + channel] - lower[channel]);
            drawn[channel] = above + y * (below - above);
        }
        for (int channel = 0; channel < CHANNELS; channel++) {
            shown[channel][i] = drawn[channel];
            pairs[channel] = value[channel][i] - drawn[channel];
            pairs[CHANNELS + channel] = drawn[channel];
        }
    }
    for (int i = 0; i < block->count; i++) {
        float luma = 0.299f * shown[0][i] + 0.587f * shown[1][i] + 0.114f * shown[2][i];
        marks[i] = 0.299f * value[0][i] + 0.587f * value[1][i] + 0.114f * value[2][i] - luma;
        marks[plane + i] = value[3][i] - shown[3][i];
        marks[2 * plane + i] = luma;
        marks[3 * plane + i] = shown[3][i];
    }
    for (int i = 0; i < block->count; i++)
        if (value[3][i] >= 0.5f || shown[3][i] >= 0.5f) {
            first = i < first ? i : first;
            last = i;
        }
    if (last >= 0) {
        if (extent[0] == extent[1])
            extent[0] = column + first;
        extent[1] = column + last + 1;
    }
}

VTB_INLINE Py_ssize_t vtb_compose_rows(const struct vtb_job *job, int row, int end,
                                       const enum vtb_kind kind)
{
    const int side = job->side;
    const Py_ssize_t plane = (Py_ssize_t)side * side;
    struct vtb_block block;
    float value[CHANNELS][BLOCK], opacity[BLOCK];
    Py_ssize_t not_finite = 0;

    for (; row < end; row++) {
        int traced_until = -1; /* where the row's blocks that were traced end */
        if (kind == TRACED)
            job->extents[2 * row] = job->extents[2 * row + 1] = 0;
        for (int column = 0; column < side; column += BLOCK) {
            const Py_ssize_t offset = (Py_ssize_t)row * side + column;
            int32_t seen = 0;

            block.count = side - column < BLOCK ? side - column : BLOCK;
            not_finite += vtb_fetch_plane(job, block.x, job->older.grid_change,
                                          job->newer.grid_change, offset, block.count);
            not_finite += vtb_fetch_plane(job, block.y, job->older.grid_change,
                                          job->newer.grid_change, offset + plane, block.count);
            for (int channel = 0; channel < CHANNELS; channel++)
                not_finite += vtb_count(job->morphed + channel * plane + offset, block.count);
            vtb_locate(job, &block, column, row);
            not_finite += vtb_compose(job, &block, 3, offset, value[3]);
            if (kind == SIGNALS) {
                for (int channel = 0; channel < 3; channel++)
                    not_finite += vtb_compose(job, &block, channel, offset, value[channel]);
                if (job->premultiplied) {
                    for (int i = 0; i < block.count; i++)
                        opacity[i] = vtb_scaled(value[3][i], 1.0f);
                    vtb_straighten(value, opacity, block.count);
                }
                for (int channel = 0; channel < CHANNELS; channel++)
                    memcpy(job->signals + channel * plane + offset, value[channel],
                           (size_t)block.count * sizeof(float));
                continue;
            }
            for (int i = 0; i < block.count; i++) {
                value[3][i] = vtb_scaled(value[3][i], 255.0f);
                seen |= value[3][i] >= 0.5f;
            }
            if (!seen) {
                not_finite += vtb_count_unseen(job, offset, block.count);
                if (kind == SHOWN)
                    memset(job->rgba + offset, 0, (size_t)block.count * CHANNELS);
                else
                    vtb_store_flow(job, &block, column, row);
                continue;
            }
            for (int channel = 0; channel < 3; channel++)
                not_finite += vtb_compose(job, &block, channel, offset, value[channel]);
            if (job->premultiplied) {
                for (int i = 0; i < block.count; i++)
                    opacity[i] = value[3][i] * (1.0f / 255.0f);
                vtb_straighten(value, opacity, block.count);
            }
            if (kind == TRACED) {
                for (int i = 0; i < block.count; i++)
                    job->keep[offset + i] = 1.0f;
                if (job->face_flow)
                    vtb_bend(job, &block, job->keep + offset);
                vtb_store_flow(job, &block, column, row);
                if (traced_until >= 0 && traced_until < column) {
                    /* A gap between two parts of a row lies inside its extent. */
                    memset(job->pairs + ((Py_ssize_t)row * side + traced_until) * PAIR, 0,
                           (size_t)(column - traced_until) * PAIR * sizeof(float));
                    memset(job->keep + (Py_ssize_t)row * side + traced_until, 0,
                           (size_t)(column - traced_until) * sizeof(float));
                    for (int mark = 0; mark < MARKS; mark++)
                        memset(job->marks + mark * plane + (Py_ssize_t)row * side + traced_until,
                               0, (size_t)(column - traced_until) * sizeof(float));
                }
                vtb_trace(job, &block, value, row, column);
                traced_until = column + block.count;
                continue;
            }
            for (int i = 0; i < block.count; i++) {
                int32_t steps[3], alpha = (int32_t)(value[3][i] + 0.5f);
                for (int channel = 0; channel < 3; channel++)
                    steps[channel] =
                        (int32_t)(vtb_scaled(value[channel][i], LINEAR_STEPS - 1.0f) + 0.5f);
                job->rgba[offset + i] = vtb_packed(steps[0], steps[1], steps[2], alpha, alpha);
            }
        }
    }
    return not_finite;
}

VTB_WIDEST_VECTORS
static Py_ssize_t vtb_shown_rows(const struct vtb_job *job, int row, int end)
{
    return vtb_compose_rows(job, row, end, SHOWN);
}

VTB_WIDEST_VECTORS
static Py_ssize_t vtb_signals_rows(const struct vtb_job *job, int row, int end)
{
    return vtb_compose_rows(job, row, end, SIGNALS);
}

VTB_WIDEST_VECTORS
static Py_ssize_t vtb_traced_rows(const struct vtb_job *job, int row, int end)
{
    return vtb_compose_rows(job, row, end, TRACED);
}

/* ---- How far the drawing's own pixels may stand for the networks' ---- */

struct vtb_likeness {
    int side;
    const float *marks, *flow;
    const int32_t *extents;
    float *keep;
};

VTB_INLINE float vtb_smooth_step(float low, float high, float value)
{
    float t = vtb_clamped((value - low) / (high - low), 1.0f);
    return t * t * (3.0f - 2.0f * t);
}

/* Fill a row's sums over WINDOW neighbours: the marks, and the squares of two together. */
VTB_INLINE void vtb_sum_row(const struct vtb_likeness *likeness, int row, float *restrict line,
                            float *restrict sums)
{
    const int side = likeness->side;
    const Py_ssize_t plane = (Py_ssize_t)side * side;
    const int from = row < 0 || row >= side ? 0 : likeness->extents[2 * row];
    const int to = row < 0 || row >= side ? 0 : likeness->extents[2 * row + 1];
    const int begin = from > REACH ? from - REACH : 0;
    const int end = to + REACH < side ? to + REACH : side;

    memset(sums, 0, (size_t)side * SUMS * sizeof(float));
    if (from == to)
        return;
    for (int mark = 0; mark < MARKS; mark++) {
        float *restrict sum = sums + (mark / 2 * 3 + mark % 2) * side;
        float *restrict squares = sums + (mark / 2 * 3 + 2) * side;
        memset(line + begin, 0, (size_t)(end - begin + 2 * REACH) * sizeof(float));
        memcpy(line + REACH + from, likeness->marks + mark * plane + (Py_ssize_t)row * side + from,
               (size_t)(to - from) * sizeof(float));
        for (int i = begin; i < end; i++) {
            float total = 0.0f, total_squared = 0.0f;
            for (int step = 0; step < WINDOW; step++) {
                total += line[i + step];
                total_squared += line[i + step] * line[i + step];
            }
            sum[i] = total;
            squares[i] += total_squared;
        }
    }
}

/* Return the variance over the window, luma's and alpha's together, at `i`. */
VTB_INLINE float vtb_spread(const float *restrict ring, Py_ssize_t stride, int side, int i)
{
    const float area = 1.0f / (WINDOW * WINDOW);
    float luma = 0.0f, alpha = 0.0f, squares = 0.0f, variance;

    for (int step = 0; step < WINDOW; step++) {
        luma += ring[step * stride + i];
        alpha += ring[step * stride + side + i];
        squares += ring[step * stride + 2 * side + i];
    }
    variance = squares * area - luma * area * (luma * area) - alpha * area * (alpha * area);
    return variance > 0.0f ? variance : 0.0f;
}

/* How much a row's flow is stretched: the largest change from a pixel to a neighbour. */
VTB_INLINE void vtb_stretch_row(const struct vtb_likeness *likeness, int row, int from, int to,
                                float *restrict stretch)
{
    const int side = likeness->side;
    const Py_ssize_t plane = (Py_ssize_t)side * side;

    memset(stretch + from, 0, (size_t)(to - from) * sizeof(float));
    for (int axis = 0; axis < 2; axis++) {
        const float *flow = likeness->flow + axis * plane + (Py_ssize_t)row * side;
        const float *above = row > 0 ? flow - side : flow;
        const float *below = row < side - 1 ? flow + side : flow;
        for (int i = from; i < to; i++) {
            int left = i > 0 ? i - 1 : 0, right = i < side - 1 ? i + 1 : i;
            float across = fmaxf(fabsf(flow[i] - flow[left]), fabsf(flow[right] - flow[i]));
            float down = fmaxf(fabsf(flow[i] - above[i]), fabsf(below[i] - flow[i]));
            across = across > down ? across : down;
            stretch[i] = stretch[i] > across ? stretch[i] : across;
        }
    }
}

VTB_WIDEST_VECTORS
static void vtb_keep_rows(const struct vtb_likeness *likeness, int row, int end, float *scratch,
                          const float *limits)
{
    const int side = likeness->side;
    const float noise = limits[0];
    const Py_ssize_t stride = (Py_ssize_t)side * SUMS;
    float *line = scratch, *stretch = line + side + 2 * REACH, *ring = stretch + side;

    for (int ahead = row - REACH; ahead < row + REACH; ahead++)
        vtb_sum_row(likeness, ahead, line, ring + (ahead + WINDOW) % WINDOW * stride);
    for (; row < end; row++) {
        const int from = likeness->extents[2 * row], to = likeness->extents[2 * row + 1];
        float *restrict keep = likeness->keep + (Py_ssize_t)row * side;

        vtb_sum_row(likeness, row + REACH, line, ring + (row + REACH) % WINDOW * stride);
        vtb_stretch_row(likeness, row, from, to, stretch);
        for (int i = from; i < to; i++) {
            float unlike = vtb_spread(ring, stride, side, i) /
                           (vtb_spread(ring + 3 * side, stride, side, i) + noise);
            keep[i] *= (1.0f - vtb_smooth_step(limits[1], limits[2], unlike)) *
                       (1.0f - vtb_smooth_step(limits[3], limits[4], stretch[i]));
        }
    }
}

/* ---- Enlarging ---- */

struct vtb_enlargement {
    int side, size;
    const float *pairs, *keep, *flow;
    const int32_t *extents;
    const float *original; /* with one pixel of border before each axis and two behind it */
    uint32_t *rgba;
};

/* A row's scratch, with two pixels of border on both sides where it is read beyond them. */
struct vtb_wide_row {
    int32_t *column;                /* [size] the source pixel left of each */
    float *weights;                 /* [size, TAPS] */
    float *share;                   /* [size] of the source pixel right of each */
    float *pairs;                   /* [side + 4, PAIR] */
    float *keep, *flow_x, *flow_y;  /* [side + 4] */
};

/* Keys' cubic convolution kernel of slope `a`; -0.5 is Catmull-Rom's. */
VTB_INLINE void vtb_cubic(float t, const float a, float *weights)
{
    weights[0] = a * t * (1.0f + t * (t - 2.0f));
    weights[1] = 1.0f + t * t * ((a + 2.0f) * t - (a + 3.0f));
    weights[2] = -a * t + t * t * ((2.0f * a + 3.0f) - (a + 2.0f) * t);
    weights[3] = a * t * t * (1.0f - t);
}

VTB_INLINE int vtb_limited(int value, int top)
{
    return value < 0 ? 0 : value < top ? value : top;
}

/* Repeat a row's first and last of `lanes` values into its borders. */
VTB_INLINE void vtb_repeat_border(float *row, int side, int lanes)
{
    for (int i = 1; i <= 2; i++) {
        memcpy(row - (Py_ssize_t)i * lanes, row, (size_t)lanes * sizeof(float));
        memcpy(row + (Py_ssize_t)(side - 1 + i) * lanes, row + (Py_ssize_t)(side - 1) * lanes,
               (size_t)lanes * sizeof(float));
    }
}

/* Where a run of a row's pixels lies in the drawing, and the kernels that sample it there. */
struct vtb_places {
    float keep[BLOCK], x[BLOCK], y[BLOCK];
    float across[TAPS][BLOCK], down[TAPS][BLOCK];
    int32_t at[BLOCK]; /* the kernel's first pixel */
};

VTB_INLINE void vtb_find_places(const struct vtb_enlargement *job,
                                const struct vtb_wide_row *wide, int row, int column, int count,
                                struct vtb_places *places)
{
    const float ratio = (float)job->size / (float)job->side, last = job->size - 1.0f;

    for (int i = 0; i < count; i++) {
        const int at = wide->column[column + i];
        const float share = wide->share[column + i];
        const float *keep = wide->keep + at, *x = wide->flow_x + at, *y = wide->flow_y + at;
        places->keep[i] = keep[0] + share * (keep[1] - keep[0]);
        places->x[i] = x[0] + share * (x[1] - x[0]);
        places->y[i] = y[0] + share * (y[1] - y[0]);
    }
    for (int i = 0; i < count; i++) {
        float x = vtb_clamped((float)(column + i) + places->x[i] * ratio, last);
        float y = vtb_clamped((float)row + places->y[i] * ratio, last);
        int32_t left = (int32_t)x, top = (int32_t)y;
        float weights[TAPS];

        places->at[i] = top * (job->size + 3) + left;
        vtb_cubic(x - (float)left, DRAWN_SLOPE, weights);
        for (int tap = 0; tap < TAPS; tap++)
            places->across[tap][i] = weights[tap];
        vtb_cubic(y - (float)top, DRAWN_SLOPE, weights);
        for (int tap = 0; tap < TAPS; tap++)
            places->down[tap][i] = weights[tap];
    }
}

/* Sample the drawing at a place, as premultiplied levels. */
VTB_INLINE void vtb_sample_original(const struct vtb_enlargement *job,
                                    const struct vtb_places *places, int i, float *restrict rgba)
{
    const Py_ssize_t stride = (Py_ssize_t)(job->size + 3) * CHANNELS;
    const float *restrict corner = job->original + (Py_ssize_t)places->at[i] * CHANNELS;
    const float d0 = places->down[0][i], d1 = places->down[1][i];
    const float d2 = places->down[2][i], d3 = places->down[3][i];
    const float a0 = places->across[0][i], a1 = places->across[1][i];
    const float a2 = places->across[2][i], a3 = places->across[3][i];
    float columns[TAPS * CHANNELS];

    for (int lane = 0; lane < TAPS * CHANNELS; lane++)
        columns[lane] = d0 * corner[lane] + d1 * corner[stride + lane] +
                        d2 * corner[2 * stride + lane] + d3 * corner[3 * stride + lane];
    for (int channel = 0; channel < CHANNELS; channel++)
        rgba[channel] = a0 * columns[channel] + a1 * columns[CHANNELS + channel] +
                        a2 * columns[2 * CHANNELS + channel] +
                        a3 * columns[3 * CHANNELS + channel];
}

/* Interpolate `lanes` values of a row's pairs, of which `pair` is the kernel's first. */
VTB_INLINE void vtb_interpolate(const float *restrict pair, const float *restrict weights,
                                const int lanes, float *restrict level)
{
    for (int lane = 0; lane < lanes; lane++)
        level[lane] = weights[0] * pair[lane] + weights[1] * pair[PAIR + lane] +
                      weights[2] * pair[2 * PAIR + lane] + weights[3] * pair[3 * PAIR + lane];
}

VTB_INLINE void vtb_pack_levels(float level[CHANNELS][BLOCK], uint32_t *restrict rgba, int count)
{
    for (int i = 0; i < count; i++) {
        float top = vtb_clamped(level[3][i], 255.0f);
        uint32_t r = (uint32_t)(int32_t)(vtb_clamped(level[0][i], top) + 0.5f);
        uint32_t g = (uint32_t)(int32_t)(vtb_clamped(level[1][i], top) + 0.5f);
        uint32_t b = (uint32_t)(int32_t)(vtb_clamped(level[2][i], top) + 0.5f);
        uint32_t a = (uint32_t)(int32_t)(top + 0.5f);
        rgba[i] = vtb_pixel(r, g, b, a);
    }
}

/* Bring the source rows around `centre` together in `wide`; return 0 if nothing is seen. */
VTB_INLINE int vtb_gather_rows(const struct vtb_enlargement *job, struct vtb_wide_row *wide,
                               float centre, int *from, int *to)
{
    const int side = job->side, top = (int)floorf(centre);
    const float share = centre - (float)top;
    const Py_ssize_t plane = (Py_ssize_t)side * side;
    float down[TAPS];
    int begin = side, end = 0;

    vtb_cubic(share, CATMULL_ROM, down);
    for (int tap = 0; tap < TAPS; tap++) {
        const int32_t *extent = job->extents + 2 * vtb_limited(top - 1 + tap, side - 1);
        if (extent[0] < extent[1]) {
            begin = extent[0] < begin ? extent[0] : begin;
            end = extent[1] > end ? extent[1] : end;
        }
    }
    if (begin >= end)
        return 0;
    *from = begin;
    *to = end;
    /* Eight pixels more than the kernel reaches beyond what is seen. */
    begin = begin > 8 ? begin - 8 : 0;
    end = end + 8 < side ? end + 8 : side;
    memset(wide->pairs + (Py_ssize_t)begin * PAIR, 0, (size_t)(end - begin) * PAIR * sizeof(float));
    memset(wide->keep + begin, 0, (size_t)(end - begin) * sizeof(float));
    for (int tap = 0; tap < TAPS; tap++) {
        const int row = vtb_limited(top - 1 + tap, side - 1);
        const int first = job->extents[2 * row], last = job->extents[2 * row + 1];
        const float *restrict pairs = job->pairs + (Py_ssize_t)row * side * PAIR;
        float *restrict sum = wide->pairs;
        for (int i = first * PAIR; i < last * PAIR; i++)
            sum[i] += down[tap] * pairs[i];
    }
    for (int tap = 0; tap < 2; tap++) {
        const int row = vtb_limited(top + tap, side - 1);
        const int first = job->extents[2 * row], last = job->extents[2 * row + 1];
        const float weight = tap ? share : 1.0f - share;
        const float *restrict keep = job->keep + (Py_ssize_t)row * side;
        const float *restrict x = job->flow + (Py_ssize_t)row * side;
        const float *restrict y = x + plane;
        float *restrict kept = wide->keep, *restrict flow_x = wide->flow_x;
        float *restrict flow_y = wide->flow_y;
        for (int i = first; i < last; i++)
            kept[i] += weight * keep[i];
        for (int i = begin; i < end; i++) {
            flow_x[i] = (tap ? flow_x[i] : 0.0f) + weight * x[i];
            flow_y[i] = (tap ? flow_y[i] : 0.0f) + weight * y[i];
        }
    }
    if (begin == 0 || end == side) {
        /* Only what lies beside an edge of the picture is read. */
        vtb_repeat_border(wide->pairs, side, PAIR);
        vtb_repeat_border(wide->keep, side, 1);
        vtb_repeat_border(wide->flow_x, side, 1);
        vtb_repeat_border(wide->flow_y, side, 1);
    }
    return 1;
}

VTB_WIDEST_VECTORS
static void vtb_enlarge_rows(const struct vtb_enlargement *job, struct vtb_wide_row *wide, int row,
                             int end)
{
    const int side = job->side, size = job->size;
    const float ratio = (float)size / (float)side;
    struct vtb_places places;
    float level[CHANNELS][BLOCK];

    for (; row < end; row++) {
        const float centre = ((float)row + 0.5f) / ratio - 0.5f;
        uint32_t *rgba = job->rgba + (Py_ssize_t)row * size;
        int from, to;

        if (!vtb_gather_rows(job, wide, centre, &from, &to)) {
            memset(rgba, 0, (size_t)size * CHANNELS);
            continue;
        }
        from = vtb_limited((int)((float)(from - 2) * ratio), size);
        to = vtb_limited((int)((float)(to + 2) * ratio) + 1, size);
        memset(rgba, 0, (size_t)from * CHANNELS);
        memset(rgba + to, 0, (size_t)(size - to) * CHANNELS);
        for (int column = from; column < to; column += BLOCK) {
            const int count = to - column < BLOCK ? to - column : BLOCK;

            vtb_find_places(job, wide, row, column, count, &places);
            for (int i = 0; i < count; i++) {
                const float *weights = wide->weights + (Py_ssize_t)(column + i) * TAPS;
                const float *pair = wide->pairs + (Py_ssize_t)(wide->column[column + i] - 1) * PAIR;
                const float keep = places.keep[i];
                float value[PAIR], drawn[CHANNELS] = {0.0f};

                if (keep > 0.0f)
                    vtb_sample_original(job, &places, i, drawn);
                if (keep == 1.0f) {
                    vtb_interpolate(pair, weights, CHANNELS, value);
                    for (int channel = 0; channel < CHANNELS; channel++)
                        level[channel][i] = value[channel] + drawn[channel];
                } else {
                    vtb_interpolate(pair, weights, PAIR, value);
                    for (int channel = 0; channel < CHANNELS; channel++)
                        level[channel][i] = value[channel] + keep * drawn[channel] +
                                            (1.0f - keep) * value[CHANNELS + channel];
                }
            }
            vtb_pack_levels(level, rgba + column, count);
        }
    }
}

/* Make the tables of the columns, which are those of every row. */
static void vtb_fill_columns(const struct vtb_wide_row *wide, int side, int size)
{
    for (int i = 0; i < size; i++) {
        float centre = ((float)i + 0.5f) * (float)side / (float)size - 0.5f;
        wide->column[i] = (int32_t)floorf(centre);
        wide->share[i] = centre - (float)wide->column[i];
        vtb_cubic(wide->share[i], CATMULL_ROM, wide->weights + (Py_ssize_t)i * TAPS);
    }
}

/* ---- Python ---- */

/* Buffers taken so far, to be given back together. */
struct vtb_views {
    Py_buffer view[16];
    int count;
};

static void vtb_release(struct vtb_views *views)
{
    while (views->count)
        PyBuffer_Release(&views->view[--views->count]);
}

/* Return the memory of `object`, or NULL with an exception set if it is not `bytes` long. */
static void *vtb_memory(struct vtb_views *views, PyObject *object, const char *name, int flags,
                        Py_ssize_t bytes)
{
    Py_buffer *view = &views->view[views->count];

    if (PyObject_GetBuffer(object, view, flags | PyBUF_C_CONTIGUOUS) < 0)
        return NULL;
    views->count++;
    if (view->len != bytes) {
        PyErr_Format(PyExc_ValueError, "%s is %zd bytes long instead of %zd", name, view->len,
                     bytes);
        return NULL;
    }
    return view->buf;
}

static int vtb_take_fields(struct vtb_views *views, PyObject *tuple, Py_ssize_t plane,
                           struct vtb_fields *fields)
{
    PyObject *grid_change, *alpha, *color;

    if (!PyArg_ParseTuple(tuple, "OOO", &grid_change, &alpha, &color))
        return -1;
    fields->grid_change = vtb_memory(views, grid_change, "grid_change", PyBUF_SIMPLE, 2 * plane);
    if (!fields->grid_change)
        return -1;
    fields->alpha = vtb_memory(views, alpha, "alpha", PyBUF_SIMPLE, CHANNELS * plane);
    if (!fields->alpha)
        return -1;
    fields->color = vtb_memory(views, color, "color", PyBUF_SIMPLE, CHANNELS * plane);
    return fields->color ? 0 : -1;
}

static int vtb_check_rows(int side, int row, int end)
{
    if (side < 2 || side > MAX_SIDE || row < 0 || row > end || end > side) {
        PyErr_Format(PyExc_ValueError, "rows %d to %d of a side of %d", row, end, side);
        return -1;
    }
    return 0;
}

static int vtb_take_job(struct vtb_views *views, PyObject *fields, int side, struct vtb_job *job)
{
    PyObject *morphed, *older, *newer;
    const Py_ssize_t plane = (Py_ssize_t)side * side * (Py_ssize_t)sizeof(float);

    memset(job, 0, sizeof *job);
    job->side = side;
    vtb_fill_centres(job);
    if (!PyArg_ParseTuple(fields, "OO!Of|p", &morphed, &PyTuple_Type, &older, &newer,
                          &job->share, &job->premultiplied))
        return -1;
    job->morphed = vtb_memory(views, morphed, "morphed", PyBUF_SIMPLE, CHANNELS * plane);
    if (!job->morphed || vtb_take_fields(views, older, plane, &job->older) < 0)
        return -1;
    if (newer == Py_None)
        return 0;
    if (!PyTuple_Check(newer)) {
        PyErr_SetString(PyExc_TypeError, "the newer fields are a tuple or None");
        return -1;
    }
    return vtb_take_fields(views, newer, plane, &job->newer);
}

static PyObject *vtb_compose_py(PyObject *args, const enum vtb_kind kind)
{
    struct vtb_views views = {.count = 0};
    struct vtb_job job;
    PyObject *fields, *out;
    int side, row, end;
    Py_ssize_t not_finite, plane;

    if (!PyArg_ParseTuple(args, "O!Oiii", &PyTuple_Type, &fields, &out, &side, &row, &end))
        return NULL;
    if (vtb_check_rows(side, row, end) < 0)
        return NULL;
    plane = (Py_ssize_t)side * side * (Py_ssize_t)sizeof(float);
    if (vtb_take_job(&views, fields, side, &job) < 0)
        goto failed;
    if (kind == SHOWN) {
        job.rgba = vtb_memory(&views, out, "rgba", PyBUF_WRITABLE, plane);
        if (!job.rgba)
            goto failed;
    } else {
        job.signals = vtb_memory(&views, out, "signals", PyBUF_WRITABLE, CHANNELS * plane);
        if (!job.signals)
            goto failed;
    }
    Py_BEGIN_ALLOW_THREADS
    not_finite = kind == SHOWN ? vtb_shown_rows(&job, row, end) : vtb_signals_rows(&job, row, end);
    Py_END_ALLOW_THREADS
    vtb_release(&views);
    return PyLong_FromSsize_t(not_finite);
failed:
    vtb_release(&views);
    return NULL;
}

static PyObject *vtb_shown_py(PyObject *module, PyObject *args)
{
    (void)module;
    return vtb_compose_py(args, SHOWN);
}

static PyObject *vtb_signals_py(PyObject *module, PyObject *args)
{
    (void)module;
    return vtb_compose_py(args, SIGNALS);
}

static PyObject *vtb_traced_py(PyObject *module, PyObject *args)
{
    struct vtb_views views = {.count = 0};
    struct vtb_job job;
    PyObject *fields, *picture, *face_flow, *pairs, *marks, *flow, *keep, *extents;
    int side, row, end, face_x, face_y, face_size;
    Py_ssize_t not_finite, plane;

    (void)module;
    if (!PyArg_ParseTuple(args, "O!OOiiiOOOOOiii", &PyTuple_Type, &fields, &picture, &face_flow,
                          &face_x, &face_y, &face_size, &pairs, &marks, &flow, &keep, &extents,
                          &side, &row, &end))
        return NULL;
    if (vtb_check_rows(side, row, end) < 0)
        return NULL;
    if (face_size < 2 || face_size > side || face_x < 0 || face_y < 0 ||
        face_x > side - face_size || face_y > side - face_size) {
        PyErr_SetString(PyExc_ValueError, "the face lies outside the picture");
        return NULL;
    }
    plane = (Py_ssize_t)side * side * (Py_ssize_t)sizeof(float);
    if (vtb_take_job(&views, fields, side, &job) < 0)
        goto failed;
    job.face_x = face_x;
    job.face_y = face_y;
    job.face_size = face_size;
    if (face_flow != Py_None &&
        !(job.face_flow = vtb_memory(&views, face_flow, "face_flow", PyBUF_SIMPLE,
                                     BEND * (Py_ssize_t)face_size * face_size *
                                         (Py_ssize_t)sizeof(float))))
        goto failed;
    if (!(job.picture = vtb_memory(&views, picture, "picture", PyBUF_SIMPLE, CHANNELS * plane)) ||
        !(job.pairs = vtb_memory(&views, pairs, "pairs", PyBUF_WRITABLE, PAIR * plane)) ||
        !(job.marks = vtb_memory(&views, marks, "marks", PyBUF_WRITABLE, MARKS * plane)) ||
        !(job.flow = vtb_memory(&views, flow, "flow", PyBUF_WRITABLE, 2 * plane)) ||
        !(job.keep = vtb_memory(&views, keep, "keep", PyBUF_WRITABLE, plane)) ||
        !(job.extents = vtb_memory(&views, extents, "extents", PyBUF_WRITABLE,
                                   side * 2 * (Py_ssize_t)sizeof(int32_t))))
        goto failed;
    Py_BEGIN_ALLOW_THREADS
    not_finite = vtb_traced_rows(&job, row, end);
    Py_END_ALLOW_THREADS
    vtb_release(&views);
    return PyLong_FromSsize_t(not_finite);
failed:
    vtb_release(&views);
    return NULL;
}

/* Refuse extents that lie outside a row: they index memory. */
static int vtb_check_extents(const int32_t *extents, int side)
{
    for (int row = 0; row < side; row++)
        if (extents[2 * row] < 0 || extents[2 * row] > extents[2 * row + 1] ||
            extents[2 * row + 1] > side) {
            PyErr_Format(PyExc_ValueError, "the extent of row %d lies outside it", row);
            return -1;
        }
    return 0;
}

static PyObject *vtb_keep_py(PyObject *module, PyObject *args)
{
    struct vtb_views views = {.count = 0};
    struct vtb_likeness job = {0};
    PyObject *marks, *flow, *extents, *keep;
    float limits[5], *scratch;
    int side, row, end;
    Py_ssize_t plane;

    (void)module;
    if (!PyArg_ParseTuple(args, "OOOO(fffff)iii", &marks, &flow, &extents, &keep, &limits[0],
                          &limits[1], &limits[2], &limits[3], &limits[4], &side, &row, &end))
        return NULL;
    if (vtb_check_rows(side, row, end) < 0)
        return NULL;
    plane = (Py_ssize_t)side * side * (Py_ssize_t)sizeof(float);
    job.side = side;
    if (!(job.marks = vtb_memory(&views, marks, "marks", PyBUF_SIMPLE, MARKS * plane)) ||
        !(job.flow = vtb_memory(&views, flow, "flow", PyBUF_SIMPLE, 2 * plane)) ||
        !(job.extents = vtb_memory(&views, extents, "extents", PyBUF_SIMPLE,
                                   side * 2 * (Py_ssize_t)sizeof(int32_t))) ||
        !(job.keep = vtb_memory(&views, keep, "keep", PyBUF_WRITABLE, plane)) ||
        vtb_check_extents(job.extents, side) < 0)
        goto failed;
    scratch = malloc(((size_t)side * (2 + WINDOW * SUMS) + 2 * REACH) * sizeof(float));
    if (!scratch) {
        PyErr_NoMemory();
        goto failed;
    }
    Py_BEGIN_ALLOW_THREADS
    vtb_keep_rows(&job, row, end, scratch, limits);
    Py_END_ALLOW_THREADS
    free(scratch);
    vtb_release(&views);
    Py_RETURN_NONE;
failed:
    vtb_release(&views);
    return NULL;
}

static PyObject *vtb_enlarge_py(PyObject *module, PyObject *args)
{
    struct vtb_views views = {.count = 0};
    struct vtb_enlargement job = {0};
    struct vtb_wide_row wide;
    PyObject *pairs, *keep, *flow, *extents, *original, *rgba;
    int side, size, row, end;
    Py_ssize_t plane, border;
    float *scratch;

    (void)module;
    if (!PyArg_ParseTuple(args, "OOOOOOiiii", &pairs, &keep, &flow, &extents, &original, &rgba,
                          &side, &size, &row, &end))
        return NULL;
    if (vtb_check_rows(side, 0, side) < 0 || vtb_check_rows(size, row, end) < 0)
        return NULL;
    if (size < side || size > 4 * side) {
        PyErr_Format(PyExc_ValueError, "a side of %d cannot be enlarged to %d", side, size);
        return NULL;
    }
    plane = (Py_ssize_t)side * side * (Py_ssize_t)sizeof(float);
    border = (Py_ssize_t)(size + 3) * (size + 3) * CHANNELS * (Py_ssize_t)sizeof(float);
    job.side = side;
    job.size = size;
    if (!(job.pairs = vtb_memory(&views, pairs, "pairs", PyBUF_SIMPLE, PAIR * plane)) ||
        !(job.keep = vtb_memory(&views, keep, "keep", PyBUF_SIMPLE, plane)) ||
        !(job.flow = vtb_memory(&views, flow, "flow", PyBUF_SIMPLE, 2 * plane)) ||
        !(job.extents = vtb_memory(&views, extents, "extents", PyBUF_SIMPLE,
                                   side * 2 * (Py_ssize_t)sizeof(int32_t))) ||
        !(job.original = vtb_memory(&views, original, "original", PyBUF_SIMPLE, border)) ||
        !(job.rgba = vtb_memory(&views, rgba, "rgba", PyBUF_WRITABLE,
                                (Py_ssize_t)size * size * CHANNELS)) ||
        vtb_check_extents(job.extents, side) < 0)
        goto failed;
    scratch = malloc(((size_t)(side + 4) * (PAIR + 3) + (size_t)size * (TAPS + 2)) * sizeof(float));
    if (!scratch) {
        PyErr_NoMemory();
        goto failed;
    }
    wide.pairs = scratch + 2 * PAIR;
    wide.keep = scratch + (Py_ssize_t)(side + 4) * PAIR + 2;
    wide.flow_x = wide.keep + side + 4;
    wide.flow_y = wide.flow_x + side + 4;
    wide.weights = wide.flow_y + side + 2;
    wide.share = wide.weights + (Py_ssize_t)size * TAPS;
    wide.column = (int32_t *)(wide.share + size);
    Py_BEGIN_ALLOW_THREADS
    vtb_fill_columns(&wide, side, size);
    vtb_enlarge_rows(&job, &wide, row, end);
    Py_END_ALLOW_THREADS
    free(scratch);
    vtb_release(&views);
    Py_RETURN_NONE;
failed:
    vtb_release(&views);
    return NULL;
}

static PyMethodDef vtb_methods[] = {
    {"shown", vtb_shown_py, METH_VARARGS,
     "shown(fields, rgba, side, row, end, /) -> number of values that are not finite"},
    {"signals", vtb_signals_py, METH_VARARGS,
     "signals(fields, signals, side, row, end, /) -> number of values that are not finite"},
    {"traced", vtb_traced_py, METH_VARARGS,
     "traced(fields, picture, face_flow, face_x, face_y, face_size, pairs, marks, flow, keep, "
     "extents, side, row, end, /) -> number of values that are not finite"},
    {"keep", vtb_keep_py, METH_VARARGS,
     "keep(marks, flow, extents, keep, limits, side, row, end, /) -> None"},
    {"enlarge", vtb_enlarge_py, METH_VARARGS,
     "enlarge(pairs, keep, flow, extents, original, rgba, side, size, row, end, /) -> None"},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef vtb_module = {
    PyModuleDef_HEAD_INIT, "_compositor", "Pixels of vtbridge.render.compositor.", -1,
    vtb_methods, NULL, NULL, NULL, NULL,
};

PyMODINIT_FUNC PyInit__compositor(void)
{
    vtb_fill_encoded_from_linear();
    return PyModule_Create(&vtb_module);
}
