/*
 * Signatures of attacks, each so narrow that no client sends it by chance: a name that is
 * only strange, a variable that is only unwanted, is no attack.
 *
 *   USER         CVE-2026-24061, CVE-2007-0882, CVE-2007-0956: USER begins with "-"
 *   ENVIRONMENT  CVE-1999-0073, CVE-2026-28372 and others: LD_PRELOAD and its like
 *   SLC          CVE-2026-32746: RFC 1184 has 30 special characters; a list of more than that
 *   ENCRYPT      CVE-2011-4862: a key id of more than 64 bytes (RFC 2946), which overran it
 *
 * SIGNATURE_ENDLESS, a subnegotiation beyond all bounds, is what the parser finds.
 */
#include "shell/signature.h"

#include <stdbool.h>
#include <string.h>

#define OPTION_LINEMODE    34 /* RFC 1184 */
#define OPTION_ENCRYPT     38 /* RFC 2946 */
#define OPTION_NEW_ENVIRON 39 /* RFC 1572 */

#define LINEMODE_SLC      3
#define SLC_MOST          30 /* SLC_EEOL: the last of them */
#define ENCRYPT_ENC_KEYID 7
#define ENCRYPT_DEC_KEYID 8
#define ENCRYPT_KEY_MOST  64

enum {
	ENVIRON_IS,
	ENVIRON_SEND,
	ENVIRON_INFO
};
enum {
	CODE_VAR,
	CODE_VALUE,
	CODE_ESC,
	CODE_USERVAR
};

/* Long enough to tell the names below from others. */
#define NAME_MAX_KEPT 32u

/* Reads a name or value from *AT up to the next code; the first bytes of it to TEXT, with NUL. */
static void read_text(const uint8_t *body, size_t length, size_t *at, char text[NAME_MAX_KEPT + 1])
{
	size_t kept = 0;

	for (; *at < length && (body[*at] > CODE_USERVAR || body[*at] == CODE_ESC); (*at)++) {
		if (body[*at] == CODE_ESC && ++(*at) == length)
			break;
		if (kept < NAME_MAX_KEPT)
			text[kept++] = (char)body[*at];
	}
	text[kept] = '\0';
}

static bool begins(const char *text, const char *with)
{
	return strncmp(text, with, strlen(with)) == 0;
}

/* What makes the loader, the C library, the shell or login do something else. */
static bool dangerous(const char *name)
{
	static const char *const names[] = {
		"IFS",     "BASH_ENV",  "GCONV_PATH",       "GETCONF_DIR",
		"NLSPATH", "TTYPROMPT", "RESOLV_HOST_CONF", "CREDENTIALS_DIRECTORY",

	};

	if (begins(name, "LD_") || begins(name, "_RLD"))
		return true;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcmp(name, names[i]) == 0)
			return true;
	}
	return false;
}

static enum signature of_environment(const uint8_t *body, size_t length)
{
	char name[NAME_MAX_KEPT + 1], value[NAME_MAX_KEPT + 1];
	size_t at = 1;

	if (length == 0 || body[0] == ENVIRON_SEND || body[0] > ENVIRON_INFO)
		return SIGNATURE_NONE;
	while (at < length) {
		uint8_t code = body[at++];

		if (code != CODE_VAR && code != CODE_USERVAR)
			break;
		read_text(body, length, &at, name);
		value[0] = '\0';
		if (at < length && body[at] == CODE_VALUE) {
			at++;
			read_text(body, length, &at, value);
		}
		if (strcmp(name, "USER") == 0 && value[0] == '-')
			return SIGNATURE_USER;
		if (dangerous(name))
			return SIGNATURE_ENVIRONMENT;
	}
	return SIGNATURE_NONE;
}

enum signature signature_of(uint8_t option, const uint8_t *body, size_t length)
{
	if (length == 0)
		return SIGNATURE_NONE;
	switch (option) {
	case OPTION_NEW_ENVIRON:
		return of_environment(body, length);
	case OPTION_LINEMODE:
		return body[0] == LINEMODE_SLC && length > 1 + 3 * SLC_MOST ? SIGNATURE_SLC
		                                                            : SIGNATURE_NONE;
	case OPTION_ENCRYPT:
		return (body[0] == ENCRYPT_ENC_KEYID || body[0] == ENCRYPT_DEC_KEYID) &&
		                       length > 1 + ENCRYPT_KEY_MOST
		               ? SIGNATURE_ENCRYPT
		               : SIGNATURE_NONE;
	default:
		return SIGNATURE_NONE;
	}
}
