/* Memory for vectors. */

#include <stdlib.h>
#include <string.h>
#if defined(__linux__)
#include <sys/mman.h>
#endif

#define ALIGNMENT 64

/* Return zeroed memory to be freed, in huge pages where it is large and they are to be had, or
 * NULL. */
static void *aligned_zeros(size_t bytes)
{
    void *memory = NULL;
    size_t size = (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    size_t alignment = size >= (4u << 20) ? 2u << 20 : ALIGNMENT;
    if (posix_memalign(&memory, alignment, size ? size : ALIGNMENT))
        return NULL;
#if defined(MADV_HUGEPAGE)
    if (alignment > ALIGNMENT)
        madvise(memory, size, MADV_HUGEPAGE);
#endif
    memset(memory, 0, size);
    return memory;
}
