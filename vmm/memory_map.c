/* SPDX-License-Identifier: MIT */
#include "memory_map.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd.h"
#include "numbers.h"
#include "output.h"

#define BLANKS    " \t\r\n"
#define WORDS_MAX 7
#define LINE_ROOM 4096 /* a file that is no map, or a device, may have no end of line at all */

static void complain(const char *path, unsigned line, const char *format, va_list arguments)
{
	char text[256];

	(void)vsnprintf(text, sizeof text, format, arguments);
	output_complain("%s:%u: %s", path, line, text);
}

void memory_map_complain(
	const struct memory_map *map, const struct memory_range *range, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	complain(map->path, range->line, format, arguments);
	va_end(arguments);
}

static bool parse_rights(const char *text, pw_rights *rights)
{
	static const struct {
		char letter;
		pw_rights right;
	} letters[] = {{'r', PW_R}, {'w', PW_W}, {'x', PW_X}};
	size_t length = strlen(text);

	*rights = 0;
	if (length == 0 || length > 3)
		return false;
	for (size_t i = 0; i < length; i++) {
		bool known = text[i] == '-';

		for (size_t j = 0; j < 3; j++) {
			if (text[i] != letters[j].letter)
				continue;
			if (*rights & letters[j].right)
				return false;
			*rights |= letters[j].right;
			known = true;
		}
		if (!known)
			return false;
	}
	return true;
}

static bool parse_type(const char *text, pw_rights *type)
{
	static const struct {
		const char *name;
		pw_rights type;
	} types[] = {{"uc", PW_MEM_UC}, {"wc", PW_MEM_WC}, {"wt", PW_MEM_WT}, {"wp", PW_MEM_WP},
		{"wb", PW_MEM_WB}};

	for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
		if (strcmp(text, types[i].name) == 0) {
			*type = types[i].type;
			return true;
		}
	}
	return false;
}

/* What is wrong with the words of a line, or NULL. *word: the one it is about. */
static const char *parse_words(
	char *const words[], size_t count, struct memory_range *range, const char **word)
{
	size_t at = 2;
	pw_rights type = PW_MEM_WB;

	*word = words[0];
	if (count < 3)
		return "is not a range: FIRST LAST [-> HOST] RIGHTS [TYPE]";
	if (!number_parse(words[0], &range->first))
		return "is not a number";
	*word = words[1];
	if (!number_parse(words[1], &range->last))
		return "is not a number";
	if (range->last < range->first)
		return "lies before FIRST";
	range->host = range->first;
	if (strcmp(words[2], "->") == 0) {
		*word = words[count > 3 ? 3 : 2];
		if (count < 5 || !number_parse(words[3], &range->host))
			return "is not a HOST address followed by RIGHTS";
		at = 4;
	}
	*word = words[at];
	if (!parse_rights(words[at], &range->rights))
		return "is not RIGHTS: the letters r, w, x, or - for one that is missing";
	if (++at < count) {
		*word = words[at];
		if (!parse_type(words[at], &type))
			return "is not a memory type: uc, wc, wt, wp or wb";
		at++;
	}
	range->rights |= type;
	*word = at < count ? words[at] : words[0];
	return at < count ? "is too much" : NULL;
}

/* EXIT_DATA with *has telling whether the line holds a range. */
static int parse_line(
	const char *path, unsigned number, char *line, struct memory_range *range, bool *has)
{
	char *words[WORDS_MAX], *rest = NULL;
	size_t count = 0;
	const char *word, *wrong;

	line[strcspn(line, "#")] = '\0';
	for (char *next = strtok_r(line, BLANKS, &rest); next != NULL && count < WORDS_MAX;
		next = strtok_r(NULL, BLANKS, &rest))
		words[count++] = next;
	*has = count > 0;
	if (count == 0)
		return EXIT_DATA;
	range->line = number;
	wrong = parse_words(words, count, range, &word);
	if (wrong == NULL)
		return EXIT_DATA;
	output_complain("%s:%u: '%s' %s", path, number, word, wrong);
	return EXIT_USAGE;
}

static bool append(struct memory_map *map, size_t *room, const struct memory_range *range)
{
	if (map->count == *room) {
		size_t more = *room ? *room * 2 : 16;
		struct memory_range *ranges = reallocarray(map->ranges, more, sizeof *map->ranges);

		if (ranges == NULL) {
			output_out_of_memory();
			return false;
		}
		map->ranges = ranges;
		*room = more;
	}
	map->ranges[map->count++] = *range;
	return true;
}

/* The next line with its end, as far as there is room; its length, 0 at the end of the file. */
static size_t read_line(FILE *file, char line[LINE_ROOM])
{
	size_t length = 0;
	int byte;

	while (length < LINE_ROOM - 1 && (byte = getc(file)) != EOF) {
		line[length++] = (char)byte;
		if (byte == '\n')
			break;
	}
	line[length] = '\0';
	return length;
}

/* What keeps it from being a line of text, or NULL. */
static const char *wrong_with_line(const char *line, size_t length)
{
	if (strlen(line) != length)
		return "there is a zero byte";
	if (length == LINE_ROOM - 1 && line[length - 1] != '\n')
		return "the line is too long";
	return NULL;
}

static int read_lines(struct memory_map *map, FILE *file, char line[LINE_ROOM])
{
	size_t room = 0, length;
	int status = EXIT_DATA;
	unsigned number = 0;

	while (status == EXIT_DATA && (length = read_line(file, line)) > 0) {
		struct memory_range range = {.first = 0};
		const char *wrong = wrong_with_line(line, length);
		bool has = false;

		number++;
		if (wrong != NULL) {
			output_complain("%s:%u: %s", map->path, number, wrong);
			return EXIT_USAGE;
		}
		status = parse_line(map->path, number, line, &range, &has);
		if (status == EXIT_DATA && has && !append(map, &room, &range))
			status = EXIT_SOURCE;
	}
	if (status == EXIT_DATA && ferror(file)) {
		output_complain("cannot read '%s': %s", map->path, strerror(errno));
		status = EXIT_SOURCE;
	}
	return status;
}

int memory_map_read(struct memory_map *map, const char *path)
{
	FILE *file = fopen(path, "re");
	char line[LINE_ROOM];
	int status;

	*map = (struct memory_map){.path = path};
	if (file == NULL) {
		output_complain("cannot open '%s': %s", path, strerror(errno));
		return EXIT_SOURCE;
	}
	status = read_lines(map, file, line);
	(void)fclose(file);
	if (status == EXIT_DATA && map->count == 0) {
		output_complain("%s: there is no range in it", path);
		status = EXIT_USAGE;
	}
	if (status != EXIT_DATA)
		memory_map_free(map);
	return status;
}

void memory_map_free(struct memory_map *map)
{
	free(map->ranges);
	map->ranges = NULL;
	map->count = 0;
}
