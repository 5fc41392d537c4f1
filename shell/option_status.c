/*
 * STATUS (RFC 859): tells the client which options calmd believes to be on, for
 * comparison with what the client believes.
 */
#include "shell/option.h"
#include "shell/telnet.h"

void option_status_receive(struct negotiation *negotiation, const uint8_t *body, size_t length,
                           struct telnet_reply *reply)
{
	uint8_t state[1 + 4 * NEGOTIATE_SLOTS] = {TELNET_IS};
	size_t at = 1;

	if (length != 1 || body[0] != TELNET_SEND)
		return;
	for (size_t i = 0; i < NEGOTIATE_SLOTS; i++) {
		enum negotiate_slot slot = (enum negotiate_slot)i;
		if (negotiate_we_do(negotiation, slot)) {
			state[at++] = TELNET_WILL;
			state[at++] = negotiate_number(slot);
		}
		if (negotiate_they_do(negotiation, slot)) {
			state[at++] = TELNET_DO;
			state[at++] = negotiate_number(slot);
		}
	}
	telnet_reply_subnegotiation(reply, TELOPT_STATUS, state, at);
}
