// SPDX-License-Identifier: BSD-2-Clause
/* Sentences for errors, and phrases for HTTP's status codes. */
#include <string.h>

#include "internal.h"

static const char * const sentences[] = {
	[WSUP_ESYNTAX - WSUP_ESYNTAX] =
		"what came is not HTTP/1.1",
	[WSUP_ELIMIT - WSUP_ESYNTAX] =
		"the head is larger than allowed",
	[WSUP_EEOF - WSUP_ESYNTAX] =
		"the peer closed before the handshake ended",
	[WSUP_EHTTP - WSUP_ESYNTAX] =
		"the request was answered without an upgrade",
	[WSUP_ESTATUS - WSUP_ESYNTAX] =
		"the server does not upgrade",
	[WSUP_EUPGRADE - WSUP_ESYNTAX] =
		"the server upgrades, but not to WebSocket",
	[WSUP_EACCEPT - WSUP_ESYNTAX] =
		"the server's Sec-WebSocket-Accept is wrong",
	[WSUP_ESUBPROTOCOL - WSUP_ESYNTAX] =
		"the server chose a subprotocol that was not offered",
	[WSUP_EEXTENSION - WSUP_ESYNTAX] =
		"the server chose an extension that was not offered",
	[WSUP_EAUTH - WSUP_ESYNTAX] =
		"credentials are missing or refused",
	[WSUP_EREDIRECT - WSUP_ESYNTAX] =
		"redirected to nowhere, or too often",
	[WSUP_EPROXY - WSUP_ESYNTAX] =
		"the proxy refuses",
	[WSUP_ERESOLVE - WSUP_ESYNTAX] =
		"no address is known for this name",
	[WSUP_EURL - WSUP_ESYNTAX] =
		"not a ws:// URL",
};

const char *wsup_strerror(int error)
{
	const char *s = NULL;

	if (error >= 0)
		return "no error";
	if (error > -WSUP_ESYNTAX)
		s = strerrordesc_np(-error);
	else if (error > -WSUP_ESYNTAX - (int)ARRAY_SIZE(sentences))
		s = sentences[-error - WSUP_ESYNTAX];
	return s ? s : "unknown error";
}

/**
 * status_phrase() - reason phrase for a status
 * @status: 100 to 599
 *
 * Return: a phrase, "" for what is not known.
 */
const char *status_phrase(int status)
{
	static const struct {
		int status;
		const char *phrase;
	} known[] = {
		{ 101, "Switching Protocols" },
		{ 200, "OK" },
		{ 204, "No Content" },
		{ 206, "Partial Content" },
		{ 301, "Moved Permanently" },
		{ 302, "Found" },
		{ 304, "Not Modified" },
		{ 307, "Temporary Redirect" },
		{ 308, "Permanent Redirect" },
		{ 400, "Bad Request" },
		{ 401, "Unauthorized" },
		{ 403, "Forbidden" },
		{ 404, "Not Found" },
		{ 405, "Method Not Allowed" },
		{ 408, "Request Timeout" },
		{ 426, "Upgrade Required" },
		{ 429, "Too Many Requests" },
		{ 431, "Request Header Fields Too Large" },
		{ 500, "Internal Server Error" },
		{ 502, "Bad Gateway" },
		{ 503, "Service Unavailable" },
		{ 505, "HTTP Version Not Supported" },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(known); i++)
		if (known[i].status == status)
			return known[i].phrase;
	return "";
}
