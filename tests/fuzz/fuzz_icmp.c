/*
 * ICMP messages, as raw sockets give them, about a connection with data in flight:
 * raw bytes, or a message that quotes the connection and that the bytes change.
 */
#include "tests/fuzz/fuzz.h"

#include "stack/checksum.h"

/* Room for an outer IP header, the ICMP header, the quoted headers and more. */
#define MESSAGE_MAX 256u

/* An ICMP message quoting what the bed's connection has in flight; returns its length. */
static size_t quote(const struct bed *bed, uint8_t *message)
{
	const struct conn *c = bed_conn(bed);
	bool v6 = bed->flow.local.address.version == IP_V6;
	uint8_t *at = message;
	struct segment seg = {
		.src_port = bed->flow.local.port,
		.dst_port = bed->flow.peer.port,
		.seq = c->snd_una,
		.flags = TCP_ACK,
	};

	if (!v6) {
		at += ip_build(at, &bed->flow.peer.address, &bed->flow.local.address, 0, 64, 36);
		message[9] = 1; /* ICMP */
	}
	memset(at, 0, 8);
	at[0] = v6 ? 2 : 3;
	at[1] = v6 ? 0 : 4;
	at[6] = 2; /* an MTU of 576 or so */
	at[7] = 0x40;
	at += 8;
	at += ip_build(at, &bed->flow.local.address, &bed->flow.peer.address, 0, 64, 1000);
	at += segment_build(at, &seg);
	return (size_t)(at - message);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	struct fuzz fuzz = {bytes, length};
	struct bed bed;
	struct icmp_error error;

	fuzz_open(&fuzz, &bed);
	establish_with_worker(&bed, 65536, 65536);
	user_write(&bed, 20000);
	bed.held = true;
	bed.handle.id = BED_ANY;
	for (unsigned i = 0; i < 50 && fuzz.left > 0; i++) {
		uint8_t message[MESSAGE_MAX] = {0};
		size_t size = fuzz_byte(&fuzz) % MESSAGE_MAX;
		bool v6 = bed.flow.local.address.version == IP_V6;
		uint8_t changes = fuzz_byte(&fuzz) % 8;
		uint8_t *exact;

		if (lookup_find(bed.stack->lookup, &bed.flow) == LOOKUP_NONE)
			break;
		if (changes < 7)
			size = quote(&bed, message);
		else
			for (size_t at = 0; at < size; at++)
				message[at] = fuzz_byte(&fuzz);
		for (; changes < 7 && changes > 0; changes--)
			message[fuzz_byte(&fuzz) % size] = fuzz_byte(&fuzz);
		if (!v6 && size > 28 && (fuzz_byte(&fuzz) & 1) == 0) {
			uint16_t sum;

			memset(message + 22, 0, 2);
			sum = (uint16_t)~checksum_fold(checksum_add(0, message + 20, size - 20));
			memcpy(message + 22, &sum, sizeof(sum));
		}
		exact = malloc(size > 0 ? size : 1);
		if (exact == NULL)
			abort();
		memcpy(exact, message, size);
		if (v6 ? icmp6_parse(exact, size, &error) : icmp4_parse(exact, size, &error))
			stack_icmp(bed.stack, &error, bed.now_us);
		free(exact);
		fuzz_settle(&bed);
		if (fuzz_byte(&fuzz) & 1)
			fuzz_segment(&fuzz, &bed);
		fuzz_settle(&bed);
	}
	fuzz_run(&fuzz, &bed);
	return 0;
}
