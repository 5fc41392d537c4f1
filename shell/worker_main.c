/* calmd-worker: one connection's telnet protocol; started by calmd, not by hand. */
#include <fcntl.h>
#include <stdio.h>

#include "shell/title.h"
#include "shell/worker.h"

int main(int argc, char **argv)
{
	if (fcntl(WORKER_FD_RING, F_GETFD) < 0) {
		fputs("calmd-worker: is started by calmd\n", stderr);
		return 2;
	}
	title_init(argc, argv);
	worker_run();
}
