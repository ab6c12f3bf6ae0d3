/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * P3. How readers and the writer meet, as a model for spin. Documentation/design.md,
 * "The reader protocol", has the protocol; Documentation/testing.md, "The model
 * of the reader protocol", tells how to read this; selftests/model/run checks it.
 *
 * R1 and R2 name the kinds of the two readers, each a proctype below. A switch
 * BREAK_* takes out one thing that the protocol needs. Then one of the
 * assertions named wrong_* or by GENERATION() has to fail; the others are about
 * the model itself.
 */

#ifndef R1
#define R1 mapped
#define R2 kernel
#endif
#ifndef ROUNDS1
#define ROUNDS1 1	/* how often each reader reads */
#endif
#ifndef ROUNDS2
#define ROUNDS2 1
#endif
#ifndef LAST
#define LAST 3		/* or 2 generations; 1 is there, one more is drafted */
#endif
#ifndef DROPS
#define DROPS 0		/* drafts that may be dropped */
#endif
#ifndef PAGES
#define PAGES 5		/* or 7: a snapshot takes 3, each draft 2 more */
#endif
#ifndef SLOTS
#define SLOTS 1		/* of the pin page; at most 2 */
#endif

/*
 * Memory that readers share with the writer, in words that are loaded and
 * stored whole. A root page has two words, which name the leaf of each map; a
 * leaf has one, which tells map and generation. A page that is used again may
 * be a root where it was a leaf, so readers follow garbage.
 */
#define WORD(page, n)	(2 * (page) + (n))
#define CURRENT		(2 * PAGES)		/* control->current_word */
#define ROOT		(2 * PAGES + 1)		/* st->root */
#define OLDEST		(2 * PAGES + 2)		/* control->oldest */
#define ANSWER		(2 * PAGES + 3)		/* what senders have been told */
#define PIN(slot)	(2 * PAGES + 4 + (slot))	/* tokens of the pin page */
#define WORDS		(2 * PAGES + 4 + SLOTS)

#define LEAF(map, g)	(16 + 8 * (map) + (g))
#define CURRENT_WORD(g, page)	(8 * (g) + (page))
#define GENERATION(w)	((w) / 8)
#define PAGE(w)		((w) % 8 % PAGES)	/* masked, as in shelf_view_page() */

byte mem[WORDS];	/* what loads bring */

/*
 * Weak memory, the stores' half. A store is pending until it arrives in mem.
 * Stores arrive in any order, but each after those that a barrier put before
 * it. All that write hold a lock in turn, and so see each other's stores: one
 * set of pending stores will do. But a barrier of one thread orders nothing
 * that another stores later.
 */
#define BIT(n)		(1 << (n))
#define PENDING(word)	(pending & BIT(word))
#define NOW(word)	(PENDING(word) -> soon[word] : mem[word])	/* under the lock */

int pending;		/* words with a store that has not arrived */
byte soon[WORDS];	/* its value */
int after[WORDS];	/* words whose pending stores arrive before it */
int barrier;		/* what was pending at the writing thread's last smp_wmb() */
byte i;			/* of loops within a step; 0 outside of them */

/* Stores to one word stay in order: whoever stores waits for the one before. */
inline put(word, value, set)
{
	assert(!PENDING(word));
	soon[word] = value;
	after[word] = (set) & pending;
	pending = pending | BIT(word)
}

#define store(word, value)		put(word, value, barrier)
#define store_release(word, value)	put(word, value, pending)
#define smp_wmb()			barrier = pending
#define other_thread()			barrier = 0
/* smp_mb() is to wait until none of these is pending. */
#define ALL				(BIT(WORDS) - 1)

/* For run --trace. */
#define SAY(name, value)	printf(name); printf(" is %d\n", value)
#define SAY_READER(name, value)	printf("reader %d: ", me); SAY(name, value)

