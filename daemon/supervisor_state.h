/*
 * What the supervisor's files share: the one struct that holds everything, and
 * the functions that one file has for the others. Private to supervisor*.c.
 */
#ifndef DAEMON_SUPERVISOR_STATE_H
#define DAEMON_SUPERVISOR_STATE_H

#include <bsd/sys/queue.h>
#include <event2/event_struct.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

#include "daemon/channel.h"
#include "daemon/config.h"
#include "daemon/control_socket.h"
#include "daemon/lobby.h"
#include "daemon/master.h"
#include "daemon/raw_socket.h"
#include "daemon/registry.h"
#include "daemon/sandbox.h"
#include "daemon/service.h"
#include "daemon/state_file.h"
#include "daemon/supervisor_listen.h"
#include "daemon/supervisor_log.h"
#include "daemon/supervisor_watch.h"

struct supervisor;

/* A process that was started; pid 0: there is none. */
struct child {
	struct supervisor *supervisor;
	pid_t pid;
	int pidfd;     /* of one that a supervisor before us has started; -1: it is our child */
	bool violated; /* it is killed for having broken the rules, or for silence */
	struct channel channel;
	struct child_log log;
};

/* Kept from its start until its process is dead and the master has released its ring. */
struct worker {
	LIST_ENTRY(worker) by_number;
	LIST_ENTRY(worker) by_pid; /* while its process lives */
	struct child child;
	uint64_t number;
	int master_end; /* of its channel to the master, for a master to come */
	int ring;
	uint32_t rx_size, tx_size; /* of its buffers */
	int bell_to_master, bell_to_worker;
	int status;         /* its process's end, as waitpid() gave it */
	bool told;          /* the running master knows it */
	bool taken;         /* has, or had, a connection */
	bool terminated;    /* told to end */
	bool released;      /* the master needs its ring no more */
	bool former;        /* an earlier supervisor started it: no new connection for it */
	struct event ended; /* pidfd is readable */
};

#define WORKER_BUCKETS 1024 /* a power of two */
LIST_HEAD(worker_list, worker);

/* The workers (supervisor_workers.c). */
struct workers {
	struct worker_list by_number[WORKER_BUCKETS];
	struct worker_list by_pid[WORKER_BUCKETS];
	uint64_t last_number;
	uint32_t alive;    /* processes */
	uint32_t idle;     /* of them not taken and not told to end */
	uint32_t target;   /* idle ones wanted: between the configured minimum and maximum */
	bool demand;       /* one was taken in this second */
	unsigned failures; /* starts in a row that failed */
	struct event upkeep;
	struct event second; /* ticks while there are workers */
};

/* Every descriptor that must outlive the master; a new master gets the same ones. */
struct kept {
	int chroot_directory;
	int table;
	int route;
	int icmp[2];           /* ICMPv4; ICMPv6 or -1 */
	struct guarded open;   /* `listen` of the configuration */
	struct guarded closed; /* was, and connections live there */
	struct family families[FAMILIES];
	struct control_socket control;
	int lobby[2]; /* its ends, in and out; -1: there is none */
};

/* What a call has been given (supervisor_calls.c). */
#define CALL_GUARDS_MAX 64
struct call_guard {
	struct message_call_port port; /* as it was answered; port.call is 0: free */
	int guard;
	int lanes[LANES]; /* -1: the listeners' hear it */
};

/* How one master follows another (supervisor_succession.c). */
struct succession {
	struct event restart;  /* the pause before the next start */
	struct event steady;   /* the running one has done well for a while */
	struct event deadline; /* for the running one to hand over */
	unsigned failures;     /* deaths of their own fault in a row */
	unsigned unserved;     /* deaths in a row, of whatever, before they had taken over */
	unsigned at_end;       /* started when everything was ending */
	bool crashed;          /* so died the last one */
	bool began;            /* one of them has served */
	bool serving;          /* the running one does */
	bool replacing;        /* the running one has been asked to hand over */
	uint32_t takeovers;    /* masters that others have followed */
	uint64_t ended_us;     /* when the last one did; 0: there was none */
};

/* How far an upgrade has come (supervisor_upgrade.c). */
enum upgrade_stage {
	UPGRADE_NOT,
	UPGRADE_CHECKING, /* a child of the new program looks at everything */
	UPGRADE_SETTLING, /* until nothing is half done */
};

