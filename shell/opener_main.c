/* calmd-opener: opens login sessions; started by calmd, not by hand. */
#include <fcntl.h>
#include <stdio.h>

#include "shell/opener.h"
#include "shell/title.h"

int main(int argc, char **argv)
{
	if (fcntl(OPENER_FD_SUPERVISOR, F_GETFD) < 0) {
		fputs("calmd-opener: is started by calmd\n", stderr);
		return 2;
	}
	title_init(argc, argv);
	opener_run();
}
