/*
 * The parts of vtbf that Python cannot do: fences, the futex, the liveness lock, verified copies.
 *
 * The protocol itself is integrations/include/vtbf.h; this file only carries values across. The
 * interpreter lock is released around every copy and every wait. Everything but the constants,
 * the header check and the writer's stores needs Linux; elsewhere SUPPORTED is False and the
 * functions are absent.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "vtbf.h"

#if defined(__linux__) && defined(F_OFD_SETLK)
#define VTBF_SUPPORTED 1
#else
#define VTBF_SUPPORTED 0
#endif

/* ---- header check ------------------------------------------------------------------------- */

/* (problem, its text, (slot_count, max_payload, whether this version would lay it out so)) */
static PyObject *vtbf_py_check_header(PyObject *module, PyObject *args)
{
  Py_buffer header;
  unsigned long long file_bytes;
  vtbf_header copy;
  vtbf_geometry g, own;
  vtbf_problem problem = VTBF_TOO_SHORT;
  (void)module;
  if (!PyArg_ParseTuple(args, "y*K", &header, &file_bytes)) return NULL;
  if ((size_t)header.len >= sizeof copy) {
    memcpy(&copy, header.buf, sizeof copy);
    problem = vtbf_check_header(&copy, file_bytes, &g);
  }
  PyBuffer_Release(&header);
  if (problem != VTBF_FINE)
    return Py_BuildValue("isO", (int)problem, vtbf_problem_text(problem), Py_None);
  own = vtbf_geometry_for(g.slot_count, g.max_payload);
  return Py_BuildValue("is(IKO)", (int)problem, vtbf_problem_text(problem), g.slot_count,
                       (unsigned long long)g.max_payload,
                       own.total_bytes == g.total_bytes && own.slot_stride == g.slot_stride &&
                               own.header_bytes == g.header_bytes &&
                               own.slot_header_bytes == g.slot_header_bytes
                           ? Py_True
                           : Py_False);
}

static PyObject *vtbf_py_total_bytes(PyObject *module, PyObject *args)
{
  unsigned int slot_count;
  unsigned long long max_payload;
  (void)module;
  if (!PyArg_ParseTuple(args, "IK", &slot_count, &max_payload)) return NULL;
  return PyLong_FromUnsignedLongLong(vtbf_geometry_for(slot_count, max_payload).total_bytes);
}

#if VTBF_SUPPORTED

/* ---- writer ------------------------------------------------------------------------------- */

typedef struct {
  PyObject_HEAD
  Py_buffer memory; /* keeps the mapping alive */
  vtbf_writer writer;
  int busy; /* guarded by the interpreter lock: a copy is under way without it */
} VtbfWriter;

static PyObject *vtbf_writer_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
  static char *names[] = {"memory", "slot_count", "max_payload", "epoch", "latest",
                          "pid",    "uuid",       "fps_x1000",   NULL};
  Py_buffer memory, uuid;
  unsigned int slot_count, pid, fps_x1000;
  unsigned long long max_payload, epoch, latest;
  vtbf_geometry geometry;
  VtbfWriter *self = NULL;
  allocfunc alloc = (allocfunc)PyType_GetSlot(type, Py_tp_alloc);
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "w*IKKKIy*I", names, &memory, &slot_count,
                                   &max_payload, &epoch, &latest, &pid, &uuid, &fps_x1000))
    return NULL;
  geometry = vtbf_geometry_for(slot_count, max_payload);
  if (slot_count < VTBF_MIN_SLOTS || slot_count > VTBF_MAX_SLOTS ||
      max_payload < VTBF_BYTES_PER_PIXEL || max_payload > VTBF_MAX_PAYLOAD ||
      latest >= VTBF_FRAME_NO_END || uuid.len != 16 ||
      (unsigned long long)memory.len < geometry.total_bytes) {
    PyErr_SetString(PyExc_ValueError, "the segment's measures do not fit its memory");
  } else if ((self = (VtbfWriter *)alloc(type, 0)) != NULL) {
    self->memory = memory;
    self->busy = 0;
    self->writer.base = (unsigned char *)memory.buf;
    self->writer.geometry = geometry;
    self->writer.frame_no = latest;
    self->writer.epoch = epoch;
    vtbf_writer_start(&self->writer, pid, (const uint8_t *)uuid.buf, fps_x1000, vtbf_now_ns());
  }
  if (self == NULL) PyBuffer_Release(&memory);
  PyBuffer_Release(&uuid);
  return (PyObject *)self;
}

