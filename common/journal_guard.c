/*
 * journal_guard.c - a mapped file that another program cut short costs its entries, not the process.
 *
 * A store into such a file is a SIGBUS in the very thread that stores. The handler puts a page of memory in the place
 * of the missing one, so that the store ends somewhere, and marks the map: nothing more goes into it. What went there
 * is found missing by whoever reads the file, and counted. A SIGBUS of anything else ends the process as ever.
 */
#include "journal.h"

#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#include "journal_internal.h"

_Thread_local struct front_map *journal_guarded;

static uintptr_t page_size = 4096;

static void on_bus_error(int number, siginfo_t *info, void *context)
{
	struct front_map *map = journal_guarded;
	uintptr_t at = (uintptr_t)info->si_addr & ~(page_size - 1);
	bool is_ours = map && (uintptr_t)info->si_addr - (uintptr_t)map->bytes < map->size;

	(void)context;
	/* NOLINTNEXTLINE(performance-no-int-to-ptr): the address is the kernel's. */
	if (is_ours && mmap((void *)at, page_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) !=
			       MAP_FAILED) {
		atomic_store_explicit(&map->is_broken, true, memory_order_relaxed);
		return;
	}
	/* It comes again at once, and ends us. */
	(void)signal(number, SIG_DFL);
}

void journal_guard(void)
{
	struct sigaction action = { .sa_sigaction = on_bus_error, .sa_flags = SA_SIGINFO | SA_RESTART };
	long size = sysconf(_SC_PAGESIZE);

	if (size > 0)
		page_size = (uintptr_t)size;
	(void)sigemptyset(&action.sa_mask);
	(void)sigaction(SIGBUS, &action, NULL);
}
