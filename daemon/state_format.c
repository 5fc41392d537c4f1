/*
 * The format of the state file: see state_format.h.
 */
#include "daemon/state_format.h"

#include <assert.h>
#include <string.h>

#include "stack/siphash.h"

#define STATE_MAGIC "calmd st"
#define STATE_CLEAN 1u /* struct state_head, flags */

struct state_head {
	char magic[8];
	uint32_t version;
	uint32_t flags;
	uint8_t boot_id[STATE_BOOT_BYTES];
	uint64_t stamp_us;
	uint64_t quiet_until_us;
	uint32_t pairs;
	uint32_t reserved; /* 0 */
	uint64_t pairs_hash;
	uint64_t hash; /* of all above */
};

static_assert(sizeof(struct state_head) == STATE_HEAD_BYTES, "no gaps, nothing that varies");

/* No secret: against accidents. Who may write the file can write what he likes. */
static uint64_t state_hash(const void *bytes, size_t length)
{
	static const uint8_t key[SIPHASH_KEY_BYTES] = "calmd's state";

	return siphash(key, bytes, length);
}

void state_format(const struct state *state, const struct quiet_pair *pairs,
                  uint8_t head[STATE_HEAD_BYTES])
{
	struct state_head h = {
		.magic = STATE_MAGIC,
		.version = STATE_VERSION,
		.flags = state->clean ? STATE_CLEAN : 0,
		.stamp_us = state->stamp_us,
		.quiet_until_us = state->quiet_until_us,
		.pairs = state->pairs,
	};

	memcpy(h.boot_id, state->boot_id, sizeof(h.boot_id));
	h.pairs_hash = state_hash(pairs, state->pairs * sizeof(*pairs));
	h.hash = state_hash(&h, offsetof(struct state_head, hash));
	memcpy(head, &h, sizeof(h));
}

static bool head_holds(const struct state_head *h)
{
	static const uint8_t no_boot[STATE_BOOT_BYTES];

	return memcmp(h->magic, STATE_MAGIC, sizeof(h->magic)) == 0 &&
	       h->version == STATE_VERSION &&
	       h->hash == state_hash(h, offsetof(struct state_head, hash)) &&
	       (h->flags & ~STATE_CLEAN) == 0 && h->reserved == 0 &&
	       memcmp(h->boot_id, no_boot, sizeof(no_boot)) != 0 && h->pairs <= STATE_PAIRS_MAX &&
	       (h->pairs == 0 || (h->flags & STATE_CLEAN));
}

struct quiet_pair state_pair(const uint8_t *pairs, size_t index)
{
	struct quiet_pair pair;

	memcpy(&pair, pairs + index * sizeof(pair), sizeof(pair));
	return pair;
}

static bool pairs_hold(const uint8_t *pairs, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct quiet_pair pair = state_pair(pairs, i);

		if (!quiet_pair_holds(&pair))
			return false;
	}
	return true;
}

bool state_parse(const uint8_t *bytes, size_t length, struct state *state, const uint8_t **pairs)
{
	struct state_head h;

	if (length < sizeof(h))
		return false;
	memcpy(&h, bytes, sizeof(h));
	*pairs = bytes + sizeof(h);
	length -= sizeof(h);
	if (!head_holds(&h) || length != h.pairs * sizeof(struct quiet_pair) ||
	    h.pairs_hash != state_hash(*pairs, length) || !pairs_hold(*pairs, h.pairs))
		return false;
	*state = (struct state){
		.clean = (h.flags & STATE_CLEAN) != 0,
		.stamp_us = h.stamp_us,
		.quiet_until_us = h.quiet_until_us,
		.pairs = h.pairs,
	};
	memcpy(state->boot_id, h.boot_id, sizeof(state->boot_id));
	return true;
}
