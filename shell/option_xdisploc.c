/* X display location (RFC 1096): "host:display.screen", the first time only. */
#include <string.h>

#include "shell/option.h"
#include "shell/session_data.h"
#include "shell/telnet.h"

void option_xdisploc_receive(struct negotiation *negotiation, const uint8_t *body, size_t length)
{
	char *display = negotiation->display;

	if (body[0] != TELNET_IS || negotiation->display_known)
		return;
	negotiation->display_known = true;
	if (length > sizeof(negotiation->display))
		return;
	memset(display, 0, sizeof(negotiation->display));
	memcpy(display, body + 1, length - 1);
	/* A NUL in the middle would hide what follows it. */
	if (strlen(display) != length - 1 ||
	    !session_display_valid(display, sizeof(negotiation->display)))
		display[0] = '\0';
}
