// AVX-512 for activate.h. To be included within a target region, in an anonymous
// namespace.

struct Lanes {
  using Vector = __m512;
  using Table = Vector;
  static constexpr std::size_t kLanes = 16, kPieces = 16;
  static constexpr std::size_t kGeluDegree = 4, kTanhDegree = 7;

  static BERTFAST_INLINE Vector load(const float* at) { return _mm512_loadu_ps(at); }
  static BERTFAST_INLINE void store(float* at, Vector x) { _mm512_storeu_ps(at, x); }
  static BERTFAST_INLINE Vector all(float x) { return _mm512_set1_ps(x); }
  static BERTFAST_INLINE Vector max(Vector a, Vector b) { return _mm512_max_ps(a, b); }
  static BERTFAST_INLINE Vector min(Vector a, Vector b) { return _mm512_min_ps(a, b); }
  static BERTFAST_INLINE Vector subtract(Vector a, Vector b) {
    return _mm512_sub_ps(a, b);
  }
  static BERTFAST_INLINE Vector multiply_add(Vector a, Vector b, Vector c) {
    return _mm512_fmadd_ps(a, b, c);
  }
  static BERTFAST_INLINE Vector absolute(Vector x) { return _mm512_abs_ps(x); }
  static BERTFAST_INLINE Vector with_sign(Vector x, Vector sign) {
    const Vector bit = all(-0.0f);
    return _mm512_or_ps(_mm512_andnot_ps(bit, x), _mm512_and_ps(bit, sign));
  }
  static BERTFAST_INLINE Table table(const float* at) { return load(at); }
  static BERTFAST_INLINE Vector look_up(Table table, Vector bits) {
    return _mm512_permutexvar_ps(_mm512_castps_si512(bits), table);
  }
};
