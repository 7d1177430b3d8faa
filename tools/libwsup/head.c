// SPDX-License-Identifier: BSD-2-Clause
/*
 * Heads of HTTP messages, read with llhttp in its strict mode: what it does not
 * accept is refused, and limits are judged before anything is stored.
 *
 * The parser is paused behind each blank line, so that it is known to the byte
 * where a head ends: what follows a 101 belongs to the kernel.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

static struct head *head_of(llhttp_t *parser)
{
	return parser->data;
}

static int fail(struct head *head)
{
	head->over = true;
	return HPE_USER;
}

/* Parts of a string may come in several calls, when it was cut. */
static int on_span(llhttp_t *parser, const char *at, size_t len)
{
	return buf_add(&head_of(parser)->text, at, len) ? HPE_USER : HPE_OK;
}

/* Ends the string; returns its offset through @offset. */
static int end_string(struct head *head, uint32_t *offset)
{
	*offset = head->start;
	if (buf_add(&head->text, "", 1))
		return HPE_USER;
	head->start = (uint32_t)head->text.len;
	return HPE_OK;
}

static int on_method_complete(llhttp_t *parser)
{
	struct head *head = head_of(parser);

	return end_string(head, &head->method);
}

static int on_target_complete(llhttp_t *parser)
{
	struct head *head = head_of(parser);
	int ret = end_string(head, &head->target);

	head->raw_target = head->target;
	return ret;
}

/*
 * RFC 9112 section 6.3, 1 and 2: such a response ends with the blank line,
 * whatever its headers say.
 */
static bool has_no_body(const struct head *head)
{
	int status = head->parser.status_code;

	if (head->parser.type != HTTP_RESPONSE)
		return false;
	return status / 100 == 1 || status == 204 || status == 304 ||
	       (head->tunnel && status / 100 == 2);
}

/* To the parser, a header that has to be ignored is one like any other. */
static void ignore_length(struct head *head, const char *name)
{
	enum { GENERAL = 0 };

	if (has_no_body(head) && (ascii_same(name, "Content-Length") ||
				  ascii_same(name, "Transfer-Encoding")))
		head->parser.header_state = GENERAL;
}

/* Room for one field more */
static int reserve_field(struct head *head)
{
	size_t size = head->size ? 2 * head->size : 16;
	struct field *fields;

	if (head->n < head->size)
		return 0;
	fields = realloc(head->fields, size * sizeof(*fields));
	if (!fields)
		return head->text.error = -ENOMEM;
	head->fields = fields;
	head->size = size;
	return 0;
}

static int on_name_complete(llhttp_t *parser)
{
	struct head *head = head_of(parser);

	if (head->complete)	/* a trailer of the body */
		return HPE_OK;
	if (head->n == head->n_max)
		return fail(head);
	if (reserve_field(head))
		return HPE_USER;
	if (end_string(head, &head->fields[head->n].name))
		return HPE_USER;
	ignore_length(head, head_string(head, head->fields[head->n].name));
	return HPE_OK;
}

/* llhttp leaves the blanks in front of the line's end to its user. */
static void trim(struct head *head)
{
	struct buf *text = &head->text;
	char c;

	while (text->len > head->start) {
		c = text->data[text->len - 1];
		if (c != ' ' && c != '\t')
			break;
		text->len--;
	}
}

static int on_value_complete(llhttp_t *parser)
{
	struct head *head = head_of(parser);

	if (head->complete)
		return HPE_OK;
	trim(head);
	return end_string(head, &head->fields[head->n++].value);
}

static int on_field_span(llhttp_t *parser, const char *at, size_t len)
{
	return head_of(parser)->complete ? HPE_OK : on_span(parser, at, len);
}

static int on_headers_complete(llhttp_t *parser)
{
	head_of(parser)->complete = true;
	return HPE_PAUSED;
}

static int on_body(llhttp_t *parser, const char *at, size_t len)
{
	struct head *head = head_of(parser);
	size_t room = head->body_max - head->body.len;

	buf_add(&head->body, at, len < room ? len : room);
	return HPE_OK;
}

