/* Window size, NAWS (RFC 1073): two numbers of 16 bits; 0 leaves to us what it is. */
#include "shell/option.h"

void option_naws_receive(struct negotiation *negotiation, const uint8_t *body, size_t length)
{
	if (length != 4)
		return;
	uint16_t columns = (uint16_t)(body[0] << 8 | body[1]);
	uint16_t rows = (uint16_t)(body[2] << 8 | body[3]);

	negotiation->window_known = true;
	if (columns != 0 && columns != negotiation->columns) {
		negotiation->columns = columns;
		negotiation->window_changed = true;
	}
	if (rows != 0 && rows != negotiation->rows) {
		negotiation->rows = rows;
		negotiation->window_changed = true;
	}
}
