// The smallest test harness that names what failed.
#ifndef BERTFAST_TESTS_CHECK_H_
#define BERTFAST_TESTS_CHECK_H_

#include <cstdio>

namespace bertfast_test {

inline int failures = 0;
inline int checks = 0;

inline int report(const char* name) {
  std::printf("%s: %d checks, %d failed\n", name, checks, failures);
  return failures == 0 ? 0 : 1;
}

}  // namespace bertfast_test

#define CHECK(condition)                                                        \
  do {                                                                          \
    ++bertfast_test::checks;                                                    \
    if (!(condition)) {                                                         \
      ++bertfast_test::failures;                                                \
      std::printf("%s:%d: CHECK(%s) failed\n", __FILE__, __LINE__, #condition); \
    }                                                                           \
  } while (false)

#endif  // BERTFAST_TESTS_CHECK_H_
