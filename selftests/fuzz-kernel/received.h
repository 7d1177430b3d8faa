/* SPDX-License-Identifier: GPL-2.0 */
#ifndef WS_FUZZ_RECEIVED_H
#define WS_FUZZ_RECEIVED_H

#include <stdint.h>

/* Bytes that TCP has in order; its FIN counts as one. Return: 0, -1 */
int received_now(int fd, uint64_t *bytes);

#endif