static int on_message_complete(llhttp_t *parser)
{
	(void)parser;
	return HPE_PAUSED;
}

static const llhttp_settings_t settings = {
	.on_method = on_span,
	.on_method_complete = on_method_complete,
	.on_url = on_span,
	.on_url_complete = on_target_complete,
	.on_status = on_span,
	.on_status_complete = on_target_complete,
	.on_header_field = on_field_span,
	.on_header_field_complete = on_name_complete,
	.on_header_value = on_field_span,
	.on_header_value_complete = on_value_complete,
	.on_headers_complete = on_headers_complete,
	.on_body = on_body,
	.on_message_complete = on_message_complete,
};

/**
 * head_init() - prepare for a first head
 * @head: zeroed
 * @type: HTTP_REQUEST or HTTP_RESPONSE
 * @config: has the limits
 *
 * Return: 0 or -ENOMEM.
 */
int head_init(struct head *head, llhttp_type_t type,
	      const struct wsup_config *config)
{
	llhttp_init(&head->parser, type, &settings);
	head->parser.data = head;
	head->bytes_max = (size_t)config->number[WSUP_HEAD_MAX];
	head->n_max = (size_t)config->number[WSUP_FIELDS_MAX];
	head->body_max = (size_t)config->number[WSUP_BODY_MAX];
	/* offset 0 is the empty string, for what never came */
	buf_add(&head->text, "", 1);
	head->start = 1;
	return head->text.error;
}

/**
 * head_restart() - forget the head, prepare for the next on this connection
 * @head: initialised
 */
void head_restart(struct head *head)
{
	llhttp_init(&head->parser, head->parser.type, &settings);
	head->parser.data = head;
	head->text.len = 1;
	head->start = 1;
	head->n = 0;
	head->bytes = 0;
	head->method = 0;
	head->target = 0;
	head->raw_target = 0;
	head->complete = false;
	head->over = false;
	head->blanks = 0;
	head->line_end = false;
	buf_reset(&head->body);
}

/**
 * head_free() - free a head's memory
 * @head: zeroed or initialised
 */
void head_free(struct head *head)
{
	buf_free(&head->text);
	buf_free(&head->body);
	free(head->fields);
	head->fields = NULL;
	head->n = 0;
}

static int verdict(const struct head *head)
{
	if (head->text.error || head->body.error)
		return -ENOMEM;
	return head->over ? -WSUP_ELIMIT : -WSUP_ESYNTAX;
}

/*
 * RFC 9112 section 3: one blank each before and behind the target. llhttp lets
 * more of them pass, and the request line of HTTP/0.9, which has but one.
 */
static bool request_line_valid(struct head *head, const char *data, size_t len)
{
	size_t i;

	for (i = 0; i < len && !head->line_end; i++) {
		head->blanks += data[i] == ' ';
		head->line_end = data[i] == '\n' && head->blanks;
	}
	return head->line_end ? head->blanks == 2 : head->blanks <= 2;
}

/* What llhttp lets pass at the beginning of a message. */
static bool start_valid(struct head *head, const char *data, size_t len)
{
	if (head->parser.type == HTTP_REQUEST)
		return request_line_valid(head, data, len);
	/* RFC 9112 section 2.2 allows empty lines before requests only */
	return head->bytes || !len || *data == 'H';
}

/**
 * head_feed() - read a piece of a head
 * @head: not complete yet
 * @data: bytes of the stream, in any cut
 * @len: how many
 * @used: receives how many of them belong to the head
 *
 * Return: IO_COMPLETE the head is there, 0 more is needed, -WSUP_ESYNTAX,
 * -WSUP_ELIMIT or -ENOMEM.
 */
