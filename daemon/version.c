/*
 * Which calmd this is: see version.h.
 */
#include "daemon/version.h"

#include "daemon/message.h"
#include "stack/ring.h"
#include "stack/stack.h"

const char *version_text(void)
{
	return CALMD_VERSION;
}

struct version_formats version_formats(void)
{
	return (struct version_formats){
		.message = MESSAGE_VERSION,
		.ring = RING_VERSION,
		.table = stack_table_version(),
	};
}
