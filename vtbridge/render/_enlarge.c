/* From what _compositor.c traces of a frame to a frame of more pixels, without the GIL.
 * vtbridge/render/enlarge.py holds the definitions; this file only makes them fast. Every
 * function works on a range of rows, so that threads may share a frame. */

#include <Python.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "c/buffers.h"
#include "c/traced.h"

#define TAPS 4 /* of a cubic kernel, along each axis */
#define CATMULL_ROM -0.5f
/* Steeper where the drawing is sampled: nearest to its ideal shift by a part of a pixel, and
 * its edges keep their energy wherever between two pixels they come to lie. */
#define DRAWN_SLOPE -0.8f
#define WINDOW 5 /* side of the window in which likeness is judged, in pixels */
#define REACH (WINDOW / 2)
#define SUMS 6 /* of the difference and of the picture: luma, alpha, and their squares together */

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
    float still; /* pixels of `flow` below which the drawing hardly moves, or 0 */
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

/* Shorten what moves by less than `still`, the less it moves the more. */
VTB_INLINE void vtb_settle(float still, int count, float *restrict x, float *restrict y)
{
    const float scale = still > 0.0f ? 1.0f / still : 1e30f; /* the longest way is 4096 */

    for (int i = 0; i < count; i++) {
        float way = sqrtf(x[i] * x[i] + y[i] * y[i]) * scale;
        float share = vtb_smooth_step(0.0f, 1.0f, way);
        x[i] *= share;
        y[i] *= share;
    }
}

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
    vtb_settle(job->still, count, places->x, places->y);
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
    if (!PyArg_ParseTuple(args, "OOOOOOfiiii", &pairs, &keep, &flow, &extents, &original, &rgba,
                          &job.still, &side, &size, &row, &end))
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
    {"keep", vtb_keep_py, METH_VARARGS,
     "keep(marks, flow, extents, keep, limits, side, row, end, /) -> None"},
    {"enlarge", vtb_enlarge_py, METH_VARARGS,
     "enlarge(pairs, keep, flow, extents, original, rgba, still, side, size, row, end, /) -> None"},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef vtb_module = {
    PyModuleDef_HEAD_INIT, "_enlarge", "Pixels of vtbridge.render.enlarge.", -1,
    vtb_methods, NULL, NULL, NULL, NULL,
};

PyMODINIT_FUNC PyInit__enlarge(void)
{
    return PyModule_Create(&vtb_module);
}
