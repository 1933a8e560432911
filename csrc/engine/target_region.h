// Lets a part of a file use instructions that the rest of the program may not.
//
//   #include <...>                          // everything, before the region
//   BERTFAST_TARGET_REGION("avx2,fma")
//   ...
//   BERTFAST_END_TARGET_REGION
//
// What stands in a region belongs in an anonymous namespace: a function that the linker
// could share with other files would take the instructions there.
#ifndef BERTFAST_ENGINE_TARGET_REGION_H_
#define BERTFAST_ENGINE_TARGET_REGION_H_

#if defined(__x86_64__) && defined(__GNUC__)
#define BERTFAST_X86 1
// GCC 12 warns of its own headers (bug 105593).
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#include <immintrin.h>
#pragma GCC diagnostic pop
#endif

#define BERTFAST_PRAGMA(text) _Pragma(#text)
#ifdef __clang__
#define BERTFAST_TARGET_REGION(features) \
  BERTFAST_PRAGMA(                       \
      clang attribute push(__attribute__((target(features))), apply_to = function))
#define BERTFAST_END_TARGET_REGION BERTFAST_PRAGMA(clang attribute pop)
#else
#define BERTFAST_TARGET_REGION(features) \
  BERTFAST_PRAGMA(GCC push_options)      \
  BERTFAST_PRAGMA(GCC target(features))
#define BERTFAST_END_TARGET_REGION BERTFAST_PRAGMA(GCC pop_options)
#endif

#define BERTFAST_INLINE inline __attribute__((always_inline))

#endif  // BERTFAST_ENGINE_TARGET_REGION_H_