struct upgrade {
	enum upgrade_stage stage;
	struct message_request request; /* whom to answer */
	pid_t asked_by;                 /* the master that the request came from; 0: a signal */
	int program;                    /* the new one; -1: none */
	pid_t checker;
	int said; /* where what the checker says is read; -1: nowhere */
	bool settled;
	struct event look; /* whether it has settled */
	struct event deadline;
};

/* Quiet time, and what the next start will know (supervisor_quiet.c). */
struct supervisor_quiet {
	struct state_file file;
	struct state state;       /* as it was written last */
	struct event second;      /* ticks from quiet_begin() on */
	bool failing;             /* that it cannot be written was logged */
	bool drained;             /* the master has ended all connections, and itself */
	struct quiet_pair *pairs; /* that the first master has not yet got for sure */
	size_t pair_count;
};

/* The order in which everything ends (supervisor_end.c). */
enum end_stage {
	END_NOT,
	END_WORKERS,
	END_MASTER,
	END_OPENER,
	END_DONE,
};

struct supervisor {
	struct config_source *source;
	struct config *config;  /* in effect */
	char **arguments;       /* as we were started with */
	char program[PATH_MAX]; /* where calmd's executable is found, now and at an upgrade */
	struct message_master_config master_config;
	struct event_base *base;
	struct event signals[6];
	struct rlimit files; /* RLIMIT_NOFILE as found, for workers and sessions */
	uint32_t worker_uid, worker_gid;
	int program_calmd, program_worker, program_opener;
	struct sandbox_filter worker_filter;
	struct kept kept;
	struct lobby lobby;
	struct child master;
	unsigned told; /* buckets of workers that the master has been told */
	struct succession succession;
	struct log_bucket requests; /* of control clients, by way of the master */
	struct watch watch;
	struct event watch_second;
	struct upgrade upgrade;
	struct child opener;
	unsigned opener_failures;
	struct event opener_restart;
	struct workers workers;
	struct call_guard calls[CALL_GUARDS_MAX];
	struct supervisor_quiet quiet;
	struct supervisor_log log;
	bool announced;                    /* "ready" was logged */
	char reported[SERVICE_STATUS_MAX]; /* as the service manager knows it */
	enum end_stage stage;
	bool hurry;
	struct event deadline;
	int status; /* to exit with */
};

/* supervisor.c */

/* Reports what failed at the start, on one line. Returns -1. */
int supervisor_fail(const char *what);

/* A pause before try number FAILURES + 1: none, 100 ms, doubling to 5 s. */
struct timeval supervisor_backoff(unsigned failures);

/* Says once that everything is ready, when it is. */
void supervisor_announce(struct supervisor *s);

/* Tells the service manager of connections and quiet time, when that has changed. */
void supervisor_report(struct supervisor *s);

/* supervisor_programs.c */

/* Opens the programs, and finds where ours is unless that is known. -1 when a line was logged. */
int programs_open(struct supervisor *s);

/* supervisor_kept.c: descriptors are named by enum registry_kind and an index */

/* Nothing is there. */
void kept_init(struct kept *kept);

/* Gives FD its place. -1, and a line is logged: there is no such place, or it is taken. */
int kept_adopt(struct kept *kept, uint32_t kind, uint32_t index, int fd);

/* Calls EACH for every descriptor that is there. */
void kept_each(struct kept *kept, void (*each)(void *arg, uint32_t kind, uint32_t index, int fd),
               void *arg);

/* True when all are there that a master needs with CONFIG. */
bool kept_complete(struct kept *kept, const struct config *config);

/* supervisor_registry.c */

void describe_facts(const struct supervisor *s, struct registry_facts *facts);
struct registry_worker describe_worker(const struct worker *worker);
struct registry_call describe_call(const struct call_guard *call);
char *describe_config(const struct config *config); /* to be freed; NULL with errno */

/* Collects all that another supervisor must know, for registry_free(). 0, or -1 with errno. */
int supervisor_describe(struct supervisor *s, struct registry *registry);

/* supervisor_adopt.c; all of them return -1 when a line was logged */

/* Takes over what FACTS say about the daemon, but no descriptor and no process. */
void adopt_facts(struct supervisor *s, const struct registry_facts *facts);

/* Goes on with what REGISTRY names, all of which has been claimed. */
int supervisor_adopt(struct supervisor *s, const struct registry *registry);

/* Goes on with one process, which must be a child of ours or have a pidfd, and with its channel. */
int child_adopt(struct child *child, struct supervisor *s, const struct registry_child *from,
                enum role role, const struct channel_handler *handler);

