/*
 * A worker: one connection's telnet protocol and relay, in a process of its own.
 *
 * Theory of operation
 *
 * The process begins with its channels to the supervisor, the master and the
 * opener and its ring, gives up its rights, and waits. OPEN from the master says
 * that the ring now carries a connection. The worker negotiates telnet options
 * until it knows what login needs or a short time has passed, asks the opener
 * for a session, and from then on moves bytes: receive ring to pty, pty to send
 * ring. When the session is over and its last output stands in the ring it
 * writes tx_fin and exits: the master delivers the rest.
 *
 * One thread, one loop of turns. A turn looks at the master's page once
 * (worker_view), handles input, output and timers with what it saw, publishes
 * (worker_publish), and sleeps when nothing is left to do. Per keystroke that is:
 * wake, write(pty), sleep; wake, read(pty), ring only when the master sleeps,
 * sleep.
 *
 * Bounds. What the network sends is held in the receive ring, and in a small
 * pending buffer for runs of a few bytes. What the session writes is read only
 * as far as the send ring has room beyond a reserve, and the master wants it
 * (stack/ring.h, tx_limit); the reserve is for answers
 * to telnet commands. When even that is used up the worker reads no further
 * input until the peer has acknowledged something: a client that does not read
 * is not read either.
 *
 * Nothing that the master's page holds is believed before it is checked; a value
 * that cannot be ends the worker.
 *
 * System calls: those that daemon/sandbox_calls.c has for a worker, each with its reason.
 */
#ifndef SHELL_WORKER_H
#define SHELL_WORKER_H

#include <stdbool.h>
#include <stdint.h>
#include <stdnoreturn.h>
#include <termios.h>

#include "daemon/message.h"
#include "shell/audit.h"
#include "shell/telnet_negotiate.h"
#include "shell/telnet_output.h"
#include "shell/telnet_parse.h"
#include "shell/wait.h"
#include "stack/ring.h"

/* Descriptors that a worker is started with. */
#define WORKER_FD_SUPERVISOR 3
#define WORKER_FD_MASTER     4
#define WORKER_FD_OPENER     5
#define WORKER_FD_RING       6
#define WORKER_FD_BELL_WAIT  7 /* the master rings */
#define WORKER_FD_BELL_RING  8 /* the worker rings */

/* Descriptors that it may have: those above, pty, keeper and epoll, those of one message. */
#define WORKER_FDS_MAX 32u

/* Milliseconds. */
#define WORKER_QUIET_MS     600   /* a client without any telnet command gets its session after */
#define WORKER_NEGOTIATE_MS 3000  /* one that has begun to negotiate, after */
#define WORKER_DETAILS_MS   300   /* once the terminal type is known, what else is promised, for */
#define WORKER_LOCAL_MS     100   /* a client is to edit or echo once the pty has wanted it for */
#define WORKER_LINE_MIN_MS  5     /* whether a line has been read is looked at after; doubles */
#define WORKER_LINE_MAX_MS  200   /* up to this */
#define WORKER_EOF_RETRY_MS 1000  /* end-of-file is typed again after; doubles */
#define WORKER_FIN_MS       60000 /* after the client's FIN, a silent session is hung up after */
#define WORKER_HANGUP_MS    7000  /* a session that was hung up must have ended after */
#define WORKER_DRAIN_MS     50    /* wait for a pty that a background process keeps open */
#define WORKER_PTY_RETRY_MS 100   /* longest time between looks at a pty that is hung up */
#define WORKER_PTY_FULL_MS  1000 /* a pty that takes no input is tried again after, at the latest */

#define WORKER_TRIM_MS 1000 /* memory of a send ring that is not used is given back after */

/* Bytes of input that wait for the pty outside the ring. */
#define WORKER_PENDING_SIZE 1024u
/* Bytes of the send ring that the session's output leaves free. */
#define WORKER_RESERVE 512u
/* Output is read from the pty when there is this much room for it in the send ring. */
#define WORKER_ROOM_MIN 1024u
/* Less output than this does not make a ring worth trimming. */
#define WORKER_TRIM_MIN (64u << 10)
/* Bytes read from the pty after its session has ended: more than its buffers hold. */
#define WORKER_DRAIN_MAX (128u << 10)

