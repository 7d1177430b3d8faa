/* SPDX-License-Identifier: (GPL-2.0 WITH Linux-syscall-note) OR BSD-2-Clause */
/*
 * WebSocket (RFC 6455) framing in the kernel: an upper-layer protocol on TCP.
 *
 * This is the only file that kernel and user space share. Numbers are never
 * reused, structs only grow at their end, and every reserved field is zero in
 * both directions. Documentation/networking/ws.rst explains each name.
 */
#ifndef _UAPI_LINUX_WS_H
#define _UAPI_LINUX_WS_H

#include <linux/types.h>

/* Level of get/setsockopt() and of control messages: 0x5753, "WS". */
#define SOL_WS			22355

/* Name of the ULP: setsockopt(fd, IPPROTO_TCP, TCP_ULP, "ws", sizeof("ws")). */
#define WS_ULP_NAME		"ws"

/* Socket options of level SOL_WS. Unless noted the value is an int. */
#define WS_ROLE			1	/* WS_SERVER or WS_CLIENT, once */
#define WS_RX_PRELOAD		2	/* bytes, before WS_ROLE; set only */
#define WS_TX_TYPE		3	/* WS_OP_TEXT or WS_OP_BINARY */
#define WS_TX_FRAME_MAX		4	/* bytes, 125 to 1 MiB */
#define WS_RX_MODE		5	/* WS_RX_STREAM, ... */
#define WS_RX_FRAME_MAX		6	/* bytes, 0 = no limit */
#define WS_RX_MESSAGE_MAX	7	/* bytes, 0 = no limit */
#define WS_RX_FRAGMENTS_MAX	8	/* frames of a message, 0 = no limit */
#define WS_UTF8			9	/* 0 or 1: check received text */
#define WS_RX_CTRL		10	/* WS_CTRL_* mask: deliver these */
#define WS_PING_INTERVAL	11	/* ms, 0 = off */
#define WS_PING_TIMEOUT		12	/* ms, 0 = off */
#define WS_RX_STALL_TIMEOUT	13	/* ms, 0 = off */
#define WS_AUTO_PONG		14	/* 0 or 1 */
#define WS_AUTO_CLOSE		15	/* 0 or 1 */
#define WS_CLOSE_TIMEOUT	16	/* ms from sending Close, at least 1 */
#define WS_CLOSE		17	/* struct ws_close */
#define WS_EXT			18	/* WS_RSV* and WS_EXT_OP() bits */
#define WS_INFO			19	/* struct ws_info; get only */

/*
 * Control messages of level SOL_WS.
 * sendmsg(): WS_TX_TYPE (int: an opcode, or'ed with the WS_RSV* bits that
 * WS_EXT allows) and WS_RECORDS (array of struct ws_txrec).
 * recvmsg(): WS_FRAME (struct ws_frame).
 */
#define WS_FRAME		32
#define WS_RECORDS		33

/* WS_ROLE */
#define WS_SERVER		1
#define WS_CLIENT		2

/* WS_RX_MODE */
#define WS_RX_STREAM		0	/* bytes as they arrive */
#define WS_RX_MESSAGE		1	/* wake for whole messages */
#define WS_RX_RECORDS		2	/* many messages in one buffer */

/* Opcodes, RFC 6455 section 11.8. */
#define WS_OP_CONT		0x0
#define WS_OP_TEXT		0x1
#define WS_OP_BINARY		0x2
#define WS_OP_CLOSE		0x8
#define WS_OP_PING		0x9
#define WS_OP_PONG		0xa

/* Reserved bits, as they stand in the first byte of a frame. */
#define WS_RSV1			0x40
#define WS_RSV2			0x20
#define WS_RSV3			0x10
#define WS_RSV_MASK		0x70

/* WS_EXT: reserved opcodes 3 to 7 and 11 to 15, at bits 8 + opcode. */
#define WS_EXT_OP(opcode)	(1 << (8 + (opcode)))

/* WS_RX_CTRL */
#define WS_CTRL_CLOSE		0x1
#define WS_CTRL_PING		0x2
#define WS_CTRL_PONG		0x4

/* Flags of struct ws_frame, struct ws_rec and struct ws_txrec. */
#define WS_F_FIN		0x01	/* last frame of its message */
#define WS_F_FIRST		0x02	/* starts with a message's first byte */
#define WS_F_MORE		0x04	/* ws_rec: the message goes on */
#define WS_F_RSV1		0x40
#define WS_F_RSV2		0x20
#define WS_F_RSV3		0x10