#define ARRIVE(word) \
	:: d_step { \
		PENDING(word) && !(after[word] & pending) -> \
		mem[word] = soon[word]; \
		printf("in memory: "); SAY(#word, mem[word]); \
		soon[word] = 0; \
		after[word] = 0; \
		pending = pending & ~BIT(word); \
		barrier = barrier & pending; \
		i = 0; \
		do \
		:: i < WORDS -> after[i] = after[i] & pending; i++ \
		:: else -> break \
		od; \
		i = 0 \
	}

#define ARRIVE_PAGE(page)	ARRIVE(WORD(page, 0)) ARRIVE(WORD(page, 1))

proctype memory()
{
end:	do
	ARRIVE_PAGE(0) ARRIVE_PAGE(1) ARRIVE_PAGE(2) ARRIVE_PAGE(3) ARRIVE_PAGE(4)
#if PAGES == 7
	ARRIVE_PAGE(5) ARRIVE_PAGE(6)
#endif
	ARRIVE(CURRENT) ARRIVE(ROOT) ARRIVE(OLDEST) ARRIVE(ANSWER)
	ARRIVE(PIN(0))
#if SLOTS > 1
	ARRIVE(PIN(1))
#endif
	od
}

/*
 * The writer's books, under its locks; no reader looks into them. What is done
 * under a lock is one step here, and all books are up to date in it.
 */
byte born[PAGES];	/* generation; 0: the page is free */
byte gone[PAGES];	/* generation that retired it; 0: not retired */
byte waits[PAGES];	/* kernel readers that its grace period waits for */
bool aside[PAGES];	/* out of quarantine, kept for a pin */
byte pinned[SLOTS];	/* generation of the slot's pin; 0: none */
byte pinned_word[SLOTS];	/* the same and its root page */
byte kept;		/* generations that have been pinned and not let go, as bits */
byte ended[LAST];	/* kernel readers that wait for the end of such a one */
byte tokens;		/* that have been handed out */
byte in_rcu;		/* kernel readers between rcu_read_lock() and unlock */

/* For assertions. */
byte content[2 * LAST + 4];	/* of each map's leaf, by generation */
byte drafted;			/* the next current_word */

#if SLOTS > 1
#define PINS(g)		((pinned[0] == (g)) + (pinned[1] == (g)))
#else
#define PINS(g)		(pinned[0] == (g))
#endif

/* The newest generation, LAST, is never retired. */
#define IS_KEPT(g)	(kept & BIT(g))
#ifdef BREAK_INTERVAL
#define KEEPS(g, page)	(IS_KEPT(g) && born[page] == (g) && (g) < gone[page])
#else
#define KEEPS(g, page)	(IS_KEPT(g) && born[page] <= (g) && (g) < gone[page])
#endif
#if LAST == 3
#define KEPT(page)	(KEEPS(1, page) || KEEPS(2, page))
#else
#define KEPT(page)	KEEPS(1, page)
#endif

#define IN_QUARANTINE(page, x)	(gone[page] == (x) && !waits[page] && !aside[page])
#define ANY_5(x)	(IN_QUARANTINE(0, x) || IN_QUARANTINE(1, x) || IN_QUARANTINE(2, x) || \
			 IN_QUARANTINE(3, x) || IN_QUARANTINE(4, x))
#define FREE_5		((born[0] == 0) + (born[1] == 0) + (born[2] == 0) + (born[3] == 0) + \
			 (born[4] == 0))
#if PAGES == 5
#define ANY_IN_QUARANTINE(x)	ANY_5(x)
#define FREE_PAGES		FREE_5
#else
#define ANY_IN_QUARANTINE(x)	(ANY_5(x) || IN_QUARANTINE(5, x) || IN_QUARANTINE(6, x))
#define FREE_PAGES		(FREE_5 + (born[5] == 0) + (born[6] == 0))
#endif

inline free_page(page)
{
	born[page] = 0;
	gone[page] = 0;
	aside[page] = false
}

/*
 * retired_free() of what generation x retired, and pins_settle(), as an option
 * of a do. The grace period is over; there is no quarantine but that.
 */
#ifdef BREAK_HOLD
#define SETTLE(page)	free_page(page)
#else
#define SETTLE(page) \
	if \
	:: KEPT(page) -> aside[page] = true \
	:: else -> free_page(page) \
	fi
#endif
#ifdef BREAK_RAISE_LATE
#define RAISE(x)	late = (late < (x) -> (x) : late)
#else
#define RAISE(x) \
	if \
	:: NOW(OLDEST) < (x) -> store(OLDEST, x) \
	:: else \
	fi
#endif
#ifdef BREAK_FREE_WMB
#define FREE_WMB	skip
#else
#define FREE_WMB	smp_wmb()
#endif
#define RETIRED_FREE(x, by) \
	:: d_step { \
		ANY_IN_QUARANTINE(x) && !PENDING(OLDEST) -> \
		printf("retired_free() of %d\n", x); \
		RAISE(x); \
		FREE_WMB; \
		by; \
		i = 0; \
		do \
		:: i < PAGES && IN_QUARANTINE(i, x) -> SETTLE(i); i++ \
		:: i < PAGES && !IN_QUARANTINE(i, x) -> i++ \
		:: i == PAGES -> break \
		od; \
		i = 0 \
	}

