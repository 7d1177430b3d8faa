/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Stack traces of the user-mode kernel, for uml-kernel. Its own way looks at
 * each word of the stack and asks of each whether it points into code. KASAN
 * saves a trace with every allocation and every free, and nine tenths of the
 * time went there. Following the frame pointers finds the same return addresses.
 */
static void save_frames(struct task_struct *tsk, struct stack_trace *trace)
{
	unsigned long frame = get_frame_pointer(tsk, tsk->thread.segv_regs);
	unsigned long stack = frame & ~(THREAD_SIZE - 1), next, address;

	while (trace->nr_entries < trace->max_entries) {
		if (frame & 7 || (frame & (THREAD_SIZE - 1)) > THREAD_SIZE - 16)
			break;
		address = READ_ONCE_NOCHECK(((unsigned long *)frame)[1]);
		if (!__kernel_text_address(address))
			break;
		trace->entries[trace->nr_entries++] = address;
		next = READ_ONCE_NOCHECK(((unsigned long *)frame)[0]);
		if (next <= frame || (next & ~(THREAD_SIZE - 1)) != stack)
			break;
		frame = next;
	}
}
