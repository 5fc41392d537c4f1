/*
 * The numbers of the telnet protocol: RFC 854 (commands), RFC 855 (options) and
 * the options' own. What an option's subnegotiation says is with the option
 * (option_*.c).
 */
#ifndef SHELL_TELNET_H
#define SHELL_TELNET_H

enum telnet_command {
	TELNET_EOF = 236,
	TELNET_SUSP = 237,
	TELNET_ABORT = 238,
	TELNET_EOR = 239,
	TELNET_SE = 240,
	TELNET_NOP = 241,
	TELNET_DM = 242,
	TELNET_BRK = 243,
	TELNET_IP = 244,
	TELNET_AO = 245,
	TELNET_AYT = 246,
	TELNET_EC = 247,
	TELNET_EL = 248,
	TELNET_GA = 249,
	TELNET_SB = 250,
	TELNET_WILL = 251,
	TELNET_WONT = 252,
	TELNET_DO = 253,
	TELNET_DONT = 254,
	TELNET_IAC = 255,
};

enum telnet_option {
	TELOPT_BINARY = 0,       /* RFC 856 */
	TELOPT_ECHO = 1,         /* RFC 857 */
	TELOPT_SGA = 3,          /* RFC 858, SUPPRESS GO AHEAD */
	TELOPT_STATUS = 5,       /* RFC 859 */
	TELOPT_TIMING_MARK = 6,  /* RFC 860 */
	TELOPT_LOGOUT = 18,      /* RFC 727 */
	TELOPT_TTYPE = 24,       /* RFC 1091, TERMINAL TYPE */
	TELOPT_EOR = 25,         /* RFC 885, END OF RECORD */
	TELOPT_NAWS = 31,        /* RFC 1073, window size */
	TELOPT_TSPEED = 32,      /* RFC 1079, terminal speed */
	TELOPT_LFLOW = 33,       /* RFC 1372, remote flow control */
	TELOPT_LINEMODE = 34,    /* RFC 1184 */
	TELOPT_XDISPLOC = 35,    /* RFC 1096, X display location */
	TELOPT_NEW_ENVIRON = 39, /* RFC 1572 */
	TELOPT_CHARSET = 42,     /* RFC 2066 */
};

/* First byte of the subnegotiations that ask for something and tell it. */
enum telnet_query {
	TELNET_IS = 0,
	TELNET_SEND = 1,
	TELNET_INFO = 2, /* NEW-ENVIRON only */
};

#endif
