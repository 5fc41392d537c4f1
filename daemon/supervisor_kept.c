/*
 * The descriptors that every master shares, one by one: named as the registry
 * names them, so that another supervisor can find each of them its place.
 */
#include <errno.h>
#include <unistd.h>

#include "daemon/log.h"
#include "daemon/supervisor_state.h"

static int *lanes_of(struct kept *kept, enum ip_version version)
{
	return kept->families[version == IP_V4 ? 0 : 1].lanes;
}

/* Where the descriptor of this kind and index is kept; NULL: nowhere. */
static int *place(struct kept *kept, uint32_t kind, uint32_t index)
{
	int *lanes;

	switch (kind) {
	case REGISTRY_CHROOT:
		return index == 0 ? &kept->chroot_directory : NULL;
	case REGISTRY_TABLE:
		return index == 0 ? &kept->table : NULL;
	case REGISTRY_ROUTE:
		return index == 0 ? &kept->route : NULL;
	case REGISTRY_CONTROL:
		return index == 0 ? &kept->control.fd : NULL;
	case REGISTRY_ICMP:
		return index < 2 ? &kept->icmp[index] : NULL;
	case REGISTRY_GUARD:
		return index < MESSAGE_LISTEN_MAX ? &kept->open.guard[index] : NULL;
	case REGISTRY_CLOSED_GUARD:
		return index < MESSAGE_LISTEN_MAX ? &kept->closed.guard[index] : NULL;
	case REGISTRY_LANE_V4:
	case REGISTRY_LANE_V6:
		lanes = lanes_of(kept, kind == REGISTRY_LANE_V4 ? IP_V4 : IP_V6);
		return index < LANES ? &lanes[index] : NULL;
	case REGISTRY_LOBBY:
		return index < 2 ? &kept->lobby[index] : NULL;
	default:
		return NULL;
	}
}

void kept_init(struct kept *kept)
{
	*kept = (struct kept){.chroot_directory = -1,
	                      .table = -1,
	                      .route = -1,
	                      .icmp = {-1, -1},
	                      .lobby = {-1, -1}};
	kept->control.fd = -1;
	guarded_init(&kept->open);
	guarded_init(&kept->closed);
	for (unsigned i = 0; i < FAMILIES; i++)
		kept->families[i].lanes[LANE_SYN] = kept->families[i].lanes[LANE_DATA] = -1;
}

int kept_adopt(struct kept *kept, uint32_t kind, uint32_t index, int fd)
{
	int *kept_at = place(kept, kind, index);

	if (kept_at == NULL || *kept_at >= 0) {
		log_error("descriptor %d has no place: kind %u, number %u", fd, kind, index);
		return -1;
	}
	*kept_at = fd;
	return 0;
}

void kept_each(struct kept *kept, void (*each)(void *arg, uint32_t kind, uint32_t index, int fd),
               void *arg)
{
	for (uint32_t kind = 0; kind < REGISTRY_KINDS; kind++) {
		for (uint32_t index = 0; index < REGISTRY_INDEX_MAX; index++) {
			const int *kept_at = place(kept, kind, index);
			if (kept_at != NULL && *kept_at >= 0)
				each(arg, kind, index, *kept_at);
		}
	}
}

/* True when the lanes for what is listened on with VERSION are there, if there is such. */
static bool lanes_complete(struct kept *kept, const struct config *config, enum ip_version version)
{
	const int *lanes = lanes_of(kept, version);

	for (uint32_t i = 0; i < config->listens; i++) {
		if (config->listen[i].address.version == version &&
		    (lanes[LANE_SYN] < 0 || lanes[LANE_DATA] < 0))
			return false;
	}
	return true;
}

bool kept_complete(struct kept *kept, const struct config *config)
{
	for (uint32_t i = 0; i < config->listens; i++) {
		if (kept->open.guard[i] < 0)
			return false;
	}
	return kept->chroot_directory >= 0 && kept->table >= 0 && kept->route >= 0 &&
	       kept->control.fd >= 0 && kept->icmp[0] >= 0 && lanes_complete(kept, config, IP_V4) &&
	       lanes_complete(kept, config, IP_V6);
}
