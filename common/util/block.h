/* common/util/block.h - heap blocks that come and go with every message, kept for the next one by the thread that freed them.
 *
 * A thread keeps at most BLOCK_KEEP_BYTES, and none larger than BLOCK_MAX_BYTES; the rest goes through malloc() and free().
 * What it keeps goes when it ends.  A block may be put back by another thread than took it.  With AddressSanitizer nothing is
 * kept, so that it sees every use behind the end of a block's life. */
#pragma once
#include <stddef.h>

#define BLOCK_MAX_BYTES 16384u
#define BLOCK_SMALL_BYTES 1024u		/* sizes up to it are multiples of 16, larger ones of 64 */
#define BLOCK_KEEP_BYTES (256u << 10)

/* What a block for so many octets has. */
static inline size_t block_bytes(size_t bytes)
{
	size_t step = bytes <= BLOCK_SMALL_BYTES ? 16 : 64;

	return bytes > BLOCK_MAX_BYTES ? bytes : (bytes + step - 1) / step * step;
}
/* block_bytes(bytes) of them, not cleared; *ret_bytes is what block_put() wants.  NULL when out of memory. */
void *block_get(size_t bytes, size_t *ret_bytes);
void block_put(void *p, size_t bytes);
struct block_stats {
	size_t blocks, bytes;
};
void block_stats(struct block_stats *ret);	/* what this thread keeps */
