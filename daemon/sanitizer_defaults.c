/*
 * For builds with AddressSanitizer only: linked into each program (not into the
 * library, where nothing would ask for it). LeakSanitizer stops a process with
 * ptrace(2) at its end, which a process without rights cannot have done to it.
 */
#ifdef __SANITIZE_ADDRESS__
const char *__asan_default_options(void);

const char *__asan_default_options(void)
{
	return "detect_leaks=0";
}
#else
typedef int sanitizer_defaults_unused; /* a file must not be empty */
#endif
