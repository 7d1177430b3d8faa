/* SPDX-License-Identifier: GPL-2.0 */
/* Doubly linked lists with the link inside of what is linked. */
#ifndef _WSUP_LIST_H
#define _WSUP_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct list {
	struct list	*prev;
	struct list	*next;
};

#define container_of(ptr, type, member)					\
	((type *)((char *)(ptr) - offsetof(type, member)))

static inline void list_init(struct list *head)
{
	head->prev = head;
	head->next = head;
}

static inline bool list_empty(const struct list *head)
{
	return head->next == head;
}

static inline void list_add(struct list *head, struct list *link)
{
	link->prev = head->prev;
	link->next = head;
	head->prev->next = link;
	head->prev = link;
}

static inline void list_del(struct list *link)
{
	link->prev->next = link->next;
	link->next->prev = link->prev;
	list_init(link);
}

/* The first link, taken out; NULL if there is none. */
static inline struct list *list_take(struct list *head)
{
	struct list *link = head->next;

	if (link == head)
		return NULL;
	list_del(link);
	return link;
}

#endif /* _WSUP_LIST_H */
