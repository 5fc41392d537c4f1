/* calmd-worker: one connection's telnet protocol; started by calmd, not by hand. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "shell/title.h"
#include "shell/worker.h"

int main(int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], "--version") == 0) {
		puts("calmd-worker " CALMD_VERSION);
		return 0;
	}
	if (argc == 2 && strcmp(argv[1], "--help") == 0) {
		puts("calmd-worker serves one connection of calmd(8), and is started by it.");
		return 0;
	}
	if (fcntl(WORKER_FD_RING, F_GETFD) < 0) {
		fputs("calmd-worker: is started by calmd\n", stderr);
		return 2;
	}
	title_init(argc, argv);
	worker_run();
}
