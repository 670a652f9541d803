// Compiles a function for several instruction sets; the dynamic linker takes the one that suits the
// processor. Sanitizers and clang do without.
#pragma once

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(__SANITIZE_ADDRESS__) && \
    !defined(__SANITIZE_THREAD__)
#define GLINT_CPU_CLONES __attribute__((target_clones("arch=skylake-avx512", "arch=haswell", "default")))
#else
#define GLINT_CPU_CLONES
#endif