/*
 * pins_let_go() of generation g, as an option of a do: nobody pins it, nobody
 * can be walking it. What it kept passes on to other pins or is free.
 */
#ifdef BREAK_PASS_ON
#define PASSES(page, g)	(aside[page] && born[page] <= (g) && (g) < gone[page])
#else
#define PASSES(page, g)	(aside[page] && !KEPT(page))
#endif
#ifdef BREAK_LET_GO_WMB
#define LET_GO_WMB	skip
#else
#define LET_GO_WMB	smp_wmb()
#endif
#define PINS_LET_GO(g, by) \
	:: d_step { \
		IS_KEPT(g) && !PINS(g) && !ended[g] -> \
		printf("pins_let_go() of %d\n", g); \
		kept = kept & ~BIT(g); \
		LET_GO_WMB; \
		by; \
		i = 0; \
		do \
		:: i < PAGES && PASSES(i, g) -> free_page(i); i++ \
		:: i < PAGES && !PASSES(i, g) -> i++ \
		:: i == PAGES -> break \
		od; \
		i = 0 \
	}

#if LAST == 3
#define FREE_ANY(by) \
	RETIRED_FREE(2, by) RETIRED_FREE(3, by) PINS_LET_GO(1, by) PINS_LET_GO(2, by)
#else
#define FREE_ANY(by)	RETIRED_FREE(2, by) PINS_LET_GO(1, by)
#endif

/*
 * pin_end(), its second half: the token has gone. The last pin of a generation
 * leaves it to those who are in the kernel now, for they may be walking it.
 * start_poll_synchronize_rcu() begins with smp_mb().
 */
inline pin_end(slot)
{
	if
	:: PINS(pinned[slot]) == 1 && pinned[slot] < LAST ->
#ifndef BREAK_PIN_GRACE
		printf("grace period of the pinned generation begins\n");
		ended[pinned[slot]] = in_rcu;
#endif
		skip
	:: else
	fi;
	pinned[slot] = 0;
	pinned_word[slot] = 0
}

#ifdef BREAK_PIN_WMB
#define PIN_WMB		skip
#else
#define PIN_WMB		smp_wmb()
#endif
#ifdef BREAK_PIN_MB
#define PIN_MB(set)	true
#else
#define PIN_MB(set)	(PINS(pinned[slot]) > 1 || !(pending & (set)))
#endif

/* revoke(), for a lease or for want of memory, at any time: an option of a do. */
#define REVOKE(n) \
	:: d_step { \
		pinned[n] && NOW(PIN(n)) && !PENDING(PIN(n)) -> \
		printf("revoke() of slot %d\n", n); \
		slot = n; \
		store(PIN(n), 0); \
		PIN_WMB \
	}; \
	d_step { \
		PIN_MB(ALL) -> \
		pin_end(slot); \
		slot = 0 \
	}
#if SLOTS > 1
#define REVOKE_ANY	REVOKE(0) REVOKE(1)
#else
#define REVOKE_ANY	REVOKE(0)
#endif

inline alloc(page)
{
	page = 0;
	do
	:: born[page] -> page++
	:: else -> break
	od;
	born[page] = g
}

/* draft_root() and draft_apply(): a new root, and a new leaf of one map. */
inline draft_apply()
{
	g++;
	content[2 * g] = content[2 * g - 2];
	content[2 * g + 1] = content[2 * g - 1];
	content[2 * g + map] = LEAF(map, g);
	old = leaf[map];
	alloc(leaf[map]);
	store(WORD(leaf[map], 0), LEAF(map, g));
	alloc(page);
	store(WORD(page, 0), leaf[0]);
	store(WORD(page, 1), leaf[1]);
	drafted = CURRENT_WORD(g, page);
	printf("draft %d: root in page %d, leaf of map %d in page %d\n", g, page, map, leaf[map])
}

/* Its pages were never to be seen: no grace period. */
inline draft_drop()
{
	content[2 * g] = 0;
	content[2 * g + 1] = 0;
	g--;
	born[page] = 0;
	born[leaf[map]] = 0;
	leaf[map] = old
}

inline draft_free()
{
	old = 0;
	page = 0;
	map = 0;
	drafted = 0
}

