/* The network between the two engines: see link.h. */
#include "tests/sim/link.h"

#include "stack/checksum.h"

#define CE 3u

void link_open(struct link *link, const struct link_config *config, struct random *random)
{
	link->config = *config;
	link->random = random;
	link->dark_until_us = 0;
	link->busy_until_ns[0] = link->busy_until_ns[1] = 0;
	link->order = 0;
	link->count = 0;
}

void link_close(struct link *link)
{
	while (link->count > 0)
		free(link->packet[--link->count]);
}

static bool chance(struct link *link, uint32_t thousandths)
{
	return thousandths > 0 && random_below(link->random, 1000) < thousandths;
}

/* ---- packets in flight ---- */

static bool earlier(const struct link_packet *a, const struct link_packet *b)
{
	return a->at_us != b->at_us ? a->at_us < b->at_us : a->order < b->order;
}

static void put(struct link *link, struct link_packet *packet)
{
	uint32_t at = link->count++;

	packet->order = link->order++;
	for (; at > 0 && earlier(packet, link->packet[(at - 1) / 2]); at = (at - 1) / 2)
		link->packet[at] = link->packet[(at - 1) / 2];
	link->packet[at] = packet;
}

uint64_t link_next(const struct link *link)
{
	return link->count > 0 ? link->packet[0]->at_us : UINT64_MAX;
}

struct link_packet *link_take(struct link *link)
{
	struct link_packet *first = link->packet[0];
	struct link_packet *last = link->packet[--link->count];
	uint32_t at = 0;

	for (;;) {
		uint32_t child = 2 * at + 1;

		if (child >= link->count)
			break;
		if (child + 1 < link->count &&
		    earlier(link->packet[child + 1], link->packet[child]))
			child++;
		if (!earlier(link->packet[child], last))
			break;
		link->packet[at] = link->packet[child];
		at = child;
	}
	link->packet[at] = last;
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

/* Type of service or traffic class. */
static uint8_t packet_tos(const struct packet_out *out)
{
	const uint8_t *ip = out->header;

	return ip[0] >> 4 == 4 ? ip[1] : (uint8_t)((ip[0] & 0x0f) << 4 | ip[1] >> 4);
}

/*
 * The packet waits its turn before the bottleneck. Sets when it is through; false: the
 * queue is full.
 */
static bool bottleneck(struct link *link, uint32_t bytes, unsigned to, uint64_t now_us,
                       uint64_t *through_us, uint8_t *tos)
{
	const struct link_config *config = &link->config;
	uint64_t *busy = &link->busy_until_ns[to & 1];
	uint64_t now_ns = now_us * 1000;
	uint64_t waiting;

	*through_us = now_us;
	if (config->rate == 0)
		return true;
	if (*busy < now_ns)
		*busy = now_ns;
	waiting = (*busy - now_ns) * config->rate / 1000000000;
	if (waiting + bytes > config->queue)
		return false;
	if (config->mark != 0 && waiting > config->mark && (*tos & CE) != 0)
		*tos |= CE;
	*busy += bytes * UINT64_C(1000000000) / config->rate;
	*through_us = (*busy + 999) / 1000;
	return true;
}

static struct link_packet *make(const struct packet_out *out, unsigned to)
{
	size_t ip = address_ip_header(&out->dst);
	size_t header = out->header_length - ip;
	struct link_packet *packet = malloc(sizeof(*packet) + header + out->data_length);

	assert_non_null(packet);
	*packet = (struct link_packet){
		.to = to,
		.src = out->src,
		.dst = out->dst,
		.length = header + out->data_length,
	};
	memcpy(packet->tcp, out->header + ip, header);
	if (out->data_length > 0)
		memcpy(packet->tcp + header, out->data, out->data_length);
	return packet;
}

/*
 * Flips one bit. One in 65,536 then looks like a packet of the own host, whose checksum
 * nobody has finished, and must be taken: that one stays as it is.
 */
static void corrupt(struct link *link, struct link_packet *packet)
{
	uint32_t at = random_below(link->random, (uint32_t)packet->length);
	uint8_t bit = (uint8_t)(1u << random_below(link->random, 8));

	packet->tcp[at] ^= bit;
	if (checksum_tcp_ok(&packet->src, &packet->dst, packet->tcp, packet->length))
		packet->tcp[at] ^= bit;
}

static void fly(struct link *link, const struct packet_out *out, unsigned to, uint64_t now_us)
{
	const struct link_config *config = &link->config;
	uint8_t tos = packet_tos(out);
	struct link_packet *packet;
	uint64_t through_us;

	if (link->count == LINK_PACKETS ||
	    !bottleneck(link, out->header_length + out->data_length, to, now_us, &through_us, &tos))
		return;
	packet = make(out, to);
	packet->tos = tos;
	packet->at_us = through_us + config->delay_us;
	if (config->jitter_us > 0)
		packet->at_us += random_next(link->random) % config->jitter_us;
	if (chance(link, config->late))
		packet->at_us += 9 * config->delay_us;
	if (chance(link, config->mangle))
		packet->tos = (uint8_t)random_below(link->random, 4);
	strip_options(link, packet);
	if (chance(link, config->corrupt))
		corrupt(link, packet);
	put(link, packet);
}

/* The sender gets its own packet back, as a router quotes it, with the MTU. */
static void refuse(struct link *link, const struct packet_out *out, unsigned to, uint64_t now_us)
{
	struct link_packet *packet;

	if (!link->config.too_big || link->count == LINK_PACKETS)
		return;
	packet = make(out, to ^ 1);
	packet->too_big = link->config.mtu;
	packet->at_us = now_us + link->config.delay_us;
	put(link, packet);
}

void link_send(struct link *link, const struct packet_out *packet, unsigned to, uint64_t now_us)
{
	const struct link_config *config = &link->config;

	if (now_us < link->dark_until_us)
		return;
	if (((to & 1) || !config->loss_to_one) && chance(link, config->loss))
		return;
	if (config->mtu != 0 && packet->header_length + packet->data_length > config->mtu) {
		refuse(link, packet, to, now_us);
		return;
	}
	fly(link, packet, to, now_us);
	if (chance(link, config->duplicate))
		fly(link, packet, to, now_us);
}
