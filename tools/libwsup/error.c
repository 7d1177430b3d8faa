// SPDX-License-Identifier: BSD-2-Clause
/* Sentences for errors, and phrases for HTTP's status codes. */
#include <string.h>

#include "internal.h"

#define S(error)	[(error) - WSUP_ESYNTAX]

static const char * const sentences[] = {
	S(WSUP_ESYNTAX)		= "what came is not HTTP/1.1",
	S(WSUP_ELIMIT)		= "the head is larger than allowed",
	S(WSUP_EEOF)		= "the peer closed before the handshake ended",
	S(WSUP_EHTTP)		= "the request was answered without an upgrade",
	S(WSUP_ESTATUS)		= "the server does not upgrade",
	S(WSUP_EUPGRADE)		= "the server upgrades, but not to WebSocket",
	S(WSUP_EACCEPT)		= "the server's Sec-WebSocket-Accept is wrong",
	S(WSUP_ESUBPROTOCOL)	= "the server chose a subprotocol that was not offered",
	S(WSUP_EEXTENSION)	= "the server chose an extension that was not offered",
	S(WSUP_EAUTH)		= "credentials are missing or refused",
	S(WSUP_EREDIRECT)	= "redirected to nowhere, or too often",
	S(WSUP_EPROXY)		= "the proxy refuses",
	S(WSUP_ERESOLVE)		= "no address is known for this name",
	S(WSUP_EURL)		= "not a ws:// URL",
};

const char *wsup_strerror(int error)
{
	const char *s = NULL;

	if (error >= 0)
		return "no error";
	if (-error < WSUP_ESYNTAX)
		s = strerrordesc_np(-error);
	else if (-error - WSUP_ESYNTAX < (int)ARRAY_SIZE(sentences))
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
