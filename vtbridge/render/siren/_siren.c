/* Sine networks over a grid of pixels (SIREN): position and pose in, colours and flow out.
 *
 * A level takes a tile of pixels through all its layers before the next tile, so that what
 * lies between two layers never leaves the cache. Any number of threads may work on one
 * level: they take tiles off its list of pixels by a counter that they share. folding.py says
 * what the numbers mean and numpy_level.py computes the same without this file. */

#include <Python.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../c/aligned.h"

#define MAX_LAYERS 16
#define MAX_WIDTH 4096
#define TILE 48 /* pixels; a multiple of every TILE_ROWS */

struct kernels {
    int64_t lanes;
    void (*first_layer)(const float *, const float *, float, const float *const[4],
                        const float[4], int64_t, float *);
    void (*layer)(const float *, int64_t, int64_t, int64_t, const float *, const float *, int,
                  float *, int64_t, int64_t);
};

#define KERNELS "../siren/kernels.h"
#include "../c/each_isa.h"

struct layer {
    int64_t depth, width, padded;
    int sine;
    float *panels, *bias;
};

struct level {
    PyObject_HEAD
    const struct kernels *kernels;
    const char *isa;
    int64_t side, below_side, channels, padded, widest;
    int planes, layer_count;
    float *at_x, *at_y;
    struct layer layers[MAX_LAYERS];
};

static float *aligned_floats(int64_t count)
{
    return aligned_zeros((size_t)count * sizeof(float));
}

static int64_t padded_to(int64_t lanes, int64_t count)
{
    return (count + lanes - 1) / lanes * lanes;
}

/* --- Computing --------------------------------------------------------------------------- */

/* Between which pixels of the side below pixel `i` lies: bilinear, corners not aligned, borders
 * repeated. */
static void neighbours(int64_t i, int doubled, int64_t below_side, int64_t *near, int64_t *far)
{
    *near = *far = i;
    if (!doubled)
        return;
    *near = i / 2;
    *far = i & 1 ? *near + 1 : *near - 1;
    *far = *far < 0 ? 0 : *far >= below_side ? below_side - 1 : *far;
}

static void first_layer(const struct level *v, const float *bias, const float *below,
                        const int32_t *pixels, int64_t count, float *base, float *rows)
{
    static const float quarters[4] = {0.5625f, 0.1875f, 0.1875f, 0.0625f};
    static const float alone[4] = {1.0f, 0.0f, 0.0f, 0.0f};
    const float *from[4] = {NULL, NULL, NULL, NULL};
    int64_t small = v->below_side, held = -1;
    int doubled = v->side != small;
    for (int64_t i = 0; i < count; i++, rows += v->padded) {
        int64_t y = pixels[i] / v->side, x = pixels[i] % v->side;
        if (y != held) {
            float at = (float)(2 * y + 1) / (float)v->side - 1.0f;
            for (int64_t c = 0; c < v->padded; c++)
                base[c] = bias[c] + v->at_y[c] * at;
            held = y;
        }
        if (small) {
            int64_t near_x, far_x, near_y, far_y;
            neighbours(x, doubled, small, &near_x, &far_x);
            neighbours(y, doubled, small, &near_y, &far_y);
            from[0] = below + (near_y * small + near_x) * v->padded;
            from[1] = below + (near_y * small + far_x) * v->padded;
            from[2] = below + (far_y * small + near_x) * v->padded;
            from[3] = below + (far_y * small + far_x) * v->padded;
        }
        float at = (float)(2 * x + 1) / (float)v->side - 1.0f;
        v->kernels->first_layer(base, v->at_x, at, from, doubled ? quarters : alone, v->padded,
                                rows);
    }
}

static void run_tile(const struct level *v, const float *bias, const float *below, float *out,
                     const int32_t *pixels, int64_t count, float *scratch)
{
    float *a = scratch, *b = a + TILE * v->widest, *base = b + TILE * v->widest;
    int64_t stride = v->padded, area = v->side * v->side;
    first_layer(v, bias, below, pixels, count, base, a);
    for (int i = 0; i < v->layer_count; i++) {
        const struct layer *layer = &v->layers[i];
        v->kernels->layer(a, stride, count, layer->depth, layer->panels, layer->bias, layer->sine,
                          b, layer->padded, layer->padded);
        stride = layer->padded;
        float *done = b;
        b = a, a = done;
    }
    for (int64_t i = 0; i < count; i++) {
        if (v->planes == 0)
            memcpy(out + pixels[i] * stride, a + i * stride, (size_t)stride * sizeof(float));
        for (int plane = 0; plane < v->planes; plane++)
            out[plane * area + pixels[i]] = a[i * stride + plane];
    }
}

/* --- Python ------------------------------------------------------------------------------ */

