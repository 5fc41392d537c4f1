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

/* Speeds that termios has; a client's speed between two is the lower one. */
static const struct {
	uint32_t bits;
	speed_t speed;
} speeds[] = {
	{115200, B115200}, {57600, B57600}, {38400, B38400}, {19200, B19200}, {9600, B9600},
	{4800, B4800},     {2400, B2400},   {1200, B1200},   {300, B300},
};

static speed_t speed_of(uint32_t bits)
{
	if (bits == 0)
		return B38400;
	for (size_t i = 0; i < sizeof(speeds) / sizeof(speeds[0]); i++) {
		if (bits >= speeds[i].bits)
			return speeds[i].speed;
	}
	return B300;
}

/* A terminal as a user expects it: lines, echo, CR as the Enter key. */
static int set_modes(int fd, uint32_t speed)
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
	cfsetispeed(&modes, speed_of(speed));
	cfsetospeed(&modes, speed_of(speed));
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

int pty_open(struct pty *pty, uint16_t rows, uint16_t columns, uint32_t speed)
{
	struct winsize window = {.ws_row = rows, .ws_col = columns};

	*pty = (struct pty){.master = -1, .slave = -1};
	if (open_both(pty) == 0 && set_modes(pty->slave, speed) == 0 &&
	    ioctl(pty->slave, TIOCSWINSZ, &window) == 0)
		return 0;
	int error = errno;
	if (pty->master >= 0)
		close(pty->master);
	if (pty->slave >= 0)
		close(pty->slave);
	return error;
}
