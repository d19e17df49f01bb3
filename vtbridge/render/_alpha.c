/* Pixels on both sides of the networks: what a picture becomes on its way in, what a
 * network's float planes become on their way out. vtbridge/render/alpha.py holds the
 * definitions; this file only makes them fast, without the GIL. */

#include <Python.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

#define CHANNELS 4

/* 8192 steps keep the table's own error below 0.21 of an 8-bit level at the dark end,
 * where sRGB is steepest (12.92 * 255 / 8192 / 2), and the table within 32 KiB. */
#define LINEAR_STEPS 8192
#define ENCODED_ONE 65536
#define ROUND_HALF (ENCODED_ONE / 2)

/* Pixels handled at a time: the scratch stays in the L1 cache, and the empty space around
 * a character is left out in pieces of this size. */
#define BLOCK 128

/* One build serves every x86-64: the loader picks the widest vectors the CPU has. */
#if defined(__x86_64__) && defined(__GLIBC__) && defined(__GNUC__) && !defined(__clang__)
#define VTB_WIDEST_VECTORS __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define VTB_WIDEST_VECTORS
#endif

static int32_t vtb_encoded_from_linear[LINEAR_STEPS];
static float vtb_signal_from_srgb[256];
static float vtb_signal_from_alpha[256];

static double vtb_srgb_from_linear(double linear)
{
    return linear <= 0.0031308 ? linear * 12.92 : 1.055 * pow(linear, 1.0 / 2.4) - 0.055;
}

static double vtb_linear_from_srgb(double encoded)
{
    return encoded <= 0.04045 ? encoded / 12.92 : pow((encoded + 0.055) / 1.055, 2.4);
}

static void vtb_fill_tables(void)
{
    for (int step = 0; step < LINEAR_STEPS; step++) {
        double linear = step / (double)(LINEAR_STEPS - 1);
        vtb_encoded_from_linear[step] = (int32_t)lrint(vtb_srgb_from_linear(linear) * ENCODED_ONE);
    }
    for (int level = 0; level < 256; level++) {
        double value = level / 255.0;
        vtb_signal_from_srgb[level] = (float)(vtb_linear_from_srgb(value) * 2.0 - 1.0);
        vtb_signal_from_alpha[level] = (float)(value * 2.0 - 1.0);
    }
}

/* An exponent of all ones is an infinity or a NaN. */
static inline int32_t vtb_not_finite(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return (bits & 0x7f800000u) == 0x7f800000u;
}

VTB_WIDEST_VECTORS
static int32_t vtb_count_not_finite(const float *restrict plane, int count)
{
    int32_t not_finite = 0;
    for (int i = 0; i < count; i++)
        not_finite += vtb_not_finite(plane[i]);
    return not_finite;
}

/* Turn -1..1 into 0..top, rounded; what is not finite goes to an end and is counted. */
VTB_WIDEST_VECTORS
static int32_t vtb_quantise(const float *restrict plane, int32_t *restrict steps, int count,
                            float top)
{
    int32_t not_finite = 0;
    const float half = top * 0.5f;

    for (int i = 0; i < count; i++) {
        not_finite += vtb_not_finite(plane[i]);
        float scaled = plane[i] * half + half;
        scaled = scaled > 0.0f ? scaled : 0.0f; /* NaN compares false: 0 */
        scaled = scaled < top ? scaled : top;
        steps[i] = (int32_t)(scaled + 0.5f);
    }
    return not_finite;
}

VTB_WIDEST_VECTORS
static void vtb_pack(const int32_t *restrict red, const int32_t *restrict green,
                     const int32_t *restrict blue, const int32_t *restrict alpha,
                     const int32_t *restrict weight, uint32_t *restrict rgba, int count)
{
    for (int i = 0; i < count; i++) {
        uint32_t w = (uint32_t)weight[i];
        uint32_t r = ((uint32_t)vtb_encoded_from_linear[red[i]] * w + ROUND_HALF) >> 16;
        uint32_t g = ((uint32_t)vtb_encoded_from_linear[green[i]] * w + ROUND_HALF) >> 16;
        uint32_t b = ((uint32_t)vtb_encoded_from_linear[blue[i]] * w + ROUND_HALF) >> 16;
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
        rgba[i] = r << 24 | g << 16 | b << 8 | (uint32_t)alpha[i];
#else
        rgba[i] = r | g << 8 | b << 16 | (uint32_t)alpha[i] << 24;
#endif
    }
}

/* Return how many of the planes' values are not finite. */
static Py_ssize_t vtb_rgba_from_network(const float *planes, uint8_t *rgba, Py_ssize_t pixels,
                                        int premultiply)
{
    int32_t steps[CHANNELS][BLOCK];
    int32_t weight[BLOCK];
    uint32_t packed[BLOCK];
    Py_ssize_t not_finite = 0;

    for (Py_ssize_t start = 0; start < pixels; start += BLOCK) {
        int count = pixels - start < BLOCK ? (int)(pixels - start) : BLOCK;
        int32_t seen = 0;
        not_finite += vtb_quantise(planes + 3 * pixels + start, steps[3], count, 255.0f);
        for (int i = 0; i < count; i++) {
            seen |= steps[3][i];
            weight[i] = premultiply ? steps[3][i] : (steps[3][i] ? 255 : 0);
        }
        if (!seen) {
            for (int channel = 0; channel < 3; channel++)
                not_finite += vtb_count_not_finite(planes + channel * pixels + start, count);
            memset(rgba + start * CHANNELS, 0, (size_t)count * CHANNELS);
            continue;
        }
        for (int channel = 0; channel < 3; channel++)
            not_finite += vtb_quantise(planes + channel * pixels + start, steps[channel], count,
                                       LINEAR_STEPS - 1.0f);
        vtb_pack(steps[0], steps[1], steps[2], steps[3], weight, packed, count);
        memcpy(rgba + start * CHANNELS, packed, (size_t)count * CHANNELS);
    }
    return not_finite;
}