enum worker_stage {
	WORKER_IDLE,        /* no connection yet */
	WORKER_NEGOTIATING, /* until the session is asked for */
	WORKER_OPENING,     /* until the opener has answered */
	WORKER_SESSION,     /* relaying */
	WORKER_DONE,        /* tx_fin is written, or the connection is gone */
};

enum worker_timer {
	TIMER_QUIET,
	TIMER_NEGOTIATE,
	TIMER_EOF,
	TIMER_FIN,
	TIMER_HANGUP,
	TIMER_DRAIN,
	TIMER_PTY,
	TIMER_TRIM,
	TIMER_LOCAL,
	TIMER_LINE,
	TIMER_USER,
	TIMER_LOGIN,
	TIMER_IDLE,
	TIMER_PROBE,
	TIMERS
};

/* The master's page as last seen and checked. */
struct worker_view {
	uint64_t rx_head, tx_tail, tx_limit, rx_urgent;
	bool rx_fin;
};

struct worker {
	struct ring ring;
	struct waiter wait;
	enum worker_stage stage;
	bool again; /* there is more to do before sleeping */
	uint64_t conn_id;
	struct endpoint peer;
	struct worker_view view;
	uint32_t signatures; /* that were reported, a bit each */

	/* network to session */
	uint64_t rx_tail;      /* parsed up to here */
	uint64_t rx_published; /* what the ring says */
	uint64_t rx_told;      /* rx_tail when the master was last told of it */
	bool details_awaited;  /* the terminal type is known, something else is not */
	bool synch;            /* discarding data until DM (RFC 854, Synch) */
	bool held;             /* a negotiation waits for room in the send ring */
	uint8_t held_verb;     /* WILL, WONT, DO, DONT; SB: what stands in the parser */
	uint8_t held_option;
	uint16_t held_length; /* of the subnegotiation */
	uint16_t pending_start, pending_end;
	uint16_t pending_line; /* so many bytes at the end are a line that is still edited here */
	bool eof_owed;         /* end-of-file is to be typed behind it */
	bool line_pushed;      /* end-of-file has handed it over as it was */
	bool line_given;       /* the session may not have read the last line yet (cooked.c) */
	uint16_t line_retry;   /* next wait for that, milliseconds */
	uint8_t last_byte;     /* the last one written to the pty; 0: none */
	struct telnet_parser parser;
	struct negotiation negotiation;
	uint8_t pending_bytes[WORKER_PENDING_SIZE];

	/* session to network */
	uint64_t tx_head;      /* written up to here */
	uint64_t tx_published; /* what the ring says */
	uint64_t tx_read;      /* before what the pty gave last */
	uint64_t tx_urgent;    /* our urgent mark, behind DM; 0: none */
	uint64_t tx_trimmed;   /* tx_head when the ring's memory was last given back */
	bool need_space;       /* sleeping until tx_tail or tx_limit moves */
	bool mark_owed;        /* a data mark is to be sent as soon as there is room */
	bool ayt_owed;         /* an AYT is to be answered when the last answer has arrived */
	uint64_t ayt_end;      /* tx offset behind the last answer */
	struct telnet_output output;
	uint16_t banner_start, banner_end; /* what of the banner is not in the send ring yet */

	/* the session */
	int pty;                       /* -1: none */
	int keeper;                    /* -1: none */
	bool pty_ready;                /* there may be something to read */
	bool pty_full;                 /* it takes no input for now */
	bool pty_status;               /* it has a packet mode status to tell */
	bool pty_hung;                 /* it gave EIO: no process has its other side open */
	bool eof_sent;                 /* the client's FIN has been passed on */
	bool hung_up;                  /* the session has been told to end */
	bool ended;                    /* the keeper says that it has */
	uint32_t drained;              /* bytes read since */
	uint16_t pty_retry, eof_retry; /* next waits, milliseconds */

	/* the pty's settings (terminal.c) */
	struct termios terminal; /* as last looked at, while `external` */
	bool terminal_stale;     /* they are to be looked at when there is room to tell of them */
	bool external;           /* EXTPROC is set: what a terminal does with input is done here */
	bool local_now;          /* TIMER_LOCAL has gone off: the client is to edit or echo */
	bool utf8_set;           /* the terminal has been told */