static void vtbf_writer_dealloc(PyObject *object)
{
  VtbfWriter *self = (VtbfWriter *)object;
  PyTypeObject *type = Py_TYPE(object);
  freefunc release = (freefunc)PyType_GetSlot(type, Py_tp_free);
  if (self->writer.base != NULL) PyBuffer_Release(&self->memory);
  release(object);
  Py_DECREF(type);
}

/* Return self while it has a segment, else set an error. */
static VtbfWriter *vtbf_writer_open(PyObject *object)
{
  VtbfWriter *self = (VtbfWriter *)object;
  if (self->writer.base != NULL) return self;
  PyErr_SetString(PyExc_ValueError, "the writer is released");
  return NULL;
}

/* The same, for what must not happen while another thread copies. */
static VtbfWriter *vtbf_writer_idle(PyObject *object)
{
  VtbfWriter *self = vtbf_writer_open(object);
  if (self == NULL || !self->busy) return self;
  PyErr_SetString(PyExc_RuntimeError, "another thread is in the middle of a write");
  return NULL;
}

static PyObject *vtbf_writer_publish(PyObject *object, PyObject *args)
{
  VtbfWriter *self = vtbf_writer_idle(object);
  Py_buffer pixels;
  unsigned int width, height, flags, alpha_mode;
  unsigned long long t_capture_ns;
  uint64_t n = 0;
  vtbf_slot slot;
  if (self == NULL) return NULL;
  if (!PyArg_ParseTuple(args, "y*IIKII", &pixels, &width, &height, &t_capture_ns, &flags,
                        &alpha_mode))
    return NULL;
  memset(&slot, 0, sizeof slot);
  slot.frame_no = self->writer.frame_no + 1;
  slot.t_capture_ns = t_capture_ns;
  slot.width = width;
  slot.height = height;
  slot.stride = width <= VTBF_MAX_SIDE ? width * VTBF_BYTES_PER_PIXEL : 0;
  slot.fourcc = VTBF_FOURCC_RGBA;
  slot.payload = (uint64_t)pixels.len <= VTBF_MAX_PAYLOAD ? (uint32_t)pixels.len : 0;
  slot.flags = flags;
  slot.alpha_mode = alpha_mode <= VTBF_ALPHA_OPAQUE ? (uint8_t)alpha_mode : UINT8_MAX;
  slot.primaries = VTBF_PRIMARIES_BT709;
  slot.transfer = VTBF_TRANSFER_SRGB;
  slot.range = VTBF_RANGE_FULL;
  {
    vtbf_problem problem = vtbf_check_slot(&self->writer.geometry, &slot, slot.frame_no);
    if (problem != VTBF_FINE) {
      PyErr_Format(PyExc_ValueError, "%s (%u x %u, %zd bytes)", vtbf_problem_text(problem), width,
                   height, pixels.len);
      PyBuffer_Release(&pixels);
      return NULL;
    }
  }
  self->busy = 1;
  Py_BEGIN_ALLOW_THREADS
  memcpy(vtbf_write_begin(&self->writer), pixels.buf, slot.payload);
  slot.t_publish_ns = vtbf_now_ns();
  n = vtbf_write_commit(&self->writer, &slot);
  vtbf_wake_all(&vtbf_writer_header(&self->writer)->wake);
  Py_END_ALLOW_THREADS
  self->busy = 0;
  PyBuffer_Release(&pixels);
  return PyLong_FromUnsignedLongLong(n);
}

static PyObject *vtbf_writer_beat(PyObject *object, PyObject *unused)
{
  VtbfWriter *self = vtbf_writer_open(object);
  (void)unused;
  if (self == NULL) return NULL;
  vtbf_store_relaxed_u64(&vtbf_writer_header(&self->writer)->heartbeat_ns, vtbf_now_ns());
  Py_RETURN_NONE;
}

static PyObject *vtbf_writer_set_health(PyObject *object, PyObject *args)
{
  VtbfWriter *self = vtbf_writer_open(object);
  unsigned int flags;
  if (self == NULL || !PyArg_ParseTuple(args, "I", &flags)) return NULL;
  vtbf_store_release_u32(&vtbf_writer_header(&self->writer)->health_flags, flags);
  Py_RETURN_NONE;
}

