// Loops whose rounds are written out, so that arrays of vectors stay in registers at
// any level of optimization. To be included within a target region, in an anonymous
// namespace.
#ifndef BERTFAST_ENGINE_UNROLL_H_
#define BERTFAST_ENGINE_UNROLL_H_

// Calls body(0), ..., body(kCount - 1), with the numbers as constants.
template <class Body, std::size_t... kNumber>
BERTFAST_INLINE void unroll(Body&& body, std::index_sequence<kNumber...>) {
  (body(std::integral_constant<std::size_t, kNumber>()), ...);
}

#endif  // BERTFAST_ENGINE_UNROLL_H_