/**
 * struct ws_frame - control message of recvmsg(): what the bytes belong to
 * @opcode: opcode of the message (of its first frame), or of a control frame
 * @flags: WS_F_FIN: the frame that the bytes end in is the message's last;
 *	WS_F_FIRST: the bytes start the message; WS_F_RSVn: bits of the first
 *	frame
 * @reserved: zero
 * @reserved2: zero
 * @left: payload bytes of this frame that follow after the returned ones
 */
struct ws_frame {
	__u8	opcode;
	__u8	flags;
	__u16	reserved;
	__u32	reserved2;
	__aligned_u64 left;
};

/**
 * struct ws_rec - head of each record that WS_RX_RECORDS writes
 * @len: bytes of payload that follow, before padding to a multiple of 8
 * @opcode: opcode of the message
 * @flags: WS_F_*
 * @reserved: zero
 */
struct ws_rec {
	__u32	len;
	__u8	opcode;
	__u8	flags;
	__u16	reserved;
};

/**
 * struct ws_txrec - one message of a WS_RECORDS control message
 * @len: bytes of payload, taken from the call's buffers in order
 * @opcode: WS_OP_*
 * @flags: WS_F_FIN (required) and WS_F_RSVn
 * @reserved: zero
 */
struct ws_txrec {
	__u32	len;
	__u8	opcode;
	__u8	flags;
	__u16	reserved;
};

#define WS_REASON_MAX		123

/**
 * struct ws_close - Close code and reason
 * @code: status code in host order, RFC 6455 section 7.4
 * @len: bytes of @reason that are valid, at most WS_REASON_MAX
 * @reason: UTF-8
 * @by: zero when set; WS_CLOSE_BY_* when read
 *
 * Setting takes at least 4 + @len bytes and stores what the next shutdown()
 * or close() sends. Reading tells how the connection ended: the peer's code
 * where it sent Close (1005 for one without a code), the code that we failed
 * the connection with, 1006 where TCP ended without Close, 0 while open.
 */
struct ws_close {
	__u16	code;
	__u16	len;
	__u8	reason[WS_REASON_MAX];
	__u8	by;
};

/* ws_close.by: whose Close, or whose end of TCP, came first */
#define WS_CLOSE_BY_NONE	0
#define WS_CLOSE_BY_LOCAL	1
#define WS_CLOSE_BY_PEER	2

/* ws_info.state */
#define WS_STATE_DORMANT	0	/* attached, WS_ROLE not set */
#define WS_STATE_OPEN		1
#define WS_STATE_CLOSING	2	/* Close sent or received */
#define WS_STATE_CLOSED		3	/* handshake complete, or failed */

/* ws_info.flags */
#define WS_INFO_CLOSE_SENT	0x01
#define WS_INFO_CLOSE_RCVD	0x02
#define WS_INFO_LOCAL_FIRST	0x04	/* our Close left before theirs came */
#define WS_INFO_FAILED		0x08	/* a rule broken, or time over */
#define WS_INFO_TX_OPEN		0x10	/* a message is being sent */
#define WS_INFO_TX_WAITING	0x20	/* a frame waits for the lower layer */

/**
 * struct ws_info - what WS_INFO returns; grows at its end only
 * @state: WS_STATE_*
 * @role: WS_SERVER, WS_CLIENT, or 0 while dormant
 * @rx_mode: WS_RX_MODE
 * @flags: WS_INFO_*
 * @close_code_sent: of our Close frame, 0 = none was sent
 * @close_code_rcvd: of the peer's, 1005 = one without a code, 0 = none came
 * @rtt_us: last ping to pong in microseconds, 0 = none yet
 * @reserved: zero
 * @rx_bytes: payload of data frames that arrived
 * @tx_bytes: payload of data frames that were sent
 * @rx_frames: frames that arrived, of all types
 * @tx_frames: frames that were sent, likewise
 * @rx_pings: pings that arrived
 * @rx_pongs: pongs that arrived
 * @tx_pings: pings that were sent
 * @tx_pongs: pongs that were sent
 */
struct ws_info {
	__u8	state;
	__u8	role;
	__u8	rx_mode;
	__u8	flags;
	__u16	close_code_sent;
	__u16	close_code_rcvd;
	__u32	rtt_us;
	__u32	reserved;
	__aligned_u64 rx_bytes;
	__aligned_u64 tx_bytes;
	__aligned_u64 rx_frames;
	__aligned_u64 tx_frames;
	__u32	rx_pings;
	__u32	rx_pongs;
	__u32	tx_pings;
	__u32	tx_pongs;
};

#endif /* _UAPI_LINUX_WS_H */
