/*
 * Somebody off the path: forges segments and ICMP errors for a connection whose ports
 * and addresses it knows, and whose numbers it has nearly guessed, but never all that
 * RFC 5961 and 5927 ask for. None of it may harm the connection.
 */
#ifndef TESTS_SIM_STRANGER_H
#define TESTS_SIM_STRANGER_H

#include "tests/sim/party.h"

/* One forgery for one of PARTY's connections, or for its listener. */
void stranger_strikes(struct party *party, struct random *random);

#endif
