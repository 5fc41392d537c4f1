/*
 * calmd as a service: what the service manager is told of it, and the descriptors
 * that it keeps for the next supervisor. The manager is systemd, or whoever else
 * sets NOTIFY_SOCKET and speaks its protocol (sd_notify(3)). Where none does, or
 * calmd was built without libsystemd, these functions do nothing.
 *
 * The supervisor's alone: its children have an environment of their own.
 */
#ifndef DAEMON_SERVICE_H
#define DAEMON_SERVICE_H

#include <stdbool.h>

/* True when a service manager listens. */
bool service_managed(void);

/* Everything is up: whoever waits for the start goes on. */
void service_ready(void);

/* A sign of life, for a manager that ends us without one (WatchdogSec). */
void service_alive(void);

/* The end has begun. */
void service_stopping(void);

/* One line for `systemctl status`; at most SERVICE_STATUS_MAX bytes of it. */
#define SERVICE_STATUS_MAX 256
void service_status(const char *format, ...) __attribute__((format(printf, 1, 2)));

/*
 * Has a copy of FD kept under NAME, which has no colon, until the service has
 * really ended. What happens to the other end of FD makes no difference. 0, or -1
 * with errno: ENOTSUP when there is no manager.
 */
int service_keep(const char *name, int fd);

/* What is kept under NAME is to be forgotten. */
void service_release(const char *name);

/*
 * The descriptor that an earlier supervisor had kept under NAME, close-on-exec, or
 * -1 when there is none. It is given once, and now the caller's.
 */
int service_kept(const char *name);

/* Closes what was kept and nobody has asked for. */
void service_forget(void);

#endif
