/* What an editor said of an earlier pose, carried along to where the picture has moved since.
 * vtbridge/render/carry.py holds the definitions; this file only makes them fast, without
 * the GIL. */

#include <Python.h>
#include <stdint.h>
#include <string.h>

/* Planes that are carried: alpha, colour, and the correction of the rotator's grid change. */
#define PLANES 10
#define CORRECTION 8

/* Pixels sampled at a time: what moves does so smoothly, so that neighbours mostly come from
 * neighbours and are read as two runs of memory instead of one by one. */
#define BLOCK 8

/* One build serves every x86-64: the loader picks the widest vectors the CPU has. */
#if defined(__x86_64__) && defined(__GLIBC__) && defined(__GNUC__) && !defined(__clang__)
#define VTB_WIDEST_VECTORS __attribute__((target_clones("avx2", "default")))
#else
#define VTB_WIDEST_VECTORS
#endif

#define LARGEST_SIDE 4096

/* Floats of scratch for a pixel of half the side. */
#define SCRATCH 21

/* Write row `y` of a half-size plane doubled bilinearly, as resizing does whose corners are
 * not aligned: weights 3/4 and 1/4, the border repeated. `mixed` is scratch of `half`. */
static inline void vtb_doubled_row(const float *restrict plane, int half, int y,
                                   float *restrict mixed, float *restrict row)
{
    int near = y / 2;
    int far = y % 2 ? near + 1 : near - 1;
    far = far < 0 ? 0 : far >= half ? half - 1 : far;
    const float *a = plane + (Py_ssize_t)near * half, *b = plane + (Py_ssize_t)far * half;

    for (int x = 0; x < half; x++)
        mixed[x] = 0.75f * a[x] + 0.25f * b[x];
    row[0] = mixed[0];
    row[2 * half - 1] = mixed[half - 1];
    for (int x = 0; x + 1 < half; x++) {
        row[2 * x + 1] = 0.75f * mixed[x] + 0.25f * mixed[x + 1];
        row[2 * x + 2] = 0.25f * mixed[x] + 0.75f * mixed[x + 1];
    }
}

/* Copy the editor's planes, and take the rotator's part out of the grid change. */
VTB_WIDEST_VECTORS
static void vtb_keep(const float *restrict grid_change, const float *restrict alpha,
                     const float *restrict color, const float *restrict rotated, int half,
                     float *restrict scratch, float *restrict kept)
{
    const int side = 2 * half;
    const Py_ssize_t plane = (Py_ssize_t)side * side;
    float *mixed = scratch, *row = mixed + half;

    memcpy(kept, alpha, 4 * (size_t)plane * sizeof(float));
    memcpy(kept + 4 * plane, color, 4 * (size_t)plane * sizeof(float));
    for (int axis = 0; axis < 2; axis++)
        for (int y = 0; y < side; y++) {
            Py_ssize_t start = axis * plane + (Py_ssize_t)y * side;
            float *correction = kept + CORRECTION * plane + start;
            vtb_doubled_row(rotated + (Py_ssize_t)axis * half * half, half, y, mixed, row);
            for (int x = 0; x < side; x++)
                correction[x] = grid_change[start + x] - row[x];
        }
}

/* Clamp to 0..top; NaN becomes 0. */
static inline float vtb_clamped(float value, float top)
{
    value = value > 0.0f ? value : 0.0f;
    return value < top ? value : top;
}

/* Where the pixels of one row are sampled: the upper left of four neighbours, as an index into
 * a plane, and the shares of all four. */
typedef struct {
    int32_t *index;
    float *shares[4];
    uint8_t *run; /* of each block: whether its indices follow each other */
} vtb_samples;

