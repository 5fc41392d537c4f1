/*
 * The opener: the one process that makes login sessions. It has root's rights
 * and is told nothing by strangers but one small request for each worker, which
 * is checked here: the peer's address, what its terminal is like, who it says it is,
 * and variables.
 *
 * Per session it opens a pty and forks a keeper, which becomes the parent of
 * login. The keeper is a plain fork, without exec: the opener holds no secret
 * that a keeper must not see, and a fork of a small process is what lets
 * hundreds of sessions a second begin. The first thing a keeper does is close
 * every descriptor that is not its own. The opener reaps its keepers, and finishes
 * the entries in utmp of one that was killed.
 */
#ifndef SHELL_OPENER_H
#define SHELL_OPENER_H

#include <stdnoreturn.h>
#include <sys/resource.h>

#include "daemon/message.h"

#define OPENER_FD_SUPERVISOR 3

/* How sessions are to be. */
struct login {
	size_t count;
	const char *argv[MESSAGE_STRINGS_MAX]; /* with %h and %u not yet replaced */
	const struct message_strings *accept_env;
	const char *banner;  /* path; "": none */
	struct rlimit files; /* RLIMIT_NOFILE */
};

/* A pty as just opened. */
struct pty {
	int master; /* non-blocking */
	int slave;
	unsigned number; /* the N of pts/N */
};

/* What a keeper keeps. */
struct keeping {
	const struct login *login;
	const struct message_open_session *request; /* checked */
	struct pty pty;
	int channel; /* to the worker */
};

/* ---- opener.c ---- */

/* Runs the opener from its descriptors to its end. */
noreturn void opener_run(void);

/* ---- opener_session.c ---- */

/* True when all that a worker has written into REQUEST is as it must be. */
bool open_session_valid(const struct message_open_session *request);

/*
 * The privileged answer to priv_open_session: opens a pty, forks the keeper, and
 * sends the worker on CHANNEL its MESSAGE_SESSION, or the error.
 */
void root_open_session(const struct login *login, const struct message_open_session *request,
                       int channel);

/* ---- opener_pty.c ---- */

/* Opens a pty, with sane modes, and the window and the speeds of REQUEST. Returns 0 or errno. */
int pty_open(struct pty *pty, const struct message_open_session *request);

/* ---- keeper.c ---- */

/* Runs a keeper, in the process just forked, to its end. */
noreturn void keeper_run(const struct keeping *keeping);

/* ---- login_command.c ---- */

#define LOGIN_ADDRESS_SIZE 46u /* INET6_ADDRSTRLEN */

/* What one session runs: arguments and environment, each NULL behind the last. */
struct login_command {
	char *argv[MESSAGE_STRINGS_MAX + 2]; /* %u can be two arguments */
	char *environment[SESSION_ENVIRONMENT_SIZE / sizeof("A=") + 3];
	char text[2 * MESSAGE_STRINGS_SIZE + SESSION_ENVIRONMENT_SIZE + 256]; /* of all of them */
};

/* Writes the peer's numeric address, "" when it has none. */
void login_address(const struct endpoint *peer, char address[LOGIN_ADDRESS_SIZE]);

/*
 * Makes the command for REQUEST (checked) from how LOGIN says: in each argument %h
 * becomes the peer's address; an argument %u becomes "--" and the user's name, or
 * nothing where there is no name. The environment has TERM, DISPLAY when it is known,
 * and of the client's variables those that LOGIN accepts; nothing else. False when
 * the arguments with all that replaced have no room.
 */
bool login_command(const struct login *login, const struct message_open_session *request,
                   struct login_command *command);

/* ---- login_exec.c ---- */

/*
 * In the session's process, which has SLAVE open: makes it the terminal of a new
 * session and runs login as login_command() says, with the limits that LOGIN has.
 * When that fails it says so on the terminal, and exits with 127.
 */
noreturn void login_exec(const struct login *login, const struct message_open_session *request,
                         int slave);

/* ---- login_record.c ---- */

/*
 * The id that pts/NUMBER has in utmp, without a NUL when it is full: two sessions of one
 * id would overwrite each other's entry (utmp(5)). "/N" as everybody's below 1000, above
 * that what four characters have room for: all numbers that Linux has, 2^20.
 */
#define LOGIN_ID_SIZE 4u
void login_record_id(unsigned number, char id[LOGIN_ID_SIZE]);

/* Notes in utmp that PID is logging in on pts/NUMBER from PEER. */
void login_record_start(unsigned number, int pid, const struct endpoint *peer);
/* Notes in utmp and wtmp that the session of PID on pts/NUMBER is over. */
void login_record_end(unsigned number, int pid);

/* Who is logged in on pts/NUMBER; "" for nobody, or a name that is not message_user_valid(). */
void login_record_user(unsigned number, char user[SESSION_LOGNAME_SIZE]);

/* The process that is logged in or logging in on pts/NUMBER; 0: none. */
int login_record_pid(unsigned number);

/* As login_record_end(), when PID is who stands there; else somebody else has pts/NUMBER by now. */
void login_record_end_of(unsigned number, int pid);

/* Ends what stands in utmp for sessions of ours whose process is not there any more. */
void login_record_sweep(void);

/* ---- opener_keepers.c ---- */

/*
 * Begins: from now on the opener is the one to reap keepers. Returns a descriptor that is
 * readable when keepers_ready() has something to do; -1 with errno. What a former opener's
 * keepers have left in utmp is finished.
 */
int keepers_start(void);
void keepers_ready(void);

/* A keeper has been forked: PID, for pts/NUMBER. */
void keepers_add(int pid, unsigned number);

#endif
