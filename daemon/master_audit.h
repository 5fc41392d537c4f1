/*
 * What the master says for the log of connections: each establishment and each end, refusals,
 * and, at debug level, every move. A stranger decides how often, so there is a limit for
 * each source and one for all of them (log_limit.h); what was left out is said.
 */
#ifndef DAEMON_MASTER_AUDIT_H
#define DAEMON_MASTER_AUDIT_H

#include "stack/stack.h"

struct audit;
struct event_base;
struct master;

/* NULL: out of memory. */
struct audit *audit_create(struct event_base *base);
/* Says what was left out and not yet told. */
void audit_destroy(struct audit *audit);

/* These are told what the hooks of the engine are told (stack.h). */
void audit_moved(struct master *m, uint64_t id, const struct flow *flow, enum tcp_state from,
                 enum tcp_state to, const char *why);
void audit_finished(struct master *m, uint64_t id, const struct flow *flow,
                    const struct stack_totals *totals, enum tcp_state to, const char *why);
void audit_dropped(struct master *m, uint64_t id, const struct flow *flow, const char *why);

/* A connection has its client; PROXY: by whom it was brought, NULL: by nobody. */
void audit_connected(struct master *m, uint64_t id, const struct flow *flow,
                     const struct endpoint *proxy);

/*
 * A client is not let in: WHY is the limit, or what else stands against it. LOCAL may be
 * NULL.
 */
void audit_refused(struct master *m, const struct endpoint *peer, const struct endpoint *local,
                   const char *why);

/* The client of connection ID has sent what only an attack sends. */
void audit_attack(struct master *m, uint64_t id, const struct endpoint *peer,
                  const char *signature);

/* SOURCE (address_source()) is banned until UNTIL_US of the engine's clock. */
void audit_banned(struct master *m, const struct ip_address *source, uint64_t until_us,
                  const char *why);

/*
 * The worker of this connection was ended by SIGNAL, and can report the end of its session no
 * more.
 */
void audit_worker_killed(struct master *m, const struct conn_info *info, int signal);

#endif
