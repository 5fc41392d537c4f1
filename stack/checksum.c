/*
 * The Internet checksum (RFC 1071). It runs over every byte sent and received,
 * so checksum_add is written for speed.
 *
 * Sums are kept in memory order, not in network order: the sum of 16-bit words
 * with swapped bytes is the swapped sum (RFC 1071, section 2 (B)), so that a
 * folded sum copied to memory is in network byte order on any machine. Wider
 * words may be added instead of 16-bit ones, because 2^16 is 1 modulo 2^16 - 1
 * and so are 2^32 and 2^64 (section 2 (C)).
 */
#include "checksum.h"

#include <string.h>

#include "bytes.h"

#define TCP_CHECKSUM_OFFSET 16
#define TCP_PROTOCOL        6

/* Adds with end-around carry. */
static inline uint64_t add_carry(uint64_t sum, uint64_t word)
{
	sum += word;
	return sum + (sum < word);
}

/* Loads without alignment: memcpy of a fixed size becomes one instruction. */
static inline uint64_t load64(const uint8_t *bytes)
{
	uint64_t word;

	memcpy(&word, bytes, sizeof(word));
	return word;
}

static inline uint32_t load32(const uint8_t *bytes)
{
	uint32_t word;

	memcpy(&word, bytes, sizeof(word));
	return word;
}

static inline uint16_t load16(const uint8_t *bytes)
{
	uint16_t word;

	memcpy(&word, bytes, sizeof(word));
	return word;
}

/* Fewer than 32 bytes. */
static uint64_t add_rest(uint64_t sum, const uint8_t *bytes, size_t length)
{
	for (; length >= 8; bytes += 8, length -= 8)
		sum = add_carry(sum, load64(bytes));
	if (length & 4) {
		sum = add_carry(sum, load32(bytes));
		bytes += 4;
	}
	if (length & 2) {
		sum = add_carry(sum, load16(bytes));
		bytes += 2;
	}
	if (length & 1) {
		/* A zero follows the last byte (RFC 1071, section 4.1). */
		const uint8_t last[2] = {bytes[0], 0};

		sum = add_carry(sum, load16(last));
	}
	return sum;
}

uint64_t checksum_add(uint64_t sum, const void *data, size_t length)
{
	const uint8_t *bytes = data;
	uint64_t a = sum, b = 0, c = 0, d = 0;

	/* Four chains of carries that don't wait for each other. */
	for (; length >= 32; bytes += 32, length -= 32) {
		a = add_carry(a, load64(bytes));
		b = add_carry(b, load64(bytes + 8));
		c = add_carry(c, load64(bytes + 16));
		d = add_carry(d, load64(bytes + 24));
	}
	sum = add_carry(add_carry(a, b), add_carry(c, d));
	return add_rest(sum, bytes, length);
}

uint64_t checksum_pseudo(const struct ip_address *src, const struct ip_address *dst,
                         size_t tcp_length)
{
	size_t address_length = src->version == IP_V6 ? 16 : 4;
	uint8_t rest[8] = {0};
	uint64_t sum;

	/*
	 * IPv4 has the length in 16 bits and the protocol before it (RFC 9293,
	 * section 3.1), IPv6 in 32 bits and the protocol behind (RFC 8200,
	 * section 8.1): the sum is the same.
	 */
	bytes_put32(rest, (uint32_t)tcp_length);
	rest[7] = TCP_PROTOCOL;
	sum = checksum_add(0, src->bytes, address_length);
	sum = checksum_add(sum, dst->bytes, address_length);
	return checksum_add(sum, rest, sizeof(rest));
}

uint16_t checksum_fold(uint64_t sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

uint16_t checksum_tcp(const struct ip_address *src, const struct ip_address *dst,
                      const uint8_t *header, size_t header_length, const uint8_t *data,
                      size_t data_length)
{
	uint64_t sum = checksum_pseudo(src, dst, header_length + data_length);

	sum = checksum_add(sum, header, header_length);
	if (data_length > 0)
		sum = checksum_add(sum, data, data_length);
	return (uint16_t)~checksum_fold(sum);
}

bool checksum_tcp_ok(const struct ip_address *src, const struct ip_address *dst, const uint8_t *tcp,
                     size_t length)
{
	uint64_t pseudo = checksum_pseudo(src, dst, length);
	uint16_t field;

	memcpy(&field, tcp + TCP_CHECKSUM_OFFSET, sizeof(field));
	if (field == checksum_fold(pseudo))
		return true;
	return checksum_fold(checksum_add(pseudo, tcp, length)) == 0xffff;
}
