/* Run a network as a list of fused operations, on the cores that are free.
 *
 * A depthwise convolution, its pointwise one, and the statistics that the instance
 * normalisation after it needs are one pass over the picture; the normalisation itself and
 * the activation happen when the next operation reads. So each block reads its input once
 * and writes its output once, and what lies between them never leaves the cache.
 *
 * program.py writes the operations, and is the only one that may: nothing here is checked
 * but what a wrong caller could get wrong (types and sizes of arrays). */

#include <Python.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../c/aligned.h"
#include "operations.h"

/* --- Sharing the work ------------------------------------------------------------------- */

static void relax(int spins)
{
    if (spins > 4000)
        sched_yield(); /* somebody else needs this core */
#if defined(__x86_64__)
    else
        _mm_pause();
#endif
}

/* All threads go through all operations; the last to finish one opens the next. */
static void work(struct program *p, int thread)
{
    int threads = ENGINE(p)->threads;
    for (int64_t i = 0; i < p->op_count; i++) {
        const int64_t *w = p->ops[i].word;
        int64_t items = items_of(w), item;
        while ((item = atomic_fetch_add_explicit(&p->next[i], 1, memory_order_relaxed)) < items)
            run_item(p, w, item, p->scratch[thread]);
        if (atomic_fetch_add_explicit(&p->arrived, 1, memory_order_acq_rel) == threads - 1) {
            if (w[0] == OP_CONV)
                finish_conv(p, w);
            atomic_store_explicit(&p->arrived, 0, memory_order_relaxed);
            atomic_store_explicit(&p->done, i + 1, memory_order_release);
        } else {
            for (int spins = 0; atomic_load_explicit(&p->done, memory_order_acquire) <= i; spins++)
                relax(spins);
        }
    }
}

static void *worker_main(void *argument)
{
    struct engine *e = argument;
    uint64_t seen = 0;
    pthread_mutex_lock(&e->mutex);
    int thread = ++e->running; /* 0 is the caller's */
    pthread_cond_broadcast(&e->finished);
    for (;;) {
        while (e->epoch == seen && !e->stopping)
            pthread_cond_wait(&e->started, &e->mutex);
        if (e->stopping)
            break;
        seen = e->epoch;
        struct program *p = e->program;
        pthread_mutex_unlock(&e->mutex);
        work(p, thread);
        pthread_mutex_lock(&e->mutex);
        if (--e->running == 0)
            pthread_cond_broadcast(&e->finished);
    }
    pthread_mutex_unlock(&e->mutex);
    return NULL;
}

static void run_program(struct program *p)
{
    struct engine *e = ENGINE(p);
    for (int64_t i = 0; i < p->op_count; i++)
        atomic_store_explicit(&p->next[i], 0, memory_order_relaxed);
    atomic_store_explicit(&p->done, 0, memory_order_relaxed);
    if (e->threads > 1) {
        pthread_mutex_lock(&e->mutex);
        e->program = p;
        e->running = e->threads - 1;
        e->epoch++;
        pthread_cond_broadcast(&e->started);
        pthread_mutex_unlock(&e->mutex);
    }
    work(p, 0);
    if (e->threads > 1) {
        pthread_mutex_lock(&e->mutex);
        while (e->running)
            pthread_cond_wait(&e->finished, &e->mutex);
        pthread_mutex_unlock(&e->mutex);
    }
}

/* --- Python ----------------------------------------------------------------------------- */

static int engine_init(PyObject *self, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"threads", "isa", NULL};
    struct engine *e = (struct engine *)self;
    int threads;
    const char *isa = NULL;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "i|z", names, &threads, &isa))
        return -1;
    if (e->kernels != NULL) {
        PyErr_SetString(PyExc_RuntimeError, "an engine is initialised once");
        return -1;
    }
    if (threads < 1 || threads > MAX_THREADS) {
        PyErr_Format(PyExc_ValueError, "threads must lie in 1..%d, not %d", MAX_THREADS, threads);
        return -1;
    }
    const struct kernels *kernels = chosen_kernels(isa, &e->isa);
    if (kernels == NULL) {
        PyErr_Format(PyExc_ValueError, "this processor has no %s", isa);
        return -1;
    }
    pthread_mutex_init(&e->mutex, NULL);
    pthread_cond_init(&e->started, NULL);
    pthread_cond_init(&e->finished, NULL);
    e->kernels = kernels;
    e->threads = 1;
    for (int i = 1; i < threads; i++) {
        if (pthread_create(&e->workers[i], NULL, worker_main, e)) {
            PyErr_SetString(PyExc_RuntimeError, "the system gives no more threads");
            return -1;
        }
        e->threads++;
    }
    /* Each takes its number before the first program runs. */
    pthread_mutex_lock(&e->mutex);
    while (e->running < e->threads - 1)
        pthread_cond_wait(&e->finished, &e->mutex);
    pthread_mutex_unlock(&e->mutex);
    return 0;
}

