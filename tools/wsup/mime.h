/* SPDX-License-Identifier: GPL-2.0 */
/* Media types of files, by their names. */
#ifndef _WSUP_MIME_H
#define _WSUP_MIME_H

void mime_load(const char *path);
const char *mime_type(const char *name);

#endif /* _WSUP_MIME_H */
