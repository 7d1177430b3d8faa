/* SPDX-License-Identifier: GPL-2.0 */
/* What the files of the wsup program share. */
#ifndef _WSUP_PROGRAM_H
#define _WSUP_PROGRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdnoreturn.h>
#include <sys/types.h>

#include "../libwsup/wsup.h"

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

/* Exit codes: of usage errors, and of everything else that fails. */
#define EXIT_USAGE	2

struct command {
	const char	*name;
	int		(*run)(int argc, char **argv);
	const char	*summary;
};

extern const char *command_name;	/* "connect"; for messages */

int cmd_accept(int argc, char **argv);
int cmd_attach(int argc, char **argv);
int cmd_doctor(int argc, char **argv);
int cmd_info(int argc, char **argv);
int cmd_connect(int argc, char **argv);
int cmd_serve(int argc, char **argv);
int cmd_stat(int argc, char **argv);

#define __printf(f, a)	__attribute__((__format__(__printf__, f, a)))

void complain(const char *fmt, ...) __printf(1, 2);
noreturn void die(const char *fmt, ...) __printf(1, 2);
noreturn void die_usage(const char *fmt, ...) __printf(1, 2);
long parse_number(const char *option, const char *text, long min, long max);
long parse_time(const char *option, const char *text, long unit, long min,
		long max);
void warn_foreign(bool given, const char *option, const char *where);
void add_text(struct wsup_config *config, enum wsup_text what,
	      const char *option, const char *value);
struct wsup_config *new_config(void);
long now_ms(void);
void set_int(int fd, int option, int value);

struct addrinfo;

struct addrinfo *parse_address(const char *text);
void print_address(int fd, char *text, size_t size);

#endif /* _WSUP_PROGRAM_H */
