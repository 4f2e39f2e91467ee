/* tests/kernel/xstate.c - lets user-mode-linux 6.1 run where the processor has AMX: preloaded by tests/kernel/run.
 *
 * UML keeps 2696 octets of a process's extended state, which was all of it up to AVX-512.  With AMX the host's kernel refuses to set less
 * than the whole (ptrace(2), PTRACE_SETREGSET, NT_X86_XSTATE: EFAULT), and UML gives up.  What UML has no room for is taken from the process
 * as it stands; nobody in there has permission to use it. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <elf.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/types.h>
#include <sys/uio.h>

#define WHOLE_BYTES 65536u

static long (*below(void))(enum __ptrace_request, ...)
{
	static long (*fn)(enum __ptrace_request, ...);

	if (!fn)
		*(void **)&fn = dlsym(RTLD_NEXT, "ptrace");
	return fn;
}

static long set_state(pid_t pid, const struct iovec *some)
{
	static char whole[WHOLE_BYTES];		/* UML's stacks are small, and it has one thread */
	struct iovec all = { whole, sizeof(whole) };

	if (below()(PTRACE_GETREGSET, pid, (void *)NT_X86_XSTATE, &all) < 0 || some->iov_len >= all.iov_len)
		return below()(PTRACE_SETREGSET, pid, (void *)NT_X86_XSTATE, some);
	memcpy(whole, some->iov_base, some->iov_len);
	return below()(PTRACE_SETREGSET, pid, (void *)NT_X86_XSTATE, &all);
}

long ptrace(enum __ptrace_request request, ...)
{
	void *address, *data;
	va_list args;
	pid_t pid;

	va_start(args, request);
	pid = va_arg(args, pid_t);
	address = va_arg(args, void *);
	data = va_arg(args, void *);
	va_end(args);
	if (request == PTRACE_SETREGSET && (uintptr_t)address == NT_X86_XSTATE)
		return set_state(pid, data);
	return below()(request, pid, address, data);
}
