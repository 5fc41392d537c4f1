/*
 * Users and groups of the configuration by their numbers.
 */
#ifndef DAEMON_USERS_H
#define DAEMON_USERS_H

#include <stdint.h>

#define USERS_ERROR_MAX 256

/*
 * The numbers of user NAME, which KEY of the configuration names. Returns 0, or
 * -1 with a line in ERROR that says what to do. Root and its group are refused.
 */
int users_find_user(const char *key, const char *name, uint32_t *uid, uint32_t *gid,
                    char error[USERS_ERROR_MAX]);

/* The same for a group; the number is UINT32_MAX when NAME is empty. */
int users_find_group(const char *key, const char *name, uint32_t *gid, char error[USERS_ERROR_MAX]);

#endif
