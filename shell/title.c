/*
 * Process titles without libbsd, which would cost every worker its memory: the
 * kernel shows the memory that held argv, and behind it the environment, for
 * /proc/PID/cmdline; comm comes from prctl(2).
 */
#include "shell/title.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

static char *title_area;
static size_t title_size;

void title_init(int argc, char **argv)
{
	if (argc < 1)
		return;
	char *end = argv[0];
	for (int i = 0; i < argc && argv[i] == end; i++)
		end = argv[i] + strlen(argv[i]) + 1;
	for (char **e = environ; e != NULL && *e == end; e++)
		end = *e + strlen(*e) + 1;
	title_area = argv[0];
	title_size = (size_t)(end - argv[0]);
	environ = NULL;
}

void title_set(const char *format, ...)
{
	char text[64];
	va_list arguments;

	if (title_size == 0)
		return;
	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	size_t length = strnlen(text, sizeof(text) - 1);
	if (length > title_size - 1)
		length = title_size - 1;
	memset(title_area, 0, title_size);
	memcpy(title_area, text, length);
}

void title_name(const char *name)
{
	prctl(PR_SET_NAME, name, 0, 0, 0);
}
