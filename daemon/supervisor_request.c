/*
 * What control clients ask of the supervisor. The request comes from the master
 * (MESSAGE_PRIV_RELOAD and its like), has no arguments, and is answered once, with
 * MESSAGE_ANSWER: the master passes that on to the client, if it still waits.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "daemon/supervisor_state.h"

void notes_add(struct notes *notes, const char *format, ...)
{
	char *end = notes->text + notes->length;
	size_t room = sizeof(notes->text) - notes->length;
	va_list arguments;

	va_start(arguments, format);
	int length = vsnprintf(end, room, format, arguments);
	va_end(arguments);
	if (length < 0 || (size_t)length + 1 >= room) {
		*end = '\0';
		return;
	}
	for (char *c = end; *c != '\0'; c++) {
		if (*c < ' ' || *c > '~')
			*c = '?';
	}
	end[length] = '\n';
	end[length + 1] = '\0';
	notes->length += (size_t)length + 1;
}

void request_answer(struct supervisor *s, const struct message_request *request, bool done,
                    const struct notes *notes)
{
	struct {
		struct message_answer head;
		char text[MESSAGE_ANSWER_TEXT_MAX];
	} answer = {.head = {.client = request->client, .done = done}};
	size_t length = notes->length;

	if (length > 0 && !done)
		length--; /* its newline: one line */
	memcpy(answer.text, notes->text, length);
	channel_send(&s->master.channel, MESSAGE_ANSWER, &answer, sizeof(answer.head) + length,
	             NULL, 0);
}

/* New connections are taken or not; a master to come is told the same. */
static void set_draining(struct supervisor *s, const struct message_request *request, bool draining)
{
	struct notes notes = {0};

	if (s->stage != END_NOT) {
		notes_add(&notes, "calmd is ending");
		request_answer(s, request, false, &notes);
		return;
	}
	s->master_config.draining = draining;
	master_tell_config(s);
	lobby_note_facts(s);
	log_info(draining ? "draining: no new connections are taken"
	                  : "new connections are taken again");
	request_answer(s, request, true, &notes);
}

void root_drain(struct supervisor *s, const struct message_request *request)
{
	set_draining(s, request, true);
}

void root_resume(struct supervisor *s, const struct message_request *request)
{
	set_draining(s, request, false);
}
