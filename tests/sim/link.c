/* The network between the two engines: see link.h. */
#include "tests/sim/link.h"

#include "stack/checksum.h"

void link_open(struct link *link, const struct link_config *config, struct random *random)
{
	memset(link, 0, sizeof(*link));
	link->config = *config;
	link->random = random;
}

void link_close(struct link *link)
{
	while (link->count > 0)
		free(link->packet[--link->count].tcp);
}

static bool chance(struct link *link, uint32_t thousandths)
{
	return random_below(link->random, 1000) < thousandths;
}

/* ---- packets in flight ---- */

static bool earlier(const struct link_packet *a, const struct link_packet *b)
{
	return a->at_us != b->at_us ? a->at_us < b->at_us : a->order < b->order;
}

static void swap(struct link_packet *a, struct link_packet *b)
{
	struct link_packet c = *a;

	*a = *b;
	*b = c;
}

static void put(struct link *link, struct link_packet packet)
{
	uint32_t at = link->count++;

	link->packet[at] = packet;
	while (at > 0 && earlier(&link->packet[at], &link->packet[(at - 1) / 2])) {
		swap(&link->packet[at], &link->packet[(at - 1) / 2]);
		at = (at - 1) / 2;
	}
}

uint64_t link_next(const struct link *link)
{
	return link->count > 0 ? link->packet[0].at_us : UINT64_MAX;
}

struct link_packet link_take(struct link *link)
{
	struct link_packet first = link->packet[0];
	uint32_t at = 0;

	link->packet[0] = link->packet[--link->count];
	for (;;) {
		uint32_t child = 2 * at + 1;

		if (child >= link->count)
			break;
		if (child + 1 < link->count &&
		    earlier(&link->packet[child + 1], &link->packet[child]))
			child++;
		if (!earlier(&link->packet[child], &link->packet[at]))
			break;
		swap(&link->packet[child], &link->packet[at]);
		at = child;
	}
	return first;
}

/* ---- what happens to them ---- */

static bool stripped(unsigned strip, uint8_t kind)
{
	switch (kind) {
	case 2:
		return strip & LINK_STRIP_MSS;
	case 3:
		return strip & LINK_STRIP_SCALE;
	case 4:
		return strip & LINK_STRIP_SACK;
	case 8:
		return strip & LINK_STRIP_TIMESTAMPS;
	default:
		return false;
	}
}

/* Options of a SYN become no-operations. */
static void strip_options(const struct link *link, struct link_packet *packet)
{
	uint8_t *tcp = packet->tcp;
	size_t header = (size_t)(tcp[12] >> 4) * 4, at = 20;
	uint16_t sum;

	if (link->config.strip == 0 || !(tcp[13] & 0x02))
		return;
	while (at < header && tcp[at] != 0) {
		size_t length = tcp[at] == 1 ? 1 : tcp[at + 1];

		if (length > 1 && stripped(link->config.strip, tcp[at]))
			memset(tcp + at, 1, length);
		at += length;
	}
	memset(tcp + 16, 0, 2);
	sum = checksum_tcp(&packet->src, &packet->dst, tcp, header, tcp + header,
	                   packet->length - header);
	memcpy(tcp + 16, &sum, 2);
}

static void fly(struct link *link, const struct packet_out *out, unsigned to, uint64_t now_us)
{
	const struct link_config *config = &link->config;
	size_t ip = address_ip_header(&out->dst);
	size_t header = out->header_length - ip;
	struct link_packet packet = {
		.to = to,
		.src = out->src,
		.dst = out->dst,
		.length = header + out->data_length,
		.order = link->order++,
	};

	if (link->count == LINK_PACKETS)
		return; /* the queue is full: a loss like any other */
	packet.at_us = now_us + config->delay_us;
	if (config->jitter_us > 0)
		packet.at_us += random_next(link->random) % config->jitter_us;
	if (chance(link, config->late))
		packet.at_us += 9 * config->delay_us;
	packet.tcp = malloc(packet.length);
	assert_non_null(packet.tcp);
	memcpy(packet.tcp, out->header + ip, header);
	if (out->data_length > 0)
		memcpy(packet.tcp + header, out->data, out->data_length);
	strip_options(link, &packet);
	if (chance(link, config->corrupt))
		packet.tcp[random_below(link->random, (uint32_t)packet.length)] ^=
			(uint8_t)(1u << random_below(link->random, 8));
	put(link, packet);
}

void link_send(struct link *link, const struct packet_out *packet, unsigned to, uint64_t now_us)
{
	if (now_us < link->dark_until_us || chance(link, link->config.loss))
		return;
	fly(link, packet, to, now_us);
	if (chance(link, link->config.duplicate))
		fly(link, packet, to, now_us);
}
