/*
 * The link's lanes: which raw sockets there are, and which of them sends. The
 * supervisor has opened, filtered and locked them; here they get only the
 * options that say what comes with each packet.
 */
#include "daemon/link.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/link_lanes.h"
#include "daemon/log.h"
#include "daemon/master_state.h"

struct link *link_create(struct master *m)
{
	struct link *link = calloc(1, sizeof(*link));

	if (link == NULL)
		return NULL;
	link->master = m;
	link->send_fd_v4 = -1;
	link->send_fd_v6 = -1;
	LIST_INIT(&link->lanes);
	if (!link_receiver_init(&link->receiver)) {
		free(link);
		return NULL;
	}
	link_sender_init(&link->sender_v4, IP_V4);
	link_sender_init(&link->sender_v6, IP_V6);
	return link;
}

static void lane_free(struct lane *lane)
{
	LIST_REMOVE(lane, entry);
	if (lane->event != NULL)
		event_free(lane->event);
	close(lane->fd);
	free(lane);
}

void link_destroy(struct link *link)
{
	if (link == NULL)
		return;
	while (!LIST_EMPTY(&link->lanes))
		lane_free(LIST_FIRST(&link->lanes));
	link_receiver_free(&link->receiver);
	free(link);
}

/* Any raw socket of a family can send any packet; the listeners' live longest. */
static int send_fd(const struct link *link, uint32_t version)
{
	const struct lane *lane;
	int fd = -1;

	LIST_FOREACH (lane, &link->lanes, entry) {
		if (lane->version != version || lane->syn)
			continue;
		if (lane->call == 0)
			return lane->fd;
		fd = lane->fd;
	}
	return fd;
}

static void choose_senders(struct link *link)
{
	link->send_fd_v4 = send_fd(link, IP_V4);
	link->send_fd_v6 = send_fd(link, IP_V6);
}

static bool set_option(int fd, int level, int name)
{
	int on = 1;

	return setsockopt(fd, level, name, &on, sizeof(on)) == 0;
}

/*
 * Asks for destination, interface, traffic class and hop limit with each packet
 * where the IP header does not come along, and says that we write IP headers.
 */
static bool set_options(int fd, uint32_t version)
{
	if (version == IP_V4)
		return set_option(fd, IPPROTO_IP, IP_HDRINCL) &&
		       set_option(fd, IPPROTO_IP, IP_PKTINFO);
	return set_option(fd, IPPROTO_IPV6, IPV6_HDRINCL) &&
	       set_option(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO) &&
	       set_option(fd, IPPROTO_IPV6, IPV6_RECVTCLASS) &&
	       set_option(fd, IPPROTO_IPV6, IPV6_RECVHOPLIMIT);
}

/* Takes over FD, also when it fails. */
static struct lane *lane_add(struct link *link, const struct message_lanes *lanes, int fd, bool syn)
{
	struct lane *lane = calloc(1, sizeof(*lane));

	if (lane == NULL) {
		close(fd);
		errno = ENOMEM;
		return NULL;
	}
	lane->link = link;
	lane->fd = fd;
	lane->version = lanes->version;
	lane->syn = syn;
	lane->call = lanes->call;
	lane->set = lanes->set;
	LIST_INSERT_HEAD(&link->lanes, lane, entry);
	if (!set_options(fd, lanes->version)) {
		lane_free(lane);
		return NULL;
	}
	lane->event =
		event_new(link->master->base, fd, EV_READ | EV_PERSIST, link_on_readable, lane);
	if (lane->event == NULL || event_add(lane->event, NULL) != 0) {
		lane_free(lane);
		errno = ENOMEM;
		return NULL;
	}
	return lane;
}

bool link_add(struct link *link, const struct message_lanes *lanes, int syn_fd, int data_fd)
{
	struct lane *syn;
	bool added = false;

	if (lanes->version != IP_V4 && lanes->version != IP_V6) {
		log_error("lanes of unknown IP version %u", lanes->version);
		close(syn_fd);
		close(data_fd);
		return false;
	}
	syn = lane_add(link, lanes, syn_fd, true);
	if (syn == NULL) {
		log_error("cannot use the SYN lane for IPv%u: %s", lanes->version, strerror(errno));
		close(data_fd);
		return false;
	}
	if (lane_add(link, lanes, data_fd, false) != NULL) {
		added = true;
	} else {
		log_error("cannot use the data lane for IPv%u: %s", lanes->version,
		          strerror(errno));
		lane_free(syn);
	}
	choose_senders(link);
	return added;
}

void link_remove(struct link *link, uint64_t call)
{
	struct lane *lane, *next;

	for (lane = LIST_FIRST(&link->lanes); lane != NULL; lane = next) {
		next = LIST_NEXT(lane, entry);
		if (lane->call == call)
			lane_free(lane);
	}
	choose_senders(link);
}

void link_replace(struct link *link, const struct message_lanes *lanes)
{
	struct lane *lane, *next;

	for (lane = LIST_FIRST(&link->lanes); lane != NULL; lane = next) {
		next = LIST_NEXT(lane, entry);
		if (lane->call == 0 && lane->version == lanes->version && lane->set == lanes->set) {
			link_read_dry(lane);
			lane_free(lane);
		}
	}
	choose_senders(link);
}

const struct link_stats *link_get_stats(const struct link *link)
{
	return &link->stats;
}