static void vtb_network_from_straight(const uint8_t *rgba, float *planes, Py_ssize_t pixels)
{
    for (Py_ssize_t i = 0; i < pixels; i++) {
        const uint8_t *pixel = rgba + i * CHANNELS;
        for (int channel = 0; channel < 3; channel++)
            planes[channel * pixels + i] = vtb_signal_from_srgb[pixel[3] ? pixel[channel] : 0];
        planes[3 * pixels + i] = vtb_signal_from_alpha[pixel[3]];
    }
}

/* Take both buffers and check that they hold the same number of pixels. */
static int vtb_take_buffers(PyObject *planes, int planes_flags, Py_buffer *planes_view,
                            PyObject *rgba, int rgba_flags, Py_buffer *rgba_view)
{
    if (PyObject_GetBuffer(planes, planes_view, planes_flags | PyBUF_C_CONTIGUOUS) < 0)
        return -1;
    if (PyObject_GetBuffer(rgba, rgba_view, rgba_flags | PyBUF_C_CONTIGUOUS) < 0) {
        PyBuffer_Release(planes_view);
        return -1;
    }
    if (rgba_view->len % CHANNELS != 0 ||
        planes_view->len != rgba_view->len * (Py_ssize_t)sizeof(float)) {
        PyErr_Format(PyExc_ValueError, "%zd bytes of float planes do not match %zd bytes of RGBA",
                     planes_view->len, rgba_view->len);
        PyBuffer_Release(planes_view);
        PyBuffer_Release(rgba_view);
        return -1;
    }
    return 0;
}

static PyObject *vtb_convert_out(PyObject *args, int premultiply)
{
    PyObject *planes, *rgba;
    Py_buffer planes_view, rgba_view;
    Py_ssize_t not_finite;

    if (!PyArg_ParseTuple(args, "OO", &planes, &rgba))
        return NULL;
    if (vtb_take_buffers(planes, PyBUF_SIMPLE, &planes_view, rgba, PyBUF_WRITABLE, &rgba_view) < 0)
        return NULL;
    Py_BEGIN_ALLOW_THREADS
    not_finite = vtb_rgba_from_network(planes_view.buf, rgba_view.buf, rgba_view.len / CHANNELS,
                                       premultiply);
    Py_END_ALLOW_THREADS
    PyBuffer_Release(&planes_view);
    PyBuffer_Release(&rgba_view);
    return PyLong_FromSsize_t(not_finite);
}

static PyObject *vtb_premultiplied_from_network(PyObject *module, PyObject *args)
{
    (void)module;
    return vtb_convert_out(args, 1);
}

static PyObject *vtb_straight_from_network(PyObject *module, PyObject *args)
{
    (void)module;
    return vtb_convert_out(args, 0);
}

static PyObject *vtb_network_from_straight_py(PyObject *module, PyObject *args)
{
    PyObject *planes, *rgba;
    Py_buffer planes_view, rgba_view;

    (void)module;
    if (!PyArg_ParseTuple(args, "OO", &rgba, &planes))
        return NULL;
    if (vtb_take_buffers(planes, PyBUF_WRITABLE, &planes_view, rgba, PyBUF_SIMPLE, &rgba_view) < 0)
        return NULL;
    Py_BEGIN_ALLOW_THREADS
    vtb_network_from_straight(rgba_view.buf, planes_view.buf, rgba_view.len / CHANNELS);
    Py_END_ALLOW_THREADS
    PyBuffer_Release(&planes_view);
    PyBuffer_Release(&rgba_view);
    Py_RETURN_NONE;
}

static PyMethodDef vtb_methods[] = {
    {"premultiplied_from_network", vtb_premultiplied_from_network, METH_VARARGS,
     "premultiplied_from_network(planes, rgba, /) -> number of values that are not finite"},
    {"straight_from_network", vtb_straight_from_network, METH_VARARGS,
     "straight_from_network(planes, rgba, /) -> number of values that are not finite"},
    {"network_from_straight", vtb_network_from_straight_py, METH_VARARGS,
     "network_from_straight(rgba, planes, /) -> None"},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef vtb_module = {
    PyModuleDef_HEAD_INIT, "_alpha", "Pixel conversions of vtbridge.render.alpha.", -1,
    vtb_methods, NULL, NULL, NULL, NULL,
};

PyMODINIT_FUNC PyInit__alpha(void)
{
    vtb_fill_tables();
    return PyModule_Create(&vtb_module);
}
