/*
 * The numbers of the telnet protocol: RFC 854 (commands), RFC 855 (options) and
 * the options' own: 856 BINARY, 857 ECHO, 858 SUPPRESS GO AHEAD, 1091 TERMINAL
 * TYPE, 1073 NAWS, 1184 (EOF, SUSP and ABORT).
 */
#ifndef SHELL_TELNET_H
#define SHELL_TELNET_H

enum telnet_command {
	TELNET_EOF = 236,
	TELNET_SUSP = 237,
	TELNET_ABORT = 238,
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
	TELOPT_BINARY = 0,
	TELOPT_ECHO = 1,
	TELOPT_SGA = 3,
	TELOPT_TTYPE = 24,
	TELOPT_NAWS = 31,
};

/* First byte of a TERMINAL TYPE subnegotiation. */
enum telnet_ttype {
	TELNET_TTYPE_IS = 0,
	TELNET_TTYPE_SEND = 1,
};

#endif
