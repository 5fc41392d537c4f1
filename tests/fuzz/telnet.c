/*
 * See telnet.h. The worker's own modules, from ring to pty; the ring is as small as one
 * can be, so that it wraps, and the pty is a socket, whose ioctls fail: what has come
 * out at its other end is looked at.
 *
 * Whatever the bytes are: the session gets the same however they are cut, and never
 * more than there was; what is answered is bounded; what is kept of the client is valid.
 */
#include "tests/fuzz/telnet.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/ring_map.h"
#include "shell/option.h"
#include "shell/session_data.h"
#include "shell/telnet.h"
#include "shell/worker.h"

#define INPUT_MAX 8192u

/* What the session has got. */
struct outcome {
	size_t length;
	uint8_t bytes[2 * INPUT_MAX];
};

/* How the terminal and the client are to be, from the input's first bytes. */
struct setting {
	uint8_t terminal;
	uint8_t client;
	uint8_t piece;
};

static struct worker worker;
static struct ring ring;
static int far_end = -1;

#define must(holds)                                                                                \
	do {                                                                                       \
		if (!(holds)) {                                                                    \
			fprintf(stderr, "does not hold: %s (line %d)\n", #holds, __LINE__);        \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

/* The worker's own descriptors lead nowhere, and the session's are others. */
#define FDS_FROM 100

static void open_once(void)
{
	if (far_end >= 0)
		return;
	int nowhere = open("/dev/null", O_RDWR);
	must(nowhere >= 0);
	for (int i = WORKER_FD_SUPERVISOR; i <= WORKER_FD_BELL_RING; i++) {
		if (fcntl(i, F_GETFD) < 0)
			must(dup2(nowhere, i) == i);
	}
	int fd = ring_create(RING_SIZE_MIN, RING_SIZE_MIN);
	must(fd >= 0 && ring_map(fd, RING_SIZE_MIN, RING_SIZE_MIN, &ring) == 0);
	close(fd);
}

static void open_session(const struct setting *setting, bool binary)
{
	struct negotiation *negotiation = &worker.negotiation;
	struct telnet_reply reply;
	int pair[2];

	memset(ring.master, 0, sizeof(*ring.master));
	memset(ring.worker, 0, sizeof(*ring.worker));
	memset(&worker, 0, sizeof(worker));
	must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) == 0);
	worker.ring = ring;
	worker.pty = fcntl(pair[0], F_DUPFD, FDS_FROM);
	far_end = fcntl(pair[1], F_DUPFD, FDS_FROM);
	must(worker.pty >= 0 && far_end >= 0);
	close(pair[0]);
	close(pair[1]);
	worker.keeper = -1;
	worker.stage = WORKER_SESSION;
	negotiate_start(negotiation, &reply);
	if (binary) {
		negotiate_receive(negotiation, TELNET_WILL, TELOPT_BINARY, &reply);
		negotiate_receive(negotiation, TELNET_DO, TELOPT_BINARY, &reply);
		worker.parser.binary = true;
		telnet_output_binary(&worker.output, true);
	}
	worker.external = (setting->client & 1) != 0;
	if ((setting->client & 2) != 0)
		negotiate_receive(negotiation, TELNET_WILL, TELOPT_LINEMODE, &reply);
	if ((setting->client & 4) != 0)
		negotiation->linemode.sent = negotiation->linemode.acked = true;
	negotiation->linemode.mode = setting->client >> 4 & 3;
	worker.terminal = (struct termios){
		.c_iflag = ICRNL | IXON | IUTF8,
		.c_cc = {[VINTR] = 3,
	                 [VERASE] = 0x7f,
	                 [VKILL] = 0x15,
	                 [VEOF] = 4,
	                 [VSUSP] = 0x1a,
	                 [VWERASE] = 0x17,
	                 [VEOL] = 'X',
	                 [VSTOP] = 0x13},
	};
	worker.terminal.c_iflag ^= (setting->terminal & 1 ? ICRNL : 0u) |
	                           (setting->terminal & 2 ? INLCR : 0u) |
	                           (setting->terminal & 4 ? IXON : 0u);
	worker.terminal.c_lflag = IEXTEN | ECHOCTL | (setting->terminal & 8 ? ICANON : 0u) |
	                          (setting->terminal & 16 ? ECHO : 0u) |
	                          (setting->terminal & 32 ? ISIG : 0u);
}

static void close_session(void)
{
	close(worker.pty);
	close(far_end);
}

static void take(struct outcome *outcome)
{
	ssize_t n;

	do {
		n = read(far_end, outcome->bytes + outcome->length,
		         sizeof(outcome->bytes) - outcome->length);
		outcome->length += n > 0 ? (size_t)n : 0;
	} while (n > 0 && outcome->length < sizeof(outcome->bytes));
}

static void check(void)
{
	const struct negotiation *n = &worker.negotiation;

	must(n->terminal[0] == '\0' || session_terminal_valid(n->terminal, sizeof(n->terminal)));
	must(n->user[0] == '\0' || session_user_valid(n->user, sizeof(n->user)));
	must(n->display[0] == '\0' || session_display_valid(n->display, sizeof(n->display)));
	must(session_environment_valid(&n->environment));
	must(worker.pending_end <= WORKER_PENDING_SIZE &&
	     worker.pending_start + worker.pending_line <= worker.pending_end);
	must(worker.tx_head - worker.view.tx_tail <= RING_SIZE_MIN);
	must(worker.tx_urgent <= worker.tx_head);
}

/* One turn of the worker, and what client and session do then. */
static void turn(struct outcome *outcome)
{
	ring_look(&worker);
	worker.again = worker.need_space = false;
	relay_input(&worker);
	session_turn(&worker);
	check();
	ring_publish(&worker);
	atomic_store(&ring.master->tx_tail, worker.tx_head);
	take(outcome);
	worker.pty_full = false;
}

static void run(const struct setting *setting, const uint8_t *bytes, size_t length, size_t piece,
                bool binary, struct outcome *outcome)
{
	open_session(setting, binary);
	outcome->length = 0;
	for (size_t at = 0; at < length;) {
		uint64_t head = atomic_load(&ring.master->rx_head);
		size_t room = RING_SIZE_MIN - (size_t)(head - worker.rx_tail);
		size_t n = length - at < piece ? length - at : piece;

		n = n < room ? n : room;
		memcpy(ring_rx_at(&ring, head), bytes + at, n);
		atomic_store(&ring.master->rx_head, head + n);
		at += n;
		turn(outcome);
	}
	/* A turn takes a line. */
	for (size_t i = 0; i < 64 + length && (worker.again || worker.held || worker.eof_owed); i++)
		turn(outcome);
	turn(outcome);
	must(outcome->length <= length + 2);
	must(worker.tx_head <= 64 + 64 * length);
	close_session();
}

int fuzz_telnet(const uint8_t *bytes, size_t length, bool binary)
{
	static struct outcome whole, cut;
	struct setting setting;

	if (length < sizeof(setting) || length > INPUT_MAX)
		return 0;
	open_once();
	memcpy(&setting, bytes, sizeof(setting));
	bytes += sizeof(setting);
	length -= sizeof(setting);
	run(&setting, bytes, length, INPUT_MAX, binary, &whole);
	run(&setting, bytes, length, 1u + setting.piece, binary, &cut);
	/* A signal throws away what the session has not got yet, which is a matter of time. */
	if ((setting.client & 1) != 0 && (setting.terminal & 32) != 0)
		return 0;
	must(whole.length == cut.length);
	must(memcmp(whole.bytes, cut.bytes, whole.length) == 0);
	return 0;
}
