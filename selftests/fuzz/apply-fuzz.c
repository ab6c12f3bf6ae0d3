// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * P1, P3, P4, P5, P8: decoder plus apply. See program.h for what an input is and
 * program.c for what is checked.
 *
 * The mutator knows where steps begin; half of the time libFuzzer's own does the
 * work, so that what they carry is tried as well.
 *
 * Seen to fail with: a refused operation that does not poison its batch; a catalog's
 * old slot that is not retired; a pin that keeps nothing of its own generation; oldest
 * that is not raised; table_prune_empty() left out of table_merge() (nodes-lost).
 */
#include "libfuzzer.h"
#include "program.h"

#define HEAD	sizeof(struct program_head)
#define STEP	sizeof(struct step)

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	program_run(data, size);
	return 0;
}

static u32 below(u64 *random, u32 n)
{
	*random = *random * 6364136223846793005ULL + 1442695040888963407ULL;
	return (u32)(*random >> 33) % n;
}

/* More of what makes a state than of what ends one. */
static struct step random_step(u64 *random)
{
	static const u8 often[] = {
		STEP_PUT, STEP_PUT, STEP_PUT, STEP_PATCH, STEP_DELETE, STEP_DELETE,
		STEP_ADD, STEP_ADD, STEP_REMOVE, STEP_COMMIT, STEP_COMMIT, STEP_COMMIT,
		STEP_COMMIT, STEP_FAIL, STEP_PIN, STEP_CATALOG_DELETE, STEP_TRIM,
		STEP_SOURCE, STEP_SOURCE,
	};
	static const u16 sizes[] = { 0, 1, 3, 60, 63, 150, 447, 500, 3000, 7999 };

	return (struct step){
		.kind = below(random, 3) ? often[below(random, sizeof(often))] :
			(u8)below(random, STEP_KINDS),
		.arg = (u8)below(random, below(random, 4) ? (below(random, 2) ? 32 : 4) : 256),
		.ids = (u8)below(random, below(random, 2) ? 256 : 8),
		.size = (u8)below(random, 64),
		.n = sizes[below(random, ARRAY_SIZE(sizes))],
		.base = (s16)below(random, below(random, 2) ? 4 : 2000),
	};
}

static size_t insert_step(u8 *data, size_t size, size_t max, u8 *at, const void *step)
{
	if (size + STEP > max)
		return size;
	memmove(at + STEP, at, size - (size_t)(at - data));
	memcpy(at, step, STEP);
	return size + STEP;
}

/* A field of a step: to a neighbour, or to anything. */
static void change_field(u8 *step, u64 *random)
{
	u8 *byte = step + below(random, STEP);

	*byte = below(random, 2) ? (u8)(*byte + below(random, 5) - 2) : (u8)below(random, 256);
}

size_t LLVMFuzzerCustomMutator(u8 *data, size_t size, size_t max, unsigned int seed)
{
	size_t steps = size < HEAD ? 0 : (size - HEAD) / STEP;
	u64 random = seed * 0x9e3779b97f4a7c15ULL;
	struct step step = random_step(&random);
	u32 what = below(&random, 10);
	u8 *at, *other;

	if (what < 4 || size < HEAD)
		return LLVMFuzzerMutate(data, size, max);
	at = data + HEAD + STEP * below(&random, (u32)steps + 1);
	if (what < 7 || at + STEP > data + size)
		return insert_step(data, size, max, at, &step);
	other = data + HEAD + STEP * below(&random, (u32)steps);
	if (what == 7) {
		memcpy(&step, other, STEP);
		return insert_step(data, size, max, at, &step);
	}
	if (what == 8) {
		memmove(at, at + STEP, size - (size_t)(at - data) - STEP);
		return size - STEP;
	}
	change_field(other, &random);
	return size;
}
