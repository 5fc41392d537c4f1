/*
 * The registry's image: written, read, and its descriptors let through an exec.
 *
 *   header | descriptors | calls | workers | program, NUL | configuration, NUL
 *
 * with nothing in between and nothing behind.
 */
#include "daemon/registry.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/registry_check.h"

#define MAGIC UINT64_C(0x79747367636c6163) /* "calcgsty", the first bytes */

/* The first two members stay where they are in every version to come. */
struct header {
	uint64_t magic;
	uint32_t version;
	uint32_t reserved;
	uint64_t bytes; /* of the image */
	struct version_formats formats;
	struct registry_facts facts;
	uint32_t descriptor_count;
	uint32_t call_count;
	uint32_t worker_count;
	uint32_t program_bytes; /* with NUL, as the next */
	uint32_t configuration_bytes;
	uint32_t reserved_too;
};

static size_t image_bytes(const struct header *header)
{
	return sizeof(*header) + header->descriptor_count * sizeof(struct registry_descriptor) +
	       header->call_count * sizeof(struct registry_call) +
	       header->worker_count * sizeof(struct registry_worker) + header->program_bytes +
	       header->configuration_bytes;
}

static bool within_bounds(const struct header *header)
{
	return header->descriptor_count <= REGISTRY_DESCRIPTORS_MAX &&
	       header->call_count <= REGISTRY_CALLS_MAX &&
	       header->worker_count <= REGISTRY_WORKERS_MAX && header->program_bytes > 0 &&
	       header->program_bytes <= REGISTRY_TEXT_MAX && header->configuration_bytes > 0 &&
	       header->configuration_bytes <= REGISTRY_TEXT_MAX;
}

/* Appends LENGTH bytes at *AT, which moves on. */
static void put(uint8_t **at, const void *from, size_t length)
{
	if (length > 0)
		memcpy(*at, from, length);
	*at += length;
}

uint8_t *registry_encode(const struct registry *registry, size_t *bytes)
{
	size_t program = strlen(registry->program) + 1;
	size_t configuration = strlen(registry->configuration) + 1;
	struct header header = {
		.magic = MAGIC,
		.version = REGISTRY_VERSION,
		.formats = registry->formats,
		.facts = registry->facts,
		.descriptor_count = registry->descriptor_count,
		.call_count = registry->call_count,
		.worker_count = registry->worker_count,
		.program_bytes = program <= REGISTRY_TEXT_MAX ? (uint32_t)program : 0,
		.configuration_bytes =
			configuration <= REGISTRY_TEXT_MAX ? (uint32_t)configuration : 0,
	};

	if (!within_bounds(&header)) {
		errno = EOVERFLOW;
		return NULL;
	}
	header.bytes = *bytes = image_bytes(&header);
	uint8_t *image = malloc(*bytes), *at = image;
	if (image == NULL)
		return NULL;
	put(&at, &header, sizeof(header));
	put(&at, registry->descriptors,
	    registry->descriptor_count * sizeof(*registry->descriptors));
	put(&at, registry->calls, registry->call_count * sizeof(*registry->calls));
	put(&at, registry->workers, registry->worker_count * sizeof(*registry->workers));
	put(&at, registry->program, header.program_bytes);
	put(&at, registry->configuration, header.configuration_bytes);
	return image;
}

/* A copy of LENGTH bytes at *AT, which moves on; NULL for lack of memory. */
static void *take(const uint8_t **at, size_t length)
{
	void *copy = malloc(length > 0 ? length : 1);

	if (copy != NULL && length > 0)
		memcpy(copy, *at, length);
	*at += length;
	return copy;
}

/* True for a text that its NUL, and no other, ends. */
static bool is_text(const char *text, size_t bytes)
{
	return memchr(text, '\0', bytes) == text + bytes - 1;
}

static int refuse(char error[REGISTRY_ERROR_MAX], const char *why)
{
	snprintf(error, REGISTRY_ERROR_MAX, "the registry is not usable: %s", why);
	return -1;
}

/* Fills HEADER; -1 when the image is not one, or its parts are not as long as it is. */
static int read_header(const uint8_t *image, size_t bytes, struct header *header,
                       char error[REGISTRY_ERROR_MAX])
{
	if (bytes < sizeof(*header))
		return refuse(error, "too short");
	memcpy(header, image, sizeof(*header));
	if (header->magic != MAGIC)
		return refuse(error, "it is something else");
	if (header->version != REGISTRY_VERSION) {
		snprintf(error, REGISTRY_ERROR_MAX,
		         "the registry has version %u, where %u is understood", header->version,
		         REGISTRY_VERSION);
		return -1;
	}
	if (!within_bounds(header) || header->bytes != bytes || image_bytes(header) != bytes)
		return refuse(error, "its lengths do not fit");
	return 0;
}

int registry_decode(const uint8_t *image, size_t bytes, struct registry *registry,
                    char error[REGISTRY_ERROR_MAX])
{
	const uint8_t *at = image + sizeof(struct header);
	struct header header;
	const char *wrong = NULL;

	if (read_header(image, bytes, &header, error) < 0)
		return -1;
	*registry = (struct registry){
		.formats = header.formats,
		.facts = header.facts,
		.descriptor_count = header.descriptor_count,
		.call_count = header.call_count,
		.worker_count = header.worker_count,
	};
	registry->descriptors = take(&at, header.descriptor_count * sizeof(*registry->descriptors));
	registry->calls = take(&at, header.call_count * sizeof(*registry->calls));
	registry->workers = take(&at, header.worker_count * sizeof(*registry->workers));
	registry->program = take(&at, header.program_bytes);
	registry->configuration = take(&at, header.configuration_bytes);
	if (registry->descriptors == NULL || registry->calls == NULL || registry->workers == NULL ||
	    registry->program == NULL || registry->configuration == NULL)
		wrong = "no memory";
	else if (!is_text(registry->program, header.program_bytes) ||
	         !is_text(registry->configuration, header.configuration_bytes))
		wrong = "a text that does not end";
	else
		wrong = registry_wrong(registry);
	if (wrong == NULL)
		return 0;
	registry_free(registry);
	return refuse(error, wrong);
}

