/* What a client sends to make the master of daemon/calmd-killed crash by itself. */
#ifndef CRASH_POISON_H
#define CRASH_POISON_H

#define POISON "poison for the master"

#endif
