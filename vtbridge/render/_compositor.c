/* From the fields that the networks give to the pixels of a frame, without the GIL.
 * vtbridge/render/compositor.py and enlarge.py hold the definitions; this file only makes
 * them fast. Every function works on a range of rows, so that threads may share a frame. */

#include <Python.h>

#include "_srgb.h"
#include "c/buffers.h"
#include "c/traced.h"

#define LEAST_ALPHA (1.0f / 1024.0f)
#define BEND 3 /* floats of a face's flow a pixel: x, y, and how far it is believed */

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

/* ---- Python ---- */

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

static PyMethodDef vtb_methods[] = {
    {"shown", vtb_shown_py, METH_VARARGS,
     "shown(fields, rgba, side, row, end, /) -> number of values that are not finite"},
    {"signals", vtb_signals_py, METH_VARARGS,
     "signals(fields, signals, side, row, end, /) -> number of values that are not finite"},
    {"traced", vtb_traced_py, METH_VARARGS,
     "traced(fields, picture, face_flow, face_x, face_y, face_size, pairs, marks, flow, keep, "
     "extents, side, row, end, /) -> number of values that are not finite"},
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
