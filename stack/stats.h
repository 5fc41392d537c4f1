/*
 * The engine's counters: those of the TCP-MIB (RFC 4022) and its own. Kept by
 * the master; they begin at zero with each master.
 *
 * STACK_STATS(X) lists them as X(field, "name as people see it", "what it counts").
 */
#ifndef STACK_STATS_H
#define STACK_STATS_H

#include <stdint.h>

#define STACK_STATS(X)                                                                             \
	X(active_opens, "tcpActiveOpens", "moves from CLOSED to SYN-SENT")                         \
	X(passive_opens, "tcpPassiveOpens", "moves from LISTEN to SYN-RECEIVED")                   \
	X(attempt_fails, "tcpAttemptFails", "SYN-SENT or SYN-RECEIVED to CLOSED or LISTEN")        \
	X(estab_resets, "tcpEstabResets", "ESTABLISHED or CLOSE-WAIT to CLOSED")                   \
	X(in_segs, "tcpInSegs", "segments received, those in error too")                           \
	X(out_segs, "tcpOutSegs", "segments sent, without retransmissions")                        \
	X(retrans_segs, "tcpRetransSegs", "segments sent again")                                   \
	X(in_errs, "tcpInErrs", "segments received in error, all kinds")                           \
	X(out_rsts, "tcpOutRsts", "segments sent with RST")                                        \
	X(bad_ip, "inBadIp", "packets with a bad IP header")                                       \
	X(bad_checksum, "inBadChecksum", "segments with a wrong checksum")                         \
	X(bad_header, "inBadHeader", "segments shorter than their header, or ports of zero")       \
	X(bad_option, "inBadOption", "segments with an option of illegal length")                  \
	X(bad_flags, "inBadFlags", "segments with flags that no TCP sends")                        \
	X(bad_address, "inBadAddress", "segments from an address that cannot be a peer's")         \
	X(quiet_dropped, "inQuietTime", "segments that came in quiet time, ignored")               \
	X(not_ours, "inNotOurs", "segments for other endpoints, ignored")                          \
	X(out_of_window, "inOutOfWindow", "segments outside the receive window")                   \
	X(paws, "inPaws", "segments dropped by PAWS (RFC 7323)")                                   \
	X(bad_ack, "inBadAck", "segments with an ACK outside RFC 5961's range")                    \
	X(challenge_acks, "outChallengeAcks", "challenge ACKs sent (RFC 5961)")                    \
	X(challenge_limited, "outChallengeLimited", "challenge ACKs held back by the limit")       \
	X(rst_ignored, "inRstIgnored", "RSTs that were not exactly at rcv_nxt")                    \
	X(rst_limited, "outRstLimited", "RSTs held back by the limit")                             \
	X(time_wait_limited, "outTimeWaitLimited",                                                 \
	  "ACKs of TIME-WAIT pairs held back by the limit")                                        \
	X(out_of_order, "inOutOfOrder", "segments beyond rcv_nxt that were kept")                  \
	X(duplicates, "inDuplicates", "segments that brought nothing new")                         \
	X(ooo_dropped, "inOutOfOrderDropped", "segments beyond rcv_nxt dropped: no range free")    \
	X(window_dropped, "inWindowDropped", "payload bytes cut off at the window's edge")         \
	X(timeouts, "retransmitTimeouts", "retransmission timer expiries")                         \
	X(fast_recoveries, "fastRecoveries", "times fast recovery was entered")                    \
	X(ce_in, "inCongestionExperienced", "segments that a router had marked (RFC 3168)")        \
	X(ecn_reductions, "ecnReductions", "times that a peer's ECN-Echo reduced cwnd")            \
	X(tail_probes, "tailLossProbes", "tail loss probes sent (RFC 8985)")                       \
	X(undone, "recoveriesUndone", "recoveries found to have been needless")                    \
	X(dsacks_in, "inDsacks", "ACKs that told of a segment received twice (RFC 2883)")          \
	X(dsacks_out, "outDsacks", "the same, sent")                                               \
	X(persist_probes, "persistProbes", "zero-window probes sent")                              \
	X(keepalive_probes, "keepaliveProbes", "keepalive probes sent")                            \
	X(delayed_acks, "delayedAcks", "ACKs sent by the delayed-ACK timer")                       \
	X(timed_out, "timedOut", "connections ended because the peer was gone")                    \
	X(stalled_ended, "stalledEnded", "connections ended for what stalled peers held in all")   \
	X(half_open_full, "halfOpenFull", "SYNs that pushed out the oldest half-open entry")       \
	X(cookies_sent, "synCookiesSent", "SYNs answered with a SYN cookie")                       \
	X(cookies_accepted, "synCookiesAccepted", "third segments that brought a good cookie")     \
	X(cookies_failed, "synCookiesFailed", "third segments whose cookie was not good")          \
	X(cookies_limited, "synCookiesLimited", "cookies not looked at: over the limit")           \
	X(half_open_expired, "halfOpenExpired", "half-open entries that timed out")                \
	X(queue_full, "acceptQueueFull", "handshakes that found the accept queue full")            \
	X(limit_connections, "limitConnections", "clients over max-connections")                   \
	X(limit_source, "limitSource", "clients over max-connections-per-source")                  \
	X(limit_rate, "limitRate", "clients over connections-per-minute-per-source")               \
	X(banned, "banned", "SYNs and cookies of banned sources, ignored")                         \
	X(bans, "bans", "times that a source was banned for its offences")                         \
	X(proxy_strangers, "proxyStrangers",                                                       \
	  "SYNs to proxied listeners from elsewhere than proxy-from")                              \
	X(headers_refused, "headersRefused", "connections without a good PROXY header")            \
	X(not_accepting, "notAccepting", "SYNs ignored while no new connections were taken")       \
	X(busy_dropped, "busyDropped", "clients over a limit that got nothing")                    \
	X(busy_reset, "busyReset", "clients over a limit that got RST")                            \
	X(busy_message, "busyMessage", "clients over a limit that got the message")                \
	X(orphans_ended, "orphansEnded", "connections without a session reset to make room")       \
	X(time_wait_full, "timeWaitFull", "TIME-WAIT entries ended early for a new one")           \
	X(time_wait_reused, "timeWaitReused", "TIME-WAIT pairs opened again by a newer SYN")       \
	X(icmp_held, "icmpHeld", "too-big errors that wait for a time-out to confirm them")        \
	X(pmtu_probes, "pathMtuProbes", "segments sent to try a larger path MTU")                  \
	X(pmtu_probes_lost, "pathMtuProbesLost", "of these, lost")                                 \
	X(pmtu_black_holes, "pathMtuBlackHoles", "times that large segments stopped arriving")     \
	X(icmp_in, "icmpIn", "ICMP errors about our connections that were believed")               \
	X(icmp_ignored, "icmpIgnored", "ICMP errors that quoted nothing of ours in flight")        \
	X(entries_dropped, "entriesDropped",                                                       \
	  "entries of the connection table that a new master found damaged")                       \
	X(ring_errors, "ringErrors", "connections ended for what their worker wrote to its ring")  \
	X(out_full, "outBatchFull", "control segments dropped because the batch was full")

struct stack_stats {
#define STACK_STATS_FIELD(field, name, what) uint64_t field;
	STACK_STATS(STACK_STATS_FIELD)
#undef STACK_STATS_FIELD
};

/* The same for one connection; in the connection table. */
struct conn_counters {
	uint64_t segs_in, segs_out;
	uint64_t bytes_in, bytes_out; /* payload, each byte once */
	uint64_t bytes_retransmitted;
	uint32_t segs_retransmitted;
	uint32_t timeouts;
	uint32_t fast_recoveries;
	uint32_t dup_acks_in;
	uint32_t out_of_order_in;
	uint32_t zero_window_probes;
	uint32_t keepalive_probes;
	uint32_t soft_errors; /* ICMP errors that may pass, or are not believed (RFC 5461) */
	uint32_t ce_in;
	uint32_t ecn_reductions;
};

#endif