static void engine_dealloc(PyObject *self)
{
    struct engine *e = (struct engine *)self;
    if (e->kernels != NULL) {
        pthread_mutex_lock(&e->mutex);
        e->stopping = 1;
        pthread_cond_broadcast(&e->started);
        pthread_mutex_unlock(&e->mutex);
        for (int i = 1; i < e->threads; i++)
            pthread_join(e->workers[i], NULL);
        pthread_cond_destroy(&e->started);
        pthread_cond_destroy(&e->finished);
        pthread_mutex_destroy(&e->mutex);
    }
    PyTypeObject *type = Py_TYPE(self);
    freefunc release = PyType_GetSlot(type, Py_tp_free);
    release(self);
    Py_DECREF(type);
}

static PyObject *engine_isa(PyObject *self, void *unused)
{
    (void)unused;
    return PyUnicode_FromString(((struct engine *)self)->isa);
}

static PyObject *engine_columns(PyObject *self, void *unused)
{
    (void)unused;
    return PyLong_FromLongLong(((struct engine *)self)->kernels->columns);
}

static PyTypeObject *engine_type;

/* What the largest operation needs: its rings, its matrix, its statistics. */
static void measure_scratch(struct program *p)
{
    for (int64_t i = 0; i < p->op_count; i++) {
        const int64_t *w = p->ops[i].word;
        int64_t floats = 0, depth = 0;
        if (w[0] == OP_CONV) {
            int64_t tile = rows_per_tile(w[CONV_W]);
            for (int64_t n = 0; n < w[CONV_INPUTS]; n++) {
                struct input in = input_of(p, w + CONV_FIRST + n * IN_WORDS, tile);
                floats += in.slots * row_floats(&in);
                depth += in.channels;
            }
            int64_t count = tile * (w[CONV_W] < CHUNK ? w[CONV_W] : CHUNK);
            floats += 2 * w[CONV_OUT] + count * (depth + MATRIX_MARGIN);
            p->stats_floats = larger_of(p->stats_floats, bands_of(w) * 2 * w[CONV_OUT]);
        } else if (w[0] == OP_HEADS) {
            struct input in = input_of(p, w + HEADS_INPUT, 1);
            int64_t stride = answers_stride(w[HEADS_COUNT]);
            floats = 3 * in.width * HEAD_WIDTH + row_floats(&in) + CHUNK * stride;
        }
        p->scratch_floats = larger_of(p->scratch_floats, floats);
    }
}

/* Everything that a program needs; false if there is not as much. Runs without the GIL. */
static bool take_memory(struct program *p, const Py_buffer *ops, const Py_buffer *weights)
{
    p->ops = malloc((size_t)ops->len + 1);
    p->next = calloc((size_t)p->op_count + 1, sizeof *p->next);
    p->arena = aligned_zeros(p->arena_bytes);
    p->weights = aligned_zeros((size_t)weights->len);
    if (!p->ops || !p->next || !p->arena || !p->weights)
        return false;
    memcpy(p->ops, ops->buf, (size_t)ops->len);
    memcpy(p->weights, weights->buf, (size_t)weights->len);
    measure_scratch(p);
    p->stats = aligned_zeros((size_t)p->stats_floats * sizeof(double));
    bool room = p->stats != NULL;
    for (int i = 0; i < ENGINE(p)->threads; i++) {
        p->scratch[i] = aligned_zeros((size_t)p->scratch_floats * sizeof(float));
        room = room && p->scratch[i] != NULL;
    }
    return room;
}

static int program_init(PyObject *self, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"engine", "operations", "weights", "arena_floats", "array_floats",
                            NULL};
    struct program *p = (struct program *)self;
    PyObject *engine, *sizes;
    Py_buffer ops, weights;
    long long arena_floats;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O!y*y*LO!", names, engine_type, &engine, &ops,
                                     &weights, &arena_floats, &PyTuple_Type, &sizes))
        return -1;
    int result = -1;
    Py_ssize_t count = PyTuple_Size(sizes);
    if (p->engine != NULL || ops.len % (Py_ssize_t)sizeof(struct op) || arena_floats < 0 ||
        count > MAX_EXTERNALS) {
        PyErr_SetString(PyExc_ValueError, "these are no operations");
        goto out;
    }
    Py_INCREF(engine);
    p->engine = engine;
    for (Py_ssize_t i = 0; i < count; i++) {
        p->external_floats[i] = PyLong_AsLongLong(PyTuple_GetItem(sizes, i));
        if (PyErr_Occurred())
            goto out;
    }
    p->external_count = (int)count;
    p->op_count = ops.len / (Py_ssize_t)sizeof(struct op);
    p->arena_bytes = (size_t)arena_floats * sizeof(float);
    /* A tenth of a second for tens of megabytes: other networks may be on a screen meanwhile. */
    bool room;
    Py_BEGIN_ALLOW_THREADS
    room = take_memory(p, &ops, &weights);
    Py_END_ALLOW_THREADS
    if (!room) {
        PyErr_NoMemory();
        goto out;
    }
    result = 0;
