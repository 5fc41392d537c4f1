/*
 * The master process: owns the TCP stack, the raw sockets and the workers'
 * rings; started by the supervisor with its channel as MASTER_CHANNEL_FD.
 */
#ifndef DAEMON_MASTER_H
#define DAEMON_MASTER_H

/* Descriptors that children are started with. */
#define MASTER_CHANNEL_FD    3 /* master: to the supervisor */
#define WORKER_SUPERVISOR_FD 3
#define WORKER_MASTER_FD     4
#define WORKER_OPENER_FD     5
#define WORKER_RING_FD       6
#define OPENER_SUPERVISOR_FD 3

/* Runs the master until it is told to end; returns the exit status. */
int master_main(void);

#endif