/* A copy of `count` floats of `object`, padded with zeros. */
static float *floats_of(PyObject *object, int64_t count, int64_t padded, const char *what)
{
    Py_buffer view;
    if (PyObject_GetBuffer(object, &view, PyBUF_C_CONTIGUOUS))
        return NULL;
    float *copy = NULL;
    if (view.len != (Py_ssize_t)((size_t)count * sizeof(float)))
        PyErr_Format(PyExc_ValueError, "%s has %zd bytes instead of %zd", what, view.len,
                     (Py_ssize_t)((size_t)count * sizeof(float)));
    else if ((copy = aligned_floats(padded)) == NULL)
        PyErr_NoMemory();
    else
        memcpy(copy, view.buf, (size_t)view.len);
    PyBuffer_Release(&view);
    return copy;
}

/* weights [width][depth] -> panels of two vectors of outputs, the last of one if that holds it */
static float *packed(const struct layer *layer, const float *weights, int64_t lanes)
{
    float *panels = aligned_floats(layer->depth * layer->padded);
    if (panels == NULL)
        return NULL;
    float *to = panels;
    for (int64_t column = 0; column < layer->padded; column += 2 * lanes) {
        int64_t left = layer->padded - column, columns = left < 2 * lanes ? left : 2 * lanes;
        for (int64_t k = 0; k < layer->depth; k++)
            for (int64_t c = column; c < column + columns; c++)
                *to++ = c < layer->width ? weights[c * layer->depth + k] : 0.0f;
    }
    return panels;
}

static int read_layer(struct level *v, PyObject *item, int64_t depth)
{
    struct layer *layer = &v->layers[v->layer_count];
    PyObject *weights, *bias;
    long long width;
    if (!PyTuple_Check(item)) {
        PyErr_SetString(PyExc_TypeError, "a layer is (width, weights, bias, sine)");
        return -1;
    }
    if (!PyArg_ParseTuple(item, "LOOp", &width, &weights, &bias, &layer->sine))
        return -1;
    if (width < 1 || width > MAX_WIDTH) {
        PyErr_Format(PyExc_ValueError, "a layer of %lld outputs", width);
        return -1;
    }
    layer->depth = depth;
    layer->width = width;
    layer->padded = padded_to(v->kernels->lanes, width);
    v->layer_count++; /* from here on, deallocation frees what it holds */
    float *plain = floats_of(weights, width * depth, width * depth, "a layer's weights");
    if (plain == NULL)
        return -1;
    layer->panels = packed(layer, plain, v->kernels->lanes);
    free(plain);
    if (layer->panels == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    layer->bias = floats_of(bias, width, layer->padded, "a layer's bias");
    return layer->bias == NULL ? -1 : 0;
}

static int level_init(PyObject *self, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"side", "at_x", "at_y", "layers", "below_side", "planes", "isa", NULL};
    struct level *v = (struct level *)self;
    PyObject *at_x, *at_y, *layers;
    long long side, below_side;
    int planes;
    const char *isa = NULL;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "LOOO!Li|z", names, &side, &at_x, &at_y,
                                     &PyTuple_Type, &layers, &below_side, &planes, &isa))
        return -1;
    if (v->kernels != NULL) {
        PyErr_SetString(PyExc_RuntimeError, "a level is initialised once");
        return -1;
    }
    const struct kernels *kernels = chosen_kernels(isa, &v->isa);
    if (kernels == NULL) {
        PyErr_Format(PyExc_ValueError, "this processor has no %s", isa);
        return -1;
    }
    Py_ssize_t count = PyTuple_Size(layers), channels = PyObject_Size(at_x);
    if (channels < 0)
        return -1;
    if (side < 2 || side > 4096 || count < 1 || count > MAX_LAYERS || channels < 1 ||
        channels > MAX_WIDTH || planes < 0 ||
        (below_side && below_side != side && 2 * below_side != side)) {
        PyErr_SetString(PyExc_ValueError, "a level of this size is not known");
        return -1;
    }
    v->kernels = kernels;
    v->side = side;
    v->below_side = below_side;
    v->planes = planes;
    v->channels = channels;
    v->padded = v->widest = padded_to(kernels->lanes, channels);
    if (!(v->at_x = floats_of(at_x, channels, v->padded, "at_x")) ||
        !(v->at_y = floats_of(at_y, channels, v->padded, "at_y")))
        return -1;
    int64_t depth = channels;
    for (Py_ssize_t i = 0; i < count; i++) {
        if (read_layer(v, PyTuple_GetItem(layers, i), depth))
            return -1;
        depth = v->layers[i].width;
        if (v->layers[i].padded > v->widest)
            v->widest = v->layers[i].padded;
    }
    if (planes > depth) {
        PyErr_Format(PyExc_ValueError, "%d planes of %lld outputs", planes, (long long)depth);
        return -1;
    }
    return 0;
}