/* Goes on with one worker, which gets no connection any more if it has none. */
int worker_adopt(struct supervisor *s, const struct registry_worker *from);

/* supervisor_lobby.c */

/* A lobby, if there is a service manager to keep it, and everything that is open by now into it. */
void lobby_begin(struct supervisor *s);

/* Goes on with the lobby in `kept`, if there is one, after an upgrade. */
void lobby_go_on(struct supervisor *s);

/* What there is about each of these now is in the lobby. */
void lobby_note_facts(struct supervisor *s); /* the configuration, too */
void lobby_note_listeners(struct supervisor *s);
void lobby_note_master(struct supervisor *s);
void lobby_note_worker(struct supervisor *s, const struct worker *worker);
void lobby_note_call(struct supervisor *s, const struct call_guard *call);

/* It is there no more. */
void lobby_forget_worker(struct supervisor *s, const struct worker *worker);
void lobby_forget_call(struct supervisor *s, const struct call_guard *call);

/* Everything has ended in order: the service manager forgets the lobby. */
void lobby_end(struct supervisor *s);

/* SIGUSR1: leaves everything in place for a supervisor that is started next. */
void lobby_leave(struct supervisor *s);

/* supervisor_resume.c */

/* Fetches what the service manager has kept, before anything else is opened. */
void resume_fetch(struct supervisor *s);

/*
 * What an earlier supervisor has left: 1, and *REGISTRY for registry_free(), 0 for nothing,
 * or -1 when a line was logged: its master still works on the table. All stays in the lobby.
 */
int resume_look(struct supervisor *s, struct registry *registry);

/* Goes on with it; begin() has been called. -1 when a line was logged. */
int resume_adopt(struct supervisor *s, struct registry *registry);

/* supervisor_children.c */

/*
 * Starts PROGRAM as ROLE with FDS (the first is its end of the channel) and
 * listens to CHANNEL_FD, which is taken over. 0, or -1 with errno.
 */
struct spawn;
int child_start(struct child *child, struct supervisor *s, const struct spawn *how, int channel_fd,
                enum role role, const struct channel_handler *handler);

/* A handler's `violation`: logs it, kills the child, closes its channel. */
void child_violation(struct channel *channel, const char *why);

/* Messages that every child may send: READY and LOG. False: it is another one. */
bool child_message(struct child *child, const struct message *message);

/* Tells it to end in order. */
void child_terminate(struct child *child);

/* Kills it, if it is there. */
void child_kill(struct child *child);

/* SIGCHLD: takes note of every child that has ended. */
void children_reap(struct supervisor *s);

/* "exited with status 1", "was ended by signal 11" (BUFFER holds it); STATUS as of waitpid(). */
#define STATUS_TEXT_MAX 48
const char *status_text(int status, char buffer[STATUS_TEXT_MAX]);

/* supervisor_master.c */

extern const struct channel_handler master_handler;

/* Starts a master, and hands it everything that is kept. 0, or -1 when a line was logged. */
int master_start(struct supervisor *s);

/* The master learns of WORKER, and of its end if it has ended, unless it knows already. */
void master_tell_worker(struct supervisor *s, struct worker *worker);

/* Tells the running master what is in effect. */
void master_tell_config(struct supervisor *s);

/* supervisor_succession.c */

void succession_init(struct supervisor *s);

/* Goes on with a master that serves, before which there were TAKEOVERS others. */
void succession_adopt(struct supervisor *s, uint32_t takeovers);

/* The last one, before which there were TAKEOVERS others, has died with its supervisor. */
void succession_resume(struct supervisor *s, uint32_t takeovers);

/* True when a master serves, has been told everything, and is to go on. */
bool succession_is_settled(const struct supervisor *s);

/* The master's process has ended: another one follows. */
void master_ended(struct supervisor *s, int status);

/* The running master has gone on where the last one stopped. */
void master_serves(struct supervisor *s, const struct message_taken_over *with);

/*
 * Asks the running master to hand over, ends it when it doesn't, and starts the
 * next one as soon as it is dead. WHY is for the log. Nothing happens when no master
 * runs (the next one is about to) or when one has been asked already.
 */
void master_replace(struct supervisor *s, const char *why);

/* Everything is to end, which takes a master: one that waits to be started is, now. */
void master_needed(struct supervisor *s);

/* supervisor_workers.c */

extern const struct channel_handler worker_handler;

void workers_init(struct supervisor *s);

