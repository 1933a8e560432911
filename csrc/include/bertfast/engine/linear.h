// Products of activations with weights that were packed once: out = act(in . W + bias).
//
// A row of the result depends on its row of the input alone, bit by bit: not on how
// many rows there are, nor on which. All methods are const and may be called by many
// threads at once, each with a Workspace of its own. A NaN or an infinity in a row of
// the input reaches that row of the result and no other.
#ifndef BERTFAST_ENGINE_LINEAR_H_
#define BERTFAST_ENGINE_LINEAR_H_

#include <cstddef>
#include <cstdint>
#include <memory>

namespace bertfast::engine {

enum class Activation { kIdentity, kGeluErf, kGeluTanh, kRelu, kTanh };

// Which instructions are used. kAvx512 takes VNNI for int8 where the CPU has it, and
// otherwise AVX2.
enum class Kernel { kPortable, kAvx2, kAvx512 };

bool is_supported(Kernel kernel);
// The best one of this CPU, or the one that BERTFAST_KERNEL names if the CPU has it.
Kernel default_kernel();
const char* kernel_name(Kernel kernel);  // as BERTFAST_KERNEL names it

// Scratch memory of one thread, grown on demand and kept.
class Workspace {
 public:
  Workspace();
  ~Workspace();
  Workspace(Workspace&&) noexcept;
  Workspace& operator=(Workspace&&) noexcept;
  // 64-byte aligned memory of `n_bytes` at least; what was there before is lost.
  void* reserve(std::size_t n_bytes);

 private:
  struct Memory;
  std::unique_ptr<Memory> memory_;
};

// A dense layer's weights [k, n], packed for one kernel; float32 or int8.
//
// float32: each element is one chain of fused multiply-adds that begins with the bias
// and goes through k in order. int8: the sum of the products is exact; k is 65536 at
// most. The factories throw std::invalid_argument for a kernel that the CPU does not
// have and for a k beyond that.
class Linear {
 public:
  // weight: float32 [k, n] row-major; bias: float32 [n] or nullptr for none.
  static Linear from_float(const float* weight, const float* bias, std::size_t k,
                           std::size_t n, Kernel kernel);
  // weight: int8 [k, n] row-major; column j stands for weight[., j] * scale[j].
  // Rows of the input are quantized on the fly to 0..255, from their least to their
  // greatest value, round to nearest even.
  static Linear from_int8(const std::int8_t* weight, const float* scale,
                          const float* bias, std::size_t k, std::size_t n,
                          Kernel kernel);
  // The same from float32 weights, quantized here: symmetric, absmax / 127 of each
  // column, round to nearest even.
  static Linear quantize(const float* weight, const float* bias, std::size_t k,
                         std::size_t n, Kernel kernel);

  Linear(Linear&&) noexcept;
  Linear& operator=(Linear&&) noexcept;
  ~Linear();

  std::size_t k() const;
  std::size_t n() const;
  std::size_t n_bytes() const;  // memory it holds

  // out [m, n], row stride ldo >= n: activation(in . W + bias); in [m, k], row stride
  // ldi >= k. `out` must not overlap `in`. Takes the whole of `workspace`.
  void apply(const float* in, std::size_t m, std::size_t ldi, Activation activation,
             float* out, std::size_t ldo, Workspace& workspace) const;

 private:
  struct Packed;
  explicit Linear(std::unique_ptr<Packed> packed);
  std::unique_ptr<Packed> packed_;
};

}  // namespace bertfast::engine

#endif  // BERTFAST_ENGINE_LINEAR_H_
