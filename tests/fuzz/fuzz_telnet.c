/* Telnet from the network virtual terminal; telnet.h. */
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/telnet.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	return fuzz_telnet(bytes, length, false);
}