VTB_WIDEST_VECTORS
static void vtb_place_samples(const float *restrict now_x, const float *restrict now_y,
                              const float *restrict then_x, const float *restrict then_y, int y,
                              int side, vtb_samples samples)
{
    const float pixels = (float)(side / 2); /* a grid change is in halves of the side */
    const float top = (float)(side - 1);
    int32_t *restrict index = samples.index;
    float *restrict a = samples.shares[0], *restrict b = samples.shares[1];
    float *restrict c = samples.shares[2], *restrict d = samples.shares[3];

    for (int x = 0; x < side; x++) {
        float from_x = vtb_clamped((float)x + (now_x[x] - then_x[x]) * pixels, top);
        float from_y = vtb_clamped((float)y + (now_y[x] - then_y[x]) * pixels, top);
        int left = (int)from_x, up = (int)from_y;
        left = left < side - 2 ? left : side - 2; /* so that all four lie in the plane */
        up = up < side - 2 ? up : side - 2;
        float right_share = from_x - (float)left, down_share = from_y - (float)up;
        index[x] = up * side + left;
        a[x] = (1.0f - right_share) * (1.0f - down_share);
        b[x] = right_share * (1.0f - down_share);
        c[x] = (1.0f - right_share) * down_share;
        d[x] = right_share * down_share;
    }
    for (int start = 0; start < side; start += BLOCK) {
        int32_t strays = 0;
        for (int i = 0; i < BLOCK; i++)
            strays |= index[start + i] - i - index[start];
        /* Indices may follow each other from the end of one row to the begin of the next, which
         * is where they lie in memory as well. */
        samples.run[start / BLOCK] = strays == 0;
    }
}

VTB_WIDEST_VECTORS
static void vtb_sample_row(const float *restrict plane, int side, vtb_samples samples,
                           const float *restrict added, float *restrict row)
{
    for (int start = 0; start < side; start += BLOCK) {
        const int32_t *index = samples.index + start;
        const float *restrict a = samples.shares[0] + start, *restrict b = samples.shares[1] + start;
        const float *restrict c = samples.shares[2] + start, *restrict d = samples.shares[3] + start;
        float *restrict out = row + start;
        if (samples.run[start / BLOCK]) {
            const float *restrict upper = plane + index[0], *restrict lower = upper + side;
            for (int i = 0; i < BLOCK; i++)
                out[i] = a[i] * upper[i] + b[i] * upper[i + 1] + c[i] * lower[i] +
                         d[i] * lower[i + 1];
        } else {
            for (int i = 0; i < BLOCK; i++) {
                const float *upper = plane + index[i], *lower = upper + side;
                out[i] = a[i] * upper[0] + b[i] * upper[1] + c[i] * lower[0] + d[i] * lower[1];
            }
        }
    }
    if (added != NULL)
        for (int x = 0; x < side; x++)
            row[x] += added[x];
}

static void vtb_carry(const float *kept, const float *then, const float *now, int half,
                      float *scratch, float *grid_change, float *alpha, float *color)
{
    const int side = 2 * half;
    const Py_ssize_t plane = (Py_ssize_t)side * side, small = (Py_ssize_t)half * half;
    float *mixed = scratch, *now_x = mixed + half, *now_y = now_x + side;
    float *then_x = now_y + side, *then_y = then_x + side, *shares = then_y + side;
    vtb_samples samples = {
        (int32_t *)(shares + 4 * side),
        {shares, shares + side, shares + 2 * side, shares + 3 * side},
        (uint8_t *)(shares + 5 * side),
    };

    for (int y = 0; y < side; y++) {
        Py_ssize_t start = (Py_ssize_t)y * side;
        vtb_doubled_row(now, half, y, mixed, now_x);
        vtb_doubled_row(now + small, half, y, mixed, now_y);
        vtb_doubled_row(then, half, y, mixed, then_x);
        vtb_doubled_row(then + small, half, y, mixed, then_y);
        vtb_place_samples(now_x, now_y, then_x, then_y, y, side, samples);
        for (int channel = 0; channel < 4; channel++) {
            vtb_sample_row(kept + channel * plane, side, samples, NULL,
                           alpha + channel * plane + start);
            vtb_sample_row(kept + (4 + channel) * plane, side, samples, NULL,
                           color + channel * plane + start);
        }
        vtb_sample_row(kept + CORRECTION * plane, side, samples, now_x, grid_change + start);
        vtb_sample_row(kept + (CORRECTION + 1) * plane, side, samples, now_y,
                       grid_change + plane + start);
    }
}

#define BUFFERS 6

typedef struct {
    Py_buffer views[BUFFERS];
    int taken;
    int half;
    float *scratch;
} vtb_arrays;

static void vtb_release(vtb_arrays *arrays)
{
    while (arrays->taken > 0)
        PyBuffer_Release(&arrays->views[--arrays->taken]);
    PyMem_Free(arrays->scratch);
}

/* Take `count` buffers; `planes` says how many floats each holds for a pixel of the half-size
 * picture, which the first array of rotator planes, `rotated`, tells the size of. */