static PyObject *vtbf_writer_release(PyObject *object, PyObject *args)
{
  VtbfWriter *self = vtbf_writer_idle(object);
  unsigned int state;
  if (self == NULL || !PyArg_ParseTuple(args, "I", &state)) return NULL;
  vtbf_writer_end(&self->writer, state);
  vtbf_wake_all(&vtbf_writer_header(&self->writer)->wake);
  self->writer.base = NULL;
  PyBuffer_Release(&self->memory);
  Py_RETURN_NONE;
}

static PyMethodDef vtbf_writer_methods[] = {
    {"publish", vtbf_writer_publish, METH_VARARGS, NULL},
    {"beat", vtbf_writer_beat, METH_NOARGS, NULL},
    {"set_health", vtbf_writer_set_health, METH_VARARGS, NULL},
    {"release", vtbf_writer_release, METH_VARARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot vtbf_writer_slots[] = {
    {Py_tp_new, (void *)vtbf_writer_new},
    {Py_tp_dealloc, (void *)vtbf_writer_dealloc},
    {Py_tp_methods, vtbf_writer_methods},
    {0, NULL},
};

static PyType_Spec vtbf_writer_spec = {
    .name = "vtbridge.publish._vtbf.Writer",
    .basicsize = sizeof(VtbfWriter),
    .flags = Py_TPFLAGS_DEFAULT,
    .slots = vtbf_writer_slots,
};

/* ---- reader ------------------------------------------------------------------------------- */

static PyObject *vtbf_py_read_live(PyObject *module, PyObject *args)
{
  int fd;
  vtbf_header h;
  (void)module;
  if (!PyArg_ParseTuple(args, "i", &fd)) return NULL;
  if (vtbf_pread_live(fd, &h)) Py_RETURN_NONE;
  return Py_BuildValue("KIIy#IKIKI", (unsigned long long)h.epoch, h.writer_pid, h.state,
                       (const char *)h.uuid, (Py_ssize_t)sizeof h.uuid, h.nominal_fps_x1000,
                       (unsigned long long)h.latest, h.wake, (unsigned long long)h.heartbeat_ns,
                       h.health_flags);
}

static PyObject *vtbf_slot_tuple(const vtbf_slot *s)
{
  return Py_BuildValue("KKKKIIIIIIbbbb", (unsigned long long)s->frame_no,
                       (unsigned long long)s->epoch, (unsigned long long)s->t_capture_ns,
                       (unsigned long long)s->t_publish_ns, s->width, s->height, s->stride,
                       s->fourcc, s->flags, s->crc32, s->alpha_mode, s->primaries, s->transfer,
                       s->range);
}

/* (outcome, copies thrown away, slot or None, pixels or None) */
static PyObject *vtbf_py_read_newest(PyObject *module, PyObject *args)
{
  int fd;
  Py_buffer header;
  unsigned long long file_bytes, seen;
  vtbf_header copy;
  vtbf_geometry geometry;
  vtbf_slot slot;
  vtbf_problem problem = VTBF_TOO_SHORT;
  vtbf_outcome outcome = VTBF_READ_TORN;
  PyObject *pixels = NULL;
  Py_ssize_t size = -1;
  unsigned int torn = 0;
  int attempt;
  (void)module;
  if (!PyArg_ParseTuple(args, "iy*KK", &fd, &header, &file_bytes, &seen)) return NULL;
  if ((size_t)header.len >= sizeof copy) {
    memcpy(&copy, header.buf, sizeof copy);
    problem = vtbf_check_header(&copy, file_bytes, &geometry);
  }
  PyBuffer_Release(&header);
  if (problem != VTBF_FINE) {
    PyErr_SetString(PyExc_ValueError, vtbf_problem_text(problem));
    return NULL;
  }
  for (attempt = 0; attempt < VTBF_READ_ATTEMPTS && outcome == VTBF_READ_TORN; attempt++) {
    if (vtbf_pread_live(fd, &copy)) {
      outcome = VTBF_READ_GONE;
    } else if (copy.latest >= VTBF_FRAME_NO_END) {
      outcome = VTBF_READ_BAD;
    } else if (copy.latest <= seen) {
      outcome = VTBF_READ_NONE;
    } else {
      outcome = vtbf_pread_slot(fd, &geometry, copy.latest, &slot);
      if (outcome == VTBF_READ_FRAME) {
        if (size != (Py_ssize_t)slot.payload) {
          Py_XDECREF(pixels);
          size = (Py_ssize_t)slot.payload;
          pixels = PyBytes_FromStringAndSize(NULL, size);
          if (pixels == NULL) return NULL;
        }
        {
          char *into = PyBytes_AsString(pixels);
          Py_BEGIN_ALLOW_THREADS
          outcome = vtbf_pread_pixels(fd, &geometry, copy.latest, &slot, into);
          Py_END_ALLOW_THREADS
        }
      }
      torn += outcome == VTBF_READ_TORN;
    }
  }
  if (outcome == VTBF_READ_FRAME)
    return Py_BuildValue("iINN", (int)outcome, torn, vtbf_slot_tuple(&slot), pixels);
  Py_XDECREF(pixels);
  return Py_BuildValue("iIOO", (int)outcome, torn, Py_None, Py_None);
}

static PyObject *vtbf_py_wait(PyObject *module, PyObject *args)
{
  Py_buffer page;
  unsigned int seen;
  unsigned long long timeout_ns;
  int error = EINVAL;
  (void)module;
  if (!PyArg_ParseTuple(args, "y*IK", &page, &seen, &timeout_ns)) return NULL;
  if ((size_t)page.len >= sizeof(vtbf_header)) {
    const uint32_t *word = (const uint32_t *)(const void *)((const char *)page.buf +
                                                            offsetof(vtbf_header, wake));
    Py_BEGIN_ALLOW_THREADS
    error = vtbf_wait(word, seen, timeout_ns);
    Py_END_ALLOW_THREADS
  }
  PyBuffer_Release(&page);
  if (error == EINTR && PyErr_CheckSignals()) return NULL;
  return PyLong_FromLong(error);
}

/* ---- liveness ----------------------------------------------------------------------------- */

static PyObject *vtbf_lock_answer(int answer)
{
  if (answer < 0) return PyErr_SetFromErrno(PyExc_OSError);
  return PyBool_FromLong(answer);
}

static PyObject *vtbf_py_try_lock(PyObject *module, PyObject *args)
{
  int fd;
  (void)module;
  return PyArg_ParseTuple(args, "i", &fd) ? vtbf_lock_answer(vtbf_try_lock(fd)) : NULL;
}

static PyObject *vtbf_py_is_locked(PyObject *module, PyObject *args)
{
  int fd;
  (void)module;
  return PyArg_ParseTuple(args, "i", &fd) ? vtbf_lock_answer(vtbf_is_locked(fd)) : NULL;
}

#endif /* VTBF_SUPPORTED */

/* ---- module ------------------------------------------------------------------------------- */

static PyMethodDef vtbf_functions[] = {
    {"check_header", vtbf_py_check_header, METH_VARARGS, NULL},
    {"total_bytes", vtbf_py_total_bytes, METH_VARARGS, NULL},
#if VTBF_SUPPORTED
    {"read_live", vtbf_py_read_live, METH_VARARGS, NULL},
    {"read_newest", vtbf_py_read_newest, METH_VARARGS, NULL},
    {"wait", vtbf_py_wait, METH_VARARGS, NULL},
    {"try_lock", vtbf_py_try_lock, METH_VARARGS, NULL},
    {"is_locked", vtbf_py_is_locked, METH_VARARGS, NULL},
#endif
    {NULL, NULL, 0, NULL},
};

static const struct {
  const char *name;
  long value;
} vtbf_constants[] = {
    {"ABI_MAJOR", VTBF_ABI_MAJOR},
    {"ABI_MINOR", VTBF_ABI_MINOR},
    {"HEADER_BYTES", VTBF_HEADER_BYTES},
    {"SLOT_HEADER_BYTES", VTBF_SLOT_HEADER_BYTES},
    {"MIN_SLOTS", VTBF_MIN_SLOTS},
    {"MAX_SLOTS", VTBF_MAX_SLOTS},
    {"MAX_SIDE", VTBF_MAX_SIDE},
    {"MAX_PAYLOAD", VTBF_MAX_PAYLOAD},
    {"STATE_INIT", VTBF_STATE_INIT},
    {"STATE_LIVE", VTBF_STATE_LIVE},
    {"STATE_CLOSED", VTBF_STATE_CLOSED},
    {"STATE_MOVED", VTBF_STATE_MOVED},
    {"HEALTH_READY", VTBF_HEALTH_READY},
    {"HEALTH_TRACKER_LOST", VTBF_HEALTH_TRACKER_LOST},
    {"HEALTH_INFERENCE_FAILED", VTBF_HEALTH_INFERENCE_FAILED},
    {"HEALTH_RUNTIME_FALLBACK", VTBF_HEALTH_RUNTIME_FALLBACK},
    {"HEALTH_SLOW", VTBF_HEALTH_SLOW},
    {"HEALTH_INPUT_DOWN", VTBF_HEALTH_INPUT_DOWN},
    {"HEALTH_OBS_UNREACHABLE", VTBF_HEALTH_OBS_UNREACHABLE},
    {"HEALTH_RECORDER_OFF", VTBF_HEALTH_RECORDER_OFF},
    {"FOURCC_RGBA", VTBF_FOURCC_RGBA},
    {"FOURCC_BGRA", VTBF_FOURCC_BGRA},
    {"FLAG_REPEAT", VTBF_FLAG_REPEAT},
    {"FLAG_TRACKER_LOST", VTBF_FLAG_TRACKER_LOST},
    {"FLAG_PLACEHOLDER", VTBF_FLAG_PLACEHOLDER},
    {"ALPHA_STRAIGHT", VTBF_ALPHA_STRAIGHT},
    {"ALPHA_PREMULTIPLIED", VTBF_ALPHA_PREMULTIPLIED},
    {"ALPHA_OPAQUE", VTBF_ALPHA_OPAQUE},
    {"BYTES_PER_PIXEL", VTBF_BYTES_PER_PIXEL},
    {"FINE", VTBF_FINE},
    {"TOO_SHORT", VTBF_TOO_SHORT},
    {"NO_MAGIC", VTBF_NO_MAGIC},
    {"WRONG_MAGIC", VTBF_WRONG_MAGIC},
    {"WRONG_ABI", VTBF_WRONG_ABI},
    {"SUPPORTED", VTBF_SUPPORTED},
#if VTBF_SUPPORTED
    {"READ_FRAME", VTBF_READ_FRAME},
    {"READ_NONE", VTBF_READ_NONE},
    {"READ_TORN", VTBF_READ_TORN},
    {"READ_GONE", VTBF_READ_GONE},
    {"READ_BAD", VTBF_READ_BAD},
#endif
};

static int vtbf_exec(PyObject *module)
{
  size_t i;
  uint64_t magic = VTBF_MAGIC;
  PyObject *magic_bytes = PyBytes_FromStringAndSize((const char *)&magic, sizeof magic);
  int magic_failed = magic_bytes == NULL || PyModule_AddObjectRef(module, "MAGIC", magic_bytes);
  Py_XDECREF(magic_bytes);
  if (magic_failed) return -1;
  for (i = 0; i < sizeof vtbf_constants / sizeof *vtbf_constants; i++)
    if (PyModule_AddIntConstant(module, vtbf_constants[i].name, vtbf_constants[i].value)) return -1;
#if VTBF_SUPPORTED
  {
    PyObject *type = PyType_FromSpec(&vtbf_writer_spec);
    int failed = type == NULL || PyModule_AddObjectRef(module, "Writer", type);
    Py_XDECREF(type);
    if (failed) return -1;
  }
#endif
  return 0;
}

static PyModuleDef_Slot vtbf_module_slots[] = {
    {Py_mod_exec, (void *)vtbf_exec},
    {0, NULL},
};

static struct PyModuleDef vtbf_module = {
    PyModuleDef_HEAD_INIT,
    .m_name = "vtbridge.publish._vtbf",
    .m_methods = vtbf_functions,
    .m_slots = vtbf_module_slots,
};

PyMODINIT_FUNC PyInit__vtbf(void);
PyMODINIT_FUNC PyInit__vtbf(void) { return PyModuleDef_Init(&vtbf_module); }
