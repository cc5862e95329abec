/* SPDX-License-Identifier: MIT */
#include "output.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define COMPLAINT_BYTES     1024
#define STDOUT_BUFFER_BYTES 65536

static const char *command_name = "pagewalk";
static char stdout_buffer[STDOUT_BUFFER_BYTES];
static int write_error; /* errno of the first failed write */
static bool out_of_memory;
static bool progress_shown;

void output_begin(void)
{
	/* Reading from stdin and writing to stdout fail with EBADF, as if they were still closed.
	 */
	static const int modes[] = {O_WRONLY, O_RDONLY, O_RDWR};
	struct sigaction ignore = {.sa_handler = SIG_IGN};

	for (int fd = 0; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) == -1 && errno == EBADF)
			(void)open("/dev/null", modes[fd]);
	/* A pipe without a reader, and the limit of file sizes, become errors of write(). */
	(void)sigaction(SIGPIPE, &ignore, NULL);
	(void)sigaction(SIGXFSZ, &ignore, NULL);
	(void)setvbuf(stdout, stdout_buffer, _IOFBF, sizeof stdout_buffer);
}

void output_set_name(const char *name)
{
	command_name = name;
}

static void note_write_error(void)
{
	if (write_error == 0)
		write_error = errno != 0 ? errno : EIO;
}

void output_text(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	if (vfprintf(stdout, format, arguments) < 0)
		note_write_error();
	va_end(arguments);
}

void output_bytes(const void *bytes, size_t count)
{
	if (fwrite(bytes, 1, count, stdout) != count)
		note_write_error();
}

void output_record(json_t *record)
{
	if (record == NULL) {
		output_out_of_memory();
		return;
	}
	errno = 0;
	if (json_dumpf(record, stdout, JSON_COMPACT | JSON_PRESERVE_ORDER) != 0 ||
		putc('\n', stdout) == EOF) {
		if (ferror(stdout))
			note_write_error();
		else
			output_out_of_memory();
	}
	json_decref(record);
}

void output_help(const struct argp_state *state, unsigned flags)
{
	argp_state_help(state, stdout, flags);
}

void output_flush(void)
{
	if (fflush(stdout) == EOF)
		note_write_error();
}

bool output_failed(void)
{
	return write_error != 0 || out_of_memory;
}

void output_out_of_memory(void)
{
	out_of_memory = true;
}

bool output_end(void)
{
	bool pending = write_error == 0;

	output_progress("%s", "");
	if (pending)
		output_flush();
	/* A file system may report a lack of space only here. EBADF: stdout was never open. */
	if (fclose(stdout) == EOF && pending && errno != EBADF)
		note_write_error();
	if (out_of_memory)
		output_complain("there is not enough memory for the answer");
	else if (write_error != 0)
		output_complain("cannot write the output: %s", strerror(write_error));
	return !output_failed();
}

static void defuse(char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < ' ' || *text == '\177')
			*text = '?';
}

void output_complain(const char *format, ...)
{
	char text[COMPLAINT_BYTES];
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(text, sizeof text, format, arguments);
	va_end(arguments);
	defuse(text);
	output_progress("%s", "");
	(void)fprintf(stderr, "%s: %s\n", command_name, text);
}

bool output_progress_is_seen(void)
{
	return isatty(STDERR_FILENO) && !isatty(STDOUT_FILENO);
}

void output_progress(const char *format, ...)
{
	char text[COMPLAINT_BYTES];
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(text, sizeof text, format, arguments);
	va_end(arguments);
	if (text[0] == '\0' && !progress_shown)
		return;
	progress_shown = text[0] != '\0';
	(void)fprintf(stderr, "\r\033[K%s", text);
	(void)fflush(stderr);
}
