/*
 * Remote flow control, TOGGLE-FLOW-CONTROL (RFC 1372): whether the client's own
 * XOFF and XON are to stop and start its output, which takes effect at once,
 * however much is under way. It is on while the pty has IXON.
 */
#include "shell/option.h"
#include "shell/telnet.h"

enum lflow_code {
	LFLOW_OFF = 0,
	LFLOW_ON = 1,
	LFLOW_RESTART_ANY = 2,
	LFLOW_RESTART_XON = 3,
};

void option_lflow_tell(struct negotiation *negotiation, bool on, bool any,
                       struct telnet_reply *reply)
{
	struct lflow *lflow = &negotiation->lflow;
	const uint8_t restart[] = {any ? LFLOW_RESTART_ANY : LFLOW_RESTART_XON};
	const uint8_t toggle[] = {on ? LFLOW_ON : LFLOW_OFF};

	if (!negotiate_they_do(negotiation, NEGOTIATE_LFLOW))
		return;
	if (!lflow->told || lflow->any != any)
		telnet_reply_subnegotiation(reply, TELOPT_LFLOW, restart, 1);
	if (!lflow->told || lflow->on != on)
		telnet_reply_subnegotiation(reply, TELOPT_LFLOW, toggle, 1);
	*lflow = (struct lflow){.told = true, .on = on, .any = any};
}