int head_feed(struct head *head, const char *data, size_t len, size_t *used)
{
	size_t room = head->bytes_max - head->bytes;
	size_t n = len < room ? len : room;
	llhttp_errno_t err;

	*used = n;
	if (!start_valid(head, data, n))
		return -WSUP_ESYNTAX;
	err = llhttp_execute(&head->parser, data, n);
	if (err == HPE_PAUSED && head->complete) {
		*used = (size_t)(llhttp_get_error_pos(&head->parser) - data);
		head->bytes += *used;
		return IO_COMPLETE;
	}
	head->bytes += n;
	if (err != HPE_OK)
		return verdict(head);
	return head->bytes == head->bytes_max ? -WSUP_ELIMIT : 0;
}

/**
 * head_feed_body() - read a piece of what follows a response's head
 * @head: complete
 * @data: bytes of the stream, in any cut
 * @len: how many; may be 0, for a body that is empty
 * @used: receives how many of them belong to the message
 *
 * Of the body WSUP_BODY_MAX bytes are kept, the rest is thrown away.
 *
 * Return: IO_COMPLETE the message is there, 0 more is needed, -WSUP_ESYNTAX or
 * -ENOMEM.
 */
int head_feed_body(struct head *head, const char *data, size_t len,
		   size_t *used)
{
	llhttp_errno_t err;

	if (llhttp_get_errno(&head->parser) == HPE_PAUSED)
		llhttp_resume(&head->parser);
	err = llhttp_execute(&head->parser, data, len);
	*used = len;
	if (err == HPE_PAUSED) {
		*used = (size_t)(llhttp_get_error_pos(&head->parser) - data);
		return IO_COMPLETE;
	}
	return err == HPE_OK && !head->body.error ? 0 : verdict(head);
}

/**
 * head_string() - a string of a head
 * @head: head
 * @offset: from a struct field, or the head itself
 *
 * Return: NUL-terminated, valid until the head is fed again.
 */
const char *head_string(const struct head *head, uint32_t offset)
{
	return head->text.data + offset;
}

/**
 * head_next() - value of the next line of a header
 * @head: head
 * @name: in upper or lower case
 * @from: index of the field to begin at, 0 at first; moved behind the line
 *
 * Return: the value without blanks at its ends, or NULL.
 */
const char *head_next(const struct head *head, const char *name, size_t *from)
{
	const struct field *f;

	while (*from < head->n) {
		f = &head->fields[(*from)++];
		if (ascii_same(head_string(head, f->name), name))
			return head_string(head, f->value);
	}
	return NULL;
}

/**
 * head_find() - value of a header
 * @head: head
 * @name: in upper or lower case
 *
 * Return: that of its first line, without blanks at its ends, or NULL.
 */
const char *head_find(const struct head *head, const char *name)
{
	size_t from = 0;

	return head_next(head, name, &from);
}

/**
 * head_count() - how many lines a header has
 * @head: head
 * @name: in upper or lower case
 *
 * Return: 0 or more.
 */
size_t head_count(const struct head *head, const char *name)
{
	size_t from = 0, n = 0;

	while (head_next(head, name, &from))
		n++;
	return n;
}

static int add_string(struct head *head, const char *s, uint32_t *offset)
{
	uint32_t at = (uint32_t)head->text.len;

	if (!buf_add(&head->text, s, strlen(s) + 1))
		*offset = at;
	return head->text.error;
}

/**
 * head_set_target() - let another target stand for the one that came
 * @head: a complete request
 * @target: not of @head
 *
 * Return: 0 or -ENOMEM.
 */
int head_set_target(struct head *head, const char *target)
{
	return add_string(head, target, &head->target);
}

/**
 * head_set() - let a header have another value, or add it
 * @head: complete
 * @name: of the header, of which there is at most one line
 * @value: not of @head
 *
 * Return: 0 or -ENOMEM.
 */
int head_set(struct head *head, const char *name, const char *value)
{
	size_t i = 0;
	int err;

	if (head_next(head, name, &i))
		return add_string(head, value, &head->fields[i - 1].value);
	err = reserve_field(head);
	if (!err)
		err = add_string(head, name, &head->fields[head->n].name);
	if (!err)
		err = add_string(head, value, &head->fields[head->n].value);
	head->n += !err;
	return err;
}
