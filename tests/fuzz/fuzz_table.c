/*
 * The check of a table that is taken up: a former engine left connections in the
 * states that the bytes choose, then bytes of it were damaged. The next engine
 * drops what does not hold, and lives with the rest.
 */
#include "tests/fuzz/fuzz.h"

#include "stack/seal.h"

/* As if the engine itself had left it so: what the seals would show is not what is looked for. */
static void seal_all(struct bed *bed)
{
	const struct table *table = &bed->stack->table;
	const struct table_shape *shape = &bed->stack->shape;

	for (uint32_t i = 0; i < shape->conns; i++) {
		seal_set(&table->conn[i].identity, sizeof(struct conn_identity));
		seal_set(&table->conn[i], sizeof(struct conn));
		seal_set(&table->reassembly[i], sizeof(struct reassembly));
	}
	for (uint32_t i = 0; i < shape->half_opens; i++) {
		seal_set(&table->half_open[i].identity, sizeof(struct conn_identity));
		seal_set(&table->half_open[i], sizeof(struct half_open));
	}
	for (uint32_t i = 0; i < shape->time_waits; i++) {
		seal_set(&table->time_wait[i].identity, sizeof(struct conn_identity));
		seal_set(&table->time_wait[i], sizeof(struct time_wait));
	}
}

static void damage(struct fuzz *fuzz, struct bed *bed)
{
	unsigned changes = fuzz_byte(fuzz) % 16;

	for (unsigned i = 0; i < changes; i++) {
		const struct table *table = &bed->stack->table;
		uint8_t where = fuzz_byte(fuzz);
		size_t at = fuzz_u16(fuzz);
		uint8_t *memory = bed->memory;

		if (where < 64) /* the header and the undo record */
			at %= sizeof(*table->header);
		else if (where < 192) /* a connection that is likely in use */
			at = (size_t)((uint8_t *)table->conn - memory) +
			     at % (2 * sizeof(*table->conn));
		else if (where < 224)
			at = (size_t)((uint8_t *)table->reassembly - memory) +
			     at % sizeof(*table->reassembly);
		else
			at = (size_t)((uint8_t *)table->half_open - memory) +
			     at % (bed->bytes - (size_t)((uint8_t *)table->half_open - memory));
		if (at < bed->bytes)
			memory[at] ^= fuzz_byte(fuzz);
	}
}

/* Whoever damaged the table may have written any worker into it. */
static void on_doorbell(void *arg, struct conn_handle conn, uint32_t worker)
{
	(void)arg;
	(void)conn;
	(void)worker;
}

static void on_detached(void *arg, struct conn_handle conn, uint32_t worker)
{
	struct bed *bed = arg;

	(void)conn;
	if (worker == BED_WORKER)
		bed->detached++;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	struct fuzz fuzz = {bytes, length};
	enum tcp_state state = (enum tcp_state)(fuzz_byte(&fuzz) % TCP_STATES);
	struct bed bed;

	fuzz_open(&fuzz, &bed);
	if (state == TCP_SYN_RECEIVED && bed.config.syn_cookies == STACK_COOKIES_ALWAYS)
		state = TCP_LISTEN;
	reach(&bed, state);
	if (state == TCP_ESTABLISHED && (fuzz_byte(&fuzz) & 1)) {
		user_write(&bed, 20000);
		peer_data_at(&bed, 3000, 1000); /* out of order */
	}
	bed.handle.id = BED_ANY;
	bed.held = true;
	bed.hooks.doorbell = on_doorbell;
	bed.hooks.detached = on_detached;
	damage(&fuzz, &bed);
	if (fuzz_byte(&fuzz) & 7)
		seal_all(&bed);
	if (!fuzz_take_over(&bed)) { /* it was no table any more */
		free(bed.memory);
		free(bed.out);
		if (bed.attached)
			worker_close(&bed.worker);
		return 0;
	}
	fuzz_settle(&bed);
	fuzz_run(&fuzz, &bed);
	return 0;
}
