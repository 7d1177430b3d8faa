/* SPDX-License-Identifier: GPL-2.0 */
/* What the pure files may use, in the kernel and outside of it. */
#ifndef _WS_PURE_H
#define _WS_PURE_H

#ifdef __KERNEL__
#include <linux/string.h>
#include <linux/types.h>
#include <linux/unaligned.h>
#else
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;

#define likely(x)	__builtin_expect(!!(x), 1)
#define unlikely(x)	__builtin_expect(!!(x), 0)
#endif

/* A byte that others may write to meanwhile, as READ_ONCE() reads it. */
#define READ_BYTE(p)	(*(const volatile u8 *)(p))

#endif /* _WS_PURE_H */
