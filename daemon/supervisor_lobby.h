/*
 * The records that a supervisor has in the lobby, beside one for each descriptor of
 * `kept` under its registry_kind and index: for supervisor_lobby.c, which writes, and
 * supervisor_resume.c, which reads. Private to these two.
 */
#ifndef DAEMON_SUPERVISOR_LOBBY_H
#define DAEMON_SUPERVISOR_LOBBY_H

#include "daemon/registry.h"

/* Under which names the service manager keeps its ends. */
#define LOBBY_NAME_IN  "lobby-in"
#define LOBBY_NAME_OUT "lobby-out"

/* Kinds above those of the registry. A change of any of it needs a new REGISTRY_VERSION. */
enum {
	LOBBY_FACTS = 100, /* struct lobby_facts */
	LOBBY_MASTER,      /* the pidfd of the running master */
	LOBBY_WORKER,      /* number: the worker's; struct registry_worker, and what is below */
	LOBBY_CALL, /* number: the call's; struct registry_call; guard, and lanes if it has some */
	LOBBY_CONFIG, /* a memfd with the configuration in effect, as text */
};

/* A worker's descriptors: those in its struct registry_worker mean nothing. */
enum {
	LOBBY_WORKER_CHANNEL,
	LOBBY_WORKER_MASTER_END,
	LOBBY_WORKER_RING,
	LOBBY_WORKER_BELL_TO_MASTER,
	LOBBY_WORKER_BELL_TO_WORKER,
	LOBBY_WORKER_PIDFD,
	LOBBY_WORKER_FDS
};

struct lobby_facts {
	uint32_t registry_version;
	uint32_t listens;
	struct version_formats formats;
	struct registry_facts facts;
	struct endpoint listen[MESSAGE_LISTEN_MAX]; /* that the guards and lanes are for */
	uint32_t listen_proxied;                    /* as in the configuration */
	uint32_t reserved;
	char control_socket[108];
};

#endif
