/*
 * A calmd that says it is another one: linked instead of daemon/version.c, with
 * VARIANT_VERSION for its version and VARIANT_TABLE added to that of its table. With
 * VARIANT_HANGS the check before an upgrade never ends; with VARIANT_UNFIT it ends well, but
 * then the program cannot be executed any more.
 */
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/message.h"
#include "daemon/version.h"
#include "stack/ring.h"
#include "stack/stack.h"

const char *version_text(void)
{
	return VARIANT_VERSION;
}

struct version_formats version_formats(void)
{
#ifdef VARIANT_UNFIT
	chmod("/proc/self/exe", 0644);
#endif
#ifdef VARIANT_HANGS
	for (;;)
		pause();
#endif
	return (struct version_formats){
		.message = MESSAGE_VERSION,
		.ring = RING_VERSION,
		.table = stack_table_version() + VARIANT_TABLE,
	};
}
