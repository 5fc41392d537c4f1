/*
 * The master process: owns the TCP stack, the raw sockets and the workers'
 * rings; started by the supervisor with its channel as MASTER_CHANNEL_FD.
 */
#ifndef DAEMON_MASTER_H
#define DAEMON_MASTER_H

/* The channel to the supervisor, as the master is started with it. */
#define MASTER_CHANNEL_FD 3

/* It exits with this when the connection table that a former master left cannot be taken up. */
#define MASTER_EXIT_TABLE 3

/* Runs the master until it is told to end; returns the exit status. */
int master_main(void);

#endif