out:
    PyBuffer_Release(&ops);
    PyBuffer_Release(&weights);
    return result;
}

static void program_dealloc(PyObject *self)
{
    struct program *p = (struct program *)self;
    free(p->ops);
    free((void *)p->next);
    free(p->arena);
    free(p->weights);
    free(p->stats);
    for (int i = 0; i < MAX_THREADS; i++)
        free(p->scratch[i]);
    Py_XDECREF(p->engine);
    PyTypeObject *type = Py_TYPE(self);
    freefunc release = PyType_GetSlot(type, Py_tp_free);
    release(self);
    Py_DECREF(type);
}

static PyObject *program_run(PyObject *self, PyObject *arrays)
{
    struct program *p = (struct program *)self;
    Py_buffer views[MAX_EXTERNALS];
    int taken = 0;
    PyObject *result = NULL;
    if (PyTuple_Size(arrays) != p->external_count) {
        PyErr_Format(PyExc_ValueError, "%d arrays wanted", p->external_count);
        return NULL;
    }
    for (; taken < p->external_count; taken++) {
        Py_buffer *view = &views[taken];
        if (PyObject_GetBuffer(PyTuple_GetItem(arrays, taken), view, PyBUF_C_CONTIGUOUS))
            goto out;
        p->externals[taken] = view->buf;
        if (view->len != (Py_ssize_t)(p->external_floats[taken] * (int64_t)sizeof(float))) {
            PyErr_Format(PyExc_ValueError, "array %d has %zd bytes", taken, view->len);
            taken++;
            goto out;
        }
    }
    Py_BEGIN_ALLOW_THREADS
    run_program(p);
    Py_END_ALLOW_THREADS
    result = Py_None;
    Py_INCREF(result);
out:
    while (taken--)
        PyBuffer_Release(&views[taken]);
    return result;
}

static PyGetSetDef engine_getset[] = {
    {"isa", engine_isa, NULL, "Name of the instruction set in use.", NULL},
    {"columns", engine_columns, NULL, "Columns of a packed panel of weights.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot engine_slots[] = {
    {Py_tp_doc, "Threads that run programs, one program at a time."},
    {Py_tp_init, engine_init},
    {Py_tp_dealloc, engine_dealloc},
    {Py_tp_getset, engine_getset},
    {0, NULL},
};

static PyType_Spec engine_spec = {
    .name = "vtbridge.render.native._native.Engine",
    .basicsize = sizeof(struct engine),
    .flags = Py_TPFLAGS_DEFAULT,
    .slots = engine_slots,
};

static PyMethodDef program_methods[] = {
    {"run", program_run, METH_VARARGS, "Run all operations on these float32 arrays."},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot program_slots[] = {
    {Py_tp_doc, "A network's operations with their weights and their memory."},
    {Py_tp_init, program_init},
    {Py_tp_dealloc, program_dealloc},
    {Py_tp_methods, program_methods},
    {0, NULL},
};

static PyType_Spec program_spec = {
    .name = "vtbridge.render.native._native.Program",
    .basicsize = sizeof(struct program),
    .flags = Py_TPFLAGS_DEFAULT,
    .slots = program_slots,
};

static struct PyModuleDef module = {
    PyModuleDef_HEAD_INIT,
    .m_name = "vtbridge.render.native._native",
    .m_size = -1,
};

PyMODINIT_FUNC PyInit__native(void)
{
    PyObject *m = PyModule_Create(&module);
    if (m == NULL)
        return NULL;
    PyObject *engine = PyType_FromSpec(&engine_spec), *program = PyType_FromSpec(&program_spec);
    engine_type = (PyTypeObject *)engine;
    if (engine == NULL || program == NULL || PyModule_AddObject(m, "Engine", engine) ||
        PyModule_AddObject(m, "Program", program)) {
        Py_DECREF(m);
        return NULL;
    }
    return m;
}