proctype writer()
{
	byte g = 1, root = 0, leaf[2], old, page, map, drops, slot;
#ifdef BREAK_RAISE_LATE
	byte late;
#endif

	leaf[0] = 1;
	leaf[1] = 2;
commit:
	/* The reclaimer, and leases that end: in other threads. */
	do
	FREE_ANY(other_thread())
	REVOKE_ANY
	:: break
	od;

	/* draft_start() */
#ifndef BREAK_DRAFT_WMB
	smp_wmb();
#endif
	/* store_refill() */
	do
#ifdef BREAK_RECLAIMER
	FREE_ANY(other_thread())
#else
	FREE_ANY(skip)
#endif
	REVOKE_ANY
	:: FREE_PAGES >= 2 -> break
	od;
	(pending & (BIT(CURRENT) - 1)) == 0;	/* a dropped draft's stores */
	if
	:: map = 0
	:: g > 1 -> map = 1	/* they are alike, so the first may be map 0 */
	fi;
	d_step { draft_apply() }
#ifdef BREAK_RAISE_LATE
	d_step {
		!PENDING(OLDEST) ->
		if
		:: mem[OLDEST] < late -> store(OLDEST, late)
		:: else
		fi;
		late = 0;
		smp_wmb()
	}
#endif
	if
	:: g > LAST -> goto done
	:: drops < DROPS -> d_step { draft_drop(); draft_free(); drops++ }; goto commit
	:: g <= LAST
	fi;

	/* draft_publish(), and staged_done() */
	d_step {
		!PENDING(ROOT) && !PENDING(CURRENT) && !PENDING(ANSWER) ->
		printf("draft_publish() of %d\n", g);
#ifdef BREAK_ANSWER
		store_release(ANSWER, g);
#endif
#ifdef BREAK_ASSIGN
		store(ROOT, drafted);
#else
		store_release(ROOT, drafted);
#endif
#ifdef BREAK_RELEASE
		store(CURRENT, drafted);
#else
		store_release(CURRENT, drafted);
#endif
#ifndef BREAK_ANSWER
		store_release(ANSWER, g)
#endif
	}

	/* draft_retire(), with start_poll_synchronize_rcu(): smp_mb() */
	d_step {
#ifndef HOSTED
		!(pending & ALL) ->
#endif
		printf("draft_retire(): pages %d and %d\n", root, old);
		gone[root] = g;
		gone[old] = g;
#ifndef BREAK_GRACE
		waits[root] = in_rcu;
		waits[old] = in_rcu;
#endif
		root = page;
		draft_free()
	}
	goto commit;
done:
}

/*
 * Weak memory, the readers' half. Loads are done in any order, but for what
 * acquires and fences say, and addresses: a leaf after the word that names it.
 */
#define TOLD	1	/* what the reader knows of commits, by a message */
#define BEGIN	2
#define ENTRY_0	4	/* the root's words */
#define ENTRY_1	8
#define LEAF_0	16
#define LEAF_1	32
#define CHECK	64
#define WALK	(ENTRY_0 | ENTRY_1 | LEAF_0 | LEAF_1)
#define DID(loads)	((done & (loads)) == (loads))
#define TODO(load)	(!(done & (load)))