/* From now on WORKER is found, counted and kept. */
void workers_insert(struct supervisor *s, struct worker *worker);

/* Starts workers until enough are idle, some now and the rest soon. */
void workers_upkeep(struct supervisor *s);

/* The worker with this process, or this number; NULL when there is none. */
struct worker *workers_find_pid(struct supervisor *s, pid_t pid);
struct worker *workers_find(struct supervisor *s, uint64_t number);

/* True for a number that a worker has or had. */
bool workers_known(const struct supervisor *s, uint64_t number);

void worker_ended(struct supervisor *s, struct worker *worker, int status);
void worker_taken(struct supervisor *s, struct worker *worker);
void worker_release(struct supervisor *s, struct worker *worker);

/* Its connection is gone, and it should have ended: it is told to, and killed the second time. */
void root_worker_end(struct supervisor *s, struct worker *worker);

/* Calls EACH for every worker that is kept, or for those in one bucket of the hash by number. */
void workers_each(struct supervisor *s, void (*each)(struct supervisor *s, struct worker *worker));
void workers_each_in(struct supervisor *s, unsigned bucket,
                     void (*each)(struct supervisor *s, struct worker *worker));

/* At the very end: forgets those that are left. */
void workers_close(struct supervisor *s);

/* Those that are idle end; workers_upkeep() starts others. */
void workers_end_idle(struct supervisor *s);

/* A new master serves: those of an earlier version without a connection end. */
void workers_end_former(struct supervisor *s);
/* Other bounds of the idle ones are in effect. */
void workers_configure(struct supervisor *s);

/* supervisor_calls.c */

void root_call_port(struct supervisor *s, const struct message_call_port *request);
void root_call_end(struct supervisor *s, const struct message_call_port *request);

/* A new master learns of the calls that are under way. */
void calls_tell(struct supervisor *s);

/* Goes on with the calls of REGISTRY. -1 when a line was logged. */
int calls_adopt(struct supervisor *s, const struct registry *registry);
void calls_close(struct supervisor *s);

/* supervisor_request.c: what control clients ask of the supervisor, through the master */

/* Lines for whoever asked, bounded: what has no room is left out. */
struct notes {
	size_t length;
	char text[MESSAGE_ANSWER_TEXT_MAX + 1];
};

/* Adds one line; what is not printable ASCII becomes a question mark. */
void notes_add(struct notes *notes, const char *format, ...) __attribute__((format(printf, 2, 3)));

/*
 * Answers REQUEST: done, with lines of text, or refused, with one that says why.
 * Whoever asked may be gone, and so may the master.
 */
void request_answer(struct supervisor *s, const struct message_request *request, bool done,
                    const struct notes *notes);

/* supervisor_reload.c */

/* A table that was taken up may be too small for the limits: they become what it holds. */
void limits_fit(struct supervisor *s);

/* Notes that the file is there, where it is: it must be there from now on. */
void reload_prepare(struct supervisor *s);

void root_drain(struct supervisor *s, const struct message_request *request);
void root_resume(struct supervisor *s, const struct message_request *request);

void root_reload(struct supervisor *s, const struct message_request *request);
void reload_on_signal(struct supervisor *s);

/* supervisor_upgrade.c */

void upgrade_init(struct supervisor *s);
void root_upgrade(struct supervisor *s, const struct message_request *request);
void upgrade_on_signal(struct supervisor *s);

/* The child that checks the new program has ended. */
void upgrade_checker_ended(struct supervisor *s, int status);

/* Everything is to end: there will be no upgrade. */
void upgrade_end(struct supervisor *s);

/* supervisor_quiet.c */

/*
 * Reads what the run before has left, decides what holds, logs it, and puts it into what
 * masters are told. From now on signs of life are left. Before the first master starts.
 * TABLE_SURVIVED: another supervisor has left the connections, too; nothing is waited for
 * but the rest of its quiet time. 0, or -1 when a line was logged.
 */
int quiet_begin(struct supervisor *s, bool table_survived);

/* Sends a master the pairs that stay barred. Before its lanes. */
void quiet_tell_pairs(struct supervisor *s);

/* The last word for the next start. After the last master has ended. */
void quiet_end(struct supervisor *s);

/* supervisor_end.c */

/* Begins to end everything in order, with this exit status; again: faster. */
void end_begin(struct supervisor *s, int status);

/* A child has ended: goes on to the next stage when nothing is left of this one. */
void end_step(struct supervisor *s);

#endif
