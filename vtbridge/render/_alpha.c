/* Pixels on both sides of the networks: what a picture becomes on its way in, what a
 * network's float planes become on their way out. vtbridge/render/alpha.py holds the
 * definitions; this file only makes them fast, without the GIL. */

#include <Python.h>

#include "_srgb.h"

static float vtb_signal_from_srgb[256];
static float vtb_signal_from_alpha[256];

static double vtb_linear_from_srgb(double encoded)
{
    return encoded <= 0.04045 ? encoded / 12.92 : pow((encoded + 0.055) / 1.055, 2.4);
}

static void vtb_fill_tables(void)
{
    vtb_fill_encoded_from_linear();
    for (int level = 0; level < 256; level++) {
        double value = level / 255.0;
        vtb_signal_from_srgb[level] = (float)(vtb_linear_from_srgb(value) * 2.0 - 1.0);
        vtb_signal_from_alpha[level] = (float)(value * 2.0 - 1.0);
    }
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

    for (int i = 0; i < count; i++) {
        not_finite += vtb_not_finite(plane[i]);
        steps[i] = (int32_t)(vtb_scaled(plane[i], top) + 0.5f);
    }
    return not_finite;
}

VTB_WIDEST_VECTORS
static void vtb_pack(const int32_t *restrict red, const int32_t *restrict green,
                     const int32_t *restrict blue, const int32_t *restrict alpha,
                     const int32_t *restrict weight, uint32_t *restrict rgba, int count)
{
    for (int i = 0; i < count; i++)
        rgba[i] = vtb_packed(red[i], green[i], blue[i], alpha[i], weight[i]);
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
