/*
 * Damages one entry of a daemon's connection table, as a stray pointer or bad memory would.
 *
 *   damage SUPERVISOR ID SEED      prints which word of the entry it has changed, of how many
 *
 * The table is the supervisor's, in /proc. The master should be stopped meanwhile.
 */
#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "stack/table.h"

/* The table of the process, opened; -1. */
static int open_table(const char *pid)
{
	char path[512], name[256];
	struct dirent *entry;
	DIR *directory;
	int fd = -1;

	snprintf(path, sizeof(path), "/proc/%s/fd", pid);
	directory = opendir(path);
	while (directory != NULL && fd < 0 && (entry = readdir(directory)) != NULL) {
		ssize_t length;

		snprintf(path, sizeof(path), "/proc/%s/fd/%s", pid, entry->d_name);
		length = readlink(path, name, sizeof(name) - 1);
		if (length > 0 && (name[length] = '\0', strstr(name, "calmd-table") != NULL))
			fd = open(path, O_RDWR | O_CLOEXEC);
	}
	if (directory != NULL)
		closedir(directory);
	return fd;
}

/* Where in the table the connection with this id is; 0: nowhere. */
static size_t find(const uint8_t *memory, size_t bytes, uint64_t id)
{
	const struct table_header *header = (const struct table_header *)memory;
	struct table_shape shape = {header->conns, header->half_opens, header->time_waits};
	uint8_t *copy = malloc(bytes);
	struct table table;
	size_t at = 0;

	if (copy == NULL)
		return 0;
	memcpy(copy, memory, bytes);
	if (table_recover(&table, copy, bytes, &shape)) {
		for (uint32_t i = 0; i < shape.conns && at == 0; i++)
			if (table.conn[i].identity.id == id)
				at = (size_t)((uint8_t *)&table.conn[i] - copy);
	}
	free(copy);
	return at;
}

int main(int argc, char **argv)
{
	const unsigned words = sizeof(struct conn) / 8;
	uint64_t seed, value, before;
	struct stat status;
	uint8_t *memory;
	unsigned word;
	size_t at;
	int fd;

	if (argc != 4)
		return 2;
	fd = open_table(argv[1]);
	if (fd < 0 || fstat(fd, &status) < 0) {
		fprintf(stderr, "damage: process %s has no table\n", argv[1]);
		return 1;
	}
	memory = mmap(NULL, (size_t)status.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (memory == MAP_FAILED ||
	    (at = find(memory, (size_t)status.st_size, strtoull(argv[2], NULL, 10))) == 0) {
		fprintf(stderr, "damage: there is no connection %s\n", argv[2]);
		return 1;
	}
	seed = strtoull(argv[3], NULL, 10) * UINT64_C(0x9e3779b97f4a7c15);
	word = (unsigned)((seed >> 32) % words);
	memcpy(&before, memory + at + 8 * word, sizeof(before));
	value = (before + 1) * (seed | 1);
	value += value == before;
	memcpy(memory + at + 8 * word, &value, sizeof(value));
	printf("%u of %u\n", word, words);
	return 0;
}
