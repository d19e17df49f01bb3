/* What _compositor.c traces of a frame and _enlarge.c reads. */

#ifndef VTB_TRACED_H
#define VTB_TRACED_H

#include <Python.h>

#include "pixels.h"

#define PAIR (2 * CHANNELS) /* floats a pixel: what the networks add to the picture, the picture */
#define MAX_SIDE 4096

/* What likeness is computed from: luma and alpha of the difference, luma and alpha of the
 * picture. */
#define MARKS 4

VTB_INLINE float vtb_clamped(float value, float top)
{
    value = value > 0.0f ? value : 0.0f; /* NaN compares false: 0 */
    return value < top ? value : top;
}

static int vtb_check_rows(int side, int row, int end)
{
    if (side < 2 || side > MAX_SIDE || row < 0 || row > end || end > side) {
        PyErr_Format(PyExc_ValueError, "rows %d to %d of a side of %d", row, end, side);
        return -1;
    }
    return 0;
}

#endif
