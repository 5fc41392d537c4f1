/*
 * Keeps everything off a CPU, so that what is measured stays on the other ones.
 */
#ifndef BENCH_OCCUPY_H
#define BENCH_OCCUPY_H

/*
 * Fills `cpu` with a busy loop of the highest weight, until this program ends. Ends the program with a
 * message if it may not.
 */
void occupy_cpu(unsigned int cpu);

#endif
