/*
 * Bytes as what a proxy sends first: whatever they are, nothing is read beyond them, what is good
 * stays so with more behind it, and what is bad stays so too; and by way of a proxied listener they
 * make a connection with a client that can be one, or none.
 */
#include "daemon/proxy.h"
#include "tests/fuzz/fuzz.h"

static void must(bool holds)
{
	if (!holds)
		abort();
}

/* The same bytes where nothing lies behind them. */
static enum proxy_result parse(const uint8_t *bytes, size_t length, struct proxy_header *header)
{
	uint8_t *exact = malloc(length > 0 ? length : 1);
	enum proxy_result result;

	must(exact != NULL);
	if (length > 0)
		memcpy(exact, bytes, length);
	result = proxy_parse(exact, length, header);
	free(exact);
	return result;
}

static enum proxy_result alone(const uint8_t *bytes, size_t length)
{
	enum proxy_result whole, part = PROXY_MORE;
	struct proxy_header header, shorter;

	whole = parse(bytes, length, &header);
	must(whole != PROXY_BAD || header.why != NULL);
	must(whole != PROXY_CLIENT || endpoint_valid(&header.client));
	must(header.length <= length && header.length <= PROXY_HEADER_MAX);
	for (size_t cut = 0; cut <= length && part == PROXY_MORE; cut++)
		part = parse(bytes, cut, &shorter);
	must(part == whole);
	must(part == PROXY_BAD || shorter.length == header.length);
	return whole;
}

/* As the master does it. */
static void read_headers(struct bed *bed)
{
	struct conn_handle handle;
	struct proxy_header header;
	const uint8_t *bytes;
	size_t length;
	bool ended;

	while (stack_header_next(bed->stack, &handle, &bytes, &length, &ended)) {
		enum proxy_result result = proxy_parse(bytes, length, &header);

		if (result == PROXY_CLIENT || result == PROXY_ITSELF)
			must(stack_header_done(bed->stack, handle, header.length,
			                       result == PROXY_CLIENT ? &header.client : NULL,
			                       bed->now_us));
		else if (result == PROXY_BAD || ended)
			stack_header_bad(bed->stack, handle, "bad", bed->now_us);
	}
	fuzz_settle(bed);
}

/* In segments of the length that the first byte says, with another engine in between. */
static void by_a_connection(const uint8_t *bytes, size_t length)
{
	struct stack_config config = bed_config();
	size_t piece = bytes[0] + 1u;
	struct bed bed;

	config.proxy_froms = 1;
	config.proxy_from[0] = (struct ip_prefix){{.version = IP_V4}, 0};
	bed_open(&bed, IP_V4, &config);
	stack_listen_proxied(bed.stack, &(struct endpoint){{.version = IP_V4}, LOCAL_PORT, 0},
	                     true);
	peer_flags(&bed, SYN);
	bed.iss = bed.out[bed.outs - 1].seg.seq;
	bed.seq++;
	bed.ack = bed.iss + 1;
	peer_flags(&bed, ACK);
	for (size_t at = 1; at < length; at += piece) {
		struct segment seg = peer_segment(&bed, ACK);

		seg.data = bytes + at;
		seg.data_length = (uint32_t)(length - at < piece ? length - at : piece);
		peer_send(&bed, &seg);
		bed.seq += seg.data_length;
		if (at + piece < length && at < 3 * piece)
			fuzz_take_over(&bed);
		read_headers(&bed);
		bed.outs = bed.expected = 0;
	}
	bed_pass(&bed, 10 * S);
	must(bed.stack->headers_awaited == 0);
	bed_close(&bed);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	if (length < 2)
		return 0;
	(void)alone(bytes + 1, length - 1);
	by_a_connection(bytes, length);
	return 0;
}
