// What the tokenizer must know of each code point, generated at build time from the
// building interpreter's unicodedata by tools/generate_unicode_tables.py.
//
// A record is 32 bits:
//
//   31     30   29         28     27    26    25   24    23     22..15          14..0
//   (free) (free) ignorable cased  mark  punct cjk  drop  space  combining class
//   mapping
//
// Records are found in two steps, page of 128 code points first; equal pages are
// shared, which leaves 141 KB of 4.4 MB. Reading is thread-safe: all of it is constant.
#ifndef BERTFAST_UNICODE_H_
#define BERTFAST_UNICODE_H_

#include <cstddef>
#include <cstdint>

namespace bertfast {

using CodePoint = std::uint32_t;

constexpr CodePoint kCodePointCount = 0x110000;
constexpr int kPageBits = 7;
constexpr CodePoint kPageSize = 1u << kPageBits;
constexpr CodePoint kPageCount = kCodePointCount >> kPageBits;

constexpr CodePoint kCapitalSigma = 0x3A3;
constexpr CodePoint kSmallSigma = 0x3C3;
constexpr CodePoint kFinalSigma = 0x3C2;

class CodePoints {
 public:
  CodePoints(const CodePoint* begin, const CodePoint* end) : begin_(begin), end_(end) {}
  const CodePoint* begin() const { return begin_; }
  const CodePoint* end() const { return end_; }
  bool empty() const { return begin_ == end_; }
  std::size_t size() const { return static_cast<std::size_t>(end_ - begin_); }

 private:
  const CodePoint* begin_;
  const CodePoint* end_;
};

// Properties of one code point, as the reference tokenizer sees them.
class UnicodeRecord {
 public:
  explicit UnicodeRecord(std::uint32_t bits) : bits_(bits) {}

  // Becomes a space, or is split at by str.split().
  bool is_space() const { return (bits_ & (1u << 23)) != 0; }
  // Removed by the cleaning step.
  bool is_dropped() const { return (bits_ & (1u << 24)) != 0; }
  // Gets a space on both sides.
  bool is_cjk() const { return (bits_ & (1u << 25)) != 0; }
  // Is a word of its own.
  bool is_punctuation() const { return (bits_ & (1u << 26)) != 0; }
  // Nonspacing mark (Mn): an accent, after decomposition.
  bool is_mark() const { return (bits_ & (1u << 27)) != 0; }
  // The two properties of the final-sigma rule, as str.lower() reads them.
  bool is_cased() const { return (bits_ & (1u << 28)) != 0; }
  bool is_ignorable() const { return (bits_ & (1u << 29)) != 0; }
  int combining_class() const { return static_cast<int>(bits_ >> 15 & 0xFF); }
  // Of its lower case and decomposition in the tables.
  std::uint32_t mapping_index() const { return bits_ & 0x7FFF; }

 private:
  std::uint32_t bits_;
};

// The generated tables: reading them is worth no call.
extern const std::uint16_t kPages[];
extern const std::uint32_t kRecords[];

// The record of `code_point`, which must be below kCodePointCount.
inline UnicodeRecord unicode_record(CodePoint code_point) {
  const std::size_t page = kPages[code_point >> kPageBits];
  return UnicodeRecord(kRecords[page << kPageBits | (code_point & (kPageSize - 1))]);
}

// The lower case of a code point by itself, and its canonical decomposition (NFD),
// marks kept: up to 4 long, and empty if it stays as it is.
CodePoints unicode_lower(UnicodeRecord record);
CodePoints unicode_decomposition(UnicodeRecord record);

// Number of the distinct page that holds code points [page * 128, page * 128 + 128),
// and how many distinct pages there are: tables derived from this one can share pages
// the same way.
std::uint32_t unicode_distinct_page(CodePoint page);
std::uint32_t unicode_distinct_page_count();

// The Unicode version of the tables, such as "14.0.0".
const char* unicode_version();

}  // namespace bertfast

#endif  // BERTFAST_UNICODE_H_
