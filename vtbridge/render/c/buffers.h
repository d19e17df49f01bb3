/* Memory of Python objects, taken under the name that a message gives it, and given back
 * together. */

#ifndef VTB_BUFFERS_H
#define VTB_BUFFERS_H

#include <Python.h>

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

#endif