#define LOAD(load, when, to, word) \
	:: d_step { \
		TODO(load) && (when) -> \
		to = mem[word]; \
		SAY_READER(#load, to); \
		done = done | load \
	}

#define LOAD_LEAF(load, when, entry, map, wrong) \
	:: d_step { \
		TODO(load) && (when) -> \
		if \
		:: mem[WORD(PAGE(entry), 0)] != content[2 * GENERATION(w) + map] -> wrong = true \
		:: else \
		fi; \
		SAY_READER(#load, mem[WORD(PAGE(entry), 0)]); \
		entry = 0; \
		done = done | load \
	}

/* A lookup in each map, from the root that w names. */
#define WALK_LOADS(when, wrong) \
	LOAD(ENTRY_0, when, entry_0, WORD(PAGE(w), 0)) \
	LOAD(ENTRY_1, when, entry_1, WORD(PAGE(w), 1)) \
	LOAD_LEAF(LEAF_0, DID(ENTRY_0), entry_0, 0, wrong) \
	LOAD_LEAF(LEAF_1, DID(ENTRY_1), entry_1, 1, wrong)

/* shelf_begin(), two lookups, shelf_retry() */
proctype mapped(byte me, rounds)
{
	byte done, told, w, entry_0, entry_1, oldest, newest;
	bool wrong_mapped;
#ifdef BREAK_ACQUIRE
	bool guess;
#endif

	do
	:: !rounds -> break
	:: rounds ->
		do
		LOAD(TOLD, true, told, ANSWER)
#ifdef BREAK_ACQUIRE
		/*
		 * C orders no loads by their addresses, nor do all CPUs: they
		 * may load from where they guess the next root to be. A guess
		 * that turns out right counts.
		 */
		:: d_step {
			TODO(BEGIN) && DID(TOLD) && !guess && drafted ->
			w = drafted;
			SAY_READER("guess", w);
			guess = true
		   }
		:: d_step {
			TODO(BEGIN) && DID(TOLD) ->
			if
			:: guess && w == mem[CURRENT]
			:: else ->
				w = mem[CURRENT];
				done = TOLD;
				entry_0 = 0;
				entry_1 = 0;
				wrong_mapped = false
			fi;
			guess = false;
			SAY_READER("BEGIN", w);
			done = done | BEGIN
		   }
		WALK_LOADS(DID(BEGIN) || guess, wrong_mapped)
#else
#ifdef BREAK_TOLD
		LOAD(BEGIN, true, w, CURRENT)
#else
		LOAD(BEGIN, DID(TOLD), w, CURRENT)
#endif
		WALK_LOADS(DID(BEGIN), wrong_mapped)
#endif
#ifdef BREAK_FENCE
		LOAD(CHECK, DID(BEGIN), oldest, OLDEST)
#else
		LOAD(CHECK, DID(BEGIN | WALK), oldest, OLDEST)
#endif
		:: d_step {
			DID(BEGIN | WALK | CHECK) ->
			if
#ifdef BREAK_VALIDATE
			:: true ->
#else
			:: oldest <= GENERATION(w) ->
#endif
				assert(!wrong_mapped);
				assert(GENERATION(w) >= newest);
				assert(GENERATION(w) >= told);
				newest = GENERATION(w)
			:: else
			fi;
			done = 0; told = 0; w = 0; oldest = 0; wrong_mapped = false;
			rounds--
		   };
		   break
		od
	od
}

inline rcu_read_lock()
{
	printf("reader %d: rcu_read_lock()\n", me);
	in_rcu = in_rcu | BIT(me)
}

inline rcu_read_unlock()
{
	printf("reader %d: rcu_read_unlock()\n", me);
	in_rcu = in_rcu & ~BIT(me);
	i = 0;
	do
	:: i < PAGES -> waits[i] = waits[i] & ~BIT(me); i++
	:: else -> break
	od;
	i = 0;
	do
	:: i < LAST -> ended[i] = ended[i] & ~BIT(me); i++
	:: else -> break
	od;
	i = 0
}

/* An ioctl: shelf_view_rcu() and two lookups in one RCU section. */
proctype kernel(byte me, rounds)
{
	byte done, told, w, entry_0, entry_1, newest;
	bool wrong_kernel;

	do
	:: !rounds -> break
	:: rounds ->
		told = mem[ANSWER];
		d_step { rcu_read_lock() };
		do
		LOAD(BEGIN, true, w, ROOT)
		WALK_LOADS(DID(BEGIN), wrong_kernel)
		:: d_step {
			DID(BEGIN | WALK) ->
			assert(!wrong_kernel);
			assert(GENERATION(w) >= newest);
			assert(GENERATION(w) >= told);
			newest = GENERATION(w);
			rcu_read_unlock();
			done = 0; told = 0; w = 0;
			rounds--
		   };
		   break
		od
	od
}

/*
 * shelf_begin(), store_pin() by ioctl, two lookups without an eye on oldest,
 * and the token; then store_unpin(), or else the pin stays until it is revoked.
 */
#if SLOTS > 1
#define IS_FREE(n)	(!pinned[n] && !PENDING(PIN(n)))
#define ANY_SLOT	(IS_FREE(0) || IS_FREE(1))
#define FREE_SLOT	(IS_FREE(0) -> 0 : 1)
#else
#define ANY_SLOT	(!pinned[0] && !PENDING(PIN(0)))
#define FREE_SLOT	0
#endif
#ifdef ONE_READS
#define READS	(me == 0)	/* the other only has its pin */
#else
#define READS	true
#endif
#ifdef BREAK_PIN_OLD
#define MAY_PIN(g)	true
#else
#define MAY_PIN(g)	(NOW(OLDEST) <= (g) || IS_KEPT(g))
#endif

proctype pinning(byte me, rounds)
{
	byte done, w, slot, token, entry_0, entry_1, check;
	bool wrong_pinned;

	do
	:: !rounds -> break
	:: rounds ->
		rounds--;
		w = mem[CURRENT];
		d_step {
			if
			:: ANY_SLOT && MAY_PIN(GENERATION(w)) ->
				slot = FREE_SLOT;
#ifdef BREAK_TOKEN
				token = slot + 1;
#else
				tokens++;
				token = tokens;
#endif
				mem[PIN(slot)] = token;
				pinned[slot] = GENERATION(w);
				pinned_word[slot] = w;
				if
				:: GENERATION(w) < LAST ->
					kept = kept | BIT(GENERATION(w));
					ended[GENERATION(w)] = 0
				:: else
				fi;
				done = (READS -> BEGIN : 0);
				printf("reader %d: store_pin() of %d: slot %d, token %d\n",
				       me, GENERATION(w), slot, token)
			:: else -> w = 0	/* refused */
			fi
		};
		do
		WALK_LOADS(DID(BEGIN), wrong_pinned)
#ifdef BREAK_PIN_FENCE
		LOAD(CHECK, DID(BEGIN), check, PIN(slot))
#else
		LOAD(CHECK, DID(BEGIN | WALK), check, PIN(slot))
#endif
		:: d_step {
			DID(BEGIN | WALK | CHECK) ->
			assert(!(wrong_pinned && check == token));
			done = 0; w = 0; check = 0; wrong_pinned = false
		   }
		:: d_step {
			!done && token && NOW(PIN(slot)) == token ->
			printf("reader %d: store_unpin()\n", me);
			put(PIN(slot), 0, 0)
		   };
		   d_step {
			PIN_MB(BIT(PIN(slot))) ->
			pin_end(slot);
			w = 0; slot = 0; token = 0
		   };
		   break
		:: d_step { !done -> w = 0; slot = 0; token = 0 }; break
		od
	od
}

/* Another thread of the same file, in the root of the pin that it was told of. */
proctype sharing(byte me, rounds)
{
	byte done, w, token, entry_0, entry_1, check;
	bool wrong_sharing;

	do
	:: !rounds -> break
	:: rounds ->
		rounds--;
		d_step {
			if
			:: NOW(PIN(0)) ->
				token = NOW(PIN(0));
				w = pinned_word[0];
				done = BEGIN;
				SAY_READER("BEGIN", w)
			:: else
			fi
		};
		do
		WALK_LOADS(DID(BEGIN), wrong_sharing)
		LOAD(CHECK, DID(BEGIN | WALK), check, PIN(0))
		:: d_step {
			!done || DID(BEGIN | WALK | CHECK) ->
			assert(!(wrong_sharing && check == token));
			done = 0; w = 0; token = 0; check = 0; wrong_sharing = false
		   };
		   break
		od
	od
}

/* The same by ioctl: the pin is looked up and its root walked under RCU. */
proctype pinned_ioctl(byte me, rounds)
{
	byte done, w, entry_0, entry_1;
	bool wrong_ioctl;

	do
	:: !rounds -> break
	:: rounds ->
		rounds--;
#ifndef BREAK_LOOKUP
		d_step { rcu_read_lock() };
#endif
		d_step {
			if
			:: mem[PIN(0)] ->
				w = pinned_word[0];
				done = BEGIN;
				SAY_READER("BEGIN", w)
			:: else
			fi
		};
#ifdef BREAK_LOOKUP
		d_step { rcu_read_lock() };
#endif
		do
		WALK_LOADS(DID(BEGIN), wrong_ioctl)
		:: d_step {
			!done || DID(BEGIN | WALK) ->
			assert(!wrong_ioctl);
			rcu_read_unlock();
			done = 0; w = 0
		   };
		   break
		od
	od
}

init
{
	d_step {
		/* Generation 1 is in pages 0 to 2. */
		mem[WORD(0, 0)] = 1;
		mem[WORD(0, 1)] = 2;
		mem[WORD(1, 0)] = LEAF(0, 1);
		mem[WORD(2, 0)] = LEAF(1, 1);
		content[2] = LEAF(0, 1);
		content[3] = LEAF(1, 1);
		born[0] = 1;
		born[1] = 1;
		born[2] = 1;
		mem[CURRENT] = CURRENT_WORD(1, 0);
		mem[ROOT] = CURRENT_WORD(1, 0);
		mem[ANSWER] = 1
	}
	atomic {
		run memory();
		run writer();
		run R1(0, ROUNDS1);
		run R2(1, ROUNDS2)
	}
}