void registry_free(struct registry *registry)
{
	free(registry->descriptors);
	free(registry->calls);
	free(registry->workers);
	free(registry->program);
	free(registry->configuration);
	*registry = (struct registry){0};
}

static int write_all(int fd, const uint8_t *bytes, size_t length)
{
	while (length > 0) {
		ssize_t written = write(fd, bytes, length);
		if (written < 0 && errno == EINTR)
			continue;
		if (written < 0)
			return -1;
		bytes += written;
		length -= (size_t)written;
	}
	return 0;
}

int registry_write(const struct registry *registry)
{
	size_t bytes;
	uint8_t *image = registry_encode(registry, &bytes);
	int fd = image != NULL ? memfd_create("calmd-registry", MFD_CLOEXEC) : -1;
	int written = fd >= 0 ? write_all(fd, image, bytes) : -1;
	int cause = errno;

	free(image);
	if (written == 0)
		return fd;
	if (fd >= 0)
		close(fd);
	errno = cause;
	return -1;
}

int registry_read(int fd, struct registry *registry, char error[REGISTRY_ERROR_MAX])
{
	static const struct header largest = {
		.descriptor_count = REGISTRY_DESCRIPTORS_MAX,
		.call_count = REGISTRY_CALLS_MAX,
		.worker_count = REGISTRY_WORKERS_MAX,
		.program_bytes = REGISTRY_TEXT_MAX,
		.configuration_bytes = REGISTRY_TEXT_MAX,
	};
	struct stat status;

	if (fstat(fd, &status) < 0)
		return refuse(error, strerror(errno));
	if (!S_ISREG(status.st_mode) || status.st_size < 1 ||
	    (size_t)status.st_size > image_bytes(&largest))
		return refuse(error, "its length");
	size_t length = (size_t)status.st_size;
	uint8_t *image = malloc(length);
	if (image == NULL)
		return refuse(error, "no memory");
	ssize_t got = pread(fd, image, length, 0);
	int result = got == (ssize_t)length ? registry_decode(image, length, registry, error)
	                                    : refuse(error, "it cannot be read");
	free(image);
	return result;
}

/* Calls EACH for those of COUNT descriptors that are there, until one call fails. */
static int each_of(const int32_t *fds, size_t count, int (*each)(int fd))
{
	for (size_t i = 0; i < count; i++) {
		if (fds[i] >= 0 && each(fds[i]) < 0)
			return -1;
	}
	return 0;
}

static int each_descriptor(const struct registry *registry, int (*each)(int fd))
{
	const int32_t channels[] = {registry->facts.master.channel, registry->facts.opener.channel};

	if (each_of(channels, 2, each) < 0)
		return -1;
	for (uint32_t i = 0; i < registry->descriptor_count; i++) {
		if (each_of(&registry->descriptors[i].fd, 1, each) < 0)
			return -1;
	}
	for (uint32_t i = 0; i < registry->call_count; i++) {
		const struct registry_call *call = &registry->calls[i];
		if (each_of(&call->guard, 1, each) < 0 || each_of(call->lanes, LANES, each) < 0)
			return -1;
	}
	for (uint32_t i = 0; i < registry->worker_count; i++) {
		const struct registry_worker *worker = &registry->workers[i];
		const int32_t fds[] = {worker->child.channel,  worker->child.pidfd,
		                       worker->master_end,     worker->ring,
		                       worker->bell_to_master, worker->bell_to_worker};
		if (each_of(fds, 6, each) < 0)
			return -1;
	}
	return 0;
}

static int release(int fd)
{
	int flags = fcntl(fd, F_GETFD);

	return flags < 0 ? -1 : fcntl(fd, F_SETFD, flags & ~FD_CLOEXEC);
}

int registry_release(const struct registry *registry)
{
	return each_descriptor(registry, release);
}

static int close_one(int fd)
{
	close(fd);
	return 0;
}

void registry_close(const struct registry *registry)
{
	each_descriptor(registry, close_one);
}

static int hold(int fd)
{
	fcntl(fd, F_SETFD, FD_CLOEXEC);
	return 0;
}

void registry_hold(const struct registry *registry)
{
	each_descriptor(registry, hold);
}

static int claim(int fd)
{
	int flags = fcntl(fd, F_GETFD);

	if (flags >= 0 && (flags & FD_CLOEXEC) != 0)
		errno = EEXIST; /* claimed before, or never let through */
	else if (flags >= 0)
		return fcntl(fd, F_SETFD, flags | FD_CLOEXEC);
	return -1;
}

int registry_claim(const struct registry *registry, char error[REGISTRY_ERROR_MAX])
{
	if (each_descriptor(registry, claim) == 0)
		return 0;
	return refuse(error,
	              errno == EEXIST ? "a descriptor is named twice" : "a descriptor is not open");
}
