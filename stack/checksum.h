/*
 * The Internet checksum (RFC 1071) and TCP's use of it (RFC 9293, section 3.1).
 */
#ifndef STACK_CHECKSUM_H
#define STACK_CHECKSUM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "address.h"

/*
 * Adds LENGTH bytes to a running one's-complement sum and returns the new sum,
 * not folded to 16 bits nor complemented. Pieces may be added one after the
 * other when each but the last has an even length.
 */
uint64_t checksum_add(uint64_t sum, const void *data, size_t length);

/* The sum of the pseudo-header for a TCP segment of TCP_LENGTH bytes. */
uint64_t checksum_pseudo(const struct ip_address *src, const struct ip_address *dst,
                         size_t tcp_length);

/* Folds a sum to 16 bits, not complemented, in network byte order. */
uint16_t checksum_fold(uint64_t sum);

/*
 * The value for the checksum field of a TCP segment, in network byte order,
 * when the field is zero now. The segment is HEADER_LENGTH bytes at HEADER
 * (a multiple of 4) and then DATA_LENGTH bytes at DATA (may be NULL with 0).
 */
uint16_t checksum_tcp(const struct ip_address *src, const struct ip_address *dst,
                      const uint8_t *header, size_t header_length, const uint8_t *data,
                      size_t data_length);

/*
 * True when the segment's checksum verifies, or when the field holds the
 * folded sum of the pseudo-header alone: what Linux leaves to the network card
 * on packets from the same host (CHECKSUM_PARTIAL). LENGTH must be at least 20.
 */
bool checksum_tcp_ok(const struct ip_address *src, const struct ip_address *dst, const uint8_t *tcp,
                     size_t length);

#endif