	/* what is watched over it (session_watch.c); times in milliseconds, 0: none */
	uint32_t login_timeout_ms, idle_timeout_ms, probe_ms;
	enum session_ending ending;
	char user[SESSION_LOGNAME_SIZE]; /* who has logged in; "": nobody yet */
	bool note_owed;                  /* the master is to be told again */
	bool user_asked;                 /* the keeper's answer is awaited */
	bool login_due;                  /* and if it is "nobody", that is the end */
	uint16_t user_wait;              /* time between output and that question */
	uint64_t user_head;              /* tx_head when it was last put, or is to be */
	bool typed;                      /* there was input for the session */
	bool idle_warned;                /* the client has been told that there was none for long */
	uint64_t probe_head;             /* rx_head when the client was last heard */
	uint64_t probe_end;              /* tx offset behind our question; 0: none was put */

	struct audit audit;

	int64_t timers[TIMERS]; /* due, milliseconds of CLOCK_MONOTONIC; 0: off */

	char banner[SESSION_BANNER_MAX]; /* last, so that it takes no memory where there is none */
};

/* ---- worker.c ---- */

/* Ends the process with STATUS. */
noreturn void worker_exit(int status);

/* Runs the worker from its descriptors to its end. */
noreturn void worker_run(void);

/* Arms TIMER to be due in MS milliseconds; stops it; true when it is due (it is then stopped). */
void worker_timer_arm(struct worker *worker, enum worker_timer timer, int ms);
void worker_timer_stop(struct worker *worker, enum worker_timer timer);
bool worker_timer_due(struct worker *worker, enum worker_timer timer);

/* ---- worker_channel.c: what comes over the channels ---- */

/*
 * Receives the configuration, and the filter of the sandbox, which stays good until the next
 * message; returns the chroot directory's descriptor.
 */
struct sock_filter;
int channel_configuration(struct message_worker_config *config, const struct sock_filter **filter);
/* Handles what is there on each channel. */
void channel_supervisor(struct worker *worker);
void channel_master(struct worker *worker);
void channel_opener(struct worker *worker);
void channel_keeper(struct worker *worker);

/* Tells the master that the client has sent SIGNATURE; once each. SIGNATURE_NONE: nothing. */
void report_signature(struct worker *worker, enum signature signature);

/* ---- worker_ring.c: the worker's side of the ring ---- */

/* Takes up the connection CONN_ID when the master's page names it, too. */
bool ring_take_up(struct worker *worker, uint64_t conn_id);
/*
 * Looks at the master's page; true when something has changed that the worker
 * waits for. Ends the process for values that cannot be, or for a connection
 * that is gone.
 */
bool ring_look(struct worker *worker);
/* Bytes that the send ring has room for. */
uint32_t ring_room(const struct worker *worker);
/* Bytes that session output may usefully fill of it now (stack/ring.h, tx_limit). */
uint32_t ring_output_room(const struct worker *worker);
/* Appends LENGTH bytes, as they are, to the send ring; the caller has checked the room. */
void ring_append(struct worker *worker, const void *bytes, size_t length);
/* Makes what was read and written visible to the master, and wakes it where that is needed. */
void ring_publish(struct worker *worker);
/*
 * Gives back the send ring's memory some time after much was written, once all of
 * that is acknowledged: an idle session is to be small whatever it has shown.
 */
void ring_trim(struct worker *worker);
/* The end: what has been written is all. The stage is WORKER_DONE afterwards. */
void ring_finish(struct worker *worker);

/* ---- relay_input.c ---- */

/* Parses what the receive ring holds and passes it on, as far as there is room. */
void relay_input(struct worker *worker);
/* Puts one byte behind the input for the pty; nothing when there is no session. */
void relay_type(struct worker *worker, uint8_t byte);
/* Throws away the input that waits for the pty. */
void relay_drop_input(struct worker *worker);
/* Bytes that can still be put into the pending input, and putting LENGTH there. */
size_t relay_pending_room(const struct worker *worker);
void relay_pending_append(struct worker *worker, const void *bytes, size_t length);
/* Takes the last byte of it, of which there is one, back. */
uint8_t relay_pending_take_back(struct worker *worker);
/* Gives the pty what waits for it, but for a line that is still edited. */
void relay_pending_flush(struct worker *worker);

