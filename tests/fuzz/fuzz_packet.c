/*
 * Packets to a connection in each of the eleven states, reached by real segments,
 * with everything that can happen to it between them.
 */
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	struct fuzz fuzz = {bytes, length};
	enum tcp_state state = (enum tcp_state)(fuzz_byte(&fuzz) % TCP_STATES);
	struct bed bed;

	fuzz_open(&fuzz, &bed);
	/* a handshake with cookies has no entry that the harness could see */
	if (state == TCP_SYN_RECEIVED && bed.config.syn_cookies == STACK_COOKIES_ALWAYS)
		state = TCP_LISTEN;
	reach(&bed, state);
	bed.handle.id = BED_ANY;
	fuzz_run(&fuzz, &bed);
	return 0;
}