static void level_dealloc(PyObject *self)
{
    struct level *v = (struct level *)self;
    free(v->at_x);
    free(v->at_y);
    for (int i = 0; i < v->layer_count; i++) {
        free(v->layers[i].panels);
        free(v->layers[i].bias);
    }
    PyTypeObject *type = Py_TYPE(self);
    freefunc release = PyType_GetSlot(type, Py_tp_free);
    release(self);
    Py_DECREF(type);
}

static int64_t out_floats(const struct level *v)
{
    const struct layer *last = &v->layers[v->layer_count - 1];
    return v->side * v->side * (v->planes ? v->planes : last->padded);
}

static PyObject *level_work(PyObject *self, PyObject *args)
{
    struct level *v = (struct level *)self;
    Py_buffer bias, below = {.buf = NULL}, out, listed, counter;
    PyObject *result = NULL;
    if (!PyArg_ParseTuple(args, "y*z*w*y*w*", &bias, &below, &out, &listed, &counter))
        return NULL;
    int64_t area = v->side * v->side, below_floats = v->below_side * v->below_side * v->padded;
    const int32_t *pixels = listed.buf;
    int64_t count = (int64_t)listed.len / (int64_t)sizeof *pixels;
    float *full_bias = NULL, *scratch = NULL;
    if (bias.len != (Py_ssize_t)(v->channels * 4) || out.len != (Py_ssize_t)(out_floats(v) * 4) ||
        (below.buf ? below.len : 0) != (Py_ssize_t)(below_floats * 4) ||
        counter.len != (Py_ssize_t)sizeof(int64_t)) {
        PyErr_SetString(PyExc_ValueError, "an array is not of this level's size");
        goto done;
    }
    for (int64_t i = 0; i < count; i++) {
        if (pixels[i] < 0 || pixels[i] >= area) {
            PyErr_SetString(PyExc_ValueError, "a pixel lies beyond the level");
            goto done;
        }
    }
    full_bias = aligned_floats(v->padded);
    scratch = aligned_floats((2 * TILE + 1) * v->widest);
    if (full_bias == NULL || scratch == NULL) {
        PyErr_NoMemory();
        goto done;
    }
    memcpy(full_bias, bias.buf, (size_t)bias.len);
    Py_BEGIN_ALLOW_THREADS
    _Atomic int64_t *next = counter.buf;
    int64_t first;
    while ((first = atomic_fetch_add_explicit(next, TILE, memory_order_relaxed)) < count)
        run_tile(v, full_bias, below.buf, out.buf, pixels + first,
                 count - first < TILE ? count - first : TILE, scratch);
    Py_END_ALLOW_THREADS
    result = Py_None;
    Py_INCREF(result);
done:
    free(full_bias);
    free(scratch);
    PyBuffer_Release(&bias);
    if (below.buf != NULL)
        PyBuffer_Release(&below);
    PyBuffer_Release(&out);
    PyBuffer_Release(&listed);
    PyBuffer_Release(&counter);
    return result;
}

static PyObject *level_isa(PyObject *self, void *unused)
{
    (void)unused;
    return PyUnicode_FromString(((struct level *)self)->isa);
}

static PyObject *level_out_floats(PyObject *self, void *unused)
{
    (void)unused;
    return PyLong_FromLongLong(out_floats((struct level *)self));
}

static PyMethodDef level_methods[] = {
    {"work", level_work, METH_VARARGS,
     "work(bias, below, out, pixels, counter): compute these pixels until none is left."},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef level_getset[] = {
    {"isa", level_isa, NULL, "Name of the instruction set in use.", NULL},
    {"out_floats", level_out_floats, NULL, "Size of what `work` writes.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot level_slots[] = {
    {Py_tp_doc, "One level of a sine network, with its weights packed."},
    {Py_tp_init, level_init},
    {Py_tp_dealloc, level_dealloc},
    {Py_tp_methods, level_methods},
    {Py_tp_getset, level_getset},
    {0, NULL},
};

static PyType_Spec level_spec = {
    .name = "vtbridge.render.siren._siren.Level",
    .basicsize = sizeof(struct level),
    .flags = Py_TPFLAGS_DEFAULT,
    .slots = level_slots,
};

static struct PyModuleDef module = {
    PyModuleDef_HEAD_INIT,
    .m_name = "vtbridge.render.siren._siren",
    .m_size = -1,
};

PyMODINIT_FUNC PyInit__siren(void)
{
    PyObject *m = PyModule_Create(&module);
    if (m == NULL)
        return NULL;
    PyObject *level = PyType_FromSpec(&level_spec);
    if (level == NULL || PyModule_AddObject(m, "Level", level)) {
        Py_DECREF(m);
        return NULL;
    }
    return m;
}
