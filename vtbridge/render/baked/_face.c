/* A face out of the basis it was learnt in, without the GIL. vtbridge/render/baked/face.py holds
 * the definition; this file only makes it fast. */

#include <Python.h>
#include <math.h>
#include <stdint.h>

/* Values of the face handled at a time: their sums stay in the L1 cache, and their part of the
 * basis lies together, row after row, so that it is read as one stream. Four values lie in a
 * word, of which the first are those of the first quarter of a block and so on: so that words
 * are shifted where bytes would have to be widened, which compilers do poorly. */
#define BLOCK 256
#define PACKED 4
#define WORDS (BLOCK / PACKED)
#define UNROLLED 4

#define LEVELS 255.0f
#define LINEAR_STEPS 4096 /* between which the decoding of sRGB is straight within 3e-8 */

/* One build serves every x86-64: the loader picks the widest vectors the CPU has. What a
 * cloned function calls must be inlined into it, or it is not compiled for them. */
#if defined(__x86_64__) && defined(__GLIBC__) && defined(__GNUC__) && !defined(__clang__)
#define VTB_WIDEST_VECTORS __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define VTB_WIDEST_VECTORS
#endif
#if defined(__GNUC__)
#define VTB_INLINE static inline __attribute__((always_inline))
#else
#define VTB_INLINE static __forceinline
#endif

/* Network signals of the levels 0, 255 / LINEAR_STEPS, ... 255, and one more, never reached. */
static float vtb_signal_from_level[LINEAR_STEPS + 2];

static void vtb_fill_signal_from_level(void)
{
    for (int step = 0; step < LINEAR_STEPS + 2; step++) {
        double encoded = step / (double)LINEAR_STEPS;
        double linear = encoded <= 0.04045 ? encoded / 12.92 : pow((encoded + 0.055) / 1.055, 2.4);
        vtb_signal_from_level[step] = (float)(2.0 * linear - 1.0);
    }
}

/* Clamp to 0..LEVELS; NaN becomes 0. */
VTB_INLINE float vtb_clamped(float level)
{
    level = level > 0.0f ? level : 0.0f;
    return level < LEVELS ? level : LEVELS;
}

/* Add to `sums` what `rows` rows of a block of the basis come to. */
VTB_INLINE void vtb_add_rows(const uint32_t *restrict basis, const int rows,
                             const float *restrict weights, float *restrict sums)
{
    for (int packed = 0; packed < PACKED; packed++) {
        float *restrict part = sums + packed * WORDS;
        const int unused = 8 * (PACKED - 1 - packed);
        for (int i = 0; i < WORDS; i++) {
            float sum = part[i];
            for (int row = 0; row < rows; row++)
                sum += weights[row] * (float)((int32_t)(basis[row * WORDS + i] << unused) >> 24);
            part[i] = sum;
        }
    }
}

/* Write the network signals of `places` to `face`: the first `colours` of them are colours. */
VTB_WIDEST_VECTORS
static void vtb_expand(const uint32_t *restrict basis, const float *restrict weights,
                       Py_ssize_t rows, const float *restrict start,
                       const int32_t *restrict places, Py_ssize_t size, Py_ssize_t colours,
                       float *restrict face)
{
    float sums[BLOCK];

    for (Py_ssize_t first = 0; first < size; first += BLOCK) {
        const int count = (int)(size - first < BLOCK ? size - first : BLOCK);
        const uint32_t *block = basis + first / PACKED * rows;
        Py_ssize_t row = 0;

        for (int i = 0; i < BLOCK; i++)
            sums[i] = i < count ? start[first + i] : 0.0f;
        for (; row + UNROLLED <= rows; row += UNROLLED)
            vtb_add_rows(block + row * WORDS, UNROLLED, weights + row, sums);
        for (; row < rows; row++)
            vtb_add_rows(block + row * WORDS, 1, weights + row, sums);
        for (int i = 0; i < count; i++) {
            float level = vtb_clamped(sums[i]);
            float at = level * (LINEAR_STEPS / LEVELS);
            int32_t step = (int32_t)at;
            float below = vtb_signal_from_level[step];
            float colour = below + (at - (float)step) * (vtb_signal_from_level[step + 1] - below);
            float alpha = level * (2.0f / LEVELS) - 1.0f;
            face[places[first + i]] = first + i < colours ? colour : alpha;
        }
    }
}

enum { BASIS, WEIGHTS, START, PLACES, FACE, BUFFERS };

static PyObject *vtb_expand_py(PyObject *module, PyObject *args)
{
    PyObject *objects[BUFFERS], *result = NULL;
    Py_buffer views[BUFFERS];
    Py_ssize_t rows, size, colours, cells, blocks;
    int taken = 0;

    (void)module;
    if (!PyArg_ParseTuple(args, "OOOOnO", &objects[BASIS], &objects[WEIGHTS], &objects[START],
                          &objects[PLACES], &colours, &objects[FACE]))
        return NULL;
    for (; taken < BUFFERS; taken++) {
        int flags = PyBUF_C_CONTIGUOUS | (taken == FACE ? PyBUF_WRITABLE : PyBUF_SIMPLE);
        if (PyObject_GetBuffer(objects[taken], &views[taken], flags) < 0)
            goto done;
    }
    rows = views[WEIGHTS].len / (Py_ssize_t)sizeof(float);
    size = views[START].len / (Py_ssize_t)sizeof(float);
    cells = views[FACE].len / (Py_ssize_t)sizeof(float);
    blocks = rows > 0 && views[BASIS].len % (rows * BLOCK) == 0
                 ? views[BASIS].len / (rows * BLOCK)
                 : -1;
    if (views[WEIGHTS].len != rows * (Py_ssize_t)sizeof(float) ||
        views[START].len != size * (Py_ssize_t)sizeof(float) ||
        views[PLACES].len != size * (Py_ssize_t)sizeof(int32_t) ||
        blocks != (size + BLOCK - 1) / BLOCK) {
        PyErr_SetString(PyExc_ValueError, "the sizes of basis, weights, start and places differ");
        goto done;
    }
    for (Py_ssize_t i = 0; i < size; i++) {
        int32_t place = ((const int32_t *)views[PLACES].buf)[i];
        if (place < 0 || place >= cells) {
            PyErr_Format(PyExc_ValueError, "place %d lies beyond a face of %zd values", place,
                         cells);
            goto done;
        }
    }
    Py_BEGIN_ALLOW_THREADS
    vtb_expand(views[BASIS].buf, views[WEIGHTS].buf, rows, views[START].buf, views[PLACES].buf,
               size, colours, views[FACE].buf);
    Py_END_ALLOW_THREADS
    result = Py_None;
    Py_INCREF(result);
done:
    while (taken > 0)
        PyBuffer_Release(&views[--taken]);
    return result;
}

static PyMethodDef vtb_methods[] = {
    {"expand", vtb_expand_py, METH_VARARGS,
     "expand(basis, weights, start, places, colours, face, /) -> None"},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef vtb_module = {
    PyModuleDef_HEAD_INIT, "_face", "Faces of vtbridge.render.baked.face.", -1,
    vtb_methods, NULL, NULL, NULL, NULL,
};

PyMODINIT_FUNC PyInit__face(void)
{
    PyObject *module = PyModule_Create(&vtb_module);

    vtb_fill_signal_from_level();
    if (module != NULL && PyModule_AddIntConstant(module, "BLOCK", BLOCK) < 0) {
        Py_DECREF(module);
        return NULL;
    }
    return module;
}
