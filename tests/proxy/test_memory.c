/* tests/proxy/test_memory.c - what a call that rings holds, in transactions and proxy; and that all of it comes back. */
#include <malloc.h>
#include "tests/bench/node.h"
#include "tests/check.h"

#define CALLS 2000u
#define CALL_BYTES 6144u		/* of an INVITE of 2460 octets with 27 header lines */

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
int main(void)
{
	printf("SKIP: the sanitizer's allocator tells nothing\n");
	return TEST_SKIP;
}
#else
static size_t heap(void)
{
	struct mallinfo2 m = mallinfo2();

	return m.uordblks + m.hblkhd;
}

static void calls(struct node *node, char *text, size_t l, unsigned from)
{
	for (unsigned i = 0; i < CALLS; i++) {
		node_number(text, from + i);
		node_input(node, str_make(text, l));
		node_ring(node);
	}
}

START_TEST(test_ringing)
{
	static char text[SIP_MSG_MAX_BYTES];
	size_t l = node_read(BENCH_DIR "/03-invite-mo-scscf.sip", text, sizeof(text)), began, before, each;
	static struct wheel w;
	struct proxy_stats px;
	struct tx_stats tx;
	struct node node;

	ck_assert_uint_gt(l, 2000);
	wheel_init(&w, 1000);
	began = heap();
	ck_assert_int_eq(node_ringing_init(&node, &w), 0);
	calls(&node, text, l, 0x80000000u);		/* what grows once */
	before = heap();
	calls(&node, text, l, 0);
	each = (heap() - before) / CALLS;
	tx_layer_stats(node.tx, &tx);
	ck_assert_uint_eq(tx.server_now, 2 * CALLS);
	ck_assert_uint_eq(tx.client_now, 2 * CALLS);
	ck_assert_msg(each <= CALL_BYTES, "%zu octets", each);
	ck_assert_uint_gt(each, l);			/* it is there */
	/* Timer C, CANCEL, and nobody answers that either. */
	wheel_advance(&w, 1000 + 400000);
	wheel_advance(&w, 1000 + 800000);
	tx_layer_stats(node.tx, &tx);
	proxy_layer_stats(node.proxy, &px);
	ck_assert_uint_eq(tx.server_now + tx.client_now, 0);
	ck_assert_uint_eq(px.now, 0);
	node_fini(&node);
	ck_assert_msg(heap() <= began + (1u << 20), "%zu octets have stayed", heap() - began);	/* what the thread keeps for the next ones */
}
END_TEST

TEST_MAIN("memory", TEST_ONE(test_ringing))
#endif
