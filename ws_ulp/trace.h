/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Tracepoints ws:*. Documentation/networking/ws-stat.rst explains them. They
 * show a socket's address (hashed), family and ports, never payload.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM ws

#if !defined(_WS_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define _WS_TRACE_H

#include <linux/tracepoint.h>
#include <net/inet_sock.h>
#include <uapi/linux/ws.h>

/* What each event tells of its socket. */
#define WS_SOCK_FIELDS							\
	__field(const struct sock *, skaddr)				\
	__field(__u16, family)						\
	__field(__u16, sport)						\
	__field(__u16, dport)

#define WS_SOCK_ASSIGN(sk)						\
	do {								\
		__entry->skaddr = (sk);					\
		__entry->family = (sk)->sk_family;			\
		__entry->sport = ntohs(inet_sk(sk)->inet_sport);	\
		__entry->dport = ntohs(inet_sk(sk)->inet_dport);	\
	} while (0)

#define WS_SOCK_PRINTK(fmt, ...)					\
	TP_printk("family=%s sport=%u dport=%u skaddr=%p " fmt,		\
		  __print_symbolic(__entry->family,			\
				   { AF_INET, "AF_INET" },		\
				   { AF_INET6, "AF_INET6" }),		\
		  __entry->sport, __entry->dport, __entry->skaddr,	\
		  __VA_ARGS__)

#define ws_show_role(role)						\
	__print_symbolic(role,						\
			 { WS_SERVER, "server" },			\
			 { WS_CLIENT, "client" })

#define ws_show_opcode(opcode)						\
	__print_symbolic(opcode,					\
			 { WS_OP_CONT, "cont" },			\
			 { WS_OP_TEXT, "text" },			\
			 { WS_OP_BINARY, "binary" },			\
			 { WS_OP_CLOSE, "close" },			\
			 { WS_OP_PING, "ping" },			\
			 { WS_OP_PONG, "pong" })

TRACE_EVENT(ws_attach,
	    TP_PROTO(const struct sock *sk, int role),
	    TP_ARGS(sk, role),
	    TP_STRUCT__entry(WS_SOCK_FIELDS
			     __field(int, role)),
	    TP_fast_assign(WS_SOCK_ASSIGN(sk);
			   __entry->role = role;),
	    WS_SOCK_PRINTK("role=%s", ws_show_role(__entry->role))
);

/* b0: first byte of the frame; len: payload bytes */
DECLARE_EVENT_CLASS(ws_frame,
		    TP_PROTO(const struct sock *sk, u8 b0, u64 len),
		    TP_ARGS(sk, b0, len),
		    TP_STRUCT__entry(WS_SOCK_FIELDS
				     __field(__u8, b0)
				     __field(__u64, len)),
		    TP_fast_assign(WS_SOCK_ASSIGN(sk);
				   __entry->b0 = b0;
				   __entry->len = len;),
		    WS_SOCK_PRINTK("fin=%u rsv=0x%02x opcode=%s len=%llu",
				   __entry->b0 >> 7,
				   __entry->b0 & WS_RSV_MASK,
				   ws_show_opcode(__entry->b0 & 0xf),
				   __entry->len)
);

DEFINE_EVENT(ws_frame, ws_rx_frame,
	     TP_PROTO(const struct sock *sk, u8 b0, u64 len),
	     TP_ARGS(sk, b0, len)
);

DEFINE_EVENT(ws_frame, ws_tx_frame,
	     TP_PROTO(const struct sock *sk, u8 b0, u64 len),
	     TP_ARGS(sk, b0, len)
);

/* sent: our Close, else the peer's */
TRACE_EVENT(ws_close,
	    TP_PROTO(const struct sock *sk, bool sent, u16 code),
	    TP_ARGS(sk, sent, code),
	    TP_STRUCT__entry(WS_SOCK_FIELDS
			     __field(__u16, code)
			     __field(bool, sent)),
	    TP_fast_assign(WS_SOCK_ASSIGN(sk);
			   __entry->code = code;
			   __entry->sent = sent;),
	    WS_SOCK_PRINTK("sent=%d code=%u", __entry->sent, __entry->code)
);

/* err: positive errno that the application gets */
TRACE_EVENT(ws_fail,
	    TP_PROTO(const struct sock *sk, u16 code, int err),
	    TP_ARGS(sk, code, err),
	    TP_STRUCT__entry(WS_SOCK_FIELDS
			     __field(__u16, code)
			     __field(int, err)),
	    TP_fast_assign(WS_SOCK_ASSIGN(sk);
			   __entry->code = code;
			   __entry->err = err;),
	    WS_SOCK_PRINTK("code=%u err=%d", __entry->code, __entry->err)
);

/* what: the time limit that ran out */
TRACE_EVENT(ws_expire,
	    TP_PROTO(const struct sock *sk, const char *what),
	    TP_ARGS(sk, what),
	    TP_STRUCT__entry(WS_SOCK_FIELDS
			     __string(what, what)),
	    TP_fast_assign(WS_SOCK_ASSIGN(sk);
			   __assign_str(what);),
	    WS_SOCK_PRINTK("what=%s", __get_str(what))
);

#endif /* _WS_TRACE_H */

/* Found through the -I of CFLAGS_trace.o. */
#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
