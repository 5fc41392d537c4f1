/*
 * Opening a pty: master, slave, terminal modes, window size.
 *
 * The slave comes from the master's descriptor (TIOCGPTPEER), not from a path,
 * so it is the right one whatever is mounted on /dev/pts.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "shell/opener.h"

/* Speeds that termios has, the fastest first; a client's speed between two is the lower one. */
static const struct {
	uint32_t bits;
	speed_t speed;
} speeds[] = {
	{4000000, B4000000}, {3000000, B3000000}, {2000000, B2000000}, {1000000, B1000000},
	{921600, B921600},   {460800, B460800},   {230400, B230400},   {115200, B115200},
	{57600, B57600},     {38400, B38400},     {19200, B19200},     {9600, B9600},
	{4800, B4800},       {2400, B2400},       {1800, B1800},       {1200, B1200},
	{600, B600},         {300, B300},         {200, B200},         {150, B150},
	{134, B134},         {110, B110},         {75, B75},           {50, B50},
};

/* Never B0, which would hang up. */
static speed_t speed_of(uint32_t bits)
{
	if (bits == 0)
		return B38400;
	for (size_t i = 0; i < sizeof(speeds) / sizeof(speeds[0]); i++) {
		if (bits >= speeds[i].bits)
			return speeds[i].speed;
	}
	return B50;
}

/* A terminal as a user expects it: lines, echo, CR as the Enter key. */
static int set_modes(int fd, const struct message_open_session *request)
{
	struct termios modes = {
		.c_iflag = BRKINT | ICRNL | IMAXBEL | IXON,
		.c_oflag = OPOST | ONLCR,
		.c_cflag = CS8 | CREAD,
		.c_lflag = ISIG | ICANON | ECHO | ECHOE | ECHOK | ECHOCTL | ECHOKE | IEXTEN,
	};
	static const struct {
		int place;
		cc_t value;
	} characters[] = {
		{VINTR, 0x03},   {VQUIT, 0x1c},  {VERASE, 0x7f}, {VKILL, 0x15},    {VEOF, 0x04},
		{VSTART, 0x11},  {VSTOP, 0x13},  {VSUSP, 0x1a},  {VREPRINT, 0x12}, {VDISCARD, 0x0f},
		{VWERASE, 0x17}, {VLNEXT, 0x16}, {VMIN, 1},
	};

	for (size_t i = 0; i < sizeof(characters) / sizeof(characters[0]); i++)
		modes.c_cc[characters[i].place] = characters[i].value;
	/* The output's last: a C library that has one speed for both keeps that. */
	cfsetispeed(&modes, speed_of(request->speed_in));
	cfsetospeed(&modes, speed_of(request->speed_out));
	return tcsetattr(fd, TCSANOW, &modes);
}

static int open_both(struct pty *pty)
{
	pty->master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
	if (pty->master < 0 || grantpt(pty->master) < 0 || unlockpt(pty->master) < 0 ||
	    ioctl(pty->master, TIOCGPTN, &pty->number) < 0)
		return -1;
	pty->slave = ioctl(pty->master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	return pty->slave < 0 ? -1 : 0;
}

int pty_open(struct pty *pty, const struct message_open_session *request)
{
	struct winsize window = {.ws_row = request->rows, .ws_col = request->columns};

	*pty = (struct pty){.master = -1, .slave = -1};
	if (open_both(pty) == 0 && set_modes(pty->slave, request) == 0 &&
	    ioctl(pty->slave, TIOCSWINSZ, &window) == 0)
		return 0;
	int error = errno;
	if (pty->master >= 0)
		close(pty->master);
	if (pty->slave >= 0)
		close(pty->slave);
	return error;
}
