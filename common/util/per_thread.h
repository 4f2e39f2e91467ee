/* common/util/per_thread.h - an object that each thread makes for itself at its first use and that goes when the thread ends.
 *
 *	PER_THREAD(md_ctx, EVP_MD_CTX, EVP_MD_CTX_new, EVP_MD_CTX_free)
 *	EVP_MD_CTX *c = md_ctx();		// NULL: out of memory
 *
 * That of the main thread stays until the process ends. */
#pragma once
#include <pthread.h>

#define PER_THREAD(name, type, make, drop)										\
	static pthread_key_t name##_key;										\
	static pthread_once_t name##_once = PTHREAD_ONCE_INIT;								\
	static void name##_gone(void *p)										\
	{														\
		drop(p);												\
	}														\
	static void name##_begin(void)											\
	{														\
		(void)pthread_key_create(&name##_key, name##_gone);							\
	}														\
	static type *name(void)												\
	{														\
		static _Thread_local type *mine;									\
															\
		if (!mine) {												\
			pthread_once(&name##_once, name##_begin);							\
			mine = make();											\
			if (mine)											\
				pthread_setspecific(name##_key, mine);							\
		}													\
		return mine;												\
	}