/* ---- relay_output.c ---- */

/* Moves output from the pty to the send ring, as far as there is room. */
void relay_output(struct worker *worker);
/* Throws away the output that the pty holds. */
void relay_drop_output(struct worker *worker);
/* Sends TEXT of LENGTH bytes as the terminal's echo; nothing when there is no room for it. */
void relay_echo(struct worker *worker, const void *text, size_t length);

/* ---- relay_command.c ---- */

/* Does what the telnet command CODE asks for. */
void relay_command(struct worker *worker, uint8_t code);
/* Answers AYT when an answer is owed and the last one has arrived. */
void relay_are_you_there(struct worker *worker);
/* Sends the data mark of a Synch that is owed, when there is room. */
void relay_data_mark(struct worker *worker);
/*
 * Output has been thrown away: the client is to do the same with what is under way, up
 * to a data mark.
 */
void relay_synch(struct worker *worker);
/* Sends SIGNAL to the session as its terminal would for the character, in `external`. */
void relay_signal(struct worker *worker, int signal);

/* ---- terminal.c ---- */

/* There is a pty: from now on it tells what happens to its settings. */
void terminal_begin(struct worker *worker);
/* The pty has told of STATUS (TIOCPKT_...). */
void terminal_status(struct worker *worker, uint8_t status);
/* The pty has been hung up and is back: its settings are the kernel's own. */
void terminal_again(struct worker *worker);
/* Has client and pty follow what has changed at the other; when there is room. */
void terminal_follow(struct worker *worker);
/* The same if there is a reason; once a turn. */
void terminal_turn(struct worker *worker);

/* ---- cooked.c: the line discipline of a terminal in `external` ---- */

/* Takes input as far as there is room; returns how many of LENGTH bytes. */
size_t cooked_take(struct worker *worker, const uint8_t *bytes, size_t length);
/* A telnet command that stands for the character at PLACE in c_cc, and is none of a signal. */
void cooked_command(struct worker *worker, int place);
/* The pty's settings or the client's mode have changed; before, `external` was WAS_EXTERNAL. */
void cooked_settings(struct worker *worker, bool was_external);
/*
 * How many of LENGTH bytes (more than 0) at BYTES the pty may be given now: up to the end of a
 * line, and none while the line before has not been read.
 */
size_t cooked_line(struct worker *worker, const uint8_t *bytes, size_t length);
/* Types an end-of-file that is owed, when all before it has been read; true while one is. */
bool cooked_end_of_file(struct worker *worker);

/* ---- session.c ---- */

/* Takes the connection up: first batch of options, timers. */
void session_begin(struct worker *worker, const struct message_open *open);
/* The opener's answer has come. The descriptors are then the worker's. */
void session_opened(struct worker *worker, const struct message_session *answer, int pty,
                    int keeper);
/* Keeps the banner, of LENGTH bytes, which goes out before the session's output. */
void session_banner(struct worker *worker, const char *banner, size_t length);
/* No session can be had because of ERROR (errno): tells the client, and ends. */
void session_failed(struct worker *worker, int error);
/* The keeper says that the session has ended, or is gone. */
void session_ended(struct worker *worker);
/* Makes the session end; what it still writes is delivered. */
void session_hang_up(struct worker *worker);

/* Gives the pty a window size that has changed, once there is a pty. */
void session_window(struct worker *worker);
/* Everything that depends on time and on the session's state; once a turn. */
void session_turn(struct worker *worker);
/* The pty gave EIO: it is looked at again after a while. */
void session_pty_hung(struct worker *worker);

/* ---- session_watch.c ---- */

/* A connection begins, with the deadlines that OPEN has. */
void session_watch_begin(struct worker *worker, const struct message_open *open);
/* Once a turn. */
void session_watch_turn(struct worker *worker);
/* The keeper says who is logged in; "": nobody, or one whose name is none. */
void session_watch_user(struct worker *worker, const char *user);
/* The same, who was, now that the session has ended. */
void session_watch_last(struct worker *worker, const char *user);
/* There is another master, which does not know what the last one was told. */
void session_watch_new_master(struct worker *worker);
/* The session ends because of ENDING, or has; the first one counts. Client and master are told. */
void session_watch_ending(struct worker *worker, enum session_ending ending);

#endif