static int vtb_take(vtb_arrays *arrays, PyObject *const *objects, const int *planes,
                    const int *writable, int count, int rotated)
{
    arrays->taken = 0;
    arrays->scratch = NULL;
    for (int i = 0; i < count; i++) {
        int flags = PyBUF_C_CONTIGUOUS | (writable[i] ? PyBUF_WRITABLE : PyBUF_SIMPLE);
        if (PyObject_GetBuffer(objects[i], &arrays->views[i], flags) < 0) {
            vtb_release(arrays);
            return -1;
        }
        arrays->taken++;
    }
    Py_ssize_t small = arrays->views[rotated].len / (Py_ssize_t)(2 * sizeof(float));
    int half = 1;
    while (half < LARGEST_SIDE && (Py_ssize_t)half * half < small)
        half++;
    for (int i = 0; i < count; i++)
        if (arrays->views[i].len != (Py_ssize_t)half * half * planes[i] * (Py_ssize_t)sizeof(float)) {
            PyErr_Format(PyExc_ValueError, "array %d holds %zd bytes, which does not fit a grid of %d",
                         i, arrays->views[i].len, half);
            vtb_release(arrays);
            return -1;
        }
    if (half % BLOCK) {
        PyErr_Format(PyExc_ValueError, "a grid's side is a multiple of %d, not %d", BLOCK, half);
        vtb_release(arrays);
        return -1;
    }
    arrays->half = half;
    arrays->scratch = PyMem_Malloc((size_t)half * SCRATCH * sizeof(float));
    if (arrays->scratch == NULL) {
        PyErr_NoMemory();
        vtb_release(arrays);
        return -1;
    }
    return 0;
}

static PyObject *vtb_keep_py(PyObject *module, PyObject *args)
{
    static const int planes[] = {8, 16, 16, 2, 4 * PLANES};
    static const int writable[] = {0, 0, 0, 0, 1};
    PyObject *objects[5];
    vtb_arrays arrays;

    (void)module;
    if (!PyArg_ParseTuple(args, "OOOOO", &objects[0], &objects[1], &objects[2], &objects[3],
                          &objects[4]))
        return NULL;
    if (vtb_take(&arrays, objects, planes, writable, 5, 3) < 0)
        return NULL;
    Py_BEGIN_ALLOW_THREADS
    vtb_keep(arrays.views[0].buf, arrays.views[1].buf, arrays.views[2].buf, arrays.views[3].buf,
             arrays.half, arrays.scratch, arrays.views[4].buf);
    Py_END_ALLOW_THREADS
    vtb_release(&arrays);
    Py_RETURN_NONE;
}

static PyObject *vtb_carry_py(PyObject *module, PyObject *args)
{
    static const int planes[] = {4 * PLANES, 2, 2, 8, 16, 16};
    static const int writable[] = {0, 0, 0, 1, 1, 1};
    PyObject *objects[6];
    vtb_arrays arrays;

    (void)module;
    if (!PyArg_ParseTuple(args, "OOOOOO", &objects[0], &objects[1], &objects[2], &objects[3],
                          &objects[4], &objects[5]))
        return NULL;
    if (vtb_take(&arrays, objects, planes, writable, 6, 1) < 0)
        return NULL;
    Py_BEGIN_ALLOW_THREADS
    vtb_carry(arrays.views[0].buf, arrays.views[1].buf, arrays.views[2].buf, arrays.half,
              arrays.scratch, arrays.views[3].buf, arrays.views[4].buf, arrays.views[5].buf);
    Py_END_ALLOW_THREADS
    vtb_release(&arrays);
    Py_RETURN_NONE;
}

static PyMethodDef vtb_methods[] = {
    {"keep", vtb_keep_py, METH_VARARGS,
     "keep(grid_change, alpha, color, rotated, kept, /) -> None"},
    {"carry", vtb_carry_py, METH_VARARGS,
     "carry(kept, then, now, grid_change, alpha, color, /) -> None"},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef vtb_module = {
    PyModuleDef_HEAD_INIT, "_carry", "Fields carried along of vtbridge.render.carry.", -1,
    vtb_methods, NULL, NULL, NULL, NULL,
};

PyMODINIT_FUNC PyInit__carry(void)
{
    return PyModule_Create(&vtb_module);
}
