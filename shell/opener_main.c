/*
 * calmd-opener: opens login sessions. Started by calmd, or for it by systemd
 * (calmd-opener.socket), with the channel to the supervisor as descriptor 3; not by hand.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "shell/opener.h"
#include "shell/title.h"

int main(int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], "--version") == 0) {
		puts("calmd-opener " CALMD_VERSION);
		return 0;
	}
	if (argc == 2 && strcmp(argv[1], "--help") == 0) {
		puts("calmd-opener opens login sessions for calmd(8), and is started by it.");
		return 0;
	}
	if (fcntl(OPENER_FD_SUPERVISOR, F_GETFD) < 0) {
		fputs("calmd-opener: is started by calmd\n", stderr);
		return 2;
	}
	if (!message_peer_is_root(OPENER_FD_SUPERVISOR)) {
		fputs("calmd-opener: serves nobody but root's calmd\n", stderr);
		return 1;
	}
	title_init(argc, argv);
	opener_run();
}
